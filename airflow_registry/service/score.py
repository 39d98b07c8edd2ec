"""The ledger: an intent before the data, a commit after it, and one live writer for each output partition."""

from __future__ import annotations

import os
import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.ledger import Intent, LedgerEntry, Written
from airflow_registry.domain.names import refuse_unrendered
from airflow_registry.errors import InvalidInputError, NotFoundError, OutputConflictError
from airflow_registry.objects.dispatch import is_object_uri, split_uri
from airflow_registry.service.core import Core, new_uid
from airflow_registry.service.recall.bar import refuse_recalled
from airflow_registry.sql import catalog, rows
from airflow_registry.sql.statements import ledger as statements

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.engine import RowMapping

    from airflow_registry.domain.ledger import Work
    from airflow_registry.domain.names import RunKey
    from airflow_registry.sql.catalog import VersionRow
    from airflow_registry.sql.store import Transaction

_FILE = re.compile(r"^file://(localhost(?=/))?")
_FACTS = ("digest", "rows", "quarantined", "null_predictions", "seconds", "sketch", "size_bytes")
LONGEST_OUTPUT_BYTES = 2000  # PostgreSQL's indexes take no longer keys


def open_output(
    core: Core,
    output: str,
    *,
    partition: str,
    model: str,
    version: object,
    run: RunKey | None,
    work: Work,
    force: bool,
) -> Intent:
    """Write the intent to fill an output partition; from now on no older writer of it may commit.

    Nothing is written, and `already_live` is True, if the live output is by the same version over the same input (or, where the
    input is unknown, by the same version in the same run).

    Raises:
        ConflictError: If the version was recalled.
    """
    place = output_key(output)
    with core.store.write() as tx:
        row = catalog.need_version(tx, catalog.need_model(tx, model), version)
        live = tx.first(statements.live_entries([place]))
        if live is not None and not force and _is_same_work(core, live, row, run, work.input_digest):
            return _intent(rows.ledger_entry(live), row, work.input_digest, already_live=True)
        if not work.is_shadow:
            refuse_recalled(tx, row)
        generation = tx.scalar(statements.open_generation(place))
        return add_intent(core, tx, row, run, work, {"output": place, "partition_key": partition, "generation": generation})


def add_intent(core: Core, tx: Transaction, row: VersionRow, run: RunKey | None, work: Work, where: Mapping[str, Any]) -> Intent:
    """Write an intent inside somebody's transaction, which has opened the generation; `where` holds the columns that say which."""
    pin = None if run is None else tx.scalar(statements.pinned_revision(core.settings.deployment, run.dag_id, run.run_id, row.id))
    uid, who = new_uid(), {"model_id": row.model.id, "version_id": row.id, "pinned_revision": pin}
    tx.run(statements.add_intent({**core.run_columns(run), "uid": uid, **who, **where, **asdict(work), "opened_at": core.now()}))
    return _intent(rows.ledger_entry(tx.one(statements.entry_by_uid(uid))), row, work.input_digest)


def commit_output(core: Core, intent: Intent | str, written: Written) -> LedgerEntry:
    """Say that the output is in place; saying it twice is once.

    Raises:
        OutputConflictError: If a newer writer opened the partition meanwhile: its output counts.
    """
    with core.store.write() as tx:
        return commit_in(core, tx, intent.uid if isinstance(intent, Intent) else intent, written)


def commit_in(core: Core, tx: Transaction, uid: str, written: Written) -> LedgerEntry:
    """The same inside somebody's transaction."""
    row = tx.first(statements.entry_by_uid(uid))
    if row is None:
        raise NotFoundError(f"There is no ledger entry {uid!r}, so nothing can be committed to it. Open the output first.")
    if row["committed_at"] is None:
        _commit(core, tx, rows.ledger_entry(row), row["id"], written)
    return rows.ledger_entry(tx.one(statements.entry_by_uid(uid)))


def live_outputs(core: Core, outputs: Sequence[str]) -> dict[str, LedgerEntry]:
    """The live writer of each of these outputs, where there is one; keyed as they were given."""
    keys = {output_key(output): output for output in outputs}
    places, found = list(keys), {}
    with core.store.read() as tx:
        for start in range(0, len(places), 500):  # SQLite takes a limited number of parameters
            for row in tx.all(statements.live_entries(places[start : start + 500])):
                found[keys[row["output"]]] = rows.ledger_entry(row)
    return found


def output_key(output: str) -> str:
    """How an output is called in the ledger: absolute if it is local, without a trailing slash."""
    refuse_unrendered(output, "output")
    if not isinstance(output, (str, os.PathLike)) or not os.fspath(output):
        raise InvalidInputError(f"An output is a folder or URI; found {output!r}.")
    place = _place(_FILE.sub("", os.fspath(output)))
    if len(place.encode()) > LONGEST_OUTPUT_BYTES:
        raise InvalidInputError(f"The output {place[:60]!r}… has {len(place.encode())} bytes; at most {LONGEST_OUTPUT_BYTES} can be kept.")
    return place


def _place(text: str) -> str:
    if is_object_uri(text):  # one spelling of scheme and first slash, because clients take several
        scheme, bucket, key = split_uri(text)
        return f"{scheme}://{bucket}/{key}".rstrip("/")
    return text.rstrip("/") if "://" in text else os.path.abspath(text)  # noqa: PTH100  no symbolic link is followed


def _is_same_work(core: Core, live: RowMapping, row: VersionRow, run: RunKey | None, input_digest: str | None) -> bool:
    """Whether there is nothing to do. A writer that opened the partition later and never finished may have spoiled it."""
    if live["version_id"] != row.id or live["generation"] != live["newest_generation"]:
        return False
    if input_digest is not None:
        return bool(live["input_digest"] == input_digest)
    mine = None if run is None else (core.settings.deployment, run.dag_id, run.run_id)
    return mine == (live["deployment"], live["dag_id"], live["run_id"])


def _intent(entry: LedgerEntry, row: VersionRow, input_digest: str | None, *, already_live: bool = False) -> Intent:
    return Intent(
        uid=entry.uid,
        output=entry.output,
        partition=entry.partition,
        generation=entry.generation,
        model=row.model.name,
        number=row.value.number,
        input_digest=input_digest,
        already_live=already_live,
        is_shadow=entry.is_shadow,
    )


def _commit(core: Core, tx: Transaction, entry: LedgerEntry, entry_id: int, written: Written) -> None:
    if tx.run(statements.make_live(entry.output, entry.generation, entry_id)) == 0:
        raise OutputConflictError(
            f"{entry.model}:{entry.number} cannot commit {entry.output}: a newer run opened this partition after "
            f"generation {entry.generation}. Its output counts; run this task again only if that run failed."
        )
    facts = {name: getattr(written, name) for name in _FACTS}
    tx.run(statements.add_commit({"entry_id": entry_id, "committed_at": core.now(), "uri": output_key(written.uri), **facts}))
