"""Statements about labels that arrive later: the outputs that they may be of, and what came out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, or_, select
from sqlalchemy.dialects.postgresql import insert

from airflow_registry.sql.shadow_tables import outcomes
from airflow_registry.sql.statements.ledger import entries
from airflow_registry.sql.tables import ledger, partitions, versions

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Executable, Select


def live_outputs(model_id: int, output: str | None, partition: str | None) -> Select[Any]:
    """The live outputs of a model, those in SHADOW included: all, below a folder, of one partition; oldest first."""
    found = entries().where(ledger.c.model_id == model_id, partitions.c.live_entry_id == ledger.c.id)
    if output is not None:
        below = ledger.c.output.startswith(f"{output}/", autoescape=True)
        found = found.where(or_(ledger.c.output == output, below))
    return (found if partition is None else found.where(ledger.c.partition_key == partition)).order_by(ledger.c.id)


def add_outcomes() -> Executable:
    """How predictions turned out, many at once."""
    return insert(outcomes)


def _outcomes() -> Select[Any]:
    joined = outcomes.join(ledger, ledger.c.id == outcomes.c.entry_id).join(versions, versions.c.id == outcomes.c.version_id)
    facts = (ledger.c.output, ledger.c.partition_key, ledger.c.is_shadow, versions.c.number)
    return select(outcomes, *facts).select_from(joined)


def outcomes_of(model_id: int, version_id: int | None = None, opened_since: datetime | None = None) -> Select[Any]:
    """Of each version and output the newest recording, oldest first.

    Args:
        model_id: The model.
        version_id: Of this version only.
        opened_since: Of outputs only that were opened since then, and not beside a champion.
    """
    newest = select(func.max(outcomes.c.id)).join(ledger, ledger.c.id == outcomes.c.entry_id).where(outcomes.c.model_id == model_id)
    if version_id is not None:
        newest = newest.where(outcomes.c.version_id == version_id)
    if opened_since is not None:
        newest = newest.where(ledger.c.opened_at >= opened_since, ~ledger.c.is_shadow)
    newest = newest.group_by(outcomes.c.version_id, ledger.c.output, ledger.c.is_shadow)
    return _outcomes().where(outcomes.c.id.in_(newest)).order_by(outcomes.c.id)
