"""What the registry's user may do, and what time the server has: for `doctor`.

The append-only tables need no UPDATE, and no table needs DELETE: a role without them cannot rewrite history.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlalchemy import false, text, update

from airflow_registry.errors import RegistryError
from airflow_registry.sql import drift_tables, people_tables, recall_tables, shadow_tables, tables
from airflow_registry.sql.metadata import metadata
from airflow_registry.sql.tables import audit_head, champions, deliveries, models, partitions, pins, version_stages

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_registry.sql.store import Store, Transaction

UPDATED = (models, champions, version_stages, pins, deliveries, partitions, audit_head)
HISTORY = (
    tables.versions, tables.evaluations, tables.metrics, tables.decisions, tables.promotions, tables.audit, tables.ledger,
    tables.ledger_commits, tables.events, tables.decision_data, *people_tables.ALL, *shadow_tables.ALL, *recall_tables.ALL,
    *drift_tables.ALL,
)  # fmt: skip
READ_ONLY_FOR_US = ("airflow_registry_meta", "airflow_registry_audit_head")  # rows are put into them by `db upgrade` only


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """What one user may do in the registry database.

    Attributes:
        server: `PostgreSQL 17.2`, `SQLite 3.45.1`.
        is_server: Whether several machines can use it.
        user: The user of the connection; None for a file.
        missing: Rights that are needed and not there: `UPDATE on airflow_registry_models`.
        surplus: Rights with which history could be rewritten: UPDATE or DELETE on append-only tables.
        may_change_tables: Whether the user may make tables (DDL), which only `db upgrade` needs.
        fault: Why nothing can be written at all; None if something can.
        clock: The server's clock; None for a file, which has no other clock than this machine.
    """

    server: str
    is_server: bool
    user: str | None
    missing: tuple[str, ...]
    surplus: tuple[str, ...]
    may_change_tables: bool
    fault: str | None
    clock: datetime | None


def rights(store: Store) -> Rights:
    """Look what the user of this connection may do; nothing is changed.

    Raises:
        StorageUnavailableError: If the database is out of reach.
    """
    with store.read() as tx:
        found = _on_server(tx) if store.engine.dialect.name == "postgresql" else _on_file(tx)
    return found if found.fault else _with_fault(store, found)


def _with_fault(store: Store, found: Rights) -> Rights:
    """Write nothing at all, as a writer: a file that can only be read says so."""
    try:
        with store.write() as tx:
            if not found.is_server:  # a server was asked for the rights of each table
                tx.run(update(audit_head).where(false()).values(seq=audit_head.c.seq))
            return found
    except RegistryError as error:
        return replace(found, fault=str(error))


def _on_file(tx: Transaction) -> Rights:
    version = f"SQLite {tx.scalar(text('SELECT sqlite_version()'))}"
    return Rights(
        server=version, is_server=False, user=None, missing=(), surplus=(), may_change_tables=True, fault=_file_fault(tx), clock=None
    )


def _file_fault(tx: Transaction) -> str | None:
    """A lock can be had on a file that cannot be written, so the file itself is asked."""
    import os
    from pathlib import Path

    file = tx.scalar(text("SELECT file FROM pragma_database_list WHERE name = 'main'"))
    blocked = [str(path) for path in (Path(file), Path(file).parent) if not os.access(path, os.W_OK)] if file else []
    return f"{' and '.join(blocked)} cannot be written by this user, and SQLite writes into the file and beside it" if blocked else None


def _on_server(tx: Transaction) -> Rights:
    row = tx.one(text(_SERVER))
    missing, surplus = _table_rights(tx)
    standby = "the server is a standby" if row["is_standby"] else "the user's transactions are read-only" if row["is_read_only"] else None
    return Rights(
        server=f"PostgreSQL {row['version'].split()[0]}",
        is_server=True,
        user=row["user_name"],
        missing=missing,
        surplus=surplus,
        may_change_tables=row["may_create"],
        fault=standby and f"the database can only be read: {standby}",
        clock=row["clock"],
    )


_SERVER = """
SELECT current_setting('server_version') AS version, current_user AS user_name, clock_timestamp() AS clock,
       pg_is_in_recovery() AS is_standby, current_setting('default_transaction_read_only') = 'on' AS is_read_only,
       has_schema_privilege(current_schema(), 'CREATE') AS may_create
"""
_TABLE = """
SELECT has_table_privilege(:name, 'SELECT') AS "SELECT", has_table_privilege(:name, 'INSERT') AS "INSERT",
       has_table_privilege(:name, 'UPDATE') AS "UPDATE", has_table_privilege(:name, 'DELETE') AS "DELETE"
"""
_SEQUENCE = "SELECT has_sequence_privilege(pg_get_serial_sequence(:name, 'id'), 'USAGE')"


def _table_rights(tx: Transaction) -> tuple[tuple[str, ...], tuple[str, ...]]:
    missing, surplus = [], []
    for table in metadata.sorted_tables:
        held = tx.one(text(_TABLE).bindparams(name=table.name))
        needed = {"SELECT"} | ({"UPDATE"} if table in UPDATED else set()) | (set() if table.name in READ_ONLY_FOR_US else {"INSERT"})
        missing += [f"{right} on {table.name}" for right in ("SELECT", "INSERT", "UPDATE") if right in needed and not held[right]]
        surplus += [f"{right} on {table.name}" for right in ("UPDATE", "DELETE") if table in HISTORY and held[right]]
        if table.autoincrement_column is not None and not tx.scalar(text(_SEQUENCE).bindparams(name=table.name)):
            missing.append(f"USAGE on the sequence of {table.name}")
    return tuple(missing), tuple(surplus)
