"""Metrics of the user's own: what they are given, and what is said when they cannot be used."""

from __future__ import annotations

import itertools
import math
import sys

import numpy as np
import pytest

from airflow_registry.domain.evaluation import SliceCodes
from airflow_registry.errors import InvalidInputError, InvalidMetricError
from airflow_registry.scoring.judged import Judged
from airflow_registry.scoring.metrics import check_metric_names, compute
from airflow_registry.scoring.slice_metrics import compute_slices
from airflow_registry.scoring.user_metrics import load

SOURCE = """
import numpy as np
from decimal import Decimal

def by_name(y_pred, y_true): return float((y_true == y_pred).mean())
def scored(y_true, y_score): return float(y_score[y_true == "late"].mean())
def chances(labels, probabilities, classes): return float(probabilities[:, classes.index("late")].mean())
def in_order(a, b): return float((a == b).mean())
def three(a, b, c): return float(c.mean())
def maybe(y_true, y_pred, y_score=None, weight=2.0): return weight if y_score is None else -weight
def only_positional(y_true, y_pred, /): return float((y_true == y_pred).mean())
def numpy_number(y_true, y_pred): return np.float32(0.5)
def exact(y_true, y_pred): return Decimal("0.25")
def nothing(y_true, y_pred): return None
def text(y_true, y_pred): return "0.9"
def boolean(y_true, y_pred): return True
def each_row(y_true, y_pred): return y_true == y_pred
def nan(y_true, y_pred): return float("nan")
def infinite(y_true, y_pred): return -np.inf
def broken(y_true, y_pred): raise KeyError("price")
def two_classes(y_true, y_pred):
    if len(set(y_true)) < 2: raise ValueError("one class")
    return 1.0
def one(y_pred): return 1.0
def four(a, b, c, d): return 1.0
def beta(y_true, y_pred, *, beta): return 1.0
def rest(*args, **kwargs): return 1.0
class Cost:
    def __call__(self, y_true, y_pred): return 3.0
    @staticmethod
    def per_row(y_true, y_pred): return 4.0
cost = Cost()
number = 5
"""
COUNTER = itertools.count()
LATE = ("early", "late")


@pytest.fixture
def own(tmp_path, monkeypatch):
    name = f"own_metrics_{next(COUNTER)}"
    (tmp_path / f"{name}.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    yield lambda function: f"{name}:{function}"
    sys.modules.pop(name, None)


def judged(**parts):
    chance = np.array([0.1, 0.4, 0.8])
    known = {
        "labels": np.array([0, 1, 1]),
        "predictions": np.array([0, 0, 1]),
        "scores": chance,
        "probabilities": np.column_stack([1 - chance, chance]),
    }
    return Judged(classes=LATE, **{**known, **parts})


def value(name, rows=None):
    return compute(judged() if rows is None else rows, [name], "binary")[name]


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("by_name", 2 / 3),
        ("scored", 0.6),
        ("chances", 1.3 / 3),
        ("in_order", 2 / 3),
        ("three", 1.3 / 3),
        ("maybe", -2.0),
        ("only_positional", 2 / 3),
        ("numpy_number", 0.5),
        ("exact", 0.25),
        ("cost", 3.0),
        ("Cost.per_row", 4.0),
        ("rest", 1.0),
    ],
)
def test_parameters_say_by_their_names_what_they_get(own, function, expected):
    assert value(own(function)) == pytest.approx(expected)


def test_functions_of_scikit_learn_can_be_named_too():
    numbers = Judged(labels=np.array([1.0, 2.0]), predictions=np.array([1.0, 4.0]))
    assert compute(numbers, ["sklearn.metrics:mean_squared_error"], "regression")["sklearn.metrics:mean_squared_error"] == 2


def test_where_scikit_learn_warns_that_its_number_is_a_convention_it_is_nan():
    assert math.isnan(value("sklearn.metrics:recall_score", Judged(labels=np.zeros(3, int), predictions=np.zeros(3, int), classes=(0, 1))))


def test_where_the_model_has_no_scores_what_wants_them_is_nan_and_the_rest_is_not(own, caplog):
    rows = judged(scores=None, probabilities=None)
    assert math.isnan(value(own("scored"), rows))
    assert "wants scores, and the model has none" in caplog.text
    assert value(own("maybe"), rows) == 2


@pytest.mark.parametrize(("function", "kind"), [("nan", "nan"), ("infinite", "-inf")])
def test_a_number_that_is_none_is_kept_and_told(own, caplog, function, kind):
    assert not math.isfinite(value(own(function)))
    assert f"{own(function)} is {kind} on 3 rows" in caplog.text


@pytest.mark.parametrize(("function", "found"), [("nothing", "None"), ("text", "'0.9'"), ("boolean", "True"), ("each_row", "array")])
def test_what_is_no_number_is_an_error_that_names_the_function(own, function, found):
    with pytest.raises(InvalidMetricError, match=f"{function}' is not a number: found {found}.*one number for all rows"):
        value(own(function))


def test_a_function_that_fails_is_named_with_what_it_said(own):
    with pytest.raises(InvalidInputError, match=r":broken failed: KeyError: 'price'. It was called with labels, predictions of 3 rows"):
        value(own("broken"))


@pytest.mark.parametrize("function", ["one", "four", "beta"])
def test_a_function_that_nobody_knows_how_to_call_is_refused_before_any_row_is_scored(own, function):
    with pytest.raises(InvalidInputError, match="nobody knows what to give it"):
        check_metric_names([own(function)])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_module:cost", "No module named 'no_such_module'"),
        ("math:no_such_function", "has no attribute"),
        ("math:pi", "is no function: found 3.14"),
        ("math:", "names no metric"),
        (":cost", "names no metric"),
        ("a b:c", "names no metric"),
    ],
)
def test_what_is_not_there_is_said_before_any_row_is_scored(name, message):
    with pytest.raises(InvalidInputError, match=message):
        check_metric_names([name])


def test_in_a_slice_a_function_that_fails_is_not_defined(own):
    codes = SliceCodes(names=("a", "b"), codes=np.array([1, 0, 1], dtype=np.int16))
    found = compute_slices(judged(), codes, [own("two_classes"), own("scored")], "binary")
    assert np.isnan(found[own("two_classes")]).tolist() == [True, False]
    assert found[own("scored")].tolist() == pytest.approx([0.4, 0.8])


def test_no_rows_are_not_asked_about(own):
    assert math.isnan(value(own("broken"), judged().take(slice(0))))


def test_builtins_without_a_signature_get_labels_and_predictions():
    assert load("operator:itemgetter").in_order == ("labels", "predictions")
