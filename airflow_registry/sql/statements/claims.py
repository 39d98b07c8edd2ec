"""Statements about the rows that entries of the audit speak of: whether they are what was written, and whether there are others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, literal, or_, select, union_all

from airflow_registry.domain.audit_state import DECISIONS, PROMOTIONS, TAKEN_OVER, VERSIONS
from airflow_registry.sql.tables import champions, decisions, models, promotions, version_stages, versions

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import ColumnElement, Select

TABLES = {VERSIONS: versions, DECISIONS: decisions, PROMOTIONS: promotions}
_ABOUT = (models.c.name.label("model_name"), versions.c.number)
# The champion that makes room has a line of its own, and no entry: the entry of its successor names it.
_MAKES_ROOM = and_(promotions.c.from_stage == "PRODUCTION", promotions.c.to_stage == "ARCHIVED", promotions.c.revision.is_(None))
# What was taken over from an original table has one entry for the table, and none for each row.
_TAKEN_OVER = and_(versions.c.is_imported, versions.c.origin.is_(None))


def rows(table: str, uids: Collection[str]) -> Select[Any]:
    """The rows that entries speak of, with what those say about them."""
    return {VERSIONS: _versions, DECISIONS: _decisions, PROMOTIONS: _promotions}[table](uids)


def _versions(uids: Collection[str]) -> Select[Any]:
    names = [versions.c[name] for name in ("uid", "digest", "remote_path", "metrics")]
    wanted = select(*names, *_ABOUT, versions.c.published_by.label("by"), versions.c.change_note.label("text"))
    return wanted.join_from(versions, models).where(versions.c.uid.in_(uids))


def _decisions(uids: Collection[str]) -> Select[Any]:
    champion = versions.alias("champion")
    joined = decisions.join(models, models.c.id == decisions.c.model_id).join(versions, versions.c.id == decisions.c.version_id)
    facts = (decisions.c.policy_digest.label("policy"), champion.c.number.label("champion"), decisions.c.decided_by.label("by"))
    wanted = select(decisions.c.uid, decisions.c.outcome, decisions.c.revision, *facts, *_ABOUT)
    return wanted.select_from(joined.outerjoin(champion, champion.c.id == decisions.c.champion_version_id)).where(decisions.c.uid.in_(uids))


def _promotions(uids: Collection[str]) -> Select[Any]:
    replaced = versions.alias("replaced")
    joined = (
        promotions.join(models, models.c.id == promotions.c.model_id)
        .join(versions, versions.c.id == promotions.c.version_id)
        .outerjoin(replaced, replaced.c.id == promotions.c.replaced_version_id)
        .outerjoin(decisions, decisions.c.id == promotions.c.decision_id)
    )
    stages = (promotions.c.from_stage.label("from"), promotions.c.to_stage.label("to"))
    others = (replaced.c.number.label("replaced"), decisions.c.uid.label("decision"))
    wanted = select(promotions.c.uid, promotions.c.revision, *stages, *others, *_ABOUT)
    told = (promotions.c.promoted_by.label("by"), promotions.c.reason.label("text"))
    return wanted.add_columns(*told).select_from(joined).where(promotions.c.uid.in_(uids))


def count(table: str, *, imported: bool) -> Select[Any]:
    """How many rows should have an entry of their own; where nothing was taken over, rows that say so count too."""
    return select(func.count()).select_from(_own(table)).where(*_with_entry(table, imported=imported))


def page(table: str, after: int, limit: int, *, imported: bool) -> Select[Any]:
    """The rows that should have an entry of their own, in order."""
    source = TABLES[table]
    wanted = select(source.c.id, source.c.uid, *_ABOUT).select_from(_own(table).join(models, models.c.id == source.c.model_id))
    return wanted.where(source.c.id > after, *_with_entry(table, imported=imported)).order_by(source.c.id).limit(limit)


def _own(table: str) -> Any:  # noqa: ANN401  a table or a join
    source = TABLES[table]
    return versions if source is versions else source.join(versions, versions.c.id == source.c.version_id)


def _with_entry(table: str, *, imported: bool) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [~_MAKES_ROOM] if table == PROMOTIONS else []
    if imported and table == VERSIONS:
        conditions.append(~_TAKEN_OVER)
    if imported and table == PROMOTIONS:
        is_first = func.coalesce(promotions.c.revision, 0) == 1  # NULL is no answer to "not"
        conditions.append(~and_(_TAKEN_OVER, is_first, func.coalesce(promotions.c.reason, "") == TAKEN_OVER))
    return conditions


def unmatched_retirements() -> Select[Any]:
    """Versions that made room for a champion more or less often than champions say that they replaced them."""
    made_room = select(promotions.c.version_id.label("id"), literal(1).label("times")).where(_MAKES_ROOM)
    replaced = select(promotions.c.replaced_version_id, literal(-1)).where(promotions.c.replaced_version_id.is_not(None))
    both = union_all(made_room, replaced).subquery()
    summed = select(both.c.id).group_by(both.c.id).having(func.sum(both.c.times) != 0).subquery()
    return select(*_ABOUT).select_from(summed.join(versions, versions.c.id == summed.c.id).join(models, models.c.id == versions.c.model_id))


def wrong_stages(limit: int) -> Select[Any]:
    """Versions in another stage than their newest stage change has left them in."""
    newest = select(promotions.c.version_id, func.max(promotions.c.id).label("id")).group_by(promotions.c.version_id).subquery()
    joined = (
        version_stages.join(versions, versions.c.id == version_stages.c.version_id)
        .join(models, models.c.id == versions.c.model_id)
        .outerjoin(newest, newest.c.version_id == versions.c.id)
        .outerjoin(promotions, promotions.c.id == newest.c.id)
    )
    expected = func.coalesce(promotions.c.to_stage, "DEVELOPMENT")
    is_known = or_(promotions.c.id.is_not(None), ~_TAKEN_OVER)
    wanted = select(*_ABOUT, version_stages.c.stage, expected.label("expected")).select_from(joined)
    return wanted.where(is_known, version_stages.c.stage != expected).order_by(versions.c.id).limit(limit)


def champion_cells() -> Select[Any]:
    """Who is champion of each model."""
    joined = champions.join(models, models.c.id == champions.c.model_id).outerjoin(versions, versions.c.id == champions.c.version_id)
    return select(models.c.name, versions.c.number, champions.c.revision).select_from(joined).order_by(models.c.key)
