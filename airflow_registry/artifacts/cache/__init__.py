"""Copies of artifacts on this machine, by digest: so that a worker downloads a model once, and not once for each task."""
