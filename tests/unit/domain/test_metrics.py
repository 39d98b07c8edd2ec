"""A metric is a number, or a kind of number that is never approved; anything else is refused where it enters."""

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_registry.domain.metrics import HIGHER_IS_BETTER, LOWER_IS_BETTER, Metric, known_goal, metric, metrics_from
from airflow_registry.errors import InvalidMetricError


@given(st.floats() | st.integers())
def test_a_number_is_kept_as_it_is_and_a_non_finite_one_as_its_kind(number):
    kept = metric("auc", number)
    try:
        expected = float(number)
    except OverflowError:
        expected = math.copysign(math.inf, number > 0 or -1)
    assert kept.as_float == expected or (math.isnan(kept.as_float) and math.isnan(expected))
    assert (kept.value is None) is not math.isfinite(expected)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (1, 1.0),
        (Decimal("0.85"), 0.85),
        (Fraction(1, 4), 0.25),
        (np.float32(0.5), 0.5),
        (np.float64(0.85), 0.85),
        (np.int64(3), 3.0),
        (np.array(0.5), 0.5),
        (np.longdouble(0.5), 0.5),
    ],
)
def test_what_training_code_returns_becomes_a_float(value, number):
    kept = metric("auc", value)
    assert kept.value == number
    assert type(kept.value) is float


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (math.nan, "nan"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (np.float32("nan"), "nan"),
        (Decimal("NaN"), "nan"),
        (Decimal("sNaN"), "nan"),
        (Decimal("-Infinity"), "-inf"),
        (10**400, "inf"),
        (-(10**400), "-inf"),
        (Fraction(10**400), "inf"),
        (Fraction(-(10**400)), "-inf"),
    ],
)
def test_a_number_that_is_not_finite_is_kept_as_what_it_was(value, kind):
    kept = metric("auc", value)
    assert (kept.value, kept.non_finite) == (None, kind)
    assert str(kept.as_float) == kind


@pytest.mark.parametrize(
    "value",
    [
        True,
        False,
        None,
        "0.85",
        "",
        b"1",
        [0.85],
        (1,),
        {"a": 1},
        1j,
        np.bool_(1),
        np.array([0.5]),
        np.array(["x"]),
        np.array("x"),
        object(),
    ],
)
def test_what_is_not_a_number_is_refused(value):
    with pytest.raises(InvalidMetricError, match="Metric 'auc' is not a number"):
        metric("auc", value)


def test_all_faults_of_a_mapping_are_named_at_once():
    with pytest.raises(InvalidMetricError, match=r"(?s)'a' is not a number.*'c' is not a number.*needs a name"):
        metrics_from({"a": None, "b": 1, "c": True, "": 2})


def test_a_mapping_becomes_metrics_in_its_order_with_their_rows():
    assert metrics_from({"b": 1, "a": math.nan}, rows=3) == (
        Metric(name="b", value=1.0, rows=3),
        Metric(name="a", value=None, non_finite="nan", rows=3),
    )
    assert metrics_from({}) == ()


@pytest.mark.parametrize("value", [None, 0.85, [("auc", 1)], "auc"])
def test_what_is_no_mapping_is_refused(value):
    with pytest.raises(InvalidMetricError, match="Metrics must be a mapping"):
        metrics_from(value)


@pytest.mark.parametrize("name", ["", None, 3])
def test_a_metric_has_a_name(name):
    with pytest.raises(InvalidMetricError, match="needs a name"):
        metric(name, 1)


@pytest.mark.parametrize("facts", [{"value": None}, {"value": 1.0, "non_finite": "nan"}])
def test_a_metric_is_either_finite_or_of_a_kind(facts):
    with pytest.raises(InvalidMetricError, match="either a finite number or a kind"):
        Metric(name="auc", **facts)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_value_that_is_not_finite_is_never_kept_as_a_value(value):
    with pytest.raises(InvalidMetricError, match="must be stored as non-finite"):
        Metric(name="auc", value=value)


def test_no_metric_is_better_in_both_directions():
    assert not HIGHER_IS_BETTER & LOWER_IS_BETTER


@pytest.mark.parametrize(
    ("name", "goal"),
    [
        ("roc_auc", "maximize"),
        ("ROC_AUC", "maximize"),
        ("log_loss", "minimize"),
        ("neg_log_loss", None),
        ("", None),
        (None, None),
        ([], None),
    ],
)
def test_the_direction_is_known_by_name_or_not_at_all(name, goal):
    assert known_goal(name) == goal
