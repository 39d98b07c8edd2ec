"""The plan of a recall, the recalls that there are, and how each partition of one stands."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_registry.domain.ledger import RecallPlan, UnrecordedUse
from airflow_registry.domain.names import ModelName
from airflow_registry.domain.recall import Recall, RecallItem, Successor
from airflow_registry.errors import NotFoundError
from airflow_registry.service.people.standing import ERASED
from airflow_registry.sql import catalog, rows
from airflow_registry.sql.statements import ledger, recalls

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import RowMapping

    from airflow_registry.service.core import Core
    from airflow_registry.sql.store import Transaction

_PAGE = 500  # SQLite takes a limited number of parameters


def plan(core: Core, model: str, version: object) -> RecallPlan:
    """Which partitions a version's output stands in, possibly half-written ones and unrecorded uses included."""
    with core.store.read() as tx:
        row = catalog.need_version(tx, catalog.need_model(tx, model), version)
        name, number = row.model.name, row.value.number
        entries = tuple(rows.ledger_entry(entry) for entry in tx.all(ledger.touched_by(row.id)))
        found = [*tx.all(recalls.uses_of_version(row.id)), *tx.all(ledger.unrecorded_uses(row.id))]
    return RecallPlan(model=name, number=number, entries=entries, unrecorded=tuple(_use(use, name, number) for use in found))


def all_recalls(core: Core, model: str | None) -> tuple[Recall, ...]:
    """The recalls of a model, or of all; newest first."""
    with core.store.read() as tx:
        model_id = None if model is None else catalog.need_model(tx, model).id
        return _with_uses(tx, tx.all(recalls.recalls_with_progress(model_id=model_id)))


def by_uid(tx: Transaction, uid: str) -> Recall:
    """One recall as it stands.

    Raises:
        NotFoundError: If there is none of that id.
    """
    need_recall(tx, uid)
    return _with_uses(tx, tx.all(recalls.recalls_with_progress(uid=uid)))[0]


def items(core: Core, uid: str, outputs: Sequence[str] | None = None) -> tuple[RecallItem, ...]:
    """The partitions of a recall, all or some of them, in the order in which they were written.

    Raises:
        NotFoundError: If there is no such recall.
    """
    with core.store.read() as tx:
        recall_id = need_recall(tx, uid)["id"]
        pages = [None] if outputs is None else [outputs[start : start + _PAGE] for start in range(0, len(outputs), _PAGE)]
        return tuple(item(row, uid) for page in pages for row in tx.all(recalls.items(recall_id, page)))


def need_recall(tx: Transaction, uid: str) -> RowMapping:
    """The row of a recall.

    Raises:
        NotFoundError: If there is none.
    """
    row = tx.first(recalls.recall_by_uid(uid))
    if row is None:
        raise NotFoundError(f"There is no recall {uid!r} in this registry. List them with recalls(), or `airflow-registry recalls`.")
    return row


def item(row: RowMapping, uid: str) -> RecallItem:
    """A partition of a recall with who came after it."""
    return RecallItem(recall=uid, entry=rows.ledger_entry(row), successor=_successor(row))


def _successor(row: RowMapping) -> Successor | None:
    if row["after_generation"] is None:
        return None
    return Successor(
        ref=f"{row['after_model']}:{row['after_number']}",
        generation=row["after_generation"],
        opened_at=row["after_opened_at"],
        committed_at=row["after_committed_at"],
        recall=row["after_recall_uid"],
        dag_id=row["after_dag_id"],
        run_id=row["after_run_id"],
    )


def _with_uses(tx: Transaction, found: Sequence[RowMapping]) -> tuple[Recall, ...]:
    made = {row["id"]: _recall(row) for row in found}
    uses: dict[int, list[UnrecordedUse]] = {recall_id: [] for recall_id in made}
    ids = list(made)
    for start in range(0, len(ids), _PAGE):
        for use in tx.all(recalls.uses_of(ids[start : start + _PAGE])):
            recall = made[use["recall_id"]]
            uses[use["recall_id"]].append(_use(use, recall.model, recall.number))
    return tuple(replace(recall, unrecorded=tuple(uses[recall_id])) for recall_id, recall in made.items())


def _recall(row: RowMapping) -> Recall:
    partitions, done = row["partitions"] or 0, row["done"] or 0
    closed_at = (row["replaced_at"] or row["at"]) if done == partitions else None
    return Recall(
        uid=row["uid"],
        model=ModelName(row["model_name"]),
        number=row["number"],
        target=row["target_number"],
        by=row["person"],
        reason=row["text"] or ERASED,
        at=row["at"],
        partitions=partitions,
        done=done,
        closed_at=closed_at,
    )


def _use(row: RowMapping, model: ModelName, number: int) -> UnrecordedUse:
    return UnrecordedUse(model=model, number=number, dag_id=row["dag_id"], run_id=row["run_id"])
