"""`check`: what a monitor wants to hear about. Nothing here looks at metrics; it finds what has silently stopped."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_registry.domain.diagnosis import Diagnosis
from airflow_registry.domain.names import ModelName
from airflow_registry.domain.policy import print_duration
from airflow_registry.sql import catalog
from airflow_registry.sql.statements import ledger as statements

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime, timedelta

    from sqlalchemy.engine import RowMapping

    from airflow_registry.service.core import Core
    from airflow_registry.sql.store import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long things may take.

    Attributes:
        grace: A promotion that a consumer has not answered, or an output that is being written, is no finding for so long.
        max_age: How old a champion may be (since its registration); None for any age.
        max_age_of: The same for single models, by lower-case name.
        ignored: Consumers that are not asked about: DAGs that were deleted.
    """

    grace: timedelta
    max_age: timedelta | None = None
    max_age_of: Mapping[str, timedelta] = field(default_factory=dict)
    ignored: frozenset[str] = frozenset()


def check(core: Core, limits: Limits) -> tuple[Diagnosis, ...]:
    """Champions that are too old, promotions that were not consumed, outputs that were left half-written.

    Raises:
        ModelNotFoundError: If a limit names a model that does not exist: a typing error would be a silent monitor.
        StorageUnavailableError: If the database is out of reach.
    """
    now = core.now()
    with core.store.read() as tx:
        for name in limits.max_age_of:
            catalog.need_model(tx, name)
        return (*_too_old(tx, limits, now), *_not_consumed(tx, limits, now), *_half_written(tx, limits, now))


def _too_old(tx: Transaction, limits: Limits, now: datetime) -> Iterator[Diagnosis]:
    for row in tx.all(statements.champions_with_age()):
        allowed = limits.max_age_of.get(ModelName(row["name"]).key, limits.max_age)
        if allowed is not None and now - row["registered_at"] > allowed:
            yield Diagnosis.problem(
                "champion too old",
                f"the champion {row['name']}:{row['number']} was registered {_ago(now, row['registered_at'])} ago; allowed are "
                f"{print_duration(allowed)}",
                f"See whether the training DAG still runs, and why newer versions were refused: `airflow-registry history {row['name']}`.",
                subject=row["name"],
            )


def _not_consumed(tx: Transaction, limits: Limits, now: datetime) -> Iterator[Diagnosis]:
    for row in tx.all(statements.behind(now - limits.grace)):
        if row["consumer"] in limits.ignored:
            continue
        yield Diagnosis.problem(
            "promotion not consumed",
            f"the consumer {row['consumer']!r} of deployment {row['deployment']!r} has not run with {row['name']}:{row['number']}, "
            f"champion for {_ago(now, row['changed_at'])} (it answered revision {row['acknowledged']} of {row['revision']})",
            f"Unpause the DAG, see why its runs fail, or start it once. If it is gone for good: --ignore {row['consumer']}",
            subject=row["name"],
        )


def _half_written(tx: Transaction, limits: Limits, now: datetime) -> Iterator[Diagnosis]:
    for row in tx.all(statements.left_open(now - limits.grace)):
        yield Diagnosis.problem(
            "output left half-written",
            f"{row['model_name']}:{row['number']} began to write {row['output']} {_ago(now, row['opened_at'])} ago{_by(row)} and never "
            "said that it finished",
            "Clear that task, or score the partition again: whatever finishes it makes this go away. Until then its content is of nobody.",
            subject=row["output"],
        )


def _by(row: RowMapping) -> str:
    return "" if row["dag_id"] is None else f" (run {row['run_id']} of {row['dag_id']}, deployment {row['deployment']})"


def _ago(now: datetime, then: datetime) -> str:
    """`3 days`, `5 hours`, `12 minutes`: as precise as somebody wants to read it."""
    seconds = int((now - then).total_seconds())
    for unit, length in (("days", 86400), ("hours", 3600)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds // 60} minutes"
