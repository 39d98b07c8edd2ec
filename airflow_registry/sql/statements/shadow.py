"""Statements about versions in SHADOW: what they wrote beside the champion, and how far both said the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import case, func, select
from sqlalchemy.dialects.postgresql import insert

from airflow_registry.sql.shadow_tables import shadow_comparisons
from airflow_registry.sql.tables import ledger, ledger_commits, versions

if TYPE_CHECKING:
    from sqlalchemy import Executable, Select


def tried(output: str, version_id: int, input_digest: str | None) -> Select[Any]:
    """A shadow run of a version over an input, finished or not."""
    same = ledger.c.input_digest.is_not_distinct_from(input_digest)
    mine = select(ledger.c.id).where(ledger.c.output == output, ledger.c.version_id == version_id, ledger.c.is_shadow, same)
    return mine.limit(1)


def add_comparison(values: dict[str, Any]) -> Executable:
    """How far a version and the champion said the same of one partition; once for each shadow run."""
    return insert(shadow_comparisons).values(**values).on_conflict_do_nothing()


def _comparisons() -> Select[Any]:
    champion, said, his = versions.alias("champion"), ledger_commits.alias("said"), ledger_commits.alias("his")
    joined = (
        shadow_comparisons.join(versions, versions.c.id == shadow_comparisons.c.version_id)
        .join(champion, champion.c.id == shadow_comparisons.c.champion_version_id)
        .join(ledger, ledger.c.id == shadow_comparisons.c.entry_id)
        .outerjoin(said, said.c.entry_id == shadow_comparisons.c.entry_id)
        .outerjoin(his, his.c.entry_id == shadow_comparisons.c.champion_entry_id)
    )
    facts = (versions.c.number, champion.c.number.label("champion"), ledger.c.output, ledger.c.partition_key)
    seconds = (said.c.seconds, his.c.seconds.label("champion_seconds"))
    return select(shadow_comparisons, *facts, *seconds).select_from(joined)


def comparisons_of(version_id: int) -> Select[Any]:
    """All comparisons of a version, oldest first."""
    return _comparisons().where(shadow_comparisons.c.version_id == version_id).order_by(shadow_comparisons.c.id)


def comparison_by_entry(entry_id: int) -> Select[Any]:
    """The comparison that one shadow run gave."""
    return _comparisons().where(shadow_comparisons.c.entry_id == entry_id)


def agreement_with(version_id: int, champion_version_id: int) -> Select[Any]:
    """Over all partitions that a version was compared on with one champion, of each the newest comparison, without empty ones."""
    counts = shadow_comparisons.c
    about = (counts.version_id == version_id, counts.champion_version_id == champion_version_id)
    newest = select(func.max(counts.id)).join(ledger, ledger.c.id == counts.entry_id).where(*about).group_by(ledger.c.output)
    rows = counts.rows + counts.unmatched
    return select(
        func.count(case((rows > 0, counts.id))).label("partitions"),
        func.coalesce(func.sum(rows), 0).label("rows"),
        func.coalesce(func.sum(counts.agreeing), 0).label("agreeing"),
    ).where(counts.id.in_(newest))


def unfinished(version_id: int) -> Select[Any]:
    """Outputs of shadow runs that were begun and not finished, oldest first."""
    mine = select(ledger.c.output).outerjoin(ledger_commits, ledger_commits.c.entry_id == ledger.c.id)
    return mine.where(ledger.c.version_id == version_id, ledger.c.is_shadow, ledger_commits.c.entry_id.is_(None)).order_by(ledger.c.id)
