"""Evaluations: metrics of one or several versions on one data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from airflow_registry.domain.metrics import Metric
    from airflow_registry.domain.model import Dataset
    from airflow_registry.domain.names import ModelName

Source = Literal["registration", "recorded", "evaluate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Metrics of the versions in `results`, all computed on the same rows.

    Attributes:
        uid: UUIDv7.
        model: Whose versions these are.
        sequence: Order of recording; the newest evaluation counts.
        source: `registration` (given with the version), `recorded` (computed elsewhere), or `evaluate` (computed here).
        data: The data set, None if nobody said.
        results: Metrics by version number.
    """

    uid: str
    model: ModelName
    sequence: int
    source: Source
    data: Dataset | None
    recorded_at: datetime
    results: Mapping[int, tuple[Metric, ...]]

    def of(self, number: int) -> dict[str, float]:
        """The overall metrics of one version, as plain floats."""
        return {metric.name: metric.as_float for metric in self.results.get(number, ()) if not metric.slice}

    def to_json(self) -> dict[str, Any]:
        """Small JSON for XCom: the metrics of every version that was evaluated, non-finite ones as text."""
        return {
            "evaluation": self.uid,
            "data": None if self.data is None else self.data.name,
            "rows": None if self.data is None else self.data.rows,
            "metrics": {str(number): _plain(metrics) for number, metrics in self.results.items()},
        }


def _plain(metrics: tuple[Metric, ...]) -> dict[str, float | str | None]:
    return {metric.name: metric.non_finite or metric.value for metric in metrics if not metric.slice}
