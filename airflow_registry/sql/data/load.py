"""Arrow batches into a table, in an open transaction: COPY on PostgreSQL, `executemany` on SQLite."""

# pyarrow.compute makes its functions when it is imported, where pyright cannot see them.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_registry.errors import InvalidInputError
from airflow_registry.sql.data.query import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa
    from sqlalchemy import Table
    from sqlalchemy.engine import Connection


def load(connection: Connection, table: Table, batches: Iterable[pa.RecordBatch]) -> None:
    """Add rows.

    Args:
        connection: With a transaction.
        table: Whose columns are those of the batches, in their order.
        batches: The rows.

    Raises:
        InvalidInputError: If the table refuses one: two of one key, or a value out of its range.
    """
    if connection.dialect.name == "postgresql":
        _copy(connection, table, batches)
    else:
        _insert_many(connection, table, batches)


def _copy(connection: Connection, table: Table, batches: Iterable[pa.RecordBatch]) -> None:
    import psycopg

    into = _table_and_columns(connection, table)
    statement = f"COPY {into} FROM STDIN (FORMAT csv, ENCODING 'UTF8')"
    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(statement.encode()) as copy:
            for batch in batches:
                copy.write(_csv(batch))
    except psycopg.errors.IntegrityError as error:
        raise _refused(table, error.diag.message_detail or str(error)) from error


def _insert_many(connection: Connection, table: Table, batches: Iterable[pa.RecordBatch]) -> None:
    import sqlite3

    marks = ", ".join("?" for _ in table.columns)
    statement = f"INSERT INTO {_table_and_columns(connection, table)} VALUES ({marks})"  # noqa: S608  quoted names and marks only
    driver: Any = connection.connection.driver_connection
    try:
        for batch in batches:
            driver.executemany(statement, zip(*(_values(column) for column in batch.columns), strict=True))
    except sqlite3.IntegrityError as error:
        raise _refused(table, str(error)) from error


def _table_and_columns(connection: Connection, table: Table) -> str:
    name = ".".join(quoted(connection.dialect, part) for part in (table.schema, table.name) if part is not None)
    return f"{name} ({', '.join(quoted(connection.dialect, column.name) for column in table.columns)})"


def _refused(table: Table, said: str) -> InvalidInputError:
    return InvalidInputError(
        f"The table {table.fullname} refuses a row: {' '.join(said.split()).rstrip('.')}. Nothing was changed. Expected rows that keep its "
        "rules: rows of the input that have one key must be made one, or the table must allow them."
    )


def _csv(batch: pa.RecordBatch) -> memoryview:
    """Text as PostgreSQL reads it: what is absent is empty, and text stands in quotation marks, also where it is empty."""
    import pyarrow as pa
    import pyarrow.csv

    sink = pa.BufferOutputStream()
    plain = pa.RecordBatch.from_arrays([_plain(column) for column in batch.columns], names=batch.schema.names)
    pyarrow.csv.write_csv(plain, sink, pyarrow.csv.WriteOptions(include_header=False, quoting_style="needed"))
    return memoryview(sink.getvalue())


def _plain(column: pa.Array) -> pa.Array:
    """What Arrow writes otherwise than PostgreSQL reads."""
    import pyarrow as pa

    if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
        return pa.array([None if value is None else f"\\x{value.hex()}" for value in column.to_pylist()], pa.string())
    if pa.types.is_float16(column.type):
        return column.cast(pa.float32())
    return column


def _values(column: pa.Array) -> list[Any]:
    """What SQLite keeps: times and decimals as text."""
    import pyarrow as pa

    if pa.types.is_temporal(column.type) or pa.types.is_decimal(column.type):
        return column.cast(pa.string()).to_pylist()  # type: ignore[no-any-return]
    return column.to_pylist()  # type: ignore[no-any-return]
