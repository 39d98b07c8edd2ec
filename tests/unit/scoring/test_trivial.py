"""The best constant for each metric: no model that is worth anything does worse."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_registry.domain.evaluation import EvaluationRows
from airflow_registry.domain.metrics import known_goal
from airflow_registry.scoring.judged import Judged
from airflow_registry.scoring.metrics import metric_functions, metric_of
from airflow_registry.scoring.trivial import trivial_metrics, trivial_scored

LABELS = np.array([0] * 7 + [1] * 3)


def test_classes_are_met_by_the_commonest_the_shares_and_one_score():
    found = trivial_metrics(LABELS, (0, 1), ["accuracy", "roc_auc", "log_loss", "brier_score", "average_precision"], "binary")
    entropy = -(0.7 * math.log(0.7) + 0.3 * math.log(0.3))
    assert found == pytest.approx({"accuracy": 0.7, "roc_auc": 0.5, "log_loss": entropy, "brier_score": 0.21, "average_precision": 0.3})


def test_for_some_metrics_the_rarer_class_is_the_better_constant():
    found = trivial_metrics(LABELS, (0, 1), ["recall", "f1", "fnr", "fpr", "balanced_accuracy", "selection_rate"], "binary")
    assert found == pytest.approx({"recall": 1, "f1": 0.6 / 1.3, "fnr": 0, "fpr": 0, "balanced_accuracy": 0.5, "selection_rate": 0})


def test_numbers_are_met_by_mean_median_and_middle():
    labels = np.array([1.0, 2.0, 9.0])
    found = trivial_metrics(labels, (), ["rmse", "r2", "mae", "max_error", "mape"], "regression")
    assert found["r2"] == pytest.approx(0)
    assert found == pytest.approx({"rmse": np.std(labels), "r2": 0, "mae": 8 / 3, "max_error": 4, "mape": (0 + 0.5 + 8 / 9) / 3})


@settings(max_examples=40)
@given(st.lists(st.integers(1, 30).map(float), min_size=2, max_size=20), st.floats(-40, 40))
def test_no_other_number_is_better(labels, other):
    labels = np.array(labels)
    names = ["rmse", "mse", "mae", "max_error", "mape"]
    best = trivial_metrics(labels, (), names, "regression")
    rival = Judged(labels=labels, predictions=np.full(len(labels), other))
    assert all(best[name] <= metric_of(rival, name, "regression") + 1e-9 for name in names)


@settings(max_examples=12)
@given(st.lists(st.integers(0, 1), min_size=2, max_size=20), st.integers(0, 1), st.floats(0.01, 0.99))
def test_no_other_class_or_chance_is_better(labels, other, chance):
    labels = np.array(labels)
    names = [name for name in metric_functions("binary") if known_goal(name)]
    best = trivial_metrics(labels, (0, 1), names, "binary")
    chances = np.tile([1 - chance, chance], (len(labels), 1))
    rival = Judged(labels=labels, predictions=np.full(len(labels), other), classes=(0, 1), scores=chances[:, 1], probabilities=chances)
    for name in names:
        sign = 1 if known_goal(name) == "maximize" else -1
        gain = sign * (metric_of(rival, name, "binary") - best[name])
        assert not gain > 1e-9, name


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_without_rows_nothing_is_defined(kind):
    names = list(metric_functions(kind))
    assert all(math.isnan(value) for value in trivial_metrics(np.empty(0, int), (0, 1, 2), names, kind).values())


def test_one_class_leaves_the_ranking_undefined():
    found = trivial_metrics(np.zeros(5, int), (0, 1), ["roc_auc", "accuracy", "log_loss"], "binary")
    assert math.isnan(found["roc_auc"])
    assert found["accuracy"] == 1


def test_many_classes():
    found = trivial_metrics(np.array([2, 2, 1, 0]), (0, 1, 2), ["accuracy", "log_loss", "roc_auc_ovr"], "multiclass")
    assert found == pytest.approx({"accuracy": 0.5, "log_loss": -(0.5 * math.log(0.5) + 0.5 * math.log(0.25)), "roc_auc_ovr": 0.5})


def test_a_label_of_zero_has_no_relative_error():
    assert math.isnan(trivial_metrics(np.array([0.0, 1.0]), (), ["mape"], "regression")["mape"])


def test_row_by_row_it_says_what_its_metric_says():
    rows = EvaluationRows(kind="binary", classes=(0, 1), labels=LABELS, scored={}, slices={}, data_digest="sha256:")
    told = trivial_scored(rows, "log_loss")
    assert told.probabilities.shape == (10, 2)
    assert np.unique(told.scores).tolist() == [pytest.approx(0.3)]
    assert np.unique(trivial_scored(rows, "recall").predictions).tolist() == [1]
    numbers = EvaluationRows(kind="regression", classes=(), labels=LABELS * 1.0, scored={}, slices={}, data_digest="sha256:")
    assert np.unique(trivial_scored(numbers, "mae").predictions).tolist() == [0]
    assert np.unique(trivial_scored(numbers, "rmse").predictions).tolist() == [pytest.approx(0.3)]


def test_a_function_of_the_users_that_cannot_take_a_constant_is_no_error(caplog):
    found = trivial_metrics(LABELS, (0, 1), ["sklearn.metrics:median_absolute_error", "json:dumps"], "binary")
    assert found["sklearn.metrics:median_absolute_error"] == 0
    assert math.isnan(found["json:dumps"])
    assert "What a constant reaches in json:dumps is not known" in caplog.text
