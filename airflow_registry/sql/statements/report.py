"""Statements that only reports need: everything about one version, and one model's metrics over its versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, cast, func, select

from airflow_registry.sql.statements.judgements import decisions_of, evaluations_with
from airflow_registry.sql.tables import (
    audit,
    audit_texts,
    decision_data,
    decisions,
    evaluations,
    ledger,
    ledger_commits,
    metrics,
    partitions,
    versions,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Select


def data_uses(model_id: int) -> Select[Any]:
    """How many decisions about a model have looked at which data."""
    joined = decision_data.join(decisions, decisions.c.id == decision_data.c.decision_id)
    counted = select(decision_data.c.data_digest, func.count().label("uses")).select_from(joined)
    return counted.where(decisions.c.model_id == model_id).group_by(decision_data.c.data_digest)


def evaluations_about(version_id: int) -> Select[Any]:
    """Every evaluation that holds metrics of a version, newest first."""
    holding = select(metrics.c.evaluation_id).where(metrics.c.version_id == version_id)
    wanted = [evaluations.c[name] for name in ("id", "source", "data_name", "data_digest", "recorded_by")]
    return select(*wanted).where(evaluations.c.id.in_(holding)).order_by(evaluations.c.id.desc())


def versions_in(evaluation_ids: Sequence[int]) -> Select[Any]:
    """Rows of all versions that have metrics in these evaluations."""
    return select(metrics.c.version_id).where(metrics.c.evaluation_id.in_(evaluation_ids)).distinct()


def decisions_about(model_id: int, version_id: int) -> Select[Any]:
    """All decisions about one version, oldest first."""
    return decisions_of(model_id).where(decisions.c.version_id == version_id)


def metrics_in(model_id: int, version_ids: Sequence[int], evaluation_ids: Sequence[int], *, slices: bool) -> Select[Any]:
    """Metric rows of these versions in these evaluations: with their slices, or of all rows only."""
    rows = evaluations_with(model_id, list(version_ids)).where(evaluations.c.id.in_(evaluation_ids))
    return rows if slices else rows.where(metrics.c.slice == "")


def history(model_id: int, first_number: int) -> Select[Any]:
    """Metrics of all rows of every version from a number on, newest evaluation first."""
    joined = metrics.join(evaluations, evaluations.c.id == metrics.c.evaluation_id).join(versions, versions.c.id == metrics.c.version_id)
    wanted = [metrics.c[name] for name in ("name", "value", "non_finite", "rows")]
    chosen = select(*wanted, evaluations.c.data_digest, versions.c.number).select_from(joined)
    mine = chosen.where(versions.c.model_id == model_id, versions.c.number >= first_number, metrics.c.slice == "")
    return mine.order_by(versions.c.number, metrics.c.name, evaluations.c.id.desc())


def written_by(version_id: int) -> Select[Any]:
    """What a version wrote, in one line: counts, rows, first and last commit."""
    joined = ledger.outerjoin(ledger_commits, ledger_commits.c.entry_id == ledger.c.id).outerjoin(
        partitions, partitions.c.live_entry_id == ledger.c.id
    )
    wanted: list[Any] = [
        func.count(ledger_commits.c.entry_id).label("outputs"),
        func.count(partitions.c.output).label("live"),
        (func.count(ledger.c.id) - func.count(ledger_commits.c.entry_id)).label("unfinished"),
        # PostgreSQL adds whole numbers up to a decimal.
        cast(func.coalesce(func.sum(ledger_commits.c.rows), 0), BigInteger).label("rows"),
        cast(func.coalesce(func.sum(ledger_commits.c.quarantined), 0), BigInteger).label("quarantined"),
        func.min(ledger_commits.c.committed_at).label("first"),
        func.max(ledger_commits.c.committed_at).label("last"),
    ]
    return select(*wanted).select_from(joined).where(ledger.c.version_id == version_id)


def audited(subjects: Sequence[str], limit: int) -> Select[Any]:
    """The newest audit entries about these subjects, newest first, with their free text where it was not erased."""
    joined = audit.outerjoin(audit_texts, audit_texts.c.digest == audit.c.text_digest)
    about = select(audit, audit_texts.c.text).select_from(joined).where(audit.c.subject.in_(subjects))
    return about.order_by(audit.c.seq.desc()).limit(limit)


def count_audited(subjects: Sequence[str]) -> Select[Any]:
    """How many audit entries there are about these subjects."""
    return select(func.count()).select_from(audit).where(audit.c.subject.in_(subjects))
