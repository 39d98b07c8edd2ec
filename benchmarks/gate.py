"""What the gate's statistics cost on 1,000,000 rows x 2 versions, as a ratio to scikit-learn's metrics of both, and their memory.

Ours: values and paired tests of AUC (DeLong), accuracy (McNemar) and log loss (bootstrap), on the whole and on 50 slices at once.
scikit-learn's: `roc_auc_score` and `log_loss` of both versions, on the whole. Interleaved, process CPU, medians. Memory is the growth
of a fresh process's peak from its start, imports and the data included. The goals are at most 3 times the CPU and 600 MB.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import time

ROWS = 1_000_000
SLICES = 50
ROUNDS = 9
METRICS = ("roc_auc", "accuracy", "log_loss")


def evaluation():
    import numpy as np

    from airflow_registry.domain.stats.rows import Scored

    random = np.random.default_rng(0)
    labels = (random.random(ROWS) < 0.3).astype(np.int64)
    versions = []
    for _ in range(2):
        probability = 1 / (1 + np.exp(0.5 - labels - random.normal(size=ROWS)))
        probabilities = np.column_stack([1 - probability, probability])
        versions.append(Scored(predictions=(probability > 0.5).astype(np.int64), scores=probability, probabilities=probabilities))
    return labels, versions, random.integers(0, SLICES, ROWS)


def ours(metric, labels, versions, codes):
    from airflow_registry.domain.stats.bootstrap import weights
    from airflow_registry.domain.stats.paired import paired_differences

    weights.cache_clear()
    return paired_differences(metric, labels, *versions, codes=codes, n_slices=SLICES, seed=1)


def theirs(labels, versions):
    from sklearn.metrics import log_loss, roc_auc_score

    return [(roc_auc_score(labels, version.scores), log_loss(labels, version.probabilities)) for version in versions]


def cpu_ms(call):
    before = time.process_time()
    result = call()
    return (time.process_time() - before) * 1000, result


def measured(data):
    times = {name: [] for name in (*METRICS, "scikit-learn")}
    for _ in range(ROUNDS):
        found = {}
        for metric in METRICS:
            cost, found[metric] = cpu_ms(lambda metric=metric: ours(metric, *data))
            times[metric].append(cost)
        cost, values = cpu_ms(lambda: theirs(*data[:2]))
        times["scikit-learn"].append(cost)
        whole = [found[metric][-1] for metric in ("roc_auc", "log_loss")]
        assert all(abs(one.challenger - value) < 1e-9 for one, value in zip(whole, values[0], strict=True))
        assert all(one is not None and one.p_value(0) <= 1 for metric in METRICS for one in found[metric].values())
    return {name: statistics.median(costs) for name, costs in times.items()}


def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def memory():
    """In a fresh process: how much the peak grows."""
    start = peak_mb()
    data = evaluation()
    with_data = peak_mb()
    for metric in METRICS:
        ours(metric, *data)
    print(f"{with_data - start:.0f} {peak_mb() - start:.0f}")


def main():
    # First, while this process is small: on Linux a child's peak starts at its parent's.
    child = subprocess.run([sys.executable, __file__, "memory"], check=True, capture_output=True, text=True)
    medians = measured(evaluation())
    base = medians["scikit-learn"]
    print(f"{'1,000,000 rows x 2 versions':44} {'CPU ms (median)':>16} {'ratio':>7}")
    print(f"{'scikit-learn: roc_auc_score, log_loss, both':44} {base:16.0f} {1:7.2f}")
    for metric in METRICS:
        print(f"{f'{metric}: test on the whole and {SLICES} slices':44} {medians[metric]:16.0f} {medians[metric] / base:7.2f}")
    total = sum(medians[metric] for metric in METRICS)
    print(f"{'all three (goal: at most 3)':44} {total:16.0f} {total / base:7.2f}")
    with_data, peak = child.stdout.split()
    print(f"peak memory of a fresh process grows by {peak} MB (goal: at most 600), imports and data alone by {with_data} MB")


if sys.argv[1:] == ["memory"]:
    memory()
else:
    main()
