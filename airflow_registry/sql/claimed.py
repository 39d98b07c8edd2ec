"""The rows that entries of the audit speak of, in the words of the entries, and digests of what those do not repeat.

A digest is made of the row as it stands in the database, when the entry is written as well: what a database changes in a value
(SQLite keeps no sign of a zero) is then in both.
"""

from __future__ import annotations

from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.audit_state import DECISIONS, EVALUATIONS
from airflow_registry.domain.clock import utc
from airflow_registry.domain.row_digest import digest_of, digest_of_lines
from airflow_registry.sql import trail
from airflow_registry.sql.statements import claims

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from sqlalchemy import Executable, Row
    from sqlalchemy.engine import RowMapping

    from airflow_registry.domain.audit_state import Claim
    from airflow_registry.sql.store import Transaction

# Where most columns have a digest, those that entries repeat.
_TOLD: Mapping[str, tuple[str, ...]] = {EVALUATIONS: (), DECISIONS: ("outcome", "champion", "revision", "policy")}
# What hangs on a row in a table of its own, and how the digest of that is called.
_LINES: Mapping[str, tuple[str, Callable[[Collection[int]], Executable]]] = {
    EVALUATIONS: ("metrics", claims.metric_lines),
    DECISIONS: ("data", claims.data_lines),
}


def rows_of(tx: Transaction, table: str, found: Sequence[Claim]) -> dict[str, Mapping[str, Any]]:
    """The rows that some entries speak of, by uid, with the names that claims use."""
    if not found:
        return {}
    rows = tx.all(claims.rows(table, {claim.uid for claim in found}))
    digests, told = _digests(tx, table, rows), _TOLD.get(table)
    return {row["uid"]: {**_told(row, told), "digests": digests.get(row["id"], {})} for row in rows}


def named(tx: Transaction, table: str, row_id: int) -> dict[str, Any]:
    """A row that was just written, for its entry: which it is, and the digests of what it holds."""
    row = tx.one(claims.row_by_id(table, row_id))
    return {"uid": row["uid"], "digests": _digests(tx, table, [row])[row_id]}


def ref_of(row: RowMapping) -> str:
    """What a row is about: a version, or a model where it has no number."""
    return str(row["model_name"]) if row["number"] is None else f"{row['model_name']}:{row['number']}"


def _told(row: RowMapping, names: Iterable[str] | None) -> dict[str, Any]:
    """The columns as an entry's body says them; all if none are named."""
    plain = {name: _as_told(row[name]) for name in (row if names is None else names)}
    return {**plain, "ref": ref_of(row), "by": str(row["by"])}


def _as_told(value: object) -> object:
    return utc(value).isoformat() if isinstance(value, datetime) else value


def _digests(tx: Transaction, table: str, rows: Sequence[RowMapping]) -> dict[int, dict[str, str]]:
    """The digests of these rows by their sequences; {} of a table whose entries repeat everything."""
    if table not in _LINES or not rows:
        return {}
    name, statement = _LINES[table]
    lines = _digests_of_lines(tx.each(statement([row["id"] for row in rows])))
    none = digest_of_lines(())
    return {row["id"]: {**_digests_of_columns(table, row), name: lines.get(row["id"], none)} for row in rows}


def _digests_of_columns(table: str, row: RowMapping) -> dict[str, str]:
    return {name: digest_of([_column(column, row[column]) for column in columns]) for name, columns in claims.DIGESTED[table].items()}


def _column(name: str, value: object) -> object:
    """SQLite has text where PostgreSQL has a time; what is no time counts as it stands there."""
    return trail.moment(value) or value if name.endswith("_at") else value


def _digests_of_lines(rows: Iterable[Row[Any]]) -> dict[int, str]:
    """Lines that come sorted by the row that they belong to, which is their first column."""
    return {row_id: digest_of_lines([line[1:] for line in lines]) for row_id, lines in groupby(rows, key=itemgetter(0))}
