"""The ledger: which version wrote which output partition, and who may still write it.

An entry is an intent (written before the data) and later its commit (written after it). The live writer of an output is the
entry of its newest committed generation; an intent without commit means that the output may be half-written.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.recipe import fault_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from airflow_registry.domain.names import ModelName


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """The version that a run uses, whatever is promoted meanwhile."""

    model: ModelName
    number: int
    revision: int
    dag_id: str
    run_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """The right to write one output partition, until somebody opens a newer generation.

    Attributes:
        uid: UUIDv7 of the ledger entry.
        output: URI of the partition's folder or file, unique in the registry.
        partition: The partition's key.
        generation: Counts the writers of this output; a commit with an older one is refused.
        model: The model that writes.
        number: Its version.
        input_digest: What is read, so that the same version over the same input is a no-op.
        already_live: True if the live output is by the same version over the same input: there is nothing to do.
        is_shadow: Whether it is written beside the champion's output, for comparison only.
    """

    uid: str
    output: str
    partition: str
    generation: int
    model: ModelName
    number: int
    input_digest: str | None
    already_live: bool = False
    is_shadow: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a writer is about to do.

    Attributes:
        input_digest: What is read, None if unknown.
        input_digest_kind: What that digest is made of: `sha256` of the bytes, or names, sizes and `versions` in an object store.
        recipe: How the writer was asked, as JSON, so that another version can score the partition again.
        is_shadow: Whether it is written beside the champion's output, for comparison only.
    """

    input_digest: str | None = None
    input_digest_kind: str | None = None
    recipe: Mapping[str, Any] | None = None
    is_shadow: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a writer reports when its output is in place.

    Attributes:
        uri: The data object.
        digest: SHA-256 of the data object, None if the writer is somebody else's program.
        rows: Rows written, None if unknown.
        quarantined: Rows set aside, with their reasons beside the output (count).
        null_predictions: Of the rows written, those whose prediction or a probability is missing, NaN or infinite (count); None if
            nobody counted.
        seconds: Wall time of the writing task.
        sketch: Counts of the features and predictions in bins, as `domain.drift` makes them; None if nobody counted.
        size_bytes: Of the data object, None if unknown.
    """

    uri: str
    digest: str | None = None
    rows: int | None = None
    quarantined: int = 0
    null_predictions: int | None = None
    seconds: float | None = None
    sketch: Mapping[str, Any] | None = None
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One line of the ledger: an intent, with its commit where there is one.

    Attributes:
        is_live: Whether the partition's present content is by this entry.
        committed_at: None if the writer never said that it finished.
        input_digest_kind: What the input's digest is made of: `sha256` of the bytes, or of names, sizes and `versions` in an object
            store; None if nobody said.
        is_shadow: Whether it was written beside the champion's output, for comparison only.
        recipe: How the writer was asked, so that another version can score the partition again; None if only the writer knows.
        seconds: Wall time of the writing task.
        decision: Id of the gate's decision by which the version had become the champion that its run was pinned to; None if nobody
            decided, or the run was not pinned.
        pinned_revision: The champion's revision that its run was pinned to, None if it was not.
        recall: Id of the recall that it was written for, None for any other run.
        is_quarantined: Whether the partition was recalled and nobody has replaced its content yet.
        found_by: How `whois` knew it: by `path`, by `bytes`, or by `metadata` only, which anybody can write into a file.
    """

    uid: str
    output: str
    partition: str
    generation: int
    model: ModelName
    number: int
    dag_id: str | None
    run_id: str | None
    input_digest: str | None
    started_at: datetime
    committed_at: datetime | None
    is_live: bool
    uri: str | None = None
    digest: str | None = None
    rows: int | None = None
    quarantined: int = 0
    null_predictions: int | None = None
    seconds: float | None = None
    input_digest_kind: str | None = None
    is_shadow: bool = False
    recipe: Mapping[str, Any] | None = None
    deployment: str | None = None
    task_id: str | None = None
    map_index: int | None = None
    size_bytes: int | None = None
    decision: str | None = None
    pinned_revision: int | None = None
    recall: str | None = None
    is_quarantined: bool = False
    found_by: str | None = field(default=None, compare=False)

    def to_json(self) -> dict[str, Any]:
        """For tables and XCom."""
        return {
            "output": self.output,
            "partition": self.partition,
            "ref": f"{self.model}:{self.number}",
            "committed": self.committed_at is not None,
            "live": self.is_live,
            "rows": self.rows,
            "run_id": self.run_id,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class UnrecordedUse:
    """A run that was given a version's path and wrote no ledger entry: what it did with it, nobody knows."""

    model: ModelName
    number: int
    dag_id: str
    run_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallPlan:
    """What a recall of one version would have to score again.

    Attributes:
        entries: Partitions whose live, or possibly half-written, output is by the version.
        unrecorded: Runs that used the version without telling the ledger what they wrote.
    """

    model: ModelName
    number: int
    entries: tuple[LedgerEntry, ...]
    unrecorded: tuple[UnrecordedUse, ...] = ()

    @property
    def rows(self) -> int:
        """Rows in the partitions, as far as their writers counted them."""
        return sum(entry.rows or 0 for entry in self.entries)

    @property
    def size_bytes(self) -> int:
        """Size of the outputs in bytes, as far as their writers said it."""
        return sum(entry.size_bytes or 0 for entry in self.entries)

    @property
    def partitions(self) -> tuple[LedgerEntry, ...]:
        """One entry for each output, the newest: a version may have written one, and begun to write it again."""
        return tuple({entry.output: entry for entry in self.entries}.values())

    @property
    def by_hand(self) -> tuple[tuple[LedgerEntry, str], ...]:
        """Partitions that we cannot score again ourselves, and why: other programs wrote them."""
        return tuple((entry, why) for entry in self.partitions if (why := fault_of(entry.recipe)) is not None)
