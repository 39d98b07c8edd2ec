"""Statements about the rows that entries of the audit speak of: whether they are what was written, and whether there are others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import String, Text, and_, func, literal, null, or_, select, type_coerce, union_all

from airflow_registry.domain.audit_state import (
    DECISIONS,
    EVALUATIONS,
    FREEZES,
    LOCKS,
    PROMOTIONS,
    TAKEN_OVER,
    VERSIONS,
    VOTES,
    WAIVERS,
    WITHDRAWALS,
)
from airflow_registry.sql.people_tables import approvals, freezes, policy_locks, waiver_withdrawals, waivers
from airflow_registry.sql.tables import (
    champions,
    decision_data,
    decisions,
    evaluations,
    metrics,
    models,
    promotions,
    version_stages,
    versions,
)
from airflow_registry.sql.types import Json, UtcDateTime

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Column, ColumnElement, FromClause, Select

_ABOUT = (models.c.name.label("model_name"), versions.c.number)
_ABOUT_MODEL = (models.c.name.label("model_name"), null().label("number"))
_evaluated = (
    select(func.max(versions.c.number))  # of several versions the challenger, mostly
    .select_from(metrics.join(versions, versions.c.id == metrics.c.version_id))
    .where(metrics.c.evaluation_id == evaluations.c.id)
)
_ABOUT_EVALUATION = (models.c.name.label("model_name"), _evaluated.scalar_subquery().label("number"))
_OF_MODEL = frozenset({EVALUATIONS, LOCKS, FREEZES})
_champion, _replaced, _judged = versions.alias("champion"), versions.alias("replaced"), models.alias("judged")
# The champion that makes room has a line of its own, and no entry: the entry of its successor names it.
_MAKES_ROOM = and_(promotions.c.from_stage == "PRODUCTION", promotions.c.to_stage == "ARCHIVED", promotions.c.revision.is_(None))
# What was taken over from an original table has one entry for the table, and none for each row.
_TAKEN_OVER = and_(versions.c.is_imported, versions.c.origin.is_(None))


def rows(table: str, uids: Collection[str]) -> Select[Any]:
    """The rows that entries speak of, with what those say about them."""
    return _rows(table).where(_UIDS[table].in_(uids))


def row_by_id(table: str, row_id: int) -> Select[Any]:
    """One of these rows, by its sequence."""
    return _rows(table).where(_IDS[table] == row_id)


def _rows(table: str) -> Select[Any]:
    about = _ABOUT_MODEL if table in _OF_MODEL else _ABOUT
    named = (_IDS[table].label("id"), _UIDS[table].label("uid"))
    return select(*named, *_FACTS[table], *about).select_from(_SOURCES[table])


def metric_lines(ids: Collection[int]) -> Select[Any]:
    """What evaluations measured, by the row ids of those: each version by its uid."""
    columns = (
        metrics.c.evaluation_id,
        versions.c.uid,
        metrics.c.name,
        metrics.c.slice,
        metrics.c.value,
        metrics.c.non_finite,
        metrics.c.rows,
    )
    joined = metrics.join(versions, versions.c.id == metrics.c.version_id)
    return select(*columns).select_from(joined).where(metrics.c.evaluation_id.in_(ids)).order_by(metrics.c.evaluation_id)


def data_lines(ids: Collection[int]) -> Select[Any]:
    """Which data sets decisions looked at, by the row ids of those."""
    wanted = select(decision_data.c.decision_id, decision_data.c.data_digest).where(decision_data.c.decision_id.in_(ids))
    return wanted.order_by(decision_data.c.decision_id)


# Columns that have a digest together. What is here stays as it is: entries that were written hold these digests for ever.
DIGESTED: dict[str, dict[str, tuple[str, ...]]] = {
    EVALUATIONS: {
        "data": ("data_name", "data_uri", "data_digest", "data_rows"),
        "facts": (
            "model_name", "source", "recorded_at", "kind", "target", "slices", "trivial", "artifact_uri", "artifact_digest",
        ),
    },
    DECISIONS: {
        "reasons": ("reasons",),
        "basis": ("basis",),
        "facts": (
            "judged_model", "policy_text", "policy_source", "policy_editor", "decided_at", "expires_at",
            "deployment", "dag_id", "run_id", "task_id", "map_index",
        ),
    },
}  # fmt: skip


def _raw(column: Column[Any], name: str | None = None) -> ColumnElement[Any]:
    """To the letter, as it was written: what somebody else put there may be no JSON and no time."""
    plain = Text() if isinstance(column.type, Json) else String() if isinstance(column.type, UtcDateTime) else column.type
    return type_coerce(column, plain).label(name or column.name)


def _of_version(source: Any) -> Any:  # noqa: ANN401  a table or a join of it
    return source.join(versions, versions.c.id == source.c.version_id).join(models, models.c.id == versions.c.model_id)


def _of_model(source: Any) -> Any:  # noqa: ANN401  a table
    return source.join(models, models.c.id == source.c.model_id)


_SOURCES: dict[str, FromClause] = {
    VERSIONS: _of_model(versions),
    EVALUATIONS: _of_model(evaluations),
    DECISIONS: _of_version(decisions)
    .outerjoin(_champion, _champion.c.id == decisions.c.champion_version_id)
    .outerjoin(_judged, _judged.c.id == decisions.c.model_id),
    PROMOTIONS: _of_version(promotions)
    .outerjoin(_replaced, _replaced.c.id == promotions.c.replaced_version_id)
    .outerjoin(decisions, decisions.c.id == promotions.c.decision_id),
    VOTES: _of_version(approvals),
    WAIVERS: _of_version(waivers),
    WITHDRAWALS: _of_version(waivers).join(waiver_withdrawals, waiver_withdrawals.c.waiver_id == waivers.c.id),
    LOCKS: _of_model(policy_locks),
    FREEZES: _of_model(freezes),
}
_UIDS: dict[str, ColumnElement[str]] = {
    VERSIONS: versions.c.uid,
    EVALUATIONS: evaluations.c.uid,
    DECISIONS: decisions.c.uid,
    PROMOTIONS: promotions.c.uid,
    VOTES: approvals.c.uid,
    WAIVERS: waivers.c.uid,
    WITHDRAWALS: waivers.c.uid,
    LOCKS: policy_locks.c.uid,
    FREEZES: freezes.c.uid,
}
_IDS: dict[str, ColumnElement[int]] = {
    VERSIONS: versions.c.id,
    EVALUATIONS: evaluations.c.id,
    DECISIONS: decisions.c.id,
    PROMOTIONS: promotions.c.id,
    VOTES: approvals.c.id,
    WAIVERS: waivers.c.id,
    WITHDRAWALS: waiver_withdrawals.c.waiver_id,
    LOCKS: policy_locks.c.id,
    FREEZES: freezes.c.id,
}
_FACTS: dict[str, tuple[ColumnElement[Any], ...]] = {
    VERSIONS: (
        versions.c.digest,
        versions.c.remote_path,
        versions.c.metrics,
        versions.c.published_by.label("by"),
        versions.c.change_note.label("text"),
    ),
    EVALUATIONS: (
        *[_raw(evaluations.c[name]) for names in DIGESTED[EVALUATIONS].values() for name in names if name != "model_name"],
        evaluations.c.recorded_by.label("by"),
    ),
    DECISIONS: (
        decisions.c.outcome,
        decisions.c.revision,
        decisions.c.policy_digest.label("policy"),
        _champion.c.number.label("champion"),
        decisions.c.decided_by.label("by"),
        _judged.c.name.label("judged_model"),
        _raw(decisions.c.policy, "policy_text"),
        *[_raw(decisions.c[name]) for names in DIGESTED[DECISIONS].values() for name in names if name in decisions.c and name != "policy"],
    ),
    PROMOTIONS: (
        promotions.c.revision,
        promotions.c.from_stage.label("from"),
        promotions.c.to_stage.label("to"),
        _replaced.c.number.label("replaced"),
        decisions.c.uid.label("decision"),
        promotions.c.promoted_by.label("by"),
        promotions.c.reason.label("text"),
    ),
    VOTES: (
        approvals.c.vote.label("choice"),
        approvals.c.policy_digest.label("policy"),
        approvals.c.person.label("by"),
        approvals.c.text_digest,
    ),
    WAIVERS: (waivers.c.rule, waivers.c.expires_at, waivers.c.person.label("by"), waivers.c.text_digest),
    WITHDRAWALS: (waivers.c.rule, waiver_withdrawals.c.person.label("by"), waiver_withdrawals.c.text_digest),
    LOCKS: (
        policy_locks.c.policy_digest.label("policy"),
        policy_locks.c.is_effective,
        policy_locks.c.person.label("by"),
        policy_locks.c.text_digest,
    ),
    FREEZES: (freezes.c.frozen_until.label("until"), freezes.c.person.label("by"), freezes.c.text_digest),
}


def count(table: str, *, imported: bool) -> Select[Any]:
    """How many rows should have an entry of their own; where nothing was taken over, rows that say so count too."""
    return select(func.count()).select_from(_SOURCES[table]).where(*_with_entry(table, imported=imported))


def page(table: str, after: int, limit: int, *, imported: bool) -> Select[Any]:
    """The rows that should have an entry of their own, in order."""
    about = _ABOUT_EVALUATION if table == EVALUATIONS else _ABOUT_MODEL if table in _OF_MODEL else _ABOUT
    wanted = select(_IDS[table].label("id"), _UIDS[table].label("uid"), *about).select_from(_SOURCES[table])
    return wanted.where(_IDS[table] > after, *_with_entry(table, imported=imported)).order_by(_IDS[table]).limit(limit)


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


def wrong_locks(limit: int) -> Select[Any]:
    """Models whose locked policy is another one than their newest effective lock has left."""
    effective = select(policy_locks.c.model_id, func.max(policy_locks.c.id).label("id")).where(policy_locks.c.is_effective)
    newest = effective.group_by(policy_locks.c.model_id).subquery()
    joined = models.outerjoin(newest, newest.c.model_id == models.c.id).outerjoin(policy_locks, policy_locks.c.id == newest.c.id)
    wanted = select(models.c.name.label("model_name"), models.c.locked_policy, policy_locks.c.policy_digest.label("expected"))
    is_other = func.coalesce(models.c.locked_policy, "") != func.coalesce(policy_locks.c.policy_digest, "")
    return wanted.select_from(joined).where(is_other).order_by(models.c.id).limit(limit)


def champion_cells() -> Select[Any]:
    """Who is champion of each model."""
    joined = champions.join(models, models.c.id == champions.c.model_id).outerjoin(versions, versions.c.id == champions.c.version_id)
    return select(models.c.name, versions.c.number, champions.c.revision).select_from(joined).order_by(models.c.key)
