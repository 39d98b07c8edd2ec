"""The table of the original design, as a view: `id, name, version, registered_date, metrics, remote_path, stage`."""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, inspect, text

from airflow_registry.errors import InvalidInputError
from airflow_registry.sql.metadata import PREFIX
from airflow_registry.sql.tables import models, version_stages, versions

if TYPE_CHECKING:
    from airflow_registry.sql.store import Transaction

DEFAULT_NAME = "model_registry"
COLUMNS = ("id", "name", "version", "registered_date", "metrics", "remote_path", "stage")
KEPT_AS = "_before_airflow_registry"
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,38}")  # PostgreSQL cuts names at 63, and the kept table's is longer
_SECONDS = {
    "sqlite": "substr(v.registered_at, 1, 19)",
    "postgresql": "to_char(v.registered_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')",
}


class Found(Enum):
    """What stands at the view's name."""

    NOTHING = "nothing"
    VIEW = "our view"
    ORIGINAL = "a table that the original design's code made"


def checked_name(name: object) -> str:
    """The view's name, which goes into SQL as it is.

    Raises:
        InvalidInputError: If it is not a plain identifier, or one of our own tables.
    """
    if not isinstance(name, str) or not _IDENTIFIER.fullmatch(name) or name.lower().startswith((PREFIX, "sqlite_", "pg_")):
        raise InvalidInputError(
            f"{name!r} cannot be the table name. Expected 1 to 39 letters, digits and _, starting with a letter or _, and not with "
            f"{PREFIX!r}, 'sqlite_' or 'pg_'."
        )
    return name


def look(connection: Connection, name: str) -> Found:
    """What stands at that name, in any case.

    Raises:
        InvalidInputError: If it is somebody else's table or view.
    """
    inspector, wanted = inspect(connection), name.lower()
    is_view = wanted in map(str.lower, inspector.get_view_names())
    if not is_view and wanted not in map(str.lower, inspector.get_table_names()):
        return Found.NOTHING
    columns = list(connection.execute(text(f"SELECT * FROM {_quoted(connection, name)} WHERE 1 = 0")).keys())  # noqa: S608  a checked name
    if sorted(columns) != sorted(COLUMNS):
        kind = "view" if is_view else "table"
        raise InvalidInputError(
            f"There is a {kind} {name!r} in this database that the registry did not make (columns {', '.join(columns)}). "
            "Nothing was changed. Choose another table_name=."
        )
    return Found.VIEW if is_view else Found.ORIGINAL


def original_rows(tx: Transaction, name: str) -> list[dict[str, Any]]:
    """The rows of the original table, in the order in which they were written."""
    chosen = text(f"SELECT {', '.join(COLUMNS)} FROM {_quoted(tx.connection, name)} ORDER BY id")  # noqa: S608  a checked name
    return [dict(row) for row in tx.all(chosen)]


def keep(tx: Transaction, name: str) -> str:
    """Rename the original table; its rows stay as they were. Returns the new name.

    Raises:
        InvalidInputError: If a table is kept under that name already.
    """
    kept = f"{name}{KEPT_AS}"
    if kept.lower() in map(str.lower, inspect(tx.connection).get_table_names()):
        raise InvalidInputError(
            f"The table {name!r} cannot be imported: an earlier one is kept as {kept!r}. Nothing was changed. Rename or drop one of "
            "them, or choose another table_name=."
        )
    tx.run(text(f"ALTER TABLE {_quoted(tx.connection, name)} RENAME TO {_quoted(tx.connection, kept)}"))
    return kept


def create(connection: Connection, name: str) -> None:
    """Make the view."""
    connection.execute(text(f"CREATE VIEW {_quoted(connection, name)} AS {_select(connection)}"))


def production_row(tx: Transaction, model_id: int) -> list[tuple[Any, ...]]:
    """The champion's line, or none."""
    wanted = text(f"{_select(tx.connection)} WHERE v.model_id = :model AND s.stage = 'PRODUCTION'").bindparams(model=model_id)
    return [tuple(row[name] for name in COLUMNS) for row in tx.all(wanted)]


def _quoted(connection: Connection, name: str) -> str:
    """A word such as `order` can be a name; PostgreSQL means lower case where nothing is quoted, so we do too."""
    spelled = name.lower() if connection.dialect.name == "postgresql" else name
    return '"{}"'.format(spelled.replace('"', '""'))


def _select(connection: Connection) -> str:
    seconds = _SECONDS[connection.dialect.name]
    return (
        f"SELECT v.id AS id, m.name AS name, v.number AS version, {seconds} AS registered_date, v.metrics AS metrics, "  # noqa: S608
        f"v.remote_path AS remote_path, s.stage AS stage FROM {versions.name} v "
        f"JOIN {models.name} m ON m.id = v.model_id JOIN {version_stages.name} s ON s.version_id = v.id"
    )
