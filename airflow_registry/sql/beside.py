"""Whether a transaction of a database of data is one of the registry's own database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import inspect, select
from sqlalchemy.exc import DBAPIError

from airflow_registry.sql.tables import ledger, ledger_commits, partitions

if TYPE_CHECKING:
    from airflow_registry.sql.store import Transaction


def holds_entry(tx: Transaction, uid: str) -> bool:
    """Whether an entry of the ledger can be seen and committed here.

    Addresses of one database differ (a host's alias, a tunnel, another user), and a copy has the same names. But the entry was written
    a moment ago, under a uid that nobody else has: where it is, there the registry is.
    """
    if not inspect(tx.connection).has_table(ledger.name):
        return False
    try:
        with tx.connection.begin_nested():  # a user without rights on the registry's tables may still write predictions
            return tx.scalar(select(ledger.c.uid).where(ledger.c.uid == uid)) is not None and _may_write(tx)
    except DBAPIError:
        return False


def _may_write(tx: Transaction) -> bool:
    if tx.connection.dialect.name != "postgresql":
        return True
    wanted = ((partitions, "UPDATE"), (ledger_commits, "INSERT"))
    answers = (tx.connection.exec_driver_sql("SELECT has_table_privilege(%s, %s)", (table.name, right)) for table, right in wanted)
    return all(answer.scalar() for answer in answers)
