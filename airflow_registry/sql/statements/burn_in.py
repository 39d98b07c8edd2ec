"""Statements about the burn-in of a champion: what it has written since its promotion, and what cools down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, case, exists, func, or_, select
from sqlalchemy.dialects.postgresql import insert

from airflow_registry.sql.tables import cool_downs, decisions, ledger, ledger_commits, promotions, versions

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Executable, Select


def promotion_at(model_id: int, revision: int) -> Select[Any]:
    """How the champion of that revision got there, with the policy of its decision, NULL for an override or a rollback."""
    joined = promotions.outerjoin(decisions, decisions.c.id == promotions.c.decision_id)
    wanted = select(promotions.c.promoted_at, decisions.c.policy).select_from(joined)
    return wanted.where(promotions.c.model_id == model_id, promotions.c.revision == revision)


def written_since(version_id: int, since: datetime) -> Select[Any]:
    """What a version has written into outputs that it opened since then; of each output its newest commit counts."""
    later, said = ledger.alias("later"), ledger_commits.alias("said")
    redone = exists().where(
        said.c.entry_id == later.c.id,
        later.c.output == ledger.c.output,
        later.c.version_id == ledger.c.version_id,
        later.c.generation > ledger.c.generation,
    )
    commits = ledger_commits.c
    known = commits.rows.is_not(None)
    counted = and_(known, commits.null_predictions.is_not(None))
    sums = {
        "rows": commits.rows,
        "quarantined": case((known, commits.quarantined)),
        "counted": case((counted, commits.rows)),
        "nulls": case((counted, commits.null_predictions)),
    }
    return (
        select(func.count().label("finished"), *[func.coalesce(func.sum(what), 0).label(name) for name, what in sums.items()])
        .select_from(ledger.join(ledger_commits, commits.entry_id == ledger.c.id))
        .where(ledger.c.version_id == version_id, ~ledger.c.is_shadow, ledger.c.opened_at >= since, ~redone)
    )


def unfinished_since(version_id: int, since: datetime, opened_before: datetime) -> Select[Any]:
    """Outputs that a version opened since then, before that other moment, and has not written since; oldest first.

    A later try of the same run stands for the earlier one: tasks are retried. What another run opened does not.
    """
    later, said = ledger.alias("later"), ledger_commits.alias("said")
    same_run = and_(*(later.c[name].is_not_distinct_from(ledger.c[name]) for name in ("deployment", "dag_id", "run_id")))
    replaced = (
        select(later.c.id)
        .select_from(later.outerjoin(said, said.c.entry_id == later.c.id))
        .where(
            later.c.output == ledger.c.output,
            later.c.version_id == ledger.c.version_id,
            later.c.generation > ledger.c.generation,
            or_(said.c.entry_id.is_not(None), same_run),
        )
    )
    mine = select(ledger.c.output).outerjoin(ledger_commits, ledger_commits.c.entry_id == ledger.c.id)
    late = and_(ledger.c.opened_at >= since, ledger.c.opened_at <= opened_before)
    open_ones = mine.where(
        ledger.c.version_id == version_id, ~ledger.c.is_shadow, late, ledger_commits.c.entry_id.is_(None), ~replaced.exists()
    )
    return open_ones.group_by(ledger.c.output).order_by(func.min(ledger.c.id))


def add_cool_down(values: dict[str, Any]) -> Executable:
    """A version was rolled back automatically."""
    return insert(cool_downs).values(**values)


def _cool_downs() -> Select[Any]:
    return select(cool_downs, versions.c.number).join(versions, versions.c.id == cool_downs.c.version_id)


def cool_down_by_promotion(uid: str) -> Select[Any]:
    """Why the rollback with that uid was made, if it was an automatic one."""
    return _cool_downs().join(promotions, promotions.c.id == cool_downs.c.promotion_id).where(promotions.c.uid == uid)


def cool_downs_of(model_id: int, version_id: int, digest: str | None) -> Select[Any]:
    """Every automatic rollback of a version, or of one with the same bytes; newest first."""
    same = cool_downs.c.version_id == version_id
    if digest is not None:
        same |= versions.c.digest == digest
    return _cool_downs().where(cool_downs.c.model_id == model_id, same).order_by(cool_downs.c.id.desc())


def promotion_id(uid: str) -> Select[Any]:
    """The row of a promotion."""
    return select(promotions.c.id).where(promotions.c.uid == uid)
