"""Metrics of all slices at once are those of each slice alone, whatever its rows are."""

from __future__ import annotations

import numpy as np
import pytest

from airflow_registry.domain.evaluation import SliceCodes
from airflow_registry.scoring.judged import Judged
from airflow_registry.scoring.metrics import metric_functions, metric_of
from airflow_registry.scoring.slice_metrics import compute_slices

KINDS = ("binary", "multiclass", "regression")


def judged(kind, random, n):
    """Rows with everything that can be wrong in some slice: ties, constants, one class, NaN."""
    if kind == "regression":
        labels, predictions = random.integers(0, 3, n).astype(float), random.normal(size=n).round(1)
        return Judged(labels=labels, predictions=np.where(random.random(n) < 0.01, np.nan, predictions))
    k = 2 if kind == "binary" else 3
    labels, predictions = random.integers(0, k, n), random.integers(0, k, n)
    predictions[random.random(n) < 0.01] = -1
    chances = random.dirichlet(np.ones(k), n).round(2)
    chances[:, 0] = 1 - chances[:, 1:].sum(axis=1)
    chances = np.abs(chances)
    chances[random.random(n) < 0.01] = np.nan
    scores = chances[:, 1] if kind == "binary" else None
    return Judged(labels=labels, predictions=predictions, classes=tuple(range(k)), scores=scores, probabilities=chances)


def slices(random, n, k=7):
    """Small slices, one without rows, and one of a single class."""
    codes = random.integers(0, k - 1, n).astype(np.int16)
    return SliceCodes(names=tuple(f"c={number}" for number in range(k)), codes=codes)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_each_slice_gets_what_its_rows_alone_would_get(kind, seed):
    random = np.random.default_rng(seed)
    n = [0, 1, 30, 300][seed]
    rows, codes = judged(kind, random, n), slices(random, n)
    names = list(metric_functions(kind))
    found = compute_slices(rows, codes, names, kind)
    assert list(found) == names
    for position in range(len(codes.names)):
        alone = rows.take(codes.codes == position)
        expected = {name: metric_of(alone, name, kind) for name in names}
        assert {name: found[name][position] for name in names} == pytest.approx(expected, rel=1e-9, abs=1e-12, nan_ok=True), position


@pytest.mark.parametrize(
    "change",
    [
        {"scores": None, "probabilities": None},
        {"labels": np.zeros(40, dtype=int)},
        {"predictions": np.ones(40, dtype=int)},
        {"scores": np.full(40, 0.5)},
        {"scores": np.where(np.arange(40) % 9, 0.5, np.inf)},
        {"probabilities": np.tile([1.0, 0.0], (40, 1))},
        {"probabilities": np.tile([1.5, -0.5], (40, 1))},
        {"probabilities": np.tile([0.2, 0.3, 0.5], (40, 1))},
    ],
)
def test_degenerate_models_too(change):
    random = np.random.default_rng(3)
    rows, codes = judged("binary", random, 40), slices(random, 40, 5)
    parts = {name: change.get(name, getattr(rows, name)) for name in ("labels", "predictions", "scores", "probabilities")}
    rows = Judged(classes=(0, 1), **parts)
    names = list(metric_functions("binary"))
    found = compute_slices(rows, codes, names, "binary")
    for position in range(5):
        expected = {name: metric_of(rows.take(codes.codes == position), name, "binary") for name in names}
        assert {name: found[name][position] for name in names} == pytest.approx(expected, nan_ok=True)


def test_a_nan_spoils_its_own_slice_only():
    rows = Judged(labels=np.array([1.0, 2.0, 3.0]), predictions=np.array([1.0, np.nan, 4.0]))
    found = compute_slices(rows, SliceCodes(names=("a", "b"), codes=np.array([0, 0, 1], dtype=np.int16)), ["rmse", "mae"], "regression")
    assert np.isnan(found["rmse"]).tolist() == [True, False]
    assert found["mae"][1] == 1


def test_numbers_beyond_the_floats_raise_nothing():
    rows = Judged(labels=np.array([1e308, -1e308]), predictions=np.array([-1e308, 1e308]))
    found = compute_slices(rows, SliceCodes(names=("a",), codes=np.zeros(2, dtype=np.int16)), ["mse"], "regression")
    assert not np.isfinite(found["mse"][0])
