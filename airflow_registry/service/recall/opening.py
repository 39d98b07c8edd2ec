"""The right to score a partition of a recall again, given only if nobody else has written it or is at it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_registry.errors import NotFoundError, OutputConflictError
from airflow_registry.service import score
from airflow_registry.service.recall.bar import refuse_recalled
from airflow_registry.service.recall.read import item, need_recall
from airflow_registry.sql import catalog
from airflow_registry.sql.statements import models, recalls

if TYPE_CHECKING:
    from sqlalchemy.engine import RowMapping

    from airflow_registry.domain.ledger import Intent, Work
    from airflow_registry.domain.names import RunKey
    from airflow_registry.service.core import Core
    from airflow_registry.sql.catalog import VersionRow
    from airflow_registry.sql.store import Transaction


def open_recalled(core: Core, uid: str, output: str, work: Work, run: RunKey | None) -> Intent | None:
    """Write the intent to score a partition of a recall again; None if there is nothing to do, or a normal run is at it.

    Raises:
        NotFoundError: If there is no such recall, or the output is none of it.
        ConflictError: If the version that scores was recalled itself meanwhile.
        OutputConflictError: If somebody opened the output at the same moment.
    """
    place = score.output_key(output)
    with core.store.write() as tx:
        recall = need_recall(tx, uid)
        found = tx.first(recalls.items(recall["id"], [place]))
        if found is None:
            raise NotFoundError(
                f"The output {place!r} is no partition of the recall {uid}. List its partitions with recall_items({uid!r})."
            )
        stands = item(found, uid)
        if stands.is_done or stands.is_taken(core.now()):
            return None
        target = _target(tx, recall)
        refuse_recalled(tx, target)
        where = {"output": place, "partition_key": stands.entry.partition, "generation": _next(tx, found), "recall_uid": uid}
        return score.add_intent(core, tx, target, run, replace(work, recipe=stands.entry.recipe), where)


def _next(tx: Transaction, found: RowMapping) -> int:
    """The next generation, unless somebody has just opened or committed one: that is not to be overwritten."""
    generation = tx.scalar(recalls.next_generation(found["output"], found["newest_generation"]))
    if generation is None:
        raise OutputConflictError(
            f"{found['output']} was opened or written by another run at the same moment, and that run was left alone. Repeat the recall: "
            "what is written by then is not scored again."
        )
    return int(generation)


def _target(tx: Transaction, recall: RowMapping) -> VersionRow:
    row = tx.one(models.version_by_id(recall["target_version_id"]))
    return catalog.version_row(row, catalog.need_model(tx, row["model_name"]))
