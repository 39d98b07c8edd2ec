"""`db upgrade`: the only way in which a database that is not the default one becomes a registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_registry.sql import schema, view
from airflow_registry.sql.engine import make_engine, shown
from airflow_registry.sql.failures import driver_errors

if TYPE_CHECKING:
    from sqlalchemy import Engine


def upgrade_database(url: str) -> tuple[str, str | None, str]:
    """Bring a database to this release's schema.

    Args:
        url: SQLAlchemy URL.

    Returns:
        The address without its password, the revision before (None for an empty database), and the revision now.

    Raises:
        SchemaVersionError: If a newer release has upgraded it.
        StorageUnavailableError: If it is out of reach.
    """
    engine = make_engine(url)
    with driver_errors(shown(engine.url)):
        before = schema.current_revision(engine)
        after = schema.upgrade(engine) if before is None or before in schema.REVISIONS else schema.ensure_schema(engine, create=False)
        _make_view(engine)
    return shown(engine.url), before, after


def _make_view(engine: Engine) -> None:
    """So that a user who may only read can open the registry; a table of that name is left to `ModelRegistry`, which imports it."""
    with engine.connect().execution_options(registry_writes=True) as connection, connection.begin():
        schema.lock(connection)
        if view.look(connection, view.DEFAULT_NAME) is view.Found.NOTHING:
            view.create(connection, view.DEFAULT_NAME)
