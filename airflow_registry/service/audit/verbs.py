"""The audit's verbs, which `ModelRegistry` has from here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_registry.service.audit import anchoring
from airflow_registry.service.audit.entries import entries
from airflow_registry.service.audit.erase import erase_text
from airflow_registry.service.audit.export import export
from airflow_registry.service.audit.verify import verify

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from airflow_registry.domain.audit import AuditHead
    from airflow_registry.domain.audit_report import AuditExport, AuditRecord, AuditReport, Erasure
    from airflow_registry.service.core import Core


class AuditInterface:
    """Reading, proving, keeping and erasing what the audit says."""

    core: Core

    def audit_entries(
        self, *, model: str | None = None, since: datetime | None = None, limit: int | None = None
    ) -> tuple[AuditRecord, ...]:
        """Who did what, oldest first: of one model, since an (aware) time, at most the newest `limit`."""
        return entries(self.core, model=model, since=since, limit=limit)

    def verify_audit(self, *, heads: Sequence[AuditHead | str] = (), accepted_restores: Collection[int] = ()) -> AuditReport:
        """Whether the audit, its anchors and the rows it speaks of are what was written; names the first bad entry.

        Args:
            heads: Heads that were kept elsewhere (`SEQ:sha256:…` from a task's log), to compare with.
            accepted_restores: Entries that tell of a restore of the database which somebody knows of.
        """
        return verify(self.core, heads=heads, accepted=accepted_restores)

    def export_audit(self, path: str, *, texts: bool = True) -> AuditExport:
        """Write the whole audit as JSON lines, which `airflow-registry audit verify --file` verifies without a database."""
        return export(self.core, path, texts=texts)

    def erase_text(self, entry: int | str, *, reason: str, by: str | None = None) -> Erasure:
        """Erase the free text of an entry (its place, or the text's digest) wherever it stands; the chain holds without."""
        return erase_text(self.core, entry, reason=reason, by=by)

    def anchor_audit(self) -> AuditHead:
        """Write the audit's head into the artifact store now; promotions do it anyway."""
        return anchoring.anchor_now(self.core)
