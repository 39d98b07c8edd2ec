"""Recalls: what a bad version wrote is taken back, partition by partition, until another writer has replaced it.

A partition of a recall is done once its output has a committed writer that is newer than what is recalled, whoever that is. This only
ever becomes true, so nobody has to say that a recall is closed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.recipe import fault_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from airflow_registry.domain.ledger import LedgerEntry, UnrecordedUse
    from airflow_registry.domain.names import ModelName
    from airflow_registry.domain.promotion import Promotion

GRACE = timedelta(hours=1)
"""How long a normal run may take before what it began and did not finish is taken over by a recall."""


class ItemState(StrEnum):
    """How one partition of a recall stands."""

    DONE = "done"
    WRITING = "being written"
    WAITING = "waiting"
    BY_HAND = "by hand"


@dataclass(frozen=True, slots=True, kw_only=True)
class Successor:
    """Who wrote, or began to write, a partition after what is recalled of it.

    Attributes:
        committed_at: None if it has not finished, or died.
        recall: The recall that it works for, None for any other run.
    """

    ref: str
    generation: int
    opened_at: datetime
    committed_at: datetime | None
    recall: str | None
    dag_id: str | None
    run_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallItem:
    """One partition of a recall.

    Attributes:
        recall: Id of the recall.
        entry: What is recalled of the partition: the newest line of the recalled version.
        successor: Who came after it, None if nobody did.
    """

    recall: str
    entry: LedgerEntry
    successor: Successor | None = None

    @property
    def is_done(self) -> bool:
        """Whether the partition has a new live writer."""
        return self.successor is not None and self.successor.committed_at is not None

    @property
    def fault(self) -> str | None:
        """Why we cannot score it again ourselves; None if we can."""
        return fault_of(self.entry.recipe)

    def is_taken(self, now: datetime, grace: timedelta = GRACE) -> bool:
        """Whether a normal run is at it. What an earlier try of the recall left is nobody's: a recall goes on where it died."""
        after = self.successor
        return after is not None and after.committed_at is None and after.recall != self.recall and after.opened_at > now - grace

    def state(self, now: datetime) -> ItemState:
        """How it stands."""
        if self.is_done:
            return ItemState.DONE
        if self.is_taken(now):
            return ItemState.WRITING
        return ItemState.WAITING if self.fault is None else ItemState.BY_HAND

    def to_json(self, now: datetime) -> dict[str, Any]:
        """For tables and XCom."""
        after, entry = self.successor, self.entry
        written_by = {name: getattr(entry, name) for name in ("dag_id", "run_id", "task_id", "map_index")}
        return {
            "output": entry.output,
            "partition": entry.partition,
            "state": str(self.state(now)),
            "rows": entry.rows,
            "recalled": f"{entry.model}:{entry.number}",
            "written_by": written_by,
            "replaced_by": None if after is None or not self.is_done else after.ref,
            "fault": self.fault,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """What a version wrote is being taken back, or was.

    Attributes:
        number: The recalled version.
        target: The version that scores its partitions instead.
        by: Who ordered it.
        reason: In their words.
        partitions: How many there are (count).
        done: How many of them have a new live writer (count).
        unrecorded: Runs that were given the version and never said what they wrote with it: a person has to ask them.
        closed_at: When the last partition got its new live writer; None while one has none.
        created: Whether this call began it, or added partitions to it.
        rolled_back: The rollback that this call made before it, None if it made none.
    """

    uid: str
    model: ModelName
    number: int
    target: int
    by: str
    reason: str
    at: datetime
    partitions: int
    done: int
    unrecorded: tuple[UnrecordedUse, ...] = ()
    closed_at: datetime | None = None
    created: bool = field(default=True, compare=False)
    rolled_back: Promotion | None = field(default=None, compare=False)

    @property
    def is_closed(self) -> bool:
        """Whether every partition has a new live writer."""
        return self.done == self.partitions

    @property
    def ref(self) -> str:
        """The recalled version, `lead_scoring:8`."""
        return f"{self.model}:{self.number}"

    @property
    def target_ref(self) -> str:
        """Who scores instead, `lead_scoring:7`."""
        return f"{self.model}:{self.target}"

    def to_json(self) -> dict[str, Any]:
        """Small JSON for XCom."""
        names = ("uid", "number", "target", "by", "reason", "partitions", "done")
        return {"model": str(self.model), "ref": self.ref, **{name: getattr(self, name) for name in names}, "closed": self.is_closed}


@dataclass(frozen=True, slots=True, kw_only=True)
class RescoreReport:
    """What one pass over partitions of a recall came to.

    Attributes:
        rescored: Outputs that were scored now.
        left: Outputs that others have written, or are writing.
        faults: What went wrong, by output; they stay open.
        may_retry: Whether each fault may go away by itself.
    """

    rescored: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    faults: tuple[tuple[str, str], ...] = ()
    may_retry: bool = False

    def to_json(self) -> dict[str, Any]:
        """Small JSON for XCom."""
        return {"rescored": list(self.rescored), "left": list(self.left), "faults": dict(self.faults)}


def chunks_of(outputs: Sequence[str], *, size: int, most: int) -> list[list[str]]:
    """The outputs in order, in at most `most` chunks of `size`, or of more where those would not do.

    >>> chunks_of(["a", "b", "c", "d", "e"], size=1, most=3)
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    needed = max(size, -(-len(outputs) // most))
    return [list(outputs[start : start + needed]) for start in range(0, len(outputs), needed)]
