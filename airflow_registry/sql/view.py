"""The table of the original design, as a view: `id, name, version, registered_date, metrics, remote_path, stage`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, inspect, select, text
from sqlalchemy.exc import NoSuchTableError

from airflow_registry.errors import InvalidInputError
from airflow_registry.sql.tables import PREFIX, models, version_stages, versions

if TYPE_CHECKING:
    from airflow_registry.sql.store import Store, Transaction

COLUMNS = ("id", "name", "version", "registered_date", "metrics", "remote_path", "stage")
KEPT_AS = "_before_airflow_registry"
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_SECONDS = {
    "sqlite": "substr(v.registered_at, 1, 19)",
    "postgresql": "to_char(v.registered_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')",
}


def checked_name(name: object) -> str:
    """The view's name, which goes into SQL as it is.

    Raises:
        InvalidInputError: If it is not a plain identifier, or one of our own tables.
    """
    if not isinstance(name, str) or not _IDENTIFIER.fullmatch(name) or name.lower().startswith(PREFIX):
        raise InvalidInputError(
            f"{name!r} cannot be the table name. Expected letters, digits and _, starting with a letter, not starting with {PREFIX!r}."
        )
    return name


def exists(store: Store, name: str) -> bool:
    """Whether the view is there already: the ordinary case, without a write."""
    with store.read() as tx:
        return name in inspect(tx.connection).get_view_names()


def is_original_table(tx: Transaction, name: str) -> bool:
    """Whether a table of that name stands in the way, made by the original design's code.

    Raises:
        InvalidInputError: If it is somebody else's table.
    """
    try:
        found = [column["name"] for column in inspect(tx.connection).get_columns(name)]
    except NoSuchTableError:
        return False
    if set(found) != set(COLUMNS):
        raise InvalidInputError(
            f"There is a table {name!r} in this database that the registry did not make (columns {', '.join(found)}). "
            "Choose another table_name=."
        )
    return True


def original_rows(tx: Transaction, name: str) -> list[dict[str, Any]]:
    """The rows of the original table, in the order in which they were written."""
    chosen = ", ".join(COLUMNS)
    return [dict(row) for row in tx.all(text(f"SELECT {chosen} FROM {checked_name(name)} ORDER BY id"))]  # noqa: S608  a checked identifier


def keep(tx: Transaction, name: str) -> str:
    """Rename the original table; its rows stay as they were. Returns the new name."""
    kept = f"{checked_name(name)}{KEPT_AS}"
    tx.run(text(f"ALTER TABLE {name} RENAME TO {kept}"))
    return kept


def create(tx: Transaction, name: str) -> None:
    """Make the view."""
    tx.run(text(f"CREATE VIEW {checked_name(name)} AS {_select(tx.connection)}"))


def production_row(tx: Transaction, model_id: int) -> list[tuple[Any, ...]]:
    """The champion's line, or none."""
    champion = select(versions.c.id).join(version_stages, version_stages.c.version_id == versions.c.id)
    found = tx.scalar(champion.where(versions.c.model_id == model_id, version_stages.c.stage == "PRODUCTION"))
    if found is None:
        return []
    row = tx.one(text(f"{_select(tx.connection)} WHERE v.id = :id").bindparams(id=found))
    return [tuple(row[name] for name in COLUMNS)]


def _select(connection: Connection) -> str:
    seconds = _SECONDS[connection.dialect.name]
    return (
        f"SELECT v.id AS id, m.name AS name, v.number AS version, {seconds} AS registered_date, v.metrics AS metrics, "  # noqa: S608  constants
        f"v.remote_path AS remote_path, s.stage AS stage FROM {versions.name} v "
        f"JOIN {models.name} m ON m.id = v.model_id JOIN {version_stages.name} s ON s.version_id = v.id"
    )
