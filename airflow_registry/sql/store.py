"""The registry database: transactions, and the few ways in which a statement is run.

`Store.write()` is one transaction that commits at its end and rolls back on any exception; `Store.read()` is one consistent
snapshot. Writers lock in one order, so that they wait for each other and never in a circle: a model's row, its champion's cell,
stages, pins and deliveries (sorted), partitions, and last the head of the audit chain. A `Transaction` runs statements; turning rows
into domain values is the business of `catalog` and `rows`.
"""

from __future__ import annotations

import sqlite3
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from sqlalchemy.pool import StaticPool

from airflow_registry.sql.borrowed import lent
from airflow_registry.sql.engine import make_engine, shown
from airflow_registry.sql.failures import commit_errors, driver_errors
from airflow_registry.sql.schema import ensure_schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Executable, Row
    from sqlalchemy.engine import URL, Connection, Engine, RowMapping


STREAM_ROWS = 1000


class Transaction:
    """One open transaction."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def all(self, statement: Executable) -> list[RowMapping]:
        """Every row."""
        return list(self.connection.execute(statement).mappings())

    def each(self, statement: Executable) -> Iterator[Row[Any]]:
        """Row by row, where there may be too many for the memory; read them to the end before anything else."""
        yield from self.connection.execute(statement, execution_options={"yield_per": STREAM_ROWS})

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
        """Run a change. How many rows an UPDATE hit (zero is how the database says no); not known for an INSERT: let it return rows."""
        return self.connection.execute(statement).rowcount

    def run_many(self, statement: Executable, values: Sequence[dict[str, Any]]) -> None:
        """Run one statement for many rows."""
        if values:
            self.connection.execute(statement, values)


class Store:
    """The registry database at one address."""

    def __init__(self, database: str | URL | Engine | sqlite3.Connection, *, create: bool = False) -> None:
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
        with driver_errors("a sqlite3 connection of the caller"):
            self._engine = make_engine(database)
        with driver_errors(self.address), self._lent():
            self.schema = ensure_schema(self._engine, create=create or self._owned is not None)

    @property
    def address(self) -> str:
        """The URL without its password."""
        return "a sqlite3 connection of the caller" if self._owned is not None else shown(self._engine.url)

    @property
    def engine(self) -> Engine:
        """For the package's own migrations and views."""
        return self._engine

    @property
    def is_shared(self) -> bool:
        """Whether several threads may use it at once: not if it is one connection, the caller's or one that holds a database in memory."""
        return not isinstance(self._engine.pool, StaticPool)

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
        with driver_errors(self.address), self._lent(), self._engine.connect() as plain:
            connection = plain.execution_options(**self._options(writes=writes))
            with connection.begin() as transaction:
                yield Transaction(connection)
                with commit_errors(self.address):
                    transaction.commit()

    def _lent(self) -> AbstractContextManager[None]:
        return nullcontext() if self._owned is None else lent(self._owned)

    def _options(self, *, writes: bool) -> dict[str, Any]:
        """A reader on PostgreSQL sees one moment only if it asks for it; on SQLite every transaction does."""
        if writes or self._engine.dialect.name == "sqlite":
            return {"registry_writes": writes}
        return {"registry_writes": False, "isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
