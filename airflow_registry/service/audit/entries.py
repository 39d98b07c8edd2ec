"""The audit as people read it: who did what, newest last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_registry.domain.audit_report import AuditRecord
from airflow_registry.domain.clock import utc
from airflow_registry.domain.names import ModelName
from airflow_registry.errors import InvalidInputError
from airflow_registry.sql import trail
from airflow_registry.sql.statements import audit as statements

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.engine import RowMapping

    from airflow_registry.service.core import Core


def entries(core: Core, *, model: str | None, since: datetime | None, limit: int | None) -> tuple[AuditRecord, ...]:
    """The newest entries, oldest first.

    Args:
        core: The stores.
        model: Only what was done to this model and its versions.
        since: Only what was done at that (aware) time or later.
        limit: At most so many (>= 1); None for all.

    Raises:
        InvalidInputError: If the time is naive, or the limit is not positive.
    """
    if limit is not None and limit < 1:
        raise InvalidInputError(f"limit must be a count from 1; found {limit!r}.")
    key, moment = None if model is None else ModelName(model).key, None if since is None else utc(since)
    found: list[AuditRecord] = []
    with core.store.read() as tx:
        while limit is None or len(found) < limit:
            rows = trail.PAGE_ROWS if limit is None else min(trail.PAGE_ROWS, limit - len(found))
            page = tx.all(statements.newest(rows, before=found[-1].seq if found else None, model=key, since=moment))
            found.extend(map(_record, page))
            if len(page) < rows:
                break
    return tuple(reversed(found))


def _record(row: RowMapping) -> AuditRecord:
    entry = trail.chain_entry(row)
    return AuditRecord(
        seq=entry.seq,
        at=entry.at,
        deployment=entry.deployment,
        actor=entry.actor,
        action=entry.action,
        subject=entry.subject,
        body=entry.facts,
        text=row["text"],
        is_erased=entry.text_digest is not None and row["text"] is None,
        hash=entry.hash,
    )
