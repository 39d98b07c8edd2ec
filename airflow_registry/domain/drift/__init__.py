"""Drift: how the rows that a version scores differ from those it was registered with.

`bins` says what is counted, `sketch` holds the counts of one partition, `psi` compares two of them, `verdict` judges, `report` joins
the partitions of a model, `retraining` decides whether to ask for a new version. All of it is pure; counting is `scoring.sketch`.
"""
