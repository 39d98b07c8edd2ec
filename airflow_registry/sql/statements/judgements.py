"""Statements about evaluations, decisions, promotions and events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from airflow_registry.sql.tables import decision_data, decisions, evaluations, events, metrics, models, promotions, versions

if TYPE_CHECKING:
    from sqlalchemy import Executable, Select


def add_evaluation(values: dict[str, Any]) -> Executable:
    """An evaluation without its metrics."""
    return insert(evaluations).values(**values).returning(evaluations.c.id)


def add_metrics() -> Executable:
    """Metric rows, many at once."""
    return insert(metrics)


def _metrics() -> Select[Any]:
    """Every metric row with its evaluation and the number of its version, oldest evaluation first."""
    joined = metrics.join(evaluations, evaluations.c.id == metrics.c.evaluation_id).join(versions, versions.c.id == metrics.c.version_id)
    wanted = select(
        evaluations.c.id.label("evaluation_id"),
        *[evaluations.c[name] for name in _EVALUATION],
        *[metrics.c[name] for name in ("name", "slice", "value", "non_finite", "rows")],
        versions.c.number,
    ).select_from(joined)
    return wanted.order_by(evaluations.c.id, metrics.c.name, metrics.c.slice)


_EVALUATION = (
    "uid", "source", "data_name", "data_uri", "data_digest", "data_rows", "recorded_at",
    "kind", "target", "slices", "trivial", "artifact_uri", "artifact_digest",
)  # fmt: skip


def evaluations_with(model_id: int, version_ids: list[int]) -> Select[Any]:
    """Every metric row of these versions with its evaluation, oldest evaluation first."""
    return _metrics().where(evaluations.c.model_id == model_id, metrics.c.version_id.in_(version_ids))


def evaluation_by_id(evaluation_id: int) -> Select[Any]:
    """Every metric row of one evaluation."""
    return _metrics().where(evaluations.c.id == evaluation_id)


def kept_rows() -> Select[Any]:
    """Where the rows of evaluations are kept: what belongs to somebody in the store."""
    return select(evaluations.c.artifact_uri).where(evaluations.c.artifact_uri.is_not(None)).distinct()


def add_decision(values: dict[str, Any]) -> Executable:
    """A decision, also when it is a no."""
    return insert(decisions).values(**values).returning(decisions.c.id)


def add_decision_data() -> Executable:
    """Which data sets decisions looked at, many at once."""
    return insert(decision_data)


def uses_of(model_id: int, data_digest: str, version_id: int) -> Executable:
    """How many decisions about a model looked at a data set, and at how many other versions than this one."""
    joined = decision_data.join(decisions, decisions.c.id == decision_data.c.decision_id)
    others = func.count(decisions.c.version_id.distinct()).filter(decisions.c.version_id != version_id)
    counted = select(func.count().label("decisions"), others.label("others")).select_from(joined)
    return counted.where(decisions.c.model_id == model_id, decision_data.c.data_digest == data_digest)


def _decisions() -> Select[Any]:
    champion = versions.alias("champion")
    joined = (
        decisions.join(models, models.c.id == decisions.c.model_id)
        .join(versions, versions.c.id == decisions.c.version_id)
        .outerjoin(champion, champion.c.id == decisions.c.champion_version_id)
    )
    names = (models.c.name.label("model_name"), versions.c.number, champion.c.number.label("champion_number"))
    return select(decisions, *names).select_from(joined)


def decision_by_uid(uid: str) -> Select[Any]:
    """One decision."""
    return _decisions().where(decisions.c.uid == uid)


def decisions_of(model_id: int) -> Select[Any]:
    """All decisions about a model, oldest first."""
    return _decisions().where(decisions.c.model_id == model_id).order_by(decisions.c.id)


def add_promotion(values: dict[str, Any]) -> Executable:
    """A stage change."""
    return insert(promotions).values(**values).returning(promotions.c.id)


def _promotions() -> Select[Any]:
    replaced = versions.alias("replaced")
    joined = (
        promotions.join(models, models.c.id == promotions.c.model_id)
        .join(versions, versions.c.id == promotions.c.version_id)
        .outerjoin(replaced, replaced.c.id == promotions.c.replaced_version_id)
        .outerjoin(decisions, decisions.c.id == promotions.c.decision_id)
    )
    names = (
        models.c.name.label("model_name"),
        versions.c.number,
        replaced.c.number.label("replaced_number"),
        decisions.c.uid.label("decision_uid"),
    )
    return select(promotions, *names).select_from(joined)


def promotions_of(model_id: int) -> Select[Any]:
    """All stage changes of a model, oldest first."""
    return _promotions().where(promotions.c.model_id == model_id).order_by(promotions.c.id)


def promotion_by_uid(uid: str) -> Select[Any]:
    """One stage change."""
    return _promotions().where(promotions.c.uid == uid)


def promotion_by_decision(decision_id: int) -> Select[Any]:
    """The promotion that followed a decision."""
    return _promotions().where(promotions.c.decision_id == decision_id)


def promotion_by_identity(identity: str, to_stage: str) -> Select[Any]:
    """The newest change to a stage that one task instance has made."""
    mine = _promotions().where(promotions.c.identity_key == identity, promotions.c.to_stage == to_stage)
    return mine.order_by(promotions.c.id.desc()).limit(1)


def add_event(values: dict[str, Any]) -> Executable:
    """What happened, for whoever listens; written with the change itself."""
    return insert(events).values(**values)
