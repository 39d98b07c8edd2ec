"""Erasing free text (personal data, a secret that slipped in): the words go, their digest stays, and the chain holds.

The same words stand beside promotions (`reason`) and versions (`change_note`), and go there too. They go wherever exactly they were given,
so one call erases all entries with these words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_registry.domain.audit_report import Erasure, counted
from airflow_registry.domain.names import Digest
from airflow_registry.errors import InvalidInputError, NotFoundError
from airflow_registry.sql.statements import audit as statements

if TYPE_CHECKING:
    from airflow_registry.service.core import Core
    from airflow_registry.sql.store import Transaction


def erase_text(core: Core, entry: int | str, *, reason: str, by: str | None = None) -> Erasure:
    """Erase the free text of an entry, and say so in the audit.

    Args:
        core: The stores.
        entry: Its place in the chain, or the digest of the text.
        reason: Why, in words; it must not repeat what is erased.
        by: Who; None for the process's user.

    Raises:
        InvalidInputError: If there is no reason.
        NotFoundError: If there is no such entry or text, or it is gone already.
    """
    if not isinstance(reason, str) or not reason.strip():
        raise InvalidInputError("Erasing needs reason= in words: somebody will ask for it later. Nothing was erased.")
    with core.store.write() as tx:
        digest = _digest_of(tx, entry)
        seqs = tuple(row["seq"] for row in tx.all(statements.entries_with_text(digest)))
        text = next((row["text"] for row in tx.all(statements.texts([digest]))), None)
        if text is None or not seqs:
            raise NotFoundError(f"The free text {digest} is not in this registry, or was erased before. Nothing was changed.")
        if text in reason:
            raise InvalidInputError("The reason repeats the words that are to be erased. Nothing was erased. Say it in other words.")
        tx.run(statements.erase_text(digest))
        rows = tx.run(statements.erase_reasons(text)) + tx.run(statements.erase_change_notes(text))
        body = {"digest": digest, "entries": len(seqs), "first_entry": seqs[0], "rows": rows}
        head = core.record(tx, "erase", f"entry {seqs[0]}", body, by=by or core.user, text=reason)
    return Erasure(digest=digest, entries=seqs, rows=rows, head=head)


def _digest_of(tx: Transaction, entry: int | str) -> str:
    """The digest of an entry's text."""
    if isinstance(entry, str) and not entry.isdecimal():
        return str(Digest(entry))
    row = tx.first(statements.entry(int(entry)))
    if row is None:
        raise NotFoundError(f"There is no entry {entry} in the audit of this registry. List them with audit_entries().")
    if row["text_digest"] is None:
        raise NotFoundError(f"Entry {entry} of the audit has no free text ({row['action']} {row['subject']}). Nothing was changed.")
    return str(row["text_digest"])


def told(erasure: Erasure) -> str:
    """One sentence for people."""
    entries = f"{counted(len(erasure.entries), 'entry', 'entries')} ({', '.join(map(str, erasure.entries[:5]))})"
    return f"The free text of {entries} is erased, and in {counted(erasure.rows, 'row')} beside."
