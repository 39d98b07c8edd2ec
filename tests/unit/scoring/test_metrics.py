"""Metrics that are not defined are NaN, and never a number that looks like a result; metrics of fairness; the classes' codes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from airflow_registry.scoring.judged import Judged, all_classes, distinct, encode
from airflow_registry.scoring.metrics import compute, metric_functions

LABELS, SAYS = np.array([0, 0, 0, 1, 1, 1, 1, 1]), np.array([0, 1, 1, 1, 1, 1, 1, 0])
CHANCE = np.where(SAYS, 0.7, 0.2)
ONE_CLASS_IS_DEFINED = {"accuracy", "brier_score", "log_loss", "zero_one_loss", "selection_rate"}


def binary(labels=LABELS, predictions=SAYS, chance=CHANCE):
    probabilities = None if chance is None else np.column_stack([1 - chance, chance])
    return Judged(labels=labels, predictions=predictions, classes=(0, 1), scores=chance, probabilities=probabilities)


def regression(labels, predictions):
    return Judged(labels=np.array(labels, dtype=float), predictions=np.array(predictions, dtype=float))


def test_rates_of_fairness_are_counted():
    found = compute(binary(), ["fpr", "fnr", "tpr", "recall", "selection_rate"], "binary")
    assert found == pytest.approx({"fpr": 2 / 3, "fnr": 1 / 5, "tpr": 4 / 5, "recall": 4 / 5, "selection_rate": 6 / 8})


@pytest.mark.parametrize(("label", "undefined"), [(0, {"fnr", "tpr", "recall"}), (1, {"fpr"})])
def test_a_rate_of_rows_that_are_not_there_is_nan(label, undefined):
    keep = label == LABELS
    found = compute(binary().take(keep), ["fpr", "fnr", "tpr", "recall"], "binary")
    assert {name for name, value in found.items() if math.isnan(value)} == undefined


def test_one_row_is_no_basis_for_a_ranking_a_spread_or_a_correlation():
    found = compute(binary().take([3]), list(metric_functions("binary")), "binary")
    assert all(math.isnan(found[name]) for name in ("roc_auc", "average_precision", "balanced_accuracy", "matthews_corrcoef"))
    assert found["accuracy"] == 1
    assert math.isnan(compute(regression([1], [2]), ["r2"], "regression")["r2"])


def test_constant_scores_rank_like_chance():
    found = compute(binary(chance=np.full(8, 0.3)), ["roc_auc", "average_precision"], "binary")
    assert found == pytest.approx({"roc_auc": 0.5, "average_precision": 5 / 8})


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_scores_that_are_not_finite_make_every_metric_of_them_nan(bad):
    chance = CHANCE.copy()
    chance[2] = bad
    found = compute(binary(chance=chance), ["roc_auc", "average_precision", "log_loss", "brier_score", "accuracy"], "binary")
    assert not any(math.isfinite(found[name]) for name in ("roc_auc", "average_precision", "log_loss", "brier_score"))
    assert found["accuracy"] == 5 / 8


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_a_prediction_of_no_class_makes_every_metric_of_predictions_nan(kind):
    says = SAYS.copy()
    says[0] = -1
    of_predictions = set(metric_functions(kind)) - {"roc_auc", "average_precision", "log_loss", "brier_score", "roc_auc_ovr", "roc_auc_ovo"}
    found = compute(binary(predictions=says), sorted(of_predictions), kind)
    assert all(math.isnan(value) for value in found.values()), found


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_no_rows_make_everything_nan(kind):
    empty = binary().take(slice(0)) if kind != "regression" else regression([], [])
    assert all(math.isnan(value) for value in compute(empty, list(metric_functions(kind)), kind).values())


@pytest.mark.parametrize("labels", [[5, 5, 5], [0, 0, 0]])
def test_constant_labels_leave_what_explains_their_spread_undefined(labels):
    found = compute(regression(labels, [1, 2, 3]), list(metric_functions("regression")), "regression")
    assert math.isnan(found["r2"])
    assert math.isnan(found["explained_variance"])
    assert found["mae"] > 0


def test_an_error_relative_to_zero_is_nan_and_not_a_huge_number():
    assert math.isnan(compute(regression([0, 1], [1, 1]), ["mape"], "regression")["mape"])
    assert compute(regression([2, 1], [1, 1]), ["mape"], "regression")["mape"] == 0.25


def test_positions_of_classes_and_of_what_is_none():
    values = np.array(["b", None, "a", "zz"], dtype=object)
    assert encode(values, ("a", "b")).tolist() == [1, -1, 0, -1]
    assert encode(np.array([1.0, math.nan, 0.0]), (0, 1)).tolist() == [1, -1, 0]
    assert encode(np.array([True, False]), (0, 1)).tolist() == [1, 0]
    assert encode(np.array([9, -9, 7, 3]), (3, 7)).tolist() == [-1, -1, 1, 0]
    assert encode(np.array([1, 0]), (False, True)).tolist() == [1, 0]
    assert distinct(np.array([1.0, math.nan, 1.0])) == {1.0}


@pytest.mark.parametrize(
    ("found", "classes"),
    [([1], (0, 1)), ([0.0], (0.0, 1.0)), ([True], (False, True)), (["x"], ("x",)), ([3], (3,)), ([2, 0, 1], (0, 1, 2)), ([], ())],
)
def test_zero_and_one_belong_together(found, classes):
    made = all_classes(found)
    assert made == classes
    assert [type(one) for one in made] == [type(one) for one in classes]


def test_classes_come_back_by_name():
    judged = Judged(labels=np.array([0, 1]), predictions=np.array([1, -1]), classes=("early", "late"))
    assert judged.named(judged.labels).tolist() == ["early", "late"]
    assert judged.named(judged.predictions).tolist() == ["late", None]
