"""One metric of two versions on the same rows: the gain, how sure it is, and whether it is above a border."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from airflow_registry.domain.stats.auc import auc_differences
from airflow_registry.domain.stats.losses import row_losses
from airflow_registry.domain.stats.means import loss_differences
from airflow_registry.domain.stats.proportions import proportion_differences
from airflow_registry.domain.stats.rows import Sections, check_rows, numbers
from airflow_registry.errors import InvalidInputError, one_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from airflow_registry.domain.stats.rows import Scored

_PROPORTION, _AUC, _LOSS = "paired proportions", "DeLong", "paired bootstrap"
# Metrics that can be tested at all, and by which family of methods.
TESTED: Mapping[str, str] = MappingProxyType(
    {
        "accuracy": _PROPORTION,
        "error_rate": _PROPORTION,
        "zero_one_loss": _PROPORTION,
        "auc": _AUC,
        "roc_auc": _AUC,
        "brier": _LOSS,
        "brier_score": _LOSS,
        "log_loss": _LOSS,
        "mae": _LOSS,
        "mean_absolute_error": _LOSS,
        "mean_squared_error": _LOSS,
        "mse": _LOSS,
        "rmse": _LOSS,
        "root_mean_squared_error": _LOSS,
    }
)


class PairedDifference(Protocol):
    """One metric of two versions on the same rows."""

    @property
    def metric(self) -> str:
        """Name of the metric."""

    @property
    def method(self) -> str:
        """The statistical method, in words."""

    @property
    def rows(self) -> int:
        """Rows compared (count)."""

    @property
    def challenger(self) -> float:
        """The challenger's value of the metric."""

    @property
    def baseline(self) -> float:
        """The baseline's value of the metric."""

    @property
    def gain(self) -> float:
        """`challenger` - `baseline`, negated where lower is better."""

    @property
    def standard_error(self) -> float:
        """Of the gain (>= 0)."""

    def method_at(self, border: float) -> str:
        """The method that `p_value` uses for this border, in words."""

    def lower_limit(self, confidence: float) -> float:
        """One-sided lower limit of the gain at a confidence in (0, 1); may be -inf."""

    def upper_limit(self, confidence: float) -> float:
        """One-sided upper limit of the gain at a confidence in (0, 1); may be inf."""

    def p_value(self, border: float) -> float:
        """One-sided p-value of H0 "the true gain is at most the border"; small means that the gain is above it."""

    def detectable(self, confidence: float, power: float = 0.8) -> float:
        """The smallest true gain above the border that would be seen with this power."""


def paired_differences(
    metric: str,
    labels: object,
    challenger: Scored,
    baseline: Scored,
    *,
    codes: object = None,
    n_slices: int = 0,
    seed: int,
) -> dict[int, PairedDifference | None]:
    """The difference on the whole (key -1) and on each slice (keys 0 to n_slices - 1); None where it is not defined.

    Args:
        metric: One of `TESTED`.
        labels: (n,) class codes or numbers.
        challenger: What the challenger said about the rows.
        baseline: What the baseline said about the same rows.
        codes: (n,) slice of each row, -1 for none.
        n_slices: Number of slices (count); the bootstrap takes about 50 KB for each.
        seed: Of the bootstrap; see `draws.seed_of`.

    Raises:
        InvalidInputError: If the metric cannot be tested, or lengths differ.
    """
    import numpy as np

    if metric not in TESTED:
        raise InvalidInputError(f"There is no test for a difference in {metric!r}. Metrics that have one: {one_of(sorted(TESTED))}.")
    truth = np.asarray(labels)
    check_rows(truth, len(truth) if truth.ndim else 0, "labels")
    challenger.check(len(truth), "challenger's")
    baseline.check(len(truth), "baseline's")
    sections = Sections.of(len(truth), codes, n_slices)
    if not sections.rows:
        return dict.fromkeys(range(-1, n_slices))
    found: Mapping[int, PairedDifference | None] | None
    match TESTED[metric]:
        case "paired proportions":
            found = _proportions(metric, truth, challenger, baseline, sections)
        case "DeLong":
            found = _areas(metric, truth, challenger, baseline, sections)
        case _:
            found = _losses(metric, truth, challenger, baseline, sections, seed)
    return dict.fromkeys(range(-1, n_slices)) if found is None else dict(found)


def _proportions(
    metric: str, labels: NDArray[Any], challenger: Scored, baseline: Scored, sections: Sections
) -> Mapping[int, PairedDifference | None]:
    known = numbers(labels) & numbers(challenger.predictions) & numbers(baseline.predictions)
    return proportion_differences(metric, challenger.predictions == labels, baseline.predictions == labels, known, sections)


def _areas(
    metric: str, labels: NDArray[Any], challenger: Scored, baseline: Scored, sections: Sections
) -> Mapping[int, PairedDifference | None] | None:
    import numpy as np

    scores = [score for score in (challenger.class_one(), baseline.class_one()) if score is not None]
    if len(scores) < 2:
        return None
    known = ((labels == 0) | (labels == 1)) & numbers(scores[0]) & numbers(scores[1])
    filled = [np.where(known, score, 0.0).astype(np.float64, copy=False) for score in scores]
    return auc_differences(metric, labels == 1, (filled[0], filled[1]), known, sections)


def _losses(
    metric: str, labels: NDArray[Any], challenger: Scored, baseline: Scored, sections: Sections, seed: int
) -> Mapping[int, PairedDifference | None] | None:
    losses = row_losses(metric, labels, challenger), row_losses(metric, labels, baseline)
    if losses[0] is None or losses[1] is None:
        return None
    return loss_differences(metric, losses[0], losses[1], sections, seed)
