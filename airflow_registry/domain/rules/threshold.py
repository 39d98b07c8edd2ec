"""Absolute rules: bounds of a metric, and how far its slices may differ."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.faults import finite
from airflow_registry.domain.rules.shared import (
    check_slices,
    metric_faults,
    needed,
    normalize,
    not_negative,
    slices_mapping,
    slices_text,
    without_none,
)

if TYPE_CHECKING:
    from airflow_registry.domain.faults import Faults


@dataclass(frozen=True, slots=True)
class Threshold:
    """An absolute rule: the metric lies between bounds, which are inclusive.

    Attributes:
        metric: Name of the metric.
        at_least: Lower bound in the metric's unit, None for none.
        at_most: Upper bound; for a metric that rises with quality it is an alarm for leakage.
        by: Name of a slice column: the rule must hold in each of its slices; None for all rows together.
        values: Slices of `by` that must be there, with enough rows; None for those that the data have.
        min_rows: With `by`, smaller slices are not judged (and named); without, fewer rows are inconclusive.
    """

    metric: str
    _: KW_ONLY
    at_least: float | None = None
    at_most: float | None = None
    by: str | None = None
    values: tuple[str, ...] | None = None
    min_rows: int | None = None

    def __post_init__(self) -> None:
        faults = metric_faults(self.metric)
        for key in ("at_least", "at_most"):
            normalize(self, key, finite, faults)
        if not faults.found:
            self._check_bounds(faults)
        check_slices(self, faults)
        faults.refuse(f"rule on {self.metric!r}")

    def _check_bounds(self, faults: Faults) -> None:
        if self.at_least is None and self.at_most is None:
            faults.add("at_least", "missing. Give at_least, at_most or both.")
        elif self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            faults.add("at_least", f"{self.at_least!r} is above at_most {self.at_most!r}, so that no value can satisfy the rule.")

    @property
    def needed(self) -> str:
        """The bounds in words, `at least 0.55 and at most 0.9`."""
        bounds = (("at least", self.at_least), ("at most", self.at_most))
        return " and ".join(f"{words} {bound!r}" for words, bound in bounds if bound is not None)

    def __str__(self) -> str:
        return f"{self.metric} {self.needed}{slices_text(self)}"

    def to_mapping(self) -> dict[str, Any]:
        """As it stands in a policy file."""
        return {**without_none(metric=self.metric, at_least=self.at_least, at_most=self.at_most), **slices_mapping(self)}


@dataclass(frozen=True, slots=True)
class Gap:
    """A rule about fairness: the metric differs by at most this much between any two slices.

    Attributes:
        metric: Name of the metric.
        by: Name of the slice column.
        gap_at_most: Largest difference between two slices, in the metric's unit (>= 0).
        values: The slices that are compared and must be there; None for those that the data have.
        min_rows: Smaller slices are not judged, and named.
    """

    metric: str
    _: KW_ONLY
    by: str
    gap_at_most: float
    values: tuple[str, ...] | None = None
    min_rows: int | None = None

    def __post_init__(self) -> None:
        faults = metric_faults(self.metric)
        needed(self, faults, by="carrier", gap_at_most="0.05")
        normalize(self, "gap_at_most", not_negative, faults)
        check_slices(self, faults)
        if self.values is not None and len(self.values) == 1:
            faults.add("values", f"one slice has nothing to differ from; found {list(self.values)!r}. Name two or more, or leave it out.")
        faults.refuse(f"rule on {self.metric!r}")

    def __str__(self) -> str:
        return f"{self.metric} differs by at most {self.gap_at_most!r} between slices{slices_text(self)}"

    def to_mapping(self) -> dict[str, Any]:
        """As it stands in a policy file."""
        return {"metric": self.metric, "gap_at_most": self.gap_at_most, **slices_mapping(self)}
