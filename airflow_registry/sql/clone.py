"""`db copy`: a registry moves to another database, row by row, with its numbers, its history and its name.

The source is read in one snapshot and the target written in one transaction, so the target holds the source as it was at one moment,
or nothing. What is written to the source after that moment is not copied; a registration that the target does not know of is noticed
by the mark in the artifact store (`service.marks`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Integer, delete, func, insert, select, text

from airflow_registry.errors import ConflictError, CorruptionError, SchemaVersionError
from airflow_registry.sql import schema
from airflow_registry.sql.failures import driver_errors
from airflow_registry.sql.metadata import metadata
from airflow_registry.sql.store import Store
from airflow_registry.sql.tables import audit_head, meta
from airflow_registry.sql.upgrade import upgrade_database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sqlalchemy import Table

    from airflow_registry.sql.store import Transaction

    Progress = Callable[[str, int, int], None]

BATCH_ROWS = 1000
_OF_EVERY_REGISTRY = (meta.name, audit_head.name)  # filled by `db upgrade`; replaced by the source's


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """What a copy brought over.

    Attributes:
        source: Address of the source, without its password.
        target: Address of the target, without its password.
        rows: Rows by table (count).
        audit_entries: Entries in the audit chain (count).
        audit_head: Hash of the newest entry, the same in both.
    """

    source: str
    target: str
    rows: Mapping[str, int]
    audit_entries: int
    audit_head: str


def copy_database(source: str, target: str, *, progress: Progress | None = None) -> Copied:
    """Copy a whole registry into an empty database.

    Args:
        source: SQLAlchemy URL of the registry.
        target: SQLAlchemy URL of an empty database, or of one that was freshly upgraded.
        progress: Told the table, its rows so far and its rows in all.

    Raises:
        ConflictError: If the target holds anything already.
        CorruptionError: If the copy is not the same as the source; then nothing is kept.
        SchemaVersionError: If one of the two is not of this release.
        StorageUnavailableError: If one of them is out of reach.
    """
    origin = _current(Store(source))
    upgrade_database(target)
    copy = _current(Store(target))
    with origin.read() as reader, copy.write() as writer:
        with driver_errors(copy.address):
            schema.lock(writer.connection)
            _make_empty(writer, copy.address)
            for table in metadata.sorted_tables:
                _copy_table(reader, origin.address, writer, table, progress)
            _set_sequences(writer)
            rows = _compared(reader, writer)
        head = writer.one(select(audit_head))
    return Copied(source=origin.address, target=copy.address, rows=rows, audit_entries=head["seq"], audit_head=head["hash"])


def _current(store: Store) -> Store:
    if store.schema != schema.HEAD:
        raise SchemaVersionError(
            f"The registry in {store.address} has schema {store.schema!r}, and this release copies {schema.HEAD!r}. Use the release that "
            "upgraded it."
        )
    return store


def _make_empty(writer: Transaction, address: str) -> None:
    """Take out what `db upgrade` has put in; anything else stays, and is a reason to refuse."""
    filled = {table.name: count for table in metadata.sorted_tables if (count := _count(writer, table))}
    head = writer.first(select(audit_head.c.seq))
    theirs = {name: count for name, count in filled.items() if name not in _OF_EVERY_REGISTRY}
    if theirs or (head is not None and head["seq"]):
        told = ", ".join(f"{name} {count}" for name, count in theirs.items()) or "an audit chain"
        raise ConflictError(
            f"The target {address} is a registry already ({told}). Nothing was copied, because two registries cannot be joined: their "
            "numbers would collide. Name an empty database, or copy single versions with `airflow-registry copy REF --to …`."
        )
    for table in (meta, audit_head):
        writer.run(delete(table))


def _copy_table(reader: Transaction, where: str, writer: Transaction, table: Table, progress: Progress | None) -> None:
    total, done = _count(reader, table), 0
    for batch in _batches(reader, where, table):
        writer.run_many(insert(table), batch)
        done += len(batch)
        if progress is not None:
            progress(table.name, done, total)


def _batches(reader: Transaction, where: str, table: Table) -> Iterator[list[dict[str, Any]]]:
    """The rows in the order of their keys; memory does not grow with the table."""
    wanted = select(table).order_by(*table.primary_key.columns)
    with driver_errors(where):
        found = reader.connection.execute(wanted, execution_options={"stream_results": True, "yield_per": BATCH_ROWS})
        for rows in found.mappings().partitions():
            yield [dict(row) for row in rows]


def _set_sequences(writer: Transaction) -> None:
    """PostgreSQL numbers rows by sequences, which know nothing of the rows that came with a number."""
    if writer.connection.dialect.name != "postgresql":
        return
    for table in metadata.sorted_tables:
        column = table.autoincrement_column
        if column is not None and isinstance(column.type, Integer):
            sequence = f"pg_get_serial_sequence('{table.name}', '{column.name}')"
            newest = f"SELECT max({column.name}) FROM {table.name}"  # noqa: S608  names of our own
            writer.run(text(f"SELECT setval({sequence}, coalesce(({newest}), 1), ({newest}) IS NOT NULL)"))


def _compared(reader: Transaction, writer: Transaction) -> dict[str, int]:
    """Rows by table, equal in both, and the audit chain's head with them."""
    expected = {table.name: _count(reader, table) for table in metadata.sorted_tables}
    found = {table.name: _count(writer, table) for table in metadata.sorted_tables}
    heads = [tuple(tx.one(select(audit_head.c.seq, audit_head.c.hash)).values()) for tx in (reader, writer)]
    if expected != found or heads[0] != heads[1]:
        raise CorruptionError(
            f"The copy differs from its source, so it was taken back: rows {expected} became {found}, the audit chain's head {heads[0]} "
            f"became {heads[1]}. Does something write to the target? Run this again."
        )
    return {name: count for name, count in found.items() if count}


def _count(tx: Transaction, table: Table) -> int:
    return int(tx.scalar(select(func.count()).select_from(table)))
