"""How often judged features drift, by simulation: whole batches of 20 features against references whose bins are their own deciles."""

from __future__ import annotations

import numpy as np

from airflow_registry.domain.drift.bins import Bins, Feature, Profile
from airflow_registry.domain.drift.verdict import Limits, Verdict, judge

FEATURES = 20
EDGES = tuple(range(1, 10))


def alarm_rate(rows, reference_rows, *, alpha=0.05, floor=0.0, batches=1000, seed=0):
    """The share of batches without drift in which any feature is called drifted.

    The bins hold a tenth of the reference each, as frozen bins do; what share of all values that is follows from order statistics.
    """
    random = np.random.default_rng([seed, rows, reference_rows])
    reference = reference_of(reference_rows)
    alarms = 0
    for _ in range(batches):
        shares = random.dirichlet(np.full(10, reference_rows / 10), FEATURES)
        alarms += is_alarm(reference, random.multinomial(rows, shares), Limits(alpha=alpha, floor=floor))
    return alarms / batches


def detection_rate(rows, reference_rows, shift, *, batches=200, seed=0):
    """The share of batches in which the feature is found whose mean has moved by `shift` deviations, and no other is needed for it."""
    random = np.random.default_rng([seed, rows, reference_rows])
    found = 0
    for _ in range(batches):
        borders = np.quantile(random.normal(size=reference_rows), np.arange(1, 10) / 10)
        counts = [
            np.bincount(np.searchsorted(borders, random.normal(size=rows) + by), minlength=10) for by in (shift, *[0.0] * (FEATURES - 1))
        ]
        judged = judge(reference_of(reference_rows), named(counts), Limits())
        found += any(one.verdict is Verdict.DRIFTED for one in judged if one.name == "f0")
    return found / batches


def reference_of(rows):
    each = Feature(bins=Bins(edges=EDGES), counts=(rows // 10,) * 10 + (0,))
    return Profile(features={f"f{index}": each for index in range(FEATURES)})


def is_alarm(reference, counts, limits):
    return any(one.verdict is Verdict.DRIFTED for one in judge(reference, named(counts), limits))


def named(counts):
    return {f"f{index}": (*map(int, found), 0) for index, found in enumerate(counts)}
