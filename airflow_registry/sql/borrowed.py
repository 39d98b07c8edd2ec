"""An engine over a `sqlite3.Connection` that belongs to the caller.

The connection stays its owner's: it is never closed, no pragma, factory or isolation level of it is changed, and a
transaction that the owner has open is never touched (it is refused before anything is sent).
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from airflow_registry.errors import InvalidInputError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from sqlalchemy import Engine


class _Borrowed:
    """The owner's connection as SQLAlchemy sees it: what would change or close it does nothing."""

    def __init__(self, owned: sqlite3.Connection) -> None:
        self.__dict__["owned"] = owned

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  whatever the driver has
        return getattr(self.owned, name)

    def __setattr__(self, name: str, value: object) -> None:
        """Settings are the owner's."""

    def cursor(self, *args: Any) -> sqlite3.Cursor:  # noqa: ANN401  the driver's signature
        """A cursor that gives tuples, whatever row factory the owner has set."""
        cursor = self.owned.cursor(*args)
        cursor.row_factory = None
        return cursor  # type: ignore[no-any-return]

    def commit(self) -> None:
        """Like the driver's, which does nothing on a connection with `autocommit=True`; a commit that fails leaves nothing open."""
        try:
            self._end("COMMIT")
        except BaseException:
            self.rollback()
            raise

    def rollback(self) -> None:
        """Undo what is open."""
        self._end("ROLLBACK")

    def _end(self, statement: str) -> None:
        if self.owned.in_transaction:
            self.owned.execute(statement)

    def create_function(self, *_args: object, **_kwargs: object) -> None:
        """SQLAlchemy would add `regexp`; we do not need it."""

    def close(self) -> None:
        """The owner closes it."""


def check_idle(connection: sqlite3.Connection) -> None:
    """Refuse to work inside a transaction of the owner.

    Raises:
        InvalidInputError: If a transaction is open, or the connection always has one (`autocommit=False`).
    """
    if getattr(connection, "autocommit", None) is False:
        raise InvalidInputError(
            "The sqlite3 connection was opened with autocommit=False, so it always has a transaction open and every verb of the "
            "registry commits its own. Open it without autocommit=False."
        )
    if connection.in_transaction:
        raise InvalidInputError(
            "The sqlite3 connection has an open transaction, and every verb of the registry commits its own. "
            "Call conn.commit() (or conn.rollback()) first."
        )


@contextmanager
def lent(connection: sqlite3.Connection) -> Iterator[None]:
    """The connection while one verb uses it: idle before, and afterwards as the owner set it.

    Raises:
        InvalidInputError: If a transaction is open on it.
    """
    check_idle(connection)
    text_factory = connection.text_factory  # the only setting that a cursor cannot have for itself
    connection.text_factory = str
    try:
        yield
    finally:
        connection.text_factory = text_factory


def borrowed_engine(connection: sqlite3.Connection) -> Engine:
    """An engine that uses only this connection.

    Raises:
        InvalidInputError: If a transaction is open on it.
    """
    check_idle(connection)
    borrowed = _Borrowed(connection)
    return create_engine("sqlite://", creator=lambda: borrowed, poolclass=StaticPool, pool_reset_on_return=None)
