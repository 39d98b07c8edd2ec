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
    (("SQLITE_BUSY", "SQLITE_LOCKED", "55P03", "40P01", "40001"), StorageUnavailableError, _BUSY),
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
_UNREACHABLE = "check that the server is up, the address is right and the user may connect; then run this again"


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
    except sqlite3.Error as error:  # from a borrowed connection, before SQLAlchemy sees it
        raise _unusable(error) from error
    except (OverflowError, UnicodeEncodeError) as error:
        raise InvalidInputError(f"A value is out of the range that the registry database can keep: {error}.") from error


@contextmanager
def commit_errors(where: str) -> Iterator[None]:
    """A connection that breaks while a commit is under way leaves open whether the commit came through."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        if _code(error).startswith("SQLITE"):
            raise  # the file's own lock tells: it was not committed
        raise StorageUnavailableError(
            f"The connection to the registry database {where} broke during the commit ({_cause(error)}). Whether the change was made is "
            "unknown: look at history() or versions() before you repeat it. A call with run= or idempotency_key= can be repeated safely."
        ) from error


def _translated(error: StatementError, where: str) -> RegistryError:
    if isinstance(error.orig, RegistryError):  # a column type refused the value
        return error.orig
    if not isinstance(error, DBAPIError):
        return InvalidInputError(f"A value cannot be kept in the registry database: {error.orig}.")
    if isinstance(error, DataError):
        return InvalidInputError(f"A value cannot be kept in the registry database: {_cause(error)}. Nothing was changed.")
    if isinstance(error, IntegrityError):
        return ConflictError(
            f"The registry database {where} refused a change that breaks one of its rules: {_cause(error)}. Nothing was changed."
        )
    return _by_code(error, where)


def _by_code(error: DBAPIError, where: str) -> RegistryError:
    code, said = _code(error), f"The registry database {where} did not answer: {_cause(error)}. Nothing was changed"
    for prefixes, kind, remedy in _BY_CODE:
        if code.startswith(prefixes):
            return kind(f"{said}: {remedy}.")
    if isinstance(error.orig, sqlite3.ProgrammingError):
        return _unusable(error.orig)
    if isinstance(error, (OperationalError, InterfaceError, InternalError)):
        return StorageUnavailableError(f"{said}: {_UNREACHABLE}.")
    return RegistryError(f"{said}. This is a fault of airflow-registry: please report it.")


def _unusable(error: sqlite3.Error) -> InvalidInputError:
    return InvalidInputError(
        f"The sqlite3 connection that was handed in cannot be used: {error} Use the registry in the thread that opened the connection, "
        "and while it is open."
    )


def _code(error: StatementError) -> str:
    code = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "sqlite_errorname", None)
    return code if isinstance(code, str) else ""


def _cause(error: StatementError) -> str:
    return " ".join(str(error.orig).split()).rstrip(".")
