"""What a database driver raises, as the errors of this package.

Drivers are understood by their codes (SQLSTATE on PostgreSQL, the result code on SQLite), not by their prose.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError, InternalError, OperationalError, StatementError

from airflow_registry.errors import (
    ConfigurationError,
    ConflictError,
    CorruptionError,
    DatabaseNotInitializedError,
    InvalidInputError,
    RegistryError,
    StorageUnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_BUSY = "another process holds a lock and did not finish in time; run this again, and look for a process that hangs"
_READ_ONLY = "the database can only be read; check the file's owner and the user's rights, and whether the server is a standby"
_GRANT = "grant the user the right, or connect as another one"
_GONE = "its tables are gone or incomplete; restore a backup, or check the address"
_BY_CODE: tuple[tuple[tuple[str, ...], type[RegistryError], str], ...] = (
    (("SQLITE_BUSY", "SQLITE_LOCKED", "55P03"), StorageUnavailableError, _BUSY),
    (("40P01", "40001"), StorageUnavailableError, "another transaction changed the same rows at the same moment; run this again"),
    (("57P01", "57P02", "57P03"), StorageUnavailableError, "the server is shutting down or starting; run this again in a moment"),
    (("SQLITE_READONLY", "25006"), StorageUnavailableError, _READ_ONLY),
    (("SQLITE_FULL", "53100"), StorageUnavailableError, "the disk is full; make room, then run this again"),
    (
        ("SQLITE_IOERR",),
        StorageUnavailableError,
        "its disk cannot be read or written; check whether it is full or gone, then run this again",
    ),
    (("SQLITE_CANTOPEN",), StorageUnavailableError, "the file cannot be opened; check that it is there and the user's rights"),
    (("SQLITE_NOTADB",), ConfigurationError, "it is no SQLite database; check the address of the registry"),
    (("SQLITE_CORRUPT",), CorruptionError, "the file is damaged; restore a backup"),
    (("42501",), ConfigurationError, _GRANT),
    (("42P01", "42703", "3F000", "SQLITE_ERROR"), DatabaseNotInitializedError, _GONE),
)
_UNREACHABLE = (
    "check that the server is up and has connections to spare (max_connections, or PgBouncer in front of it), that the address is right "
    "and that the user may connect; then run this again"
)


@contextmanager
def driver_errors(where: str) -> Iterator[None]:
    """Translate what passes through.

    Args:
        where: The database's address without its password, for the message.
    """
    try:
        yield
    except StatementError as error:
        raise _translated(error, where) from (error if isinstance(error, DBAPIError) else None)
    except sqlite3.Error as error:  # from a connection that SQLAlchemy did not use just then
        raise _by_code(error, where) from error
    except (OverflowError, UnicodeEncodeError) as error:
        raise InvalidInputError(f"A value is out of the range that the registry database can keep: {error}.") from error


@contextmanager
def commit_errors(where: str) -> Iterator[None]:
    """A connection that breaks while a commit is under way leaves open whether the commit came through."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        if _code(error.orig).startswith("SQLITE"):
            raise  # the file's own lock tells: it was not committed
        raise StorageUnavailableError(
            f"The connection to the registry database {where} broke during the commit ({_told(error.orig)}). Whether the change was made "
            "is unknown: look at history() or versions() before you repeat it. A call with run= or idempotency_key= can be repeated safely."
        ) from error


def _translated(error: StatementError, where: str) -> RegistryError:
    if isinstance(error.orig, RegistryError):  # a column type refused the value
        return error.orig
    if error.orig is None or not isinstance(error, DBAPIError):
        return InvalidInputError(f"A value cannot be kept in the registry database: {error.orig}.")
    if isinstance(error, DataError):
        return InvalidInputError(f"A value cannot be kept in the registry database: {_told(error.orig)}. Nothing was changed.")
    if isinstance(error, IntegrityError):
        broken = f"refused a change that breaks one of its rules: {_told(error.orig)}"
        return ConflictError(f"The registry database {where} {broken}. Nothing was changed.")
    is_unreachable = isinstance(error, (OperationalError, InterfaceError, InternalError))
    return _by_code(error.orig, where, otherwise=StorageUnavailableError if is_unreachable else RegistryError)


def _by_code(cause: BaseException, where: str, otherwise: type[RegistryError] = RegistryError) -> RegistryError:
    code, said = _code(cause), f"The registry database {where} did not answer: {_told(cause)}. Nothing was changed"
    for prefixes, kind, remedy in _BY_CODE:
        if code.startswith(prefixes):
            return kind(f"{said}: {remedy}.")
    if isinstance(cause, sqlite3.ProgrammingError):
        return InvalidInputError(
            f"The sqlite3 connection that was handed in cannot be used: {cause} Use the registry in the thread that opened the connection, "
            "and while it is open."
        )
    if otherwise is StorageUnavailableError:
        return StorageUnavailableError(f"{said}: {_UNREACHABLE}.")
    return otherwise(f"{said}. This is a fault of airflow-registry: please report it.")


def _code(cause: BaseException | None) -> str:
    code = getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorname", None)
    return code if isinstance(code, str) else ""


def _told(cause: BaseException | None) -> str:
    return " ".join(str(cause).split()).rstrip(".")
