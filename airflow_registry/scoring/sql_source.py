"""Inputs in databases: a query whose rows come through a cursor, in batches, typed by the cursor and the model's signature.

PostgreSQL says what its columns are, and keeps the rows that were not fetched on its side. Other databases say nothing that could be
relied on: there the signature decides and, where it is silent, the values of the first batch.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.names import Digest
from airflow_registry.errors import InvalidInputError
from airflow_registry.scoring.source import BATCH_ROWS, Chunk
from airflow_registry.scoring.sql_types import array_of, column_type, guessed_type

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa
    from sqlalchemy import Engine

    from airflow_registry.domain.model import Signature
    from airflow_registry.scoring.sql_values import SqlInput
    from airflow_registry.sql.data.query import Answer, Query, ResultColumn

ANSWER = "query"
"""The kind of an input digest that is made of the answer to a query."""
_DIGEST_ROWS = 1_000
MOST_KEYS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlFound:
    """A SQL input of one partition; of its rows nothing has been read.

    Attributes:
        asked: What was written down; its `database` is set.
        known: The values that statements may ask for.
    """

    asked: SqlInput
    known: Mapping[str, Any]

    @property
    def database(self) -> str | Engine:
        """Where it is."""
        if self.asked.database is None:
            raise InvalidInputError("A SQL input outside a DAG needs database=; conn_id= is for operators, which look the connection up.")
        return self.asked.database

    @property
    def path(self) -> str:
        """The address of the table, or of the database with a digest of the query; values of parameters are not in it."""
        from airflow_registry.sql.data.connect import address_of

        what = self.asked.table or f"query:{hashlib.sha256(str(self.asked.query).encode()).hexdigest()[:12]}"
        return f"{address_of(self.database)}/{what}"

    @property
    def is_remote(self) -> bool:
        """A look at the schema plans the whole query: not for a no-op."""
        return True

    @property
    def digest_kind(self) -> str | None:
        """The answer to a query, where somebody said which."""
        return None if self.asked.digest_by is None else ANSWER

    def digest(self) -> Digest | None:
        """SHA-256 of the statements and of what `digest_by` answers now; None without one.

        It is asked before the rows are read. Rows that change in between make the next digest another one, so they are read again.

        Raises:
            InvalidInputError: If the query is wrong, or answers more than 1,000 rows.
        """
        from airflow_registry.sql.data.query import answer_of

        if self.asked.digest_by is None:
            return None
        rows = answer_of(self._query(self.asked.digest_by), _DIGEST_ROWS + 1)
        if len(rows) > _DIGEST_ROWS:
            raise InvalidInputError(f"digest_by= answers more than {_DIGEST_ROWS} rows. Expected a few: maxima, counts, a watermark.")
        said = [self.statement(None), self.asked.digest_by, sorted(self.known.items()), [[str(value) for value in row] for row in rows]]
        return Digest(f"sha256:{hashlib.sha256(json.dumps(said, default=str).encode()).hexdigest()}")

    def open(self) -> SqlSource:
        """Look at the columns; where the database does not know their types, at the first rows too.

        Raises:
            InvalidInputError: If the query is wrong.
            StorageUnavailableError: If the database is out of reach.
        """
        from airflow_registry.sql.data.query import answering

        with answering(self._query(self.statement(None))) as answer:
            is_typed = all(column.oid is not None for column in answer.columns)
            rows = [] if is_typed else answer.take(BATCH_ROWS)
            described = tuple(_described(answer.columns, rows))
        return SqlSource(asked=self.asked, known=self.known, described=described, schema=_schema(described, {}))

    def statement(self, columns: Sequence[str] | None) -> str:
        """The SELECT; of a table only some columns, where they are named."""
        from airflow_registry.sql.data.query import table_query

        if self.asked.table is None:
            return str(self.asked.query)
        return table_query(self.database, self.asked.table, columns, self.asked.partition_column, self.asked.order_by)

    def _query(self, statement: str) -> Query:
        from airflow_registry.sql.data.query import Query, names_in

        wanted = names_in(statement)
        bound = {**self.known, **self._column_value()}
        return Query(database=self.database, statement=statement, parameters={name: bound[name] for name in wanted if name in bound})

    def _column_value(self) -> dict[str, str]:
        from airflow_registry.scoring.sql_values import PARTITION, partition_value

        column = self.asked.partition_column
        return {} if column is None else {PARTITION: partition_value(str(self.known[PARTITION]), column)}


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlSource(SqlFound):
    """A SQL input that can be read.

    Attributes:
        described: Its columns, each with the types that its first values suggest where the database does not know.
        schema: Its columns.
    """

    described: tuple[tuple[ResultColumn, pa.DataType | None], ...]
    schema: pa.Schema

    @property
    def rows(self) -> int | None:
        """Only reading tells."""
        return None

    def open(self) -> SqlSource:
        """It is open."""
        return self

    def read_as(self, signature: Signature | None) -> SqlSource:
        """The same source with the types of the signature where the database's own say little."""
        wanted = {} if signature is None else {column.name: column.type for column in signature.inputs}
        return replace(self, schema=_schema(self.described, wanted))

    def chunks(self, columns: Sequence[str] | None = None, batch_rows: int = BATCH_ROWS) -> Iterator[Chunk]:
        """Non-empty batches of at most `batch_rows` rows, holding `columns` in that order (default: all).

        Raises:
            InvalidInputError: If a value does not fit its column.
            StorageUnavailableError: If the database is out of reach.
        """
        from airflow_registry.sql.data.query import answering

        names = list(self.schema.names if columns is None else columns)
        with answering(self._query(self.statement(names))) as answer:
            number = 0
            while rows := answer.take(batch_rows):
                number += 1
                yield Chunk(number=number, file=self.path, batch=self._batch(answer, rows, names))

    def batches(self, columns: Sequence[str] | None = None, batch_rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
        """The same as `chunks`, without their origin."""
        return (chunk.batch for chunk in self.chunks(columns, batch_rows))

    def _batch(self, answer: Answer, rows: Sequence[tuple[Any, ...]], names: list[str]) -> pa.RecordBatch:
        import pyarrow as pa

        if not names:
            return pa.RecordBatch.from_struct_array(pa.array([{}] * len(rows), pa.struct([])))
        at = {column.name: index for index, column in enumerate(answer.columns)}
        values = list(zip(*rows, strict=True))
        arrays = [array_of(values[at[name]], self.schema.field(name), self.path) for name in names]
        return pa.RecordBatch.from_arrays(arrays, names=names)


def find_sql(asked: SqlInput, partition: str | None = None) -> SqlFound:
    """The SQL input of one partition.

    Args:
        asked: What is wanted; with `database`.
        partition: The partition's key, None for an input without partitions.

    Raises:
        InvalidInputError: If the rows do not depend on the key, or a name is none.
    """
    from airflow_registry.sql.data.query import check_name, names_in, split_table

    known = asked.known(partition)
    if asked.table is not None:
        split_table(asked.table)
        for name in (*asked.order_by, *([] if asked.partition_column is None else [asked.partition_column])):
            check_name(name, "order_by or partition_column")
    uses = asked.partition_column is not None if asked.query is None else bool(set(names_in(asked.query)) & set(known))
    if partition is not None and not uses:
        raise InvalidInputError(
            f"The SQL input does not depend on the partition {partition!r}: all rows would be scored under its key. "
            "Write WHERE … = :partition in the query, or name the table's partition_column=."
        )
    if partition is None and asked.partition_column is not None:
        raise InvalidInputError(f"partition_column={asked.partition_column!r} needs a partition, and none was given.")
    return SqlFound(asked=asked, known=known)


def sql_keys(asked: SqlInput) -> list[str]:
    """The keys of the partitions of a table, in the order of their values: what its partition's column holds, as text.

    Raises:
        InvalidInputError: If it is a query, or the table has no column of partitions.
    """
    from airflow_registry.sql.data.query import Query, answer_of, distinct_query

    if asked.table is None or asked.partition_column is None or asked.database is None:
        raise InvalidInputError(
            "Only a table tells which partitions it has. Expected table= and partition_column= in the SqlInput, or list the keys yourself."
        )
    statement = distinct_query(asked.database, asked.table, asked.partition_column)
    return [str(value) for (value,) in answer_of(Query(database=asked.database, statement=statement), MOST_KEYS)]


def _described(columns: Sequence[ResultColumn], rows: Sequence[tuple[Any, ...]]) -> Iterator[tuple[ResultColumn, pa.DataType | None]]:
    values = list(zip(*rows, strict=True)) or [() for _ in columns]
    for column, found in zip(columns, values, strict=True):
        yield column, None if column.oid is not None else guessed_type(found)


def _schema(described: Sequence[tuple[ResultColumn, pa.DataType | None]], wanted: Mapping[str, str | None]) -> pa.Schema:
    import pyarrow as pa

    is_known = bool(wanted)
    return pa.schema([(column.name, column_type(column, guessed, wanted, is_known=is_known)) for column, guessed in described])
