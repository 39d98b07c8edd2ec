"""Queries whose rows are streamed: parameters are bound, and nothing is ever formatted into a statement but quoted names."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, text
from sqlalchemy.types import NullType

from airflow_registry.errors import InvalidInputError
from airflow_registry.sql.data.connect import address_of, data_engine, data_errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import TextClause
    from sqlalchemy.engine import Connection, CursorResult, Dialect, Engine

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")
LONGEST_NAME_BYTES = 63
"""PostgreSQL cuts longer names off, without a word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A statement that returns rows.

    Attributes:
        database: URL or engine.
        statement: SQL with `:name` where a parameter stands.
        parameters: By name.
    """

    database: str | Engine = field(repr=False)
    statement: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """Of the database, without secrets."""
        return address_of(self.database)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultColumn:
    """A column of an answer.

    Attributes:
        name: Its name.
        oid: PostgreSQL's number of its type; None in a database that does not say.
        precision: Digits of a decimal, None if nobody declared them.
        scale: Digits after its point.
    """

    name: str
    oid: int | None = None
    precision: int | None = None
    scale: int | None = None


class Answer:
    """The rows of a query, as its driver gives them."""

    def __init__(self, result: CursorResult[Any], columns: tuple[ResultColumn, ...]) -> None:
        self._result = result
        self.columns = columns

    def take(self, rows: int) -> Sequence[tuple[Any, ...]]:
        """The next rows, at most so many (count); none at the end."""
        return self._result.fetchmany(rows)  # not the cursor's own: SQLAlchemy holds rows back that it fetched to look at them


def names_in(statement: str) -> tuple[str, ...]:
    """The parameters that a statement asks for, by name.

    >>> names_in("SELECT id::text FROM leads WHERE day = :partition AND at > '10:30'")
    ('partition',)
    """
    return tuple(sorted(text(statement)._bindparams))  # noqa: SLF001  SQLAlchemy parses them and has no public word for it


def table_query(database: str | Engine, table: str, columns: Sequence[str] | None, where: str | None, order_by: Sequence[str]) -> str:
    """A SELECT of a table's columns, where one equals `:partition`."""
    named = partial(quoted, data_engine(database).dialect)
    wanted = "*" if columns is None else ", ".join(named(name) for name in columns) or "1"
    found = f"SELECT {wanted} FROM {quoted_table(database, table)}"  # noqa: S608  names only, and all of them quoted
    found += "" if where is None else f" WHERE {named(where)} = :partition"
    return _escaped(found + (f" ORDER BY {', '.join(named(name) for name in order_by)}" if order_by else ""))


def distinct_query(database: str | Engine, table: str, column: str) -> str:
    """A SELECT of the values of a table's column, each once, in their order."""
    check_name(column, "partition_column")
    name = quoted(data_engine(database).dialect, column)
    return f"SELECT DISTINCT {name} FROM {quoted_table(database, table)} WHERE {name} IS NOT NULL ORDER BY {name}"  # noqa: S608  as above


def _escaped(statement: str) -> str:
    """A colon in a column's name is no parameter."""
    return re.sub(r"(?<!:):(?!partition\b)(?=\w)", r"\\:", statement)


def quoted_table(database: str | Engine, table: str) -> str:
    """A table's name, with its schema if it has one, as it may stand in a statement."""
    dialect = data_engine(database).dialect
    return ".".join(quoted(dialect, part) for part in split_table(table) if part is not None)


def quoted(dialect: Dialect, name: str) -> str:
    """A name as it may stand in a statement; percent signs as they are, which SQLAlchemy's own quoting doubles for some drivers."""
    marks = dialect.identifier_preparer
    return marks.initial_quote + name.replace(marks.escape_quote, marks.escape_to_quote) + marks.final_quote


def split_table(table: str) -> tuple[str | None, str]:
    """The schema and the table.

    Raises:
        InvalidInputError: If these are no plain names.

    >>> split_table("mart.predictions"), split_table("predictions")
    (('mart', 'predictions'), (None, 'predictions'))
    """
    parts = str(table).split(".")
    if len(parts) > 2 or not all(map(_is_name, parts)):
        raise InvalidInputError(
            f"{table!r} is not a table. Expected a name, or a schema and a name divided by a point, each of letters, digits and _ "
            f"(at most {LONGEST_NAME_BYTES}): 'mart.predictions'."
        )
    return (parts[0], parts[1]) if len(parts) == 2 else (None, parts[0])


def check_name(name: str, what: str) -> None:
    """Refuse what is no plain column name.

    Raises:
        InvalidInputError: If it is not.
    """
    if not isinstance(name, str) or not _is_name(name):
        raise InvalidInputError(f"{what}={name!r} is not a column. Expected letters, digits and _, at most {LONGEST_NAME_BYTES}.")


def _is_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None and len(name) <= LONGEST_NAME_BYTES


@contextmanager
def answering(query: Query) -> Iterator[Answer]:
    """Run a query; its rows come as they are taken, all of one moment where the database can tell moments apart.

    Raises:
        InvalidInputError: If it is wrong, returns no rows, or two columns have one name.
        StorageRefusedError: If the user may not read.
        StorageUnavailableError: If the database is out of reach.
    """
    with data_errors(query.address), data_engine(query.database).connect() as plain:
        connection = plain.execution_options(**_reading(plain))
        with connection.begin(), _only_reading(connection):
            result = connection.execute(_bound(query))
            if not result.returns_rows:
                raise InvalidInputError(f"The query to {query.address} returns no rows. Expected a SELECT.")
            try:
                yield Answer(result, _columns(query, result))
            finally:
                result.close()


def answer_of(query: Query, limit: int) -> Sequence[tuple[Any, ...]]:
    """The first rows of a small answer."""
    with answering(query) as answer:
        return answer.take(limit)


def _reading(connection: Connection) -> dict[str, Any]:
    if connection.dialect.name != "postgresql":
        return {"stream_results": True}
    return {"stream_results": True, "isolation_level": "REPEATABLE READ", "postgresql_readonly": True}


@contextmanager
def _only_reading(connection: Connection) -> Iterator[None]:
    """A model may take its time between two batches, and a query changes nothing."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT set_config('idle_in_transaction_session_timeout', '0', true)", execution_options=_AT_ONCE)
    if connection.dialect.name != "sqlite":
        yield
        return
    connection.exec_driver_sql("PRAGMA query_only = ON")
    try:
        yield
    finally:
        connection.exec_driver_sql("PRAGMA query_only = OFF")


_AT_ONCE = {"stream_results": False}


def _bound(query: Query) -> TextClause:
    """The statement with its parameters; the database finds their types, so that a text can be compared with a date."""
    missing = [name for name in names_in(query.statement) if name not in query.parameters]
    if missing:
        raise InvalidInputError(
            f"The query to {query.address} asks for {', '.join(f':{name}' for name in missing)}. Expected a value for each: name it in "
            f"parameters=. Known are {', '.join(f':{name}' for name in query.parameters) or 'none'}; write \\: for a colon."
        )
    values = [bindparam(name, query.parameters[name], type_=NullType()) for name in names_in(query.statement)]
    return text(query.statement).bindparams(*values)


def _columns(query: Query, result: CursorResult[Any]) -> tuple[ResultColumn, ...]:
    cursor = result.cursor
    described: Sequence[Any] = () if cursor is None else cursor.description
    is_typed = result.dialect.name == "postgresql"
    columns = tuple(_column(one) if is_typed else ResultColumn(name=one[0]) for one in described)
    names = [column.name for column in columns]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise InvalidInputError(f"The query to {query.address} has several columns of one name: {', '.join(doubled)}. Name each with AS.")
    return columns


def _column(described: Any) -> ResultColumn:  # noqa: ANN401  a driver's own
    return ResultColumn(name=described.name, oid=described.type_code, precision=described.precision, scale=described.scale)
