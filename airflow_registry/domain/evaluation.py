"""Evaluations: metrics of one or several versions on one data set, and what is kept of every row."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import numpy as np

    from airflow_registry.domain.metrics import Metric
    from airflow_registry.domain.model import Dataset
    from airflow_registry.domain.names import Digest, ModelName
    from airflow_registry.domain.stats.rows import Scored

Source = Literal["registration", "recorded", "evaluate"]
Kind = Literal["binary", "multiclass", "regression"]

_NOTHING: Mapping[str, float] = MappingProxyType({})


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
        kind: What the models do; None where they were not asked here.
        target: The column that holds the labels; None where nobody looked.
        slices: How the rows were sliced: `carrier` by its values, `distance:4` by four quantile bins.
        trivial: Metrics of the best constant on these rows: what a model must beat to be worth anything.
        rows_uri: Where labels, scores and slices of every row are kept; None if they are not.
        rows_digest: SHA-256 of that file.
    """

    uid: str
    model: ModelName
    sequence: int
    source: Source
    data: Dataset | None
    recorded_at: datetime
    results: Mapping[int, tuple[Metric, ...]]
    kind: Kind | None = None
    target: str | None = None
    slices: tuple[str, ...] = ()
    trivial: Mapping[str, float] = field(default_factory=lambda: _NOTHING)
    rows_uri: str | None = None
    rows_digest: Digest | None = None

    def of(self, number: int, slice_: str = "") -> dict[str, float]:
        """The metrics of one version as plain floats: of all rows, or of one slice such as `carrier=AA`."""
        return {metric.name: metric.as_float for metric in self.results.get(number, ()) if metric.slice == slice_}

    def slices_of(self, by: str) -> dict[str, int | None]:
        """The slices by `carrier` or `distance:4` with their rows (count), by name."""
        found = {metric.slice: metric.rows for metrics in self.results.values() for metric in metrics}
        return {name: found[name] for name in sorted(found) if name.startswith(f"{by}=")}

    def to_json(self) -> dict[str, Any]:
        """Small JSON for XCom: the metrics of every version that was evaluated, non-finite ones as text; slices by name only."""
        return {
            "evaluation": self.uid,
            "data": None if self.data is None else self.data.name,
            "rows": None if self.data is None else self.data.rows,
            "metrics": {str(number): _plain(metrics) for number, metrics in self.results.items()},
            "slices": list(self.slices),
        }


def _plain(metrics: tuple[Metric, ...]) -> dict[str, float | str | None]:
    return {metric.name: metric.non_finite or metric.value for metric in metrics if not metric.slice}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SliceCodes:
    """Which slice each of n rows is in, for one way of slicing.

    Attributes:
        names: `carrier=AA`, `distance:4=[200, 500)`; rows without a value are `carrier=(missing)`.
        codes: Positions in `names`, shape (n,).
    """

    names: tuple[str, ...]
    codes: np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EvaluationRows:
    """What an evaluation keeps of n rows, so that a gate never needs the data again.

    Attributes:
        kind: What the models do.
        classes: All classes of labels and models, in the order of their codes; () for regression.
        labels: Positions in `classes`, or numbers for regression; shape (n,).
        scored: What each version said, by number; classes as positions here too.
        slices: By `carrier` or `distance:4`.
        data_digest: Of the data; rows of two evaluations with the same digest are the same rows in the same order.
    """

    kind: Kind
    classes: tuple[Any, ...]
    labels: np.ndarray[Any, Any]
    scored: Mapping[int, Scored]
    slices: Mapping[str, SliceCodes]
    data_digest: str
