"""The registry database: transactions, and the few ways in which a statement is run.

`Store.write()` is one transaction that commits at its end and rolls back on any exception; `Store.read()` is one consistent
snapshot. A `Transaction` runs statements; turning rows into domain values is the business of `catalog`, `judgements` and `ledger`.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_registry.sql.borrowed import check_idle
from airflow_registry.sql.engine import driver_errors, make_engine, shown
from airflow_registry.sql.schema import ensure_schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Executable
    from sqlalchemy.engine import Connection, Engine, RowMapping


class Transaction:
    """One open transaction."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def all(self, statement: Executable, values: Sequence[dict[str, Any]] | None = None) -> list[RowMapping]:
        """Every row."""
        return list(self.connection.execute(statement, values or {}).mappings())

    def first(self, statement: Executable) -> RowMapping | None:
        """The first row, or None."""
        return self.connection.execute(statement).mappings().first()

    def one(self, statement: Executable) -> RowMapping:
        """The row that must be there, because this transaction wrote it."""
        return self.connection.execute(statement).mappings().one()

    def scalar(self, statement: Executable) -> Any:  # noqa: ANN401  the column's type
        """The first column of the first row, or None."""
        return self.connection.execute(statement).scalar()

    def run(self, statement: Executable) -> int:
        """Run a change; how many rows it hit. Zero rows is how the database says no."""
        return self.connection.execute(statement).rowcount

    def run_many(self, statement: Executable, values: Sequence[dict[str, Any]]) -> None:
        """Run one statement for many rows."""
        if values:
            self.connection.execute(statement, values)


class Store:
    """The registry database at one address."""

    def __init__(self, database: str | Engine | sqlite3.Connection, *, create: bool = False) -> None:
        """Connect and check the schema.

        Args:
            database: URL, SQLAlchemy engine, or the caller's own sqlite3 connection.
            create: Make the tables if the database is empty; without it an empty database is an error.

        Raises:
            DatabaseNotInitializedError: If there is no registry there.
            SchemaVersionError: If the registry there is too old or too new.
            StorageUnavailableError: If the database is out of reach.
        """
        self._owned = database if isinstance(database, sqlite3.Connection) else None
        self._engine = make_engine(database)
        with driver_errors(self._engine):
            self.schema = ensure_schema(self._engine, create=create or self._owned is not None)

    @property
    def address(self) -> str:
        """The URL without its password."""
        return "a sqlite3 connection of the caller" if self._owned is not None else shown(self._engine.url)

    @property
    def engine(self) -> Engine:
        """For the package's own migrations and views."""
        return self._engine

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """A transaction that commits at the end, or changes nothing."""
        with self._begin(writes=True) as transaction:
            yield transaction

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """A consistent snapshot."""
        with self._begin(writes=False) as transaction:
            yield transaction

    @contextmanager
    def _begin(self, *, writes: bool) -> Iterator[Transaction]:
        if self._owned is not None:
            check_idle(self._owned)
        with driver_errors(self._engine), self._engine.connect() as connection:
            connection = connection.execution_options(registry_writes=writes)  # noqa: PLW2901  SQLAlchemy returns the same connection
            with connection.begin():
                yield Transaction(connection)
