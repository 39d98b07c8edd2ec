"""Metric values: numbers, and the three kinds of number that can never be approved.

A NaN or an infinity is kept, with its kind, because it is a fact about the training run; it never satisfies a rule.
Anything that is not a number (bool, text, None, a nested mapping) is refused where it enters.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from numbers import Integral, Real
from typing import TYPE_CHECKING, Literal

from airflow_registry.errors import InvalidMetricError

if TYPE_CHECKING:
    from collections.abc import Mapping

NonFinite = Literal["nan", "inf", "-inf"]
Goal = Literal["maximize", "minimize"]
GOALS: tuple[Goal, ...] = ("maximize", "minimize")

HIGHER_IS_BETTER = frozenset(
    {
        "accuracy", "auc", "average_precision", "balanced_accuracy", "explained_variance", "f1", "f1_macro", "f1_micro", "f1_weighted",
        "jaccard", "matthews_corrcoef", "precision", "precision_macro", "precision_weighted", "r2", "recall", "recall_macro",
        "recall_weighted", "roc_auc", "roc_auc_ovo", "roc_auc_ovr", "top_k_accuracy", "gini", "ks", "ndcg", "tpr",
    }
)  # fmt: skip
LOWER_IS_BETTER = frozenset(
    {
        "brier", "brier_score", "error_rate", "expected_calibration_error", "fnr", "fpr", "hinge_loss", "log_loss", "loss", "mae", "mape",
        "max_error",
        "mean_absolute_error", "mean_absolute_percentage_error", "mean_squared_error", "mean_squared_log_error", "median_absolute_error",
        "mse", "rmse", "root_mean_squared_error", "rmsle", "smape", "zero_one_loss",
    }
)  # fmt: skip
# What an evaluation computes by name (`scoring/metrics.py` has the functions); a metric of any other name must be recorded.
COMPUTED = frozenset(
    {
        "accuracy", "average_precision", "balanced_accuracy", "brier_score", "explained_variance", "f1", "f1_macro", "f1_micro",
        "f1_weighted", "fnr", "fpr", "jaccard", "log_loss", "mae", "mape", "matthews_corrcoef", "max_error", "mean_absolute_error",
        "mean_absolute_percentage_error", "mean_squared_error", "median_absolute_error", "mse", "precision", "precision_macro",
        "precision_weighted", "r2", "recall", "recall_macro", "recall_weighted", "rmse", "roc_auc", "roc_auc_ovo", "roc_auc_ovr",
        "root_mean_squared_error", "selection_rate", "tpr", "zero_one_loss",
    }
)  # fmt: skip
# The metrics for which a paired test on the same rows exists, so that a rule may ask for confidence.
TESTABLE = frozenset(
    {
        "accuracy", "auc", "brier", "brier_score", "error_rate", "log_loss", "mae", "mean_absolute_error", "mean_squared_error", "mse",
        "rmse", "roc_auc", "root_mean_squared_error", "zero_one_loss",
    }
)  # fmt: skip
_USER_METRIC = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


def is_user_metric(name: str) -> bool:
    """Whether the name says where a function of the user is: `module:function`.

    >>> is_user_metric("pricing.metrics:profit")
    True
    """
    return _USER_METRIC.fullmatch(name) is not None


def is_computed(name: str) -> bool:
    """Whether an evaluation can compute this metric; otherwise somebody must record it."""
    return name in COMPUTED or is_user_metric(name)


def known_goal(name: object) -> Goal | None:
    """Which direction of a metric is better, None if the name says nothing.

    >>> known_goal("log_loss")
    'minimize'
    """
    key = name.lower() if isinstance(name, str) else ""
    if key in LOWER_IS_BETTER:
        return "minimize"
    return "maximize" if key in HIGHER_IS_BETTER else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric of one version on one slice of one data set.

    Attributes:
        name: As the training code or scikit-learn calls it.
        value: A finite number, or None if it was not finite.
        non_finite: What it was when it was not finite.
        slice: The rows it was computed on; '' is all of them.
        rows: How many rows that were (count), None if nobody said.
    """

    name: str
    value: float | None
    non_finite: NonFinite | None = None
    slice: str = ""
    rows: int | None = None

    def __post_init__(self) -> None:
        if not self.name or not isinstance(self.name, str):
            raise InvalidMetricError(f"A metric needs a name; found {self.name!r}.")
        if (self.value is None) == (self.non_finite is None):
            raise InvalidMetricError(f"Metric {self.name!r} is either a finite number or a kind of non-finite one.")
        if self.value is not None and not math.isfinite(self.value):
            raise InvalidMetricError(f"Metric {self.name!r}: {self.value!r} must be stored as non-finite.")

    @property
    def as_float(self) -> float:
        """The number again, NaN and infinities included."""
        return float(self.non_finite) if self.value is None and self.non_finite else float(self.value or 0.0)


def metric(name: str, value: object, *, rows: int | None = None, slice_: str = "") -> Metric:
    """A metric from what training code returns: int, float, Decimal, or a numpy scalar.

    Raises:
        InvalidMetricError: If the value is a bool, text, None, nested, or not a number at all.

    >>> metric("auc", float("nan"))
    Metric(name='auc', value=None, non_finite='nan', slice='', rows=None)
    """
    number = _number(name, value)
    if math.isfinite(number):
        return Metric(name=name, value=number, rows=rows, slice=slice_)
    return Metric(name=name, value=None, non_finite=_kind(number), rows=rows, slice=slice_)


def metrics_from(mapping: Mapping[str, object], *, rows: int | None = None) -> tuple[Metric, ...]:
    """All metrics of a mapping, or one error that names every fault.

    Raises:
        InvalidMetricError: If any value cannot be a metric.
    """
    if not hasattr(mapping, "items"):
        raise InvalidMetricError(f"Metrics must be a mapping such as {{'accuracy': 0.85}}; found {type(mapping).__name__}.")
    good, faults = [], []
    for name, value in mapping.items():
        try:
            good.append(metric(name, value, rows=rows))
        except InvalidMetricError as error:
            faults.append(str(error))
    if faults:
        raise InvalidMetricError(" ".join(faults))
    return tuple(good)


def _number(name: str, value: object) -> float:
    item = getattr(value, "item", None)  # numpy scalars and 0-d arrays know their Python value
    plain = item() if callable(item) and getattr(value, "ndim", None) == 0 else value
    if isinstance(plain, bool) or not isinstance(plain, (Real, Integral, Decimal)):
        raise InvalidMetricError(f"Metric {name!r} is not a number: found {plain!r} ({type(value).__name__}), expected for example 0.85.")
    try:
        return float(plain)
    except OverflowError:  # a whole number or fraction beyond the floats
        return -math.inf if plain < 0 else math.inf
    except ValueError:  # Decimal("sNaN") refuses even to be converted
        return math.nan


def _kind(number: float) -> NonFinite:
    if math.isnan(number):
        return "nan"
    return "inf" if number > 0 else "-inf"
