"""Adding to the audit chain: the last thing that a transaction does, because the chain's head stays locked until it commits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_registry.domain.audit import AuditEntry, entry_hash, text_digest
from airflow_registry.errors import CorruptionError
from airflow_registry.sql.statements import audit as statements

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_registry.sql.store import Transaction


def append(tx: Transaction, entry: AuditEntry, *, at: datetime, deployment: str) -> str:
    """Add one entry and return its hash, which is the chain's new head.

    Raises:
        CorruptionError: If the chain's head is gone.
    """
    head = tx.first(statements.lock_head())
    if head is None:
        raise CorruptionError(
            "The audit chain of this registry has no head, so nothing can be recorded. Restore the database from a backup."
        )
    digest = None if entry.text is None else text_digest(entry.text)
    hashed = entry_hash(entry, seq=head["seq"], at=at, deployment=deployment, digest=digest, previous=head["hash"])
    if entry.text is not None and digest is not None:
        tx.run(statements.add_text(digest, entry.text))
    facts = {"actor": entry.actor, "action": entry.action, "subject": entry.subject, "body": dict(entry.body), "text_digest": digest}
    tx.run(
        statements.add_entry({**facts, "seq": head["seq"], "at": at, "deployment": deployment, "previous": head["hash"], "hash": hashed})
    )
    tx.run(statements.set_head(hashed))
    return hashed
