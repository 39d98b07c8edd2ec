"""Statements about the audit chain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import String, Text, func, or_, select, type_coerce, update
from sqlalchemy.dialects.postgresql import insert

from airflow_registry.sql.tables import audit, audit_head, audit_texts, meta, promotions, versions

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy import ColumnElement, Executable, Select, Update

_RAW_BODY = type_coerce(audit.c.body, Text()).label("body")  # to the letter: what is hashed is what stands there
_RAW_TIME = type_coerce(audit.c.at, String()).label("at")  # SQLite has text, which may be no time any more
_NAMES = ("seq", "deployment", "actor", "action", "subject", "text_digest", "previous", "hash")
_RAW = (*[audit.c[name] for name in _NAMES], _RAW_TIME, _RAW_BODY)


# -- adding ------------------------------------------------------------------------------------------------------------------
def lock_head() -> Executable:
    """Take the next place in the chain; the row stays locked until the entry is committed, so the chain cannot fork."""
    return update(audit_head).where(audit_head.c.id == 1).values(seq=audit_head.c.seq + 1).returning(audit_head.c.seq, audit_head.c.hash)


def set_head(digest: str) -> Update:
    """The hash of the entry that was just added."""
    return update(audit_head).where(audit_head.c.id == 1).values(hash=digest)


def locked_head() -> Select[Any]:
    """The newest place; nobody takes the next one before we commit."""
    return select(audit_head.c.seq).where(audit_head.c.id == 1).with_for_update()


def skip_to(seq: int) -> Update:
    """After a restore: the places up to `seq` were given out before, and are not given out again."""
    return update(audit_head).where(audit_head.c.id == 1, audit_head.c.seq < seq).values(seq=seq)


def add_entry(values: dict[str, Any]) -> Executable:
    """One entry of the chain."""
    return insert(audit).values(**values)


def add_text(digest: str, text: str) -> Executable:
    """Free text stands outside the chain by its digest, so that it can be erased without breaking the chain."""
    return insert(audit_texts).values(digest=digest, text=text).on_conflict_do_nothing()


# -- reading -----------------------------------------------------------------------------------------------------------------
def head() -> Select[Any]:
    """The newest place and hash, with the time of its entry where there is one."""
    joined = audit_head.outerjoin(audit, audit.c.seq == audit_head.c.seq)
    return select(audit_head.c.seq, audit_head.c.hash, _RAW_TIME).select_from(joined)


def page(after: int | None, rows: int) -> Select[Any]:
    """The entries behind a place, or from the beginning, in order."""
    behind = [] if after is None else [audit.c.seq > after]
    return select(*_RAW).where(*behind).order_by(audit.c.seq).limit(rows)


def newest(rows: int, *, before: int | None, model: str | None, since: datetime | None) -> Select[Any]:
    """The newest entries with their texts; of one model by its name in lower case."""
    subject = func.lower(audit.c.subject)
    wanted: list[ColumnElement[bool]] = [] if before is None else [audit.c.seq < before]
    if model is not None:
        wanted.append(or_(subject == model, subject.startswith(f"{model}:", autoescape=True)))
    if since is not None:
        wanted.append(audit.c.at >= since)
    joined = audit.outerjoin(audit_texts, audit_texts.c.digest == audit.c.text_digest)
    return select(*_RAW, audit_texts.c.text).select_from(joined).where(*wanted).order_by(audit.c.seq.desc()).limit(rows)


def entry(seq: int) -> Select[Any]:
    """One entry."""
    return select(*_RAW).where(audit.c.seq == seq)


def entries_with_text(digest: str) -> Select[Any]:
    """The places of the entries that a free text belongs to."""
    return select(audit.c.seq).where(audit.c.text_digest == digest).order_by(audit.c.seq)


def texts(digests: Collection[str]) -> Select[Any]:
    """The free texts with these digests, as far as they are not erased."""
    return select(audit_texts.c.digest, audit_texts.c.text).where(audit_texts.c.digest.in_(digests), audit_texts.c.text.is_not(None))


def registry_uid() -> Select[Any]:
    """The name of this registry, different for every database."""
    return select(meta.c.value).where(meta.c.key == "registry_uid")


# -- erasing -----------------------------------------------------------------------------------------------------------------
def erase_text(digest: str) -> Update:
    """The text goes, its digest stays."""
    return update(audit_texts).where(audit_texts.c.digest == digest, audit_texts.c.text.is_not(None)).values(text=None)


def erase_reasons(text: str) -> Update:
    """The same words beside the stage changes that they were the reason of."""
    return update(promotions).where(promotions.c.reason == text).values(reason=None)


def erase_change_notes(text: str) -> Update:
    """The same words beside the versions that they were the change note of."""
    return update(versions).where(versions.c.change_note == text).values(change_note=None)
