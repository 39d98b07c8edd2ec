"""Free texts against the digests that the chain holds of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_registry.domain.audit import text_digest
from airflow_registry.domain.chain import AuditFault, FaultKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_registry.domain.chain import ChainEntry

MOST_FAULTS = 20  # more of one kind say nothing more


@dataclass(slots=True)
class TextCheck:
    """Counts what is there and what is gone, and keeps what was changed."""

    compared: int = 0
    erased: int = 0
    faults: list[AuditFault] = field(default_factory=list)

    def feed(self, entries: Sequence[ChainEntry], texts: Mapping[str, str]) -> None:
        """Entries with the texts that are left of them, by digest."""
        for entry in entries:
            if entry.text_digest is None:
                continue
            text = texts.get(entry.text_digest)
            if text is None:
                self.erased += 1
                continue
            self.compared += 1
            if text_digest(text) != entry.text_digest and len(self.faults) < MOST_FAULTS:
                said = f"The free text of entry {entry.seq} ({entry.action} {entry.subject}) was changed: it is not the one that was given."
                self.faults.append(AuditFault(kind=FaultKind.TEXT, seq=entry.seq, text=said))
