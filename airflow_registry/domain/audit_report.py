"""What a look at the audit found, what was exported and what was erased: values for people and machines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from airflow_registry.domain.audit import AuditHead
    from airflow_registry.domain.chain import AuditFault

_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """One entry as people read it.

    Attributes:
        seq: Place in the chain, from 1.
        body: The facts.
        text: Free text; None if there is none, or it was erased.
        is_erased: Whether there was a text that is gone.
        hash: Hash of the entry.
    """

    seq: int
    at: datetime | None
    deployment: str
    actor: str
    action: str
    subject: str
    body: Mapping[str, Any]
    text: str | None
    is_erased: bool
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """What a look at the whole audit found.

    Attributes:
        source: Where the chain stands: a database's address, or a file.
        registry_uid: Whose chain it is.
        entries: Entries that were read (count).
        head: The newest entry; None of an empty chain.
        witnesses: Audit anchors, and heads that were handed in, that were compared (count).
        anchored_to: The newest entry whose hash a witness knows too; 0 if none does.
        texts: Free texts that were compared with their digest (count).
        erased: Free texts that are gone (count); the chain holds without them.
        rows: Versions, evaluations, decisions, promotions and what people said that were compared with their entries (count).
        faults: What is not as it was written; the first bad entry of the chain stands first.
        unchecked: What could not be looked at: the audit is not proven.
        notes: What one should know, and what is no fault.
    """

    source: str
    registry_uid: str
    entries: int
    head: AuditHead | None
    witnesses: int
    anchored_to: int
    texts: int = 0
    erased: int = 0
    rows: int = 0
    faults: tuple[AuditFault, ...] = ()
    unchecked: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is bad and everything could be looked at."""
        return not self.faults and not self.unchecked

    @property
    def unanchored(self) -> int:
        """How many entries at the end no witness vouches for (count)."""
        return 0 if self.head is None else self.head.seq - self.anchored_to

    def to_json(self) -> dict[str, Any]:
        """For machines."""
        counts = ("entries", "witnesses", "anchored_to", "unanchored", "texts", "erased", "rows")
        return {
            "ok": self.ok,
            "source": self.source,
            "registry_uid": self.registry_uid,
            "head": None if self.head is None else {"seq": self.head.seq, "hash": self.head.hash},
            **{name: getattr(self, name) for name in counts},
            "first_bad_entry": self.faults[0].seq if self.faults else None,
            "faults": [fault.to_json() for fault in self.faults],
            "unchecked": list(self.unchecked),
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditExport:
    """A file that holds the whole chain.

    Attributes:
        path: The file.
        entries: Entries in it (count).
        head: The newest one; None of an empty chain.
        anchors: Audit anchors in it (count); None if the artifact store could not be asked.
    """

    path: str
    entries: int
    head: AuditHead | None
    anchors: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """A free text that is gone.

    Attributes:
        digest: What the chain goes on saying about it.
        entries: Places of the entries that it belonged to.
        rows: Rows of other tables that repeated it (count).
        head: The entry that says who erased it.
    """

    digest: str
    entries: tuple[int, ...]
    rows: int
    head: AuditHead


def counted(number: int, what: str, many: str | None = None) -> str:
    """`1 entry`, `3 entries`.

    >>> counted(1, "row"), counted(3, "entry", "entries")
    ('1 row', '3 entries')
    """
    return f"{number} {what}" if number == 1 else f"{number} {many or what + 's'}"


def anchoring_notes(report: AuditReport, promoted: int) -> tuple[str, ...]:
    """What to say where the end of the chain has no witness.

    Args:
        report: What was found so far.
        promoted: The newest entry that changed a champion, which should have been anchored; 0 if there is none.
    """
    if not report.unanchored:
        return ()
    last = 0 if report.head is None else report.head.seq
    entries = counted(report.unanchored, "entry", "entries")
    if not report.anchored_to:
        return (f"Not anchored: no head of this chain was found outside the database, so {entries} could have been computed anew.",)
    told = f"Not anchored: the {entries} behind {report.anchored_to}, up to {last}, could have been computed anew."
    missing = f" The promotion in entry {promoted} should have left an anchor." if promoted > report.anchored_to else ""
    return (f"{told}{missing}",)
