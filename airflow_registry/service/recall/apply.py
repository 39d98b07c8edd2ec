"""Taking back what a version wrote: one transaction that marks every partition, and that can be repeated.

Afterwards the recalled version writes nothing, its writers that are still at work cannot commit, runs that were pinned to it go on with
the version that scores instead, and its partitions are quarantined until somebody else has written them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.names import parse_version
from airflow_registry.errors import ConflictError, InvalidInputError, NoChampionError
from airflow_registry.service import promote as promoting
from airflow_registry.service.people.words import needed_reason, said, speaker
from airflow_registry.service.recall import read
from airflow_registry.sql import catalog
from airflow_registry.sql.statements import recalls as statements

if TYPE_CHECKING:
    from sqlalchemy.engine import RowMapping

    from airflow_registry.domain.names import RunKey
    from airflow_registry.domain.promotion import Promotion
    from airflow_registry.domain.recall import Recall
    from airflow_registry.service.core import Core
    from airflow_registry.sql.catalog import ChampionCell, VersionRow
    from airflow_registry.sql.store import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallOrder:
    """Who takes a version's output back, and why.

    Attributes:
        reason: In words.
        with_version: Which version scores instead; None for the champion.
        and_rollback: Whether the version is rolled back before, if it is the champion.
        by: Who; None for the process's user.
        run: The task instance that asks.
    """

    reason: str
    with_version: object = None
    and_rollback: bool = False
    by: str | None = None
    run: RunKey | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Subject:
    """A recall that is about to be made: the version, who scores instead, and the champion's revision."""

    row: VersionRow
    target: VersionRow
    revision: int


def apply(core: Core, model: str, version: object, order: RecallOrder) -> Recall:
    """Mark what a version wrote, or go on with the recall that there is; what is done already is left alone.

    Raises:
        ConflictError: If the version is the champion, or the one that is to score instead was recalled itself.
        InvalidInputError: If there is no reason, or the version would score instead of itself.
        NoChampionError: If nobody is said to score instead, and there is no champion.
    """
    words = needed_reason(order.reason, "A recall")
    rolled_back = _roll_back(core, model, version, order) if order.and_rollback else None
    with core.store.write() as tx:
        found = catalog.need_model(tx, model)
        cell = catalog.champion_cell(tx, found, lock=True)
        row = catalog.need_version(tx, found, version)
        _refuse_champion(row, cell)
        begun = tx.first(statements.in_effect(row.id))
        subject = _Subject(row=row, target=_target(tx, row, cell, order, begun), revision=cell.revision)
        uid, changed = _go_on(core, tx, subject, begun, words, order) if begun is not None else _begin(core, tx, subject, words, order)
        return replace(read.by_uid(tx, uid), created=changed, rolled_back=rolled_back)


def _begin(core: Core, tx: Transaction, subject: _Subject, words: str, order: RecallOrder) -> tuple[str, bool]:
    common = said(core, speaker(core, order.by), words)
    versions = {"version_id": subject.row.id, "target_version_id": subject.target.id}
    values = {**core.run_columns(order.run), **common, **versions, "model_id": subject.row.model.id, "revision": subject.revision}
    recall_id = tx.scalar(statements.add_recall(values))
    tx.run(statements.add_uses(recall_id, subject.row.id))
    moved = tx.run(statements.move_pins(subject.row.id, subject.target.id, subject.revision))
    partitions = _mark(tx, recall_id, subject.row)
    _record(core, tx, subject, words, order, {"recall": common["uid"], "partitions": partitions, "pins": moved})
    return common["uid"], True


def _go_on(core: Core, tx: Transaction, subject: _Subject, begun: RowMapping, words: str, order: RecallOrder) -> tuple[str, bool]:
    """Only what an older release's worker may have written meanwhile is new; our own refuse to write with a recalled version."""
    partitions = _mark(tx, begun["id"], subject.row)
    if partitions:
        _record(core, tx, subject, words, order, {"recall": begun["uid"], "partitions": partitions, "pins": 0})
    return begun["uid"], partitions > 0


def _mark(tx: Transaction, recall_id: int, row: VersionRow) -> int:
    """Note the partitions and quarantine them; how many are new (count)."""
    added = len(tx.all(statements.add_items(recall_id, row.id)))
    if added:
        tx.run(statements.quarantine(recall_id))
        tx.run(statements.shut_out(recall_id))
    return added


def _record(core: Core, tx: Transaction, subject: _Subject, words: str, order: RecallOrder, body: dict[str, Any]) -> None:
    facts = {**body, "target": subject.target.value.number, "entered_by": core.user}
    core.record(tx, "recall", subject.row.value.ref, facts, by=speaker(core, order.by), text=words)


def _refuse_champion(row: VersionRow, cell: ChampionCell) -> None:
    if cell.version_id == row.id:
        raise ConflictError(
            f"{row.value.ref} cannot be recalled: it is in PRODUCTION, so the next run would write with it again. Roll back first "
            f"(`airflow-registry rollback {row.model.name} --reason …`), or let the recall do it: and_rollback=True, --and-rollback. "
            "Nothing was changed."
        )


def _target(tx: Transaction, row: VersionRow, cell: ChampionCell, order: RecallOrder, begun: RowMapping | None) -> VersionRow:
    """Who scores instead: the one that was named, that of the recall that has begun, or the champion."""
    number = begun["target_number"] if begun is not None else cell.number
    if order.with_version is not None:
        named = parse_version(order.with_version)
        if begun is not None and named != number:
            raise ConflictError(
                f"{row.value.ref} is being recalled already, with {row.model.name}:{number} in its place, not {named}. Repeat it without "
                "naming another version."
            )
        number = named
    if number is None:
        raise NoChampionError(
            f"{row.value.ref} cannot be recalled: {row.model.name} has no champion that could score instead. Promote a version, or name "
            "one: with_version=, --with. Nothing was changed."
        )
    return _usable(tx, row, catalog.need_version(tx, row.model, number))


def _usable(tx: Transaction, row: VersionRow, target: VersionRow) -> VersionRow:
    if target.id == row.id:
        raise InvalidInputError(f"{row.value.ref} cannot score again what is recalled because of it. Name another version.")
    if tx.first(statements.in_effect(target.id)) is not None:
        raise ConflictError(
            f"{target.value.ref} cannot score instead of {row.value.ref}: it was recalled itself. Name another version: with_version=, "
            "--with. Nothing was changed."
        )
    return target


def _roll_back(core: Core, model: str, version: object, order: RecallOrder) -> Promotion | None:
    """Before the recall, in a transaction of its own: should that fail, the version is no champion any more, and repeating goes on."""
    with core.store.read() as tx:
        found = catalog.need_model(tx, model)
        is_champion = catalog.champion_cell(tx, found).version_id == catalog.need_version(tx, found, version).id
    if not is_champion:
        return None
    return promoting.rollback(core, model, promoting.Order(reason=order.reason, by=order.by, run=order.run))
