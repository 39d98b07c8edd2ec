"""`db upgrade`: the only way in which a database that is not the default one becomes a registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_registry.sql import schema
from airflow_registry.sql.engine import driver_errors, is_missing_file, make_engine, shown

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
    with driver_errors(engine):
        before = None if is_missing_file(engine) else schema.current_revision(engine)
        after = schema.ensure_schema(engine, create=True) if before is None else _upgraded(engine, before)
    return shown(engine.url), before, after


def _upgraded(engine: Engine, before: str) -> str:
    schema.ensure_schema(engine, create=False)
    return before if before == schema.HEAD else schema.upgrade(engine)
