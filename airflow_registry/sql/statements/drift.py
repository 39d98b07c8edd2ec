"""Statements about drift: what versions are compared with, what was counted of partitions, when a retraining was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from airflow_registry.sql.drift_tables import drift_references, retrainings
from airflow_registry.sql.tables import ledger, ledger_commits, models, partitions

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Executable, Select


def add_reference(version_id: int, body: dict[str, Any], now: datetime) -> Executable:
    """What a version is compared with as long as it lives."""
    return insert(drift_references).values(version_id=version_id, body=body, at=now)


def reference_of(version_id: int) -> Select[Any]:
    """What a version is compared with."""
    return select(drift_references.c.body).where(drift_references.c.version_id == version_id)


def counted(version_id: int, limit: int, *, live: bool) -> Select[Any]:
    """The newest partitions of a version that were counted, newest first; only those that nobody has written since, if `live`."""
    columns = (ledger.c.output, ledger.c.partition_key, ledger_commits.c.committed_at, ledger_commits.c.sketch)
    joined = ledger.join(ledger_commits, ledger_commits.c.entry_id == ledger.c.id).join(partitions, partitions.c.output == ledger.c.output)
    mine = select(*columns).select_from(joined).where(ledger.c.version_id == version_id, ~ledger.c.is_shadow)
    there = mine.where(partitions.c.live_entry_id == ledger.c.id) if live else mine
    return there.where(ledger_commits.c.sketch.is_not(None)).order_by(ledger.c.id.desc()).limit(limit)


def uncounted(version_id: int) -> Select[Any]:
    """How many live partitions of a version nobody counted."""
    joined = ledger.join(ledger_commits, ledger_commits.c.entry_id == ledger.c.id).join(partitions, partitions.c.output == ledger.c.output)
    mine = select(func.count()).select_from(joined).where(ledger.c.version_id == version_id, ~ledger.c.is_shadow)
    return mine.where(partitions.c.live_entry_id == ledger.c.id, ledger_commits.c.sketch.is_(None))


def add_retraining(values: dict[str, Any]) -> Executable:
    """A retraining is asked for; no row if somebody else has asked for the one of that number."""
    fresh = insert(retrainings).values(**values)
    return fresh.on_conflict_do_nothing(index_elements=["model_id", "number"]).returning(retrainings.c.id)


def _retrainings() -> Select[Any]:
    return select(retrainings, models.c.name.label("model_name")).join(models, models.c.id == retrainings.c.model_id)


def retrainings_of(model_id: int) -> Select[Any]:
    """All retrainings of a model, oldest first."""
    return _retrainings().where(retrainings.c.model_id == model_id).order_by(retrainings.c.number)


def newest_retraining(model_id: int) -> Select[Any]:
    """The last one that was asked for."""
    return _retrainings().where(retrainings.c.model_id == model_id).order_by(retrainings.c.number.desc()).limit(1)


def retraining_by_identity(model_id: int, identity_key: str) -> Select[Any]:
    """The one that a task instance has asked for."""
    return _retrainings().where(retrainings.c.model_id == model_id, retrainings.c.identity_key == identity_key)
