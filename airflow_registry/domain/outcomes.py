"""How predictions turned out: metrics by labels that arrived later, per version and partition.

Of a version and a partition the newest recording counts. Several partitions are joined by their rows, so that a partition recorded twice
counts once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.stats.losses import ROOTED
from airflow_registry.domain.stats.proportions import mcnemar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from airflow_registry.domain.evaluation import Kind
    from airflow_registry.domain.names import ModelName

CONFIDENCE = 0.95
"""Of the one-sided limits that are stored with paired tests."""
_NOTHING: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedTest:
    """One metric of a version in SHADOW and of the champion on the same labelled rows of one partition.

    Attributes:
        challenger: The shadow's value.
        baseline: The champion's.
        gain: The difference, negated where lower is better.
        lower: Its one-sided lower limit at 95 %; None if there is none.
        p_value: Of "the true gain is at most 0".
    """

    metric: str
    challenger: float
    baseline: float
    gain: float
    lower: float | None
    p_value: float
    method: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """A version in SHADOW and the champion on the same labelled rows.

    Attributes:
        baseline: The champion's number.
        rows: Rows that both scored and that have a label (count).
        wins: Of these, rows that only the shadow got right; of numbers, rows where it was nearer (count).
        losses: The same of the champion (count).
        tests: One for each metric that can be tested; () for several partitions together.
    """

    baseline: int
    rows: int
    wins: int
    losses: int
    tests: tuple[PairedTest, ...] = ()

    @property
    def p_value(self) -> float:
        """One-sided exact sign test (of labels: exact McNemar) that the shadow is better."""
        return mcnemar(self.wins, self.losses)

    def to_json(self) -> dict[str, Any]:
        """For `--json`."""
        facts = {name: getattr(self, name) for name in ("baseline", "rows", "wins", "losses", "p_value")}
        return {**facts, "tests": [{name: getattr(one, name) for name in PairedTest.__slots__} for one in self.tests]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """The predictions of one version for one partition, beside their labels.

    Attributes:
        number: The version.
        output: Where its predictions are.
        is_shadow: Whether it scored beside the champion.
        kind: What was predicted.
        label: The column that held the labels.
        rows: Predictions that have a label (count).
        unlabelled: Predictions that have none yet (count).
        metrics: By name; NaN where one is not defined on these rows.
        paired: For a version in SHADOW, how it did against the champion.
    """

    uid: str
    number: int
    partition: str
    output: str
    is_shadow: bool
    kind: Kind
    label: str
    rows: int
    unlabelled: int
    at: datetime
    by: str
    metrics: Mapping[str, float] = field(default_factory=lambda: _NOTHING)
    paired: Paired | None = None

    def to_json(self) -> dict[str, Any]:
        """For `--json`."""
        names = ("partition", "output", "kind", "label", "rows", "unlabelled", "at", "by")
        facts = {name: getattr(self, name) for name in names}
        paired = None if self.paired is None else self.paired.to_json()
        return {"version": self.number, "shadow": self.is_shadow, **facts, "metrics": dict(self.metrics), "paired": paired}


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveMetrics:
    """How a version's predictions turned out.

    Attributes:
        partitions: Those with labels, oldest recording first.
    """

    model: ModelName
    number: int
    partitions: tuple[Labelled, ...] = ()

    @property
    def rows(self) -> int:
        """Predictions that have a label (count)."""
        return sum(one.rows for one in self.partitions)

    @property
    def metrics(self) -> dict[str, float]:
        """Means over the partitions, weighed by their rows; roots are joined as squares. A partition without a value is left out."""
        names = dict.fromkeys(name for one in self.partitions for name in one.metrics)
        return {name: mean_of(name, self.partitions)[0] for name in names}

    @property
    def paired(self) -> tuple[Paired, ...]:
        """Against each champion, over all partitions."""
        found = [one.paired for one in self.partitions if one.paired is not None]
        return tuple(_together([one for one in found if one.baseline == number]) for number in sorted({one.baseline for one in found}))

    def to_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "model": str(self.model),
            "version": self.number,
            "ref": f"{self.model}:{self.number}",
            "rows": self.rows,
            "metrics": self.metrics,
            "paired": [one.to_json() for one in self.paired],
            "partitions": [one.to_json() for one in self.partitions],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedOutcomes:
    """What became of labels that were handed in.

    Attributes:
        labelled: Versions and partitions that got metrics.
        labels: Labels that were handed in (count).
        used: Of these, labels of a row that the champion scored (count).
        unknown: Labels of rows that no live output holds, or without a key (count).
        without_value: Rows handed in whose label is missing or NaN (count).
        repeated: Rows that said again what another one said (count).
        skipped: Live outputs that could not be joined because they lack the keys or are not ours, with the reason.
    """

    model: ModelName
    labels: int
    used: int
    unknown: int = 0
    without_value: int = 0
    repeated: int = 0
    labelled: tuple[Labelled, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """For `--json`."""
        names = ("labels", "used", "unknown", "without_value", "repeated")
        counts = {name: getattr(self, name) for name in names}
        skipped = [{"output": output, "reason": reason} for output, reason in self.skipped]
        return {"model": str(self.model), **counts, "labelled": [one.to_json() for one in self.labelled], "skipped": skipped}


def mean_of(name: str, partitions: Iterable[Labelled]) -> tuple[float, int]:
    """A metric over several partitions, and the rows behind it; NaN and 0 where no partition has a value."""
    known = [(one.metrics[name], one.rows) for one in partitions if math.isfinite(one.metrics.get(name, math.nan)) and one.rows]
    rows = sum(count for _, count in known)
    if not rows:
        return math.nan, 0
    if name in ROOTED:
        return math.sqrt(math.fsum(value * value * count for value, count in known) / rows), rows
    return math.fsum(value * count for value, count in known) / rows, rows


def _together(found: list[Paired]) -> Paired:
    rows, wins, losses = (sum(getattr(one, name) for one in found) for name in ("rows", "wins", "losses"))
    return Paired(baseline=found[0].baseline, rows=rows, wins=wins, losses=losses)
