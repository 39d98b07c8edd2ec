"""Statements about recalls. A partition of one is done once its output has a commit newer than the recalled entry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, case, exists, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert

from airflow_registry.sql.recall_tables import recall_partitions, recall_uses, recalls
from airflow_registry.sql.statements.ledger import QUARANTINED, entries, is_touched_by, unrecorded_uses
from airflow_registry.sql.tables import audit_texts, champions, ledger, ledger_commits, models, partitions, pins, promotions, versions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Executable, ScalarSelect, Select, Update


def share_champion(model_id: int) -> Select[Any]:
    """From here on nobody recalls a version of the model before we commit; many may hold this at once."""
    return select(champions.c.revision).where(champions.c.model_id == model_id).with_for_update(read=True, key_share=True)


def _is_in_effect() -> ColumnElement[bool]:
    return ~exists().where(
        promotions.c.version_id == recalls.c.version_id,
        promotions.c.to_stage == "PRODUCTION",
        promotions.c.revision > recalls.c.revision,
    )


def recalled(model_id: int) -> Select[Any]:
    """The numbers of a model's versions that were recalled and not promoted again since."""
    found = select(versions.c.number).join_from(recalls, versions, versions.c.id == recalls.c.version_id)
    return found.where(recalls.c.model_id == model_id, _is_in_effect()).distinct()


def in_effect(version_id: int) -> Select[Any]:
    """The newest recall of a version that was not promoted again since."""
    target = versions.alias("target")
    found = select(recalls, target.c.number.label("target_number")).join_from(recalls, target, target.c.id == recalls.c.target_version_id)
    return found.where(recalls.c.version_id == version_id, _is_in_effect()).order_by(recalls.c.id.desc()).limit(1)


def add_recall(values: dict[str, Any]) -> Executable:
    """Somebody takes back what a version wrote."""
    return insert(recalls).values(**values).returning(recalls.c.id)


def add_items(recall_id: int, version_id: int) -> Executable:
    """Of each output in which the version's output may stand, its newest entry; those that are new to the recall come back."""
    joined = ledger.outerjoin(ledger_commits, ledger_commits.c.entry_id == ledger.c.id).join(
        partitions, partitions.c.output == ledger.c.output
    )
    newest = select(literal(recall_id), func.max(ledger.c.id)).select_from(joined).where(is_touched_by(version_id))
    added = insert(recall_partitions).from_select(["recall_id", "entry_id"], newest.group_by(ledger.c.output))
    return added.on_conflict_do_nothing().returning(recall_partitions.c.entry_id)


def add_uses(recall_id: int, version_id: int) -> Executable:
    """Runs that were given the version and told nobody what they wrote with it."""
    uses = unrecorded_uses(version_id).order_by(None).distinct().subquery()
    names = ["deployment", "dag_id", "run_id"]
    found = select(literal(recall_id), *[uses.c[name] for name in names]).where(literal(value=True))
    return insert(recall_uses).from_select(["recall_id", *names], found).on_conflict_do_nothing()


def _of_recall(recall_id: int) -> Select[Any]:
    joined = ledger.join(recall_partitions, recall_partitions.c.entry_id == ledger.c.id)
    return select(ledger.c.output).select_from(joined).where(recall_partitions.c.recall_id == recall_id)


def quarantine(recall_id: int) -> Update:
    """What the recall found is not to be used; what was replaced meanwhile is left as it is."""
    wanted = _of_recall(recall_id).where(_replaced_at().is_(None))
    return update(partitions).where(partitions.c.output.in_(wanted)).values(state=QUARANTINED)


def shut_out(recall_id: int) -> Update:
    """Writers of the recalled version that are still at work may not commit any more. After `quarantine`, which holds the rows."""
    unfinished = ~exists().where(ledger_commits.c.entry_id == ledger.c.id)
    at_work = _of_recall(recall_id).where(
        unfinished, ledger.c.output == partitions.c.output, ledger.c.generation == partitions.c.generation
    )
    open_ones = at_work.correlate(partitions).exists()
    return update(partitions).where(open_ones).values(generation=partitions.c.generation + 1)


def move_pins(version_id: int, target_id: int, revision: int) -> Update:
    """Runs that are pinned to the recalled version go on with the other one; its path has not left us yet."""
    mine = update(pins).where(pins.c.version_id == version_id, pins.c.stage == "PRODUCTION")
    return mine.values(version_id=target_id, revision=revision, handed_out_at=None)


def uses_of(recall_ids: Sequence[int]) -> Select[Any]:
    """The runs that used recalled versions unseen."""
    mine = select(recall_uses).where(recall_uses.c.recall_id.in_(recall_ids))
    return mine.order_by(recall_uses.c.recall_id, recall_uses.c.dag_id, recall_uses.c.run_id)


def uses_of_version(version_id: int) -> Select[Any]:
    """The same over all recalls of a version."""
    joined = recall_uses.join(recalls, recalls.c.id == recall_uses.c.recall_id)
    named = select(recall_uses.c.deployment, recall_uses.c.dag_id, recall_uses.c.run_id).select_from(joined)
    return named.where(recalls.c.version_id == version_id).distinct().order_by(recall_uses.c.dag_id, recall_uses.c.run_id)


def _replaced_at() -> ScalarSelect[Any]:
    """When a newer writer than a line of the ledger committed to the same output first."""
    later, commit = ledger.alias("later"), ledger_commits.alias("later_commit")
    joined = later.join(commit, commit.c.entry_id == later.c.id)
    after = and_(later.c.output == ledger.c.output, later.c.generation > ledger.c.generation)
    return select(func.min(commit.c.committed_at)).select_from(joined).where(after).correlate(ledger).scalar_subquery()


def recalls_with_progress(*, model_id: int | None = None, uid: str | None = None) -> Select[Any]:
    """Recalls, newest first: how many partitions, how many of them are done, and when the last one was."""
    item = (
        select(recall_partitions.c.recall_id, _replaced_at().label("replaced_at"))
        .join_from(recall_partitions, ledger, ledger.c.id == recall_partitions.c.entry_id)
        .subquery()
    )
    counts = (func.count(item.c.recall_id), func.count(item.c.replaced_at), func.max(item.c.replaced_at))
    labels = ("partitions", "done", "replaced_at")
    counted = select(item.c.recall_id, *[count.label(name) for count, name in zip(counts, labels, strict=True)]).group_by(item.c.recall_id)
    progress, target = counted.subquery(), versions.alias("target")
    found = (
        select(
            recalls, models.c.name.label("model_name"), versions.c.number, target.c.number.label("target_number"), audit_texts.c.text,
            *[progress.c[name] for name in labels],
        )
        .join_from(recalls, models, models.c.id == recalls.c.model_id)
        .join(versions, versions.c.id == recalls.c.version_id)
        .join(target, target.c.id == recalls.c.target_version_id)
        .outerjoin(audit_texts, audit_texts.c.digest == recalls.c.text_digest)
        .outerjoin(progress, progress.c.recall_id == recalls.c.id)
        .order_by(recalls.c.id.desc())
    )  # fmt: skip
    of_model = found if model_id is None else found.where(recalls.c.model_id == model_id)
    return of_model if uid is None else of_model.where(recalls.c.uid == uid)


def recall_by_uid(uid: str) -> Select[Any]:
    """One recall."""
    return select(recalls).where(recalls.c.uid == uid)


def items(recall_id: int, outputs: Sequence[str] | None = None) -> Select[Any]:
    """The partitions of a recall, each with who came after it: the live writer if it is newer, else the newest that has begun."""
    live, after, commit = ledger.alias("live"), ledger.alias("after"), ledger_commits.alias("after_commit")
    model, version = models.alias("after_model"), versions.alias("after_version")
    wanted = case((live.c.generation > ledger.c.generation, live.c.generation), else_=partitions.c.generation)
    newer = and_(after.c.output == ledger.c.output, after.c.generation == wanted, after.c.generation > ledger.c.generation)
    names = ("generation", "opened_at", "recall_uid", "dag_id", "run_id")
    found = (
        entries()
        .join(recall_partitions, recall_partitions.c.entry_id == ledger.c.id)
        .outerjoin(live, live.c.id == partitions.c.live_entry_id)
        .outerjoin(after, newer)
        .outerjoin(commit, commit.c.entry_id == after.c.id)
        .outerjoin(model, model.c.id == after.c.model_id)
        .outerjoin(version, version.c.id == after.c.version_id)
        .add_columns(*[after.c[name].label(f"after_{name}") for name in names])
        .add_columns(commit.c.committed_at.label("after_committed_at"))
        .add_columns(model.c.name.label("after_model"), version.c.number.label("after_number"))
        .where(recall_partitions.c.recall_id == recall_id)
        .order_by(ledger.c.id)
    )
    return found if outputs is None else found.where(ledger.c.output.in_(outputs))


def next_generation(output: str, seen: int) -> Executable:
    """The next generation of an output, if nobody opened one since `seen` was read, or committed it; no row comes back otherwise."""
    unmoved = and_(partitions.c.output == output, partitions.c.generation == seen, partitions.c.state == QUARANTINED)
    return update(partitions).where(unmoved).values(generation=partitions.c.generation + 1).returning(partitions.c.generation)
