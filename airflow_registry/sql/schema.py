"""Which tables a database has, and how it gets those of this release.

Migrations expand first and contract one minor release later, so release N works on the schemas of N and N+1. Anything older is
refused with the command that upgrades it. A newer release writes into the table `meta` which schema's releases may go on working:
a schema that we do not know is used if that is ours, else refused.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from sqlalchemy import inspect, select, text
from sqlalchemy.dialects.postgresql import insert

from airflow_registry.domain.audit import GENESIS
from airflow_registry.errors import ConfigurationError, DatabaseNotInitializedError, SchemaVersionError
from airflow_registry.sql.engine import is_missing_file, shown, use_wal
from airflow_registry.sql.tables import VERSION_TABLE, audit_head, meta

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

REVISIONS = ("0001", "0002", "0003", "0004")  # every schema that there has been, oldest first
HEAD = REVISIONS[-1]
OLDEST_USABLE = "0001"  # whose releases may go on working on a database of this schema
_alembic = threading.Lock()  # its `context` belongs to the whole process
_UPGRADE = "airflow-registry db upgrade"
_LOCK_KEY = 0x61697265  # any number, the same in every process that upgrades


def ensure_schema(engine: Engine, *, create: bool) -> str:
    """Check that the tables are there, and make them if that was asked for.

    Returns:
        The schema's revision.

    Raises:
        DatabaseNotInitializedError: If the database is empty and `create` is False.
        SchemaVersionError: If it is too old or too new.
    """
    if is_missing_file(engine) and not create:
        raise DatabaseNotInitializedError(_not_initialized(engine, "the file does not exist"))
    current = current_revision(engine)
    if current is None:
        if create:
            return upgrade(engine)
        raise DatabaseNotInitializedError(_not_initialized(engine, "it has no registry tables"))
    if current != HEAD:
        _check_usable(engine, current)
    return current


def _check_usable(engine: Engine, current: str) -> None:
    if current in REVISIONS:
        raise SchemaVersionError(
            f"The registry in {shown(engine.url)} has the schema {current!r} of an older release; this one needs {HEAD!r}. "
            f"Bring it up to date with `{_UPGRADE}`; nothing is lost."
        )
    with engine.connect() as connection:
        usable = connection.execute(select(meta.c.value).where(meta.c.key == "oldest_usable")).scalar()
    if usable not in REVISIONS:
        raise SchemaVersionError(
            f"The registry in {shown(engine.url)} has schema {current!r}, which this release does not know (it knows up to {HEAD!r}). "
            "It was upgraded by a newer release: install that release here too."
        )


def current_revision(engine: Engine) -> str | None:
    """The schema's revision, None for an empty database, or one that is not there."""
    if is_missing_file(engine):
        return None
    with engine.connect() as connection:
        if not inspect(connection).has_table(VERSION_TABLE):
            return None
        return connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608  our own constant


def upgrade(engine: Engine) -> str:
    """Bring the database to this release's schema, in one transaction, whoever else is doing the same.

    Returns:
        The revision it has now.

    Raises:
        ConfigurationError: If the folder of a SQLite file does not exist.
    """
    _make_room(engine)
    use_wal(engine)
    with engine.connect() as plain:
        connection = plain.execution_options(registry_writes=True)
        with connection.begin():
            lock(connection)
            _run_migrations(connection)
            _first_rows(connection)
    return HEAD


def lock(connection: Connection) -> None:
    """One process at a time changes tables and views; on SQLite a writer is alone anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})


def _make_room(engine: Engine) -> None:
    from pathlib import Path

    if not is_missing_file(engine):
        return
    file = Path(str(engine.url.database))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()  # connections open existing files only
    except OSError as error:
        raise ConfigurationError(
            f"The registry database {shown(engine.url)} cannot be made: {error}. Choose a folder that can be written."
        ) from error


def _run_migrations(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "airflow_registry.sql:migrations")
    config.attributes["connection"] = connection
    with _alembic:
        command.upgrade(config, "head")


def _first_rows(connection: Connection) -> None:
    """What every registry has from its first moment: a name of its own, and the head of the audit chain."""
    facts = [{"key": "registry_uid", "value": str(uuid4())}, {"key": "created_at", "value": datetime.now(UTC).isoformat()}]
    connection.execute(insert(meta).on_conflict_do_nothing(), facts)
    usable = insert(meta).values(key="oldest_usable", value=OLDEST_USABLE)
    connection.execute(usable.on_conflict_do_update(index_elements=["key"], set_={"value": OLDEST_USABLE}))
    connection.execute(insert(audit_head).on_conflict_do_nothing(), [{"id": 1, "seq": 0, "hash": GENESIS}])


def _not_initialized(engine: Engine, found: str) -> str:
    return (
        f"There is no registry in {shown(engine.url)}: {found}. If the address is right, make one with `{_UPGRADE}` "
        "(or ModelRegistry(url, create=True)); if it is not, correct it before anything is registered in the wrong place."
    )
