"""Drift of a model over its last partitions: each judged alone, and all of them together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.drift.bins import Feature, Profile
from airflow_registry.domain.drift.sketch import merge
from airflow_registry.domain.drift.verdict import FeatureDrift, Verdict, judge_together, overall

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from airflow_registry.domain.drift.bins import Reference
    from airflow_registry.domain.drift.sketch import Sketch
    from airflow_registry.domain.drift.verdict import Limits
    from airflow_registry.domain.names import ModelName

PARTITIONS = 5
"""How many of the last ones are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """A partition that a version wrote, with what was counted of it."""

    output: str
    partition: str
    committed_at: datetime
    sketch: Sketch


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What is said about some rows, against the reference of their version.

    Attributes:
        inputs: Each column that goes into the model; the one that drifted most first.
        predictions: The prediction, and the probabilities.
    """

    inputs: tuple[FeatureDrift, ...] = ()
    predictions: tuple[FeatureDrift, ...] = ()

    @property
    def features(self) -> tuple[FeatureDrift, ...]:
        """All of them."""
        return (*self.inputs, *self.predictions)

    @property
    def verdict(self) -> Verdict:
        """`drifted` if anything has."""
        return overall(self.features)

    @property
    def drifted(self) -> tuple[FeatureDrift, ...]:
        """What has drifted."""
        return tuple(one for one in self.features if one.verdict is Verdict.DRIFTED)

    def to_json(self) -> dict[str, Any]:
        """For `--json` and XCom."""
        sides = {"inputs": self.inputs, "predictions": self.predictions}
        return {"verdict": str(self.verdict), **{name: [one.to_json() for one in found] for name, found in sides.items()}}


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionDrift:
    """One partition against the reference.

    Attributes:
        rows: Rows that were scored (count).
    """

    output: str
    partition: str
    committed_at: datetime
    rows: int
    judged: Judged

    def to_json(self) -> dict[str, Any]:
        """What is said of it in one line; the features are in the report of all partitions."""
        drifted = [one.name for one in self.judged.drifted]
        known = {"output": self.output, "partition": self.partition, "committed_at": self.committed_at.isoformat(), "rows": self.rows}
        return {**known, "verdict": str(self.judged.verdict), "drifted": drifted}


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftReport:
    """What the champion scored lately, against what it was registered with.

    Attributes:
        model: The model.
        number: The champion.
        note: How much is known, or why nothing is.
        partitions: The last ones that it wrote, newest first.
        together: All their rows at once.
        previous: The champion before it, if it has counted predictions; None if not.
        since_previous: Its predictions against those of the previous champion's last partitions.
    """

    model: ModelName
    number: int
    note: str
    partitions: tuple[PartitionDrift, ...] = ()
    together: Judged = Judged()
    previous: int | None = None
    since_previous: tuple[FeatureDrift, ...] = ()

    @property
    def ref(self) -> str:
        """The champion's reference."""
        return f"{self.model}:{self.number}"

    @property
    def verdict(self) -> Verdict:
        """Of all rows together."""
        return self.together.verdict

    def to_json(self) -> dict[str, Any]:
        """For `--json` and XCom."""
        return {
            "model": str(self.model),
            "version": self.number,
            "ref": self.ref,
            **self.together.to_json(),
            "note": self.note,
            "partitions": [one.to_json() for one in self.partitions],
            "previous": self.previous,
            "since_previous": [one.to_json() for one in self.since_previous],
        }


def judge_partitions(reference: Reference, counted: Sequence[Counted], limits: Limits) -> tuple[tuple[PartitionDrift, ...], Judged]:
    """Each partition alone, in the given order, and all of them together.

    Args:
        reference: Of the version that wrote them.
        counted: The partitions.
        limits: What counts as drift; `alpha` is shared by the features of one partition, not by the partitions.
    """
    each = tuple(
        PartitionDrift(
            output=one.output,
            partition=one.partition,
            committed_at=one.committed_at,
            rows=one.sketch.rows,
            judged=against(reference, one.sketch, limits),
        )
        for one in counted
    )
    return each, against(reference, merge(one.sketch for one in counted), limits)


def against(reference: Reference, sketch: Sketch, limits: Limits) -> Judged:
    """What was counted, against the reference; inputs and predictions share one `alpha`."""
    profiles = (reference.inputs, reference.predictions)
    inputs, predictions = judge_together([(profile, sketch.of(profile)) for profile in profiles], limits)
    return Judged(inputs=inputs, predictions=predictions)


def since(previous: Profile, before: Sketch, now: Sketch, limits: Limits) -> tuple[FeatureDrift, ...]:
    """Predictions of one version against those of the version before it, both counted by the bins of the earlier one.

    Args:
        previous: The earlier version's predictions at its registration; only their bins count.
        before: What the earlier version said last.
        now: What the later one says.
        limits: What counts as drift.
    """
    counts = before.of(previous)
    said = {name: Feature(bins=each.bins, counts=counts[name]) for name, each in previous.features.items() if name in counts}
    return judge_together([(Profile(features=said), now.of(previous))], limits)[0]
