"""Predictions in a table: one partition is replaced in one transaction, by the newest writer only.

Beside the table stands `airflow_registry_manifests`, with a row for each of its partitions: who may write it (the newest generation
that began), and the manifest of what is in it.

Invariants:
    * Readers see the old rows of a partition or the new ones: delete, copy, count and manifest are one transaction.
    * A writer claims its generation before it scores, and must still hold it at the end, under a lock on that row. So an overtaken
      writer changes nothing, and two writers of one partition wait for each other.
    * Rows are counted in the database before the commit; a trigger or rule that loses some undoes all.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Column, MetaData, PrimaryKeyConstraint, String, Table, Text, func, inspect, literal, select, update
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.schema import CreateTable
from sqlalchemy.types import NullType

from airflow_registry.errors import ConfigurationError, CorruptionError, InvalidInputError
from airflow_registry.sql.data.columns import faults_of, wanted_table
from airflow_registry.sql.data.connect import OURS, address_of, data_engine, data_errors
from airflow_registry.sql.data.load import load
from airflow_registry.sql.data.query import check_name, split_table
from airflow_registry.sql.store import Transaction

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import pyarrow as pa
    from sqlalchemy import ColumnElement
    from sqlalchemy.engine import Connection, Engine

MANIFESTS = "airflow_registry_manifests"
ASIDE = "_quarantine"


@dataclass(frozen=True, slots=True, kw_only=True)
class TablePartition:
    """The rows of one partition in a table.

    Attributes:
        database: URL or engine.
        table: Name, with its schema if need be.
        partition_column: Holds the partition.
        value: What it holds for this one.
        version_column: Holds the version's number.
    """

    database: str | Engine = field(repr=False)
    table: str
    partition_column: str
    value: str
    version_column: str

    def __post_init__(self) -> None:
        split_table(self.table)
        check_name(self.partition_column, "partition_column")
        check_name(self.version_column, "version_column")
        if "\0" in self.value:
            raise InvalidInputError(f"The partition {self.value!r} holds a NUL, which no database keeps as text. Choose another key.")

    @property
    def address(self) -> str:
        """Of the database, without secrets."""
        return address_of(self.database)

    @property
    def schema(self) -> str | None:
        """The table's schema, None for the user's own."""
        return split_table(self.table)[0]

    def name(self, suffix: str = "") -> str:
        """The table's own name, or that of what was set aside."""
        return split_table(self.table)[1] + suffix


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to write a partition: which registry counts, and its generation."""

    registry: str
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Rows on their way into a table.

    Attributes:
        columns: Arrow types by column, those of the partition and the version included.
        batches: The rows.
        rows: How many there are (count).
        suffix: '' for predictions, `_quarantine` for rows that were set aside.
    """

    columns: Mapping[str, str]
    batches: Iterable[pa.RecordBatch]
    rows: int
    suffix: str = ""


@contextmanager
def _transaction(target: TablePartition) -> Iterator[Connection]:
    engine = data_engine(target.database)
    if engine.dialect.name not in OURS:
        raise ConfigurationError(
            f"Predictions can be written to PostgreSQL and SQLite; found {target.address}. Write parquet files, and load them from there."
        )
    with data_errors(target.address), engine.connect() as plain:
        connection = plain.execution_options(registry_writes=True)
        with connection.begin():
            yield connection


def claim(target: TablePartition, mine: Claim) -> tuple[str, int] | None:
    """Begin to write a partition: from now on no older generation of the same registry may.

    Returns:
        None, or the registry and generation that are newer.
    """
    with _transaction(target) as connection:
        table = _manifests(target)
        _make(connection, table)
        kinds: dict[str, Any] = {"postgresql": postgres_insert, "sqlite": sqlite_insert}
        values = {**_key(target), "registry": mine.registry, "generation": mine.generation}
        fresh = kinds[connection.dialect.name](table).values(values)
        not_newer = (table.c.registry != mine.registry) | (table.c.generation <= mine.generation)
        following = {"registry": mine.registry, "generation": mine.generation}
        done = fresh.on_conflict_do_update(index_elements=list(table.primary_key), set_=following, where=not_newer)
        if connection.execute(done.returning(table.c.generation)).first() is not None:
            return None
        return _holder(connection, target)


def manifest_text(target: TablePartition) -> str | None:
    """The manifest of what is in the partition; None if nothing was ever written there."""
    with data_errors(target.address), data_engine(target.database).connect() as connection, connection.begin():
        table = _manifests(target)
        if not _has(connection, table.schema, table.name):
            return None
        return connection.execute(select(table.c.manifest).where(_is(table, target))).scalar()


def count_rows(target: TablePartition) -> int:
    """Rows of the partition (count); 0 if there is no table."""
    with data_errors(target.address), data_engine(target.database).connect() as connection, connection.begin():
        return _count(connection, target, "") if _has(connection, target.schema, target.name()) else 0


def check_table(target: TablePartition, columns: Mapping[str, str], suffix: str = "") -> None:
    """Refuse rows that an existing table cannot hold, before there are many of them.

    Raises:
        InvalidInputError: If it cannot; all that is wrong is named.
    """
    wanted = wanted_table(target.schema, target.name(suffix), columns, target.partition_column)
    with data_errors(target.address), data_engine(target.database).connect() as connection, connection.begin():
        if _has(connection, wanted.schema, wanted.name):
            _refuse_unfit(connection, target, wanted)


def replace_partition(
    target: TablePartition,
    mine: Claim,
    manifest: str,
    data: Load,
    aside: Load | None,
    record: Any = None,  # noqa: ANN401  a callback
) -> tuple[str, int] | None:
    """Replace the rows of a partition, and of what was set aside of it.

    Args:
        target: Which.
        mine: From `claim`.
        manifest: What is stored about the rows.
        data: The predictions.
        aside: Rows that were set aside, None if there are none.
        record: Called with the open transaction before its commit; what it raises undoes everything.

    Returns:
        None, or the registry and generation that claimed the partition meanwhile; nothing was changed then.
    """
    with _transaction(target) as connection:
        table = _manifests(target)
        held = _is(table, target) & (table.c.registry == mine.registry) & (table.c.generation == mine.generation)
        if connection.execute(update(table).where(held).values(manifest=manifest)).rowcount == 0:
            return _holder(connection, target)
        _replace(connection, target, data)
        if aside is not None:
            _replace(connection, target, aside)
        elif _has(connection, target.schema, target.name(ASIDE)):
            _delete(connection, target, ASIDE)
        if record is not None:
            record(Transaction(connection))
    return None


def _replace(connection: Connection, target: TablePartition, given: Load) -> None:
    if not given.rows:  # the types of no rows are a guess: no table is made or refused for them
        if _has(connection, target.schema, target.name(given.suffix)):
            _delete(connection, target, given.suffix)
        return
    wanted = wanted_table(target.schema, target.name(given.suffix), given.columns, target.partition_column)
    _make(connection, wanted)
    _refuse_unfit(connection, target, wanted)
    _delete(connection, target, given.suffix)
    load(connection, wanted, given.batches)
    found = _count(connection, target, given.suffix)
    if found != given.rows:
        raise CorruptionError(
            f"{given.rows} rows were written to the partition {target.value!r} of {wanted.fullname} in {target.address}, and {found} are "
            "there. Expected each row once, so nothing was changed: look for a trigger or rule on the table."
        )


def _make(connection: Connection, table: Table) -> None:
    """Make a table where it is absent; of several who find it absent at once, one makes it and the others wait."""
    if _has(connection, table.schema, table.name):
        return
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"airflow_registry:{table.fullname}"))))
        if _has(connection, table.schema, table.name):
            return
    connection.execute(CreateTable(table))
    for index in table.indexes:
        index.create(connection)


def _has(connection: Connection, schema: str | None, name: str) -> bool:
    return inspect(connection).has_table(name, schema=schema)


def _refuse_unfit(connection: Connection, target: TablePartition, wanted: Table) -> None:
    faults = faults_of(wanted, inspect(connection).get_columns(wanted.name, schema=wanted.schema), target.partition_column)
    if faults:
        lines = "\n".join(f"  - {fault}" for fault in faults)
        raise InvalidInputError(
            f"The table {wanted.fullname} in {target.address} cannot hold the predictions, so nothing was written:\n{lines}\n"
            "Change the table, or name another one; where it is absent it is made."
        )


def _rows(target: TablePartition, suffix: str) -> tuple[Table, ColumnElement[bool]]:
    """The table with its partition's column, and the partition's rows; the database finds the column's type."""
    table = Table(target.name(suffix), MetaData(), Column(target.partition_column, NullType()), schema=target.schema)
    return table, table.c[target.partition_column] == literal(target.value, NullType())


def _delete(connection: Connection, target: TablePartition, suffix: str) -> None:
    table, mine = _rows(target, suffix)
    connection.execute(table.delete().where(mine))


def _count(connection: Connection, target: TablePartition, suffix: str) -> int:
    table, mine = _rows(target, suffix)
    return int(connection.execute(select(func.count()).select_from(table).where(mine)).scalar_one())


def _manifests(target: TablePartition) -> Table:
    return Table(
        MANIFESTS,
        MetaData(),
        Column("output_table", String(63), nullable=False),
        Column("partition_value", Text(), nullable=False),
        Column("registry", Text(), nullable=False),
        Column("generation", BigInteger(), nullable=False),
        Column("manifest", Text()),
        PrimaryKeyConstraint("output_table", "partition_value", name=f"{MANIFESTS}_pk"),
        schema=target.schema,
    )


def _key(target: TablePartition) -> dict[str, str]:
    return {"output_table": target.name(), "partition_value": target.value}


def _is(table: Table, target: TablePartition) -> ColumnElement[bool]:
    return (table.c.output_table == target.name()) & (table.c.partition_value == target.value)


def _holder(connection: Connection, target: TablePartition) -> tuple[str, int]:
    table = _manifests(target)
    found = connection.execute(select(table.c.registry, table.c.generation).where(_is(table, target))).first()
    return ("", 0) if found is None else (found[0], found[1])
