"""Statements about what people say: votes, waivers, locks of policies, freezes. What they wrote stands in `audit_texts`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from airflow_registry.sql.people_tables import approvals, freezes, policy_locks, waiver_withdrawals, waivers
from airflow_registry.sql.shadow_tables import shadow_comparisons
from airflow_registry.sql.tables import (
    audit_texts,
    champions,
    cool_downs,
    decisions,
    metrics,
    models,
    version_stages,
    versions,
)

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Column, ColumnElement, Executable, ScalarSelect, Select, Table, Update


def _with_text(table: Table) -> Select[Any]:
    return select(table, audit_texts.c.text).outerjoin_from(table, audit_texts, audit_texts.c.digest == table.c.text_digest)


def add_vote(values: dict[str, Any]) -> Executable:
    """What somebody said about a version under a policy."""
    return insert(approvals).values(**values)


def votes_about(version_id: int, policy_digest: str | None = None) -> Select[Any]:
    """All votes about a version, under one policy or any; oldest first."""
    about = _with_text(approvals).where(approvals.c.version_id == version_id)
    of_policy = about if policy_digest is None else about.where(approvals.c.policy_digest == policy_digest)
    return of_policy.order_by(approvals.c.id)


def decisions_about(version_id: int, policy_digest: str | None = None) -> Select[Any]:
    """What the gate said about a version, by one policy or any; oldest first."""
    columns = [decisions.c[name] for name in ("uid", "outcome", "reasons", "policy", "policy_digest", "policy_editor", "decided_at")]
    about = select(*columns).where(decisions.c.version_id == version_id)
    by_policy = about if policy_digest is None else about.where(decisions.c.policy_digest == policy_digest)
    return by_policy.order_by(decisions.c.id)


def newest_editor(version_id: int, policy_digest: str) -> Select[Any]:
    """Who had edited the policy last when it judged the version last."""
    about = select(decisions.c.policy_editor).where(decisions.c.version_id == version_id, decisions.c.policy_digest == policy_digest)
    return about.order_by(decisions.c.id.desc()).limit(1)


def add_waiver(values: dict[str, Any]) -> Executable:
    """A rule is lifted for a version."""
    return insert(waivers).values(**values)


def _waivers() -> Select[Any]:
    joined = _with_text(waivers).outerjoin(waiver_withdrawals, waiver_withdrawals.c.waiver_id == waivers.c.id)
    named = joined.join(versions, versions.c.id == waivers.c.version_id)
    return named.add_columns(waiver_withdrawals.c.at.label("withdrawn_at"), versions.c.number)


def waivers_about(version_id: int) -> Select[Any]:
    """All waivers for a version, oldest first."""
    return _waivers().where(waivers.c.version_id == version_id).order_by(waivers.c.id)


def waivers_of_model(model_id: int) -> Select[Any]:
    """All waivers for the versions of a model, oldest first."""
    return _waivers().where(versions.c.model_id == model_id).order_by(waivers.c.id)


def waiver_by_uid(uid: str) -> Select[Any]:
    """One waiver, with the name of its model."""
    return (
        _waivers()
        .join(models, models.c.id == versions.c.model_id)
        .add_columns(models.c.name.label("model_name"))
        .where(waivers.c.uid == uid)
    )


def withdraw_waiver(values: dict[str, Any]) -> Executable:
    """A waiver lifts nothing any more; unless somebody said so before."""
    return insert(waiver_withdrawals).values(**values).on_conflict_do_nothing().returning(waiver_withdrawals.c.waiver_id)


def add_lock(values: dict[str, Any]) -> Executable:
    """Somebody says by which policy a model is promoted."""
    return insert(policy_locks).values(**values)


def locks_of(model_id: int) -> Select[Any]:
    """What people said about a model's policy, oldest first."""
    return _with_text(policy_locks).where(policy_locks.c.model_id == model_id).order_by(policy_locks.c.id)


def lock_policy(model_id: int, digest: str | None) -> Update:
    """The only policy by which the model is promoted; None for any. Its row is locked by who does this."""
    return update(models).where(models.c.id == model_id).values(locked_policy=digest)


def add_freeze(values: dict[str, Any]) -> Executable:
    """A model is frozen, or (without a time) no more."""
    return insert(freezes).values(**values)


def newest_freeze(model_id: int) -> Select[Any]:
    """What was said last about freezing the model."""
    return _with_text(freezes).where(freezes.c.model_id == model_id).order_by(freezes.c.id.desc()).limit(1)


def freeze_model(model_id: int, until: datetime | None) -> Update:
    """Until when the model is frozen."""
    return update(models).where(models.c.id == model_id).values(frozen_until=until)


def circumstances(model_id: int, version_id: int) -> Select[Any]:
    """What the gate looks at beside the policy and the time, as numbers that differ once anything of it is another."""
    withdrawn = waiver_withdrawals.join(waivers, waivers.c.id == waiver_withdrawals.c.waiver_id)
    return select(
        _newest(approvals.c.id, approvals.c.version_id == version_id).label("vote"),
        _newest(waivers.c.id, waivers.c.version_id == version_id).label("waiver"),
        select(func.count()).select_from(withdrawn).where(waivers.c.version_id == version_id).scalar_subquery().label("withdrawals"),
        _newest(policy_locks.c.id, policy_locks.c.model_id == model_id).label("lock"),
        _newest(freezes.c.id, freezes.c.model_id == model_id).label("freeze"),
        _newest(cool_downs.c.id, cool_downs.c.model_id == model_id).label("cool_down"),
        _newest(champions.c.revision, champions.c.model_id == model_id).label("revision"),
        _newest(metrics.c.evaluation_id, metrics.c.version_id == version_id).label("evaluation"),
        select(version_stages.c.stage).where(version_stages.c.version_id == version_id).scalar_subquery().label("stage"),
        _newest(shadow_comparisons.c.id, shadow_comparisons.c.version_id == version_id).label("shadow"),
    )


def _newest(number: Column[Any], about: ColumnElement[bool]) -> ScalarSelect[Any]:
    return select(func.max(number)).where(about).scalar_subquery()
