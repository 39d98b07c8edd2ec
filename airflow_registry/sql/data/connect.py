"""Databases of data: how they are reached, what they are called, and what their drivers say.

They are not the registry's, though they may be the same one: read from any database that SQLAlchemy knows, write to PostgreSQL and
SQLite.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import quote

from sqlalchemy import create_engine
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, NoSuchModuleError, NotSupportedError, ProgrammingError
from sqlalchemy.pool import NullPool

from airflow_registry.errors import (
    ConfigurationError,
    InvalidInputError,
    MissingDependencyError,
    RegistryError,
    StorageRefusedError,
    StorageUnavailableError,
)
from airflow_registry.sql.engine import make_engine, parse_url

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

OURS = ("sqlite", "postgresql")
"""The databases that predictions can be written to; they are set up as the registry's own is."""

_REFUSED = ("28", "42501", "25006", "SQLITE_READONLY", "SQLITE_AUTH", "SQLITE_PERM")
_OUT_OF_REACH = (
    "08",
    "25P",
    "40",
    "53",
    "55",
    "57",
    "58",
    "SQLITE_BUSY",
    "SQLITE_LOCKED",
    "SQLITE_FULL",
    "SQLITE_IOERR",
    "SQLITE_CANTOPEN",
)
_WRONG = (
    "0A",
    "21",
    "22",
    "23",
    "26",
    "3D",
    "3F",
    "42",
    "SQLITE_ERROR",
    "SQLITE_CONSTRAINT",
    "SQLITE_MISMATCH",
    "SQLITE_NOTADB",
    "SQLITE_TOOBIG",
)


def data_engine(database: str | Engine) -> Engine:
    """An engine for a database of data.

    Raises:
        ConfigurationError: If it is no address.
        MissingDependencyError: If its driver is not installed.
    """
    if isinstance(database, Engine):
        return make_engine(database) if database.dialect.name in OURS else database
    url = _url(database)
    if url.get_backend_name() in OURS:
        return make_engine(url)
    try:
        return create_engine(url, poolclass=NullPool)
    except (NoSuchModuleError, ImportError) as error:
        driver = url.drivername
        raise MissingDependencyError(
            f"A database of type {driver!r} needs a SQLAlchemy dialect and driver: {error}. Install them."
        ) from error


def address_of(database: str | Engine) -> str:
    """What a database is called: without user, password and the settings of one client.

    >>> address_of("postgresql://approver:secret@db.example.org:5432/lake?sslmode=require")
    'postgresql://db.example.org/lake'
    """
    url = database.url if isinstance(database, Engine) else _url(database)
    kind = url.get_backend_name()
    if kind == "sqlite":
        return f"sqlite:///{url.database or ':memory:'}"
    host = url.host or url.query.get("host") or ""
    name = quote(host if isinstance(host, str) else ",".join(host), safe=".,:-[]")
    port = url.port or url.query.get("port")
    shown = f":{port}" if port and not (kind == "postgresql" and str(port) == "5432") else ""
    return f"{kind}://{name}{shown}/{url.database or ''}"


def postgres_url(
    *, host: str | None, port: int | None, user: str | None, password: str | None, database: str | None, options: Mapping[str, str]
) -> str:
    """The address of a PostgreSQL database from its parts; the host may be the folder of a Unix socket."""
    is_folder = bool(host) and str(host).startswith("/")
    query = {**options, **({"host": str(host)} if is_folder else {})}
    parts = {"username": user, "password": password, "host": None if is_folder else host, "port": port, "database": database}
    return URL.create("postgresql+psycopg", **parts, query=query).render_as_string(hide_password=False)  # type: ignore[arg-type]


@contextmanager
def data_errors(where: str) -> Iterator[None]:
    """Turn what a driver says into one error that names the database.

    Args:
        where: Its address.

    Raises:
        InvalidInputError: If the statement or the values cannot be used.
        StorageRefusedError: If the user may not.
        StorageUnavailableError: If the database is out of reach, or busy.
    """
    try:
        yield
    except RegistryError:
        raise
    except DBAPIError as error:
        cause = error.orig or error
        if isinstance(cause, RegistryError):
            raise cause from error
        raise _translated(
            cause, where, is_wrong=isinstance(error, (ProgrammingError, DataError, IntegrityError, NotSupportedError))
        ) from error
    except Exception as error:  # a driver's own, where SQLAlchemy does not stand between
        if not (isinstance(error, sqlite3.Error) or hasattr(error, "sqlstate")):
            raise
        raise _translated(error, where, is_wrong=False) from error


def _translated(cause: BaseException, where: str, *, is_wrong: bool) -> RegistryError:
    code = _code(cause)
    said = f"The database {where} says: {' '.join(str(cause).split()).rstrip('.')}. Nothing was changed"
    if code.startswith(_REFUSED):
        return StorageRefusedError(f"{said}. Grant the user of the connection the right, or connect as another one.")
    if code.startswith(_WRONG) or (is_wrong and not code.startswith(_OUT_OF_REACH)):
        return InvalidInputError(f"{said}. Correct the query, the table or the rows, then run this again.")
    return StorageUnavailableError(f"{said}. Run this again when the database answers and nobody holds its locks.")


def _code(cause: BaseException) -> str:
    code = getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorname", None)
    return code if isinstance(code, str) else ""


def _url(database: str) -> URL:
    try:
        url = make_url(database)
    except (ArgumentError, ValueError) as error:
        raise ConfigurationError(
            "The database of an input or output is not a URL. Expected for example 'postgresql://user:password@host/lake' or "
            "'sqlite:////data/lake.db'."  # what was given may hold a password
        ) from error
    is_ours = url.get_backend_name() in OURS or url.drivername == "postgres"
    return parse_url(url) if is_ours else url
