"""Statements about the audit chain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from airflow_registry.sql.tables import audit, audit_head, audit_texts, meta

if TYPE_CHECKING:
    from sqlalchemy import Executable, Select, Update


def lock_head() -> Executable:
    """Take the next place in the chain; the row stays locked until the entry is committed, so the chain cannot fork."""
    return update(audit_head).where(audit_head.c.id == 1).values(seq=audit_head.c.seq + 1).returning(audit_head.c.seq, audit_head.c.hash)


def set_head(digest: str) -> Update:
    """The hash of the entry that was just added."""
    return update(audit_head).where(audit_head.c.id == 1).values(hash=digest)


def head() -> Select[Any]:
    """The newest place and hash."""
    return select(audit_head.c.seq, audit_head.c.hash)


def add_entry(values: dict[str, Any]) -> Executable:
    """One entry of the chain."""
    return insert(audit).values(**values)


def add_text(digest: str, text: str) -> Executable:
    """Free text stands outside the chain by its digest, so that it can be erased without breaking the chain."""
    return insert(audit_texts).values(digest=digest, text=text).on_conflict_do_nothing()


def entries() -> Select[Any]:
    """The whole chain, in order."""
    return select(audit).order_by(audit.c.seq)


def registry_uid() -> Select[Any]:
    """The name of this registry, different for every database."""
    return select(meta.c.value).where(meta.c.key == "registry_uid")
