"""Recalls: the plan, the mark, the new scores, and how far it has come. Each step can be repeated."""
