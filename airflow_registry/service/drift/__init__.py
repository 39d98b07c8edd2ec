"""Drift: what versions are compared with, how far their last partitions differ, and retrainings that are asked for because of it."""
