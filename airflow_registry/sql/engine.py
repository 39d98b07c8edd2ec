"""Engines, and the switches between the two databases.

Nobody outside this package asks which database it is. SQLite runs in WAL mode with `BEGIN IMMEDIATE` for writers, so that two
writers queue instead of failing half-way; PostgreSQL runs without a pool, because tasks are short processes and PgBouncer in
transaction mode may stand in between (so nothing is set for a session, only for a transaction). Writers wait for each other for at
most 60 s, or as many seconds as `?timeout=` of the URL says.
"""

from __future__ import annotations

import random
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import NullPool, StaticPool

from airflow_registry.errors import ConfigurationError, MissingDependencyError
from airflow_registry.sql.borrowed import borrowed_engine

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Dialect

BUSY_TIMEOUT_S = 60.0
_DRIVERS = ("sqlite", "sqlite+pysqlite", "postgresql+psycopg")
_CONNECT_TIMEOUT_S = 10
_CONNECT_DELAYS_S = (0.2, 0.8)  # a server that restarts, or has no free connection just now
_WAL_PAUSE_S = 0.02


def make_engine(database: str | URL | Engine | sqlite3.Connection) -> Engine:
    """An engine for a URL, or around what the caller already has.

    Raises:
        ConfigurationError: If it is a database that the registry does not run on.
        InvalidInputError: If a given connection has a transaction open.
    """
    if isinstance(database, sqlite3.Connection):
        engine = borrowed_engine(database)
    elif isinstance(database, Engine):
        engine = database.execution_options()  # a copy with the same connections: what is switched below stays ours
    else:
        return _engine_of_url(parse_url(database))
    if engine.dialect.name not in {"sqlite", "postgresql"} or engine.dialect.is_async:
        raise ConfigurationError(f"The registry runs on SQLite and PostgreSQL; found an engine of {shown(engine.url)}.")
    _use_explicit_transactions(engine, BUSY_TIMEOUT_S)
    return engine


def _hint(text: object) -> str:
    """What was given instead of a URL; a text is shown only if it is a path, because others may hold a password."""
    if isinstance(text, str) and text.startswith(("/", "./", "../", "~/")):
        return f"the path {text!r}: for a SQLite file write 'sqlite:///{Path(text).expanduser().absolute()}'"
    return type(text).__name__


def parse_url(text: str | URL) -> URL:
    """Check a database URL; `postgresql://` and `postgres://` mean psycopg 3.

    Raises:
        ConfigurationError: If it cannot be read or names another database.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:
        raise ConfigurationError(
            "The registry database is not a URL. Expected for example 'sqlite:////var/lib/airflow/airflow_registry.db' or "
            f"'postgresql://user:password@host/registry'; found {_hint(text)}."
        ) from error
    if url.drivername in {"postgresql", "postgres", "postgresql+psycopg2"}:
        return url.set(drivername="postgresql+psycopg")
    if url.drivername not in _DRIVERS:
        raise ConfigurationError(
            f"The registry runs on SQLite and PostgreSQL (drivers sqlite3 and psycopg 3); found {url.drivername!r} in {shown(url)}. Write "
            "sqlite:////path/to/file.db or postgresql://user@host/database."
        )
    return url.set(database=str(Path(url.database).absolute())) if is_plain_file(url) and url.database else url


def shown(url: URL) -> str:
    """The URL without its password, for people."""
    return url.render_as_string(hide_password=True)


def is_plain_file(url: URL) -> bool:
    """Whether it is a SQLite file that is named by its path."""
    return url.get_backend_name() == "sqlite" and url.database not in {None, "", ":memory:"} and not str(url.database).startswith("file:")


def is_missing_file(engine: Engine) -> bool:
    """Whether it is a SQLite file that does not exist: the driver would make an empty one, a registry that nobody asked for."""
    return is_plain_file(engine.url) and not Path(str(engine.url.database)).exists()


def use_wal(engine: Engine) -> None:
    """Readers do not wait for writers. The mode is stored in the file; an in-memory database has none."""
    if engine.dialect.name != "sqlite" or not isinstance(engine.pool, NullPool):
        return
    pooled = engine.raw_connection()
    try:
        _switch_to_wal(pooled.driver_connection)  # type: ignore[arg-type]
    finally:
        pooled.close()


def _engine_of_url(url: URL) -> Engine:
    wait_s, url = _waiting_time(url)
    try:
        engine = _postgres_engine(url) if url.get_backend_name() == "postgresql" else _sqlite_engine(url, wait_s)
    except (NoSuchModuleError, ImportError) as error:
        raise MissingDependencyError.extra("psycopg", "postgres", "A registry on PostgreSQL") from error
    _use_explicit_transactions(engine, wait_s)
    return engine


def _waiting_time(url: URL) -> tuple[float, URL]:
    given = url.query.get("timeout", BUSY_TIMEOUT_S)
    try:
        return float(given), url.difference_update_query(["timeout"])  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"timeout={given!r} in the address of the registry database is not a number of seconds.") from error


def _postgres_engine(url: URL) -> Engine:
    # prepare_threshold=None: a server-side prepared statement would not survive PgBouncer in transaction mode.
    arguments = {"connect_timeout": _CONNECT_TIMEOUT_S, "prepare_threshold": None}
    engine = create_engine(url, poolclass=NullPool, connect_args=arguments)
    event.listen(engine, "do_connect", _connect_patiently)
    return engine


def _sqlite_engine(url: URL, wait_s: float) -> Engine:
    in_memory = url.database in {None, "", ":memory:"}
    options = {"timeout": wait_s, "check_same_thread": not in_memory}
    engine = create_engine(url, poolclass=StaticPool if in_memory else NullPool, connect_args=options)
    event.listen(engine, "connect", _sqlite_pragmas)
    if is_plain_file(url):
        event.listen(engine, "do_connect", _open_existing)
    return engine


def _connect_patiently(dialect: Dialect, _record: object, args: list[Any], arguments: dict[str, Any]) -> object:
    """Nothing has been sent yet, so trying again is always safe."""
    for delay_s in _CONNECT_DELAYS_S:
        try:
            return dialect.connect(*args, **arguments)
        except dialect.loaded_dbapi.OperationalError:
            time.sleep(delay_s * random.uniform(0.5, 1.5))  # noqa: S311  spreads processes, keeps no secret
    return dialect.connect(*args, **arguments)


def _open_existing(_dialect: Dialect, _record: object, args: list[Any], arguments: dict[str, Any]) -> None:
    """A file that was deleted meanwhile is an error, not a new and empty registry."""
    args[0] = f"{Path(args[0]).as_uri()}?mode=rw"
    arguments["uri"] = True


def _sqlite_pragmas(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")  # WAL with NORMAL can lose the last commits when the power fails


def _use_explicit_transactions(engine: Engine, wait_s: float) -> None:
    event.listen(engine, "begin", _begin_sqlite if engine.dialect.name == "sqlite" else _begin_postgres(wait_s))


def _begin_sqlite(connection: Connection) -> None:
    """SQLite begins when we say so, and as a writer if it will write: a read lock cannot be upgraded without deadlocks."""
    connection.exec_driver_sql("BEGIN IMMEDIATE" if _writes(connection) else "BEGIN")


def _begin_postgres(wait_s: float) -> Callable[[Connection], None]:
    milliseconds = max(1, int(wait_s * 1000))
    # A writer that was stopped in the middle (a laptop lid, a paused container) is ended by the server before the others give up.
    limits = (
        f"SELECT set_config('lock_timeout', '{milliseconds}', true), "
        f"set_config('idle_in_transaction_session_timeout', '{max(1, milliseconds // 2)}', true)"
    )

    def begin(connection: Connection) -> None:
        if _writes(connection):
            connection.exec_driver_sql(limits)

    return begin


def _writes(connection: Connection) -> bool:
    return bool(connection.get_execution_options().get("registry_writes", False))


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """While another process writes to the same new file, SQLite says "locked" at once instead of waiting."""
    [milliseconds] = connection.execute("PRAGMA busy_timeout").fetchone()
    deadline = time.monotonic() + milliseconds / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_WAL_PAUSE_S)
        else:
            return
