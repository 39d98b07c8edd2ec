"""Engines, the switches between the two databases, and driver errors as ours.

Nobody outside this package asks which database it is. SQLite runs in WAL mode with `BEGIN IMMEDIATE` for writers, so that two
writers queue instead of failing half-way; PostgreSQL runs without a pool, because tasks are short processes and PgBouncer in
transaction mode may stand in between.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import create_engine, event
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, InterfaceError, NoSuchModuleError, OperationalError
from sqlalchemy.pool import NullPool, StaticPool

from airflow_registry.errors import ConfigurationError, InvalidInputError, MissingDependencyError, StorageUnavailableError
from airflow_registry.sql.borrowed import borrowed_engine

if TYPE_CHECKING:
    from collections.abc import Iterator

BUSY_TIMEOUT_S = 60.0
_CONNECT_TIMEOUT_S = 10


def make_engine(database: str | Engine | sqlite3.Connection) -> Engine:
    """An engine for a URL, or around what the caller already has.

    Raises:
        ConfigurationError: If the URL names a database that the registry does not run on.
        InvalidInputError: If a given connection has a transaction open.
    """
    if isinstance(database, sqlite3.Connection):
        engine = borrowed_engine(database)
    elif isinstance(database, Engine):
        engine = database
    else:
        engine = _engine_of_url(parse_url(database))
    if engine.dialect.name == "sqlite":
        _use_explicit_transactions(engine)
    return engine


def parse_url(text: str) -> URL:
    """Check a database URL; `postgresql://` and `postgres://` mean psycopg 3.

    Raises:
        ConfigurationError: If it cannot be read or names another database.
    """
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise ConfigurationError(
            "The registry database is not a URL. Expected for example 'sqlite:////var/lib/airflow/airflow_registry.db' or "
            "'postgresql://user:password@host/registry'."
        ) from error
    if url.drivername in {"postgresql", "postgres", "postgresql+psycopg2"}:
        return url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() in {"sqlite", "postgresql"}:
        return url
    raise ConfigurationError(f"The registry runs on SQLite and PostgreSQL; found {url.drivername!r} in {shown(url)}.")


def shown(url: URL) -> str:
    """The URL without its password, for people."""
    return url.render_as_string(hide_password=True)


def _engine_of_url(url: URL) -> Engine:
    try:
        if url.get_backend_name() == "postgresql":
            # prepare_threshold=None: a server-side prepared statement would not survive PgBouncer in transaction mode.
            arguments = {"connect_timeout": _CONNECT_TIMEOUT_S, "prepare_threshold": None}
            return create_engine(url, poolclass=NullPool, connect_args=arguments)
        in_memory = url.database in {None, "", ":memory:"}
        options = {"timeout": BUSY_TIMEOUT_S, "check_same_thread": not in_memory}
        engine = create_engine(url, poolclass=StaticPool if in_memory else NullPool, connect_args=options)
    except (NoSuchModuleError, ImportError) as error:
        raise MissingDependencyError.extra("psycopg", "postgres", "A registry on PostgreSQL") from error
    event.listen(engine, "connect", _sqlite_pragmas)
    return engine


def _sqlite_pragmas(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA busy_timeout = 60000")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")  # WAL with NORMAL can lose the last commits when the power fails


def _use_explicit_transactions(engine: Engine) -> None:
    """SQLite begins when we say so, and as a writer if it will write: a read lock cannot be upgraded without deadlocks."""
    if event.contains(engine, "begin", _begin):
        return
    event.listen(engine, "begin", _begin)


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("registry_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def use_wal(engine: Engine) -> None:
    """Readers do not wait for writers. The mode is stored in the file; an in-memory database has none."""
    if engine.dialect.name == "sqlite" and isinstance(engine.pool, NullPool):
        with contextmanager(_raw)(engine) as connection:
            connection.execute("PRAGMA journal_mode = WAL")


def _raw(engine: Engine) -> Iterator[sqlite3.Connection]:
    pooled = engine.raw_connection()
    try:
        yield pooled.driver_connection  # type: ignore[misc]
    finally:
        pooled.close()


def is_missing_file(engine: Engine) -> bool:
    """Whether it is a SQLite file that does not exist: the driver would make an empty one, a registry that nobody asked for."""
    database = engine.url.database or ":memory:"
    return engine.dialect.name == "sqlite" and database != ":memory:" and not database.startswith("file:") and not Path(database).exists()


@contextmanager
def driver_errors(engine: Engine) -> Iterator[None]:
    """What the driver raises, as the errors of this package."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        raise StorageUnavailableError(_unavailable(engine, error)) from error
    except DBAPIError as error:
        if isinstance(error, DatabaseError) and "not a database" in str(error.orig):
            raise ConfigurationError(f"{shown(engine.url)} is not a SQLite database. Check the address of the registry.") from error
        raise
    except sqlite3.ProgrammingError as error:
        raise InvalidInputError(f"The sqlite3 connection that was handed in cannot be used: {error}.") from error


def _unavailable(engine: Engine, error: DBAPIError) -> str:
    cause = " ".join(str(error.orig).split())
    if "locked" in cause:
        remedy = f"another process held the write lock for more than {BUSY_TIMEOUT_S:.0f} s; run it again, or use PostgreSQL"
    elif "readonly" in cause or "read-only" in cause:
        remedy = "the database cannot be written; check the file's owner and the user's rights"
    else:
        remedy = "check that the server is up, the address is right and the user may connect; then run it again"
    return f"The registry database {shown(engine.url)} did not answer: {cause}. Nothing was changed: {remedy}."
