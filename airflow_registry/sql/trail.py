"""The audit chain in the database: adding to it, and reading it page by page.

Adding is the last thing that a transaction does, because the chain's head stays locked until it commits. Reading trusts nothing that
stands there: what is no time or no number becomes an entry that does not fit, not an error.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.audit import AuditEntry, AuditHead, entry_hash, text_digest
from airflow_registry.domain.chain import ChainEntry
from airflow_registry.errors import CorruptionError
from airflow_registry.sql.statements import audit as statements

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy.engine import RowMapping

    from airflow_registry.sql.store import Transaction

PAGE_ROWS = 1000
_NAMES = ("deployment", "actor", "action", "subject", "body", "previous", "hash")


def append(tx: Transaction, entry: AuditEntry, *, at: datetime, deployment: str) -> AuditHead:
    """Add one entry and return it as the chain's new head.

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
    return AuditHead(seq=head["seq"], hash=hashed, at=at)


def head(tx: Transaction) -> AuditHead | None:
    """The head row, None if there is none."""
    row = tx.first(statements.head())
    return None if row is None else AuditHead(seq=row["seq"], hash=row["hash"], at=moment(row["at"]))


def pages(tx: Transaction) -> Iterator[list[ChainEntry]]:
    """The whole chain in order; memory does not grow with it."""
    after: Any = None
    while rows := tx.all(statements.page(after, PAGE_ROWS)):
        yield [chain_entry(row) for row in rows]
        after = rows[-1]["seq"]


def chain_entry(row: RowMapping) -> ChainEntry:
    """A row of the audit table, as it stands there."""
    texts = {name: str(row[name]) for name in _NAMES}  # SQLite keeps whatever somebody puts into a column
    digest, seq = row["text_digest"], row["seq"]
    return ChainEntry(
        seq=seq if isinstance(seq, int) else -1, at=moment(row["at"]), text_digest=None if digest is None else str(digest), **texts
    )


def texts(tx: Transaction, entries: Sequence[ChainEntry]) -> dict[str, str]:
    """The free texts of some entries by their digest, as far as they are not erased."""
    digests = {entry.text_digest for entry in entries if entry.text_digest is not None}
    return {row["digest"]: str(row["text"]) for row in tx.all(statements.texts(digests))} if digests else {}


def moment(value: object) -> datetime | None:
    """A column that should be a time: PostgreSQL has times, SQLite text; None if that is no time with a zone."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    return value.astimezone(UTC) if isinstance(value, datetime) and value.tzinfo is not None else None
