"""Statements about pins, bells and the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from airflow_registry.sql.tables import (
    champions,
    decisions,
    deliveries,
    ledger,
    ledger_commits,
    models,
    partitions,
    pins,
    promotions,
    versions,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Executable, Select, Update


QUARANTINED = "quarantined"  # the state of a partition that was recalled and not yet replaced


def add_pin(values: dict[str, Any]) -> Executable:
    """Pin a run to a version; no row comes back if it is pinned already."""
    return insert(pins).values(**values).on_conflict_do_nothing().returning(pins.c.version_id)


def _is_pin(deployment: str, dag_id: str, run_id: str, model_id: int, stage: str) -> Any:  # noqa: ANN401  a condition
    columns = pins.c
    return and_(
        columns.deployment == deployment,
        columns.dag_id == dag_id,
        columns.run_id == run_id,
        columns.model_id == model_id,
        columns.stage == stage,
    )


def pin_of(deployment: str, dag_id: str, run_id: str, model_id: int, stage: str) -> Select[Any]:
    """The pin of one run."""
    return select(pins).where(_is_pin(deployment, dag_id, run_id, model_id, stage))


def pinned_revision(deployment: str, dag_id: str, run_id: str, version_id: int) -> Select[Any]:
    """The champion's revision that a run is pinned to, if it is pinned to this version."""
    mine = and_(pins.c.deployment == deployment, pins.c.dag_id == dag_id, pins.c.run_id == run_id, pins.c.stage == "PRODUCTION")
    return select(pins.c.revision).where(mine, pins.c.version_id == version_id)


def touch_pin(key: tuple[str, str, str, int, str], now: datetime, *, hands_out: bool) -> Update:
    """A pin that is used does not expire; the first time that its path leaves us is kept."""
    first = {"handed_out_at": func.coalesce(pins.c.handed_out_at, now)} if hands_out else {}
    return update(pins).where(_is_pin(*key)).values(last_used_at=now, **first)


def move_pin(key: tuple[str, str, str, int, str], version_id: int, revision: int, now: datetime) -> Update:
    """Point a run at another version: only on request, and audited."""
    return update(pins).where(_is_pin(*key)).values(version_id=version_id, revision=revision, last_used_at=now)


def acknowledge(deployment: str, consumer: str, model_id: int, revision: int) -> Executable:
    """The consumer has resolved this revision; an older acknowledgement never overwrites a newer one."""
    values = {"deployment": deployment, "consumer": consumer, "model_id": model_id}
    fresh = insert(deliveries).values(**values, acknowledged=revision, rung_revision=0, rings=0)
    return fresh.on_conflict_do_update(
        index_elements=["deployment", "consumer", "model_id"], set_={"acknowledged": revision}, where=deliveries.c.acknowledged < revision
    )


def add_delivery(deployment: str, consumer: str, model_id: int) -> Executable:
    """The cell of a consumer that never resolved anything."""
    values = {"deployment": deployment, "consumer": consumer, "model_id": model_id, "acknowledged": 0, "rung_revision": 0, "rings": 0}
    return insert(deliveries).values(**values).on_conflict_do_nothing()


def unanswered(deployment: str, consumer: str, model_key: str) -> Select[Any]:
    """The champion that a consumer has not resolved yet, with the state of its bell."""
    joined = (
        models.join(champions, champions.c.model_id == models.c.id)
        .join(versions, versions.c.id == champions.c.version_id)
        .outerjoin(
            deliveries,
            and_(deliveries.c.model_id == models.c.id, deliveries.c.deployment == deployment, deliveries.c.consumer == consumer),
        )
    )
    wanted = select(
        models.c.id.label("model_id"), models.c.name.label("model_name"), versions.c.number,
        champions.c.revision, champions.c.changed_at, deliveries.c.rung_revision, deliveries.c.rings, deliveries.c.rung_at,
    )  # fmt: skip
    return wanted.select_from(joined).where(
        models.c.key == model_key, or_(deliveries.c.acknowledged.is_(None), deliveries.c.acknowledged < champions.c.revision)
    )


def ring(deployment: str, consumer: str, model_id: int, revision: int, rings: int, now: datetime) -> Update:
    """Note one ring; zero rows if another triggerer rang at the same moment."""
    mine = and_(deliveries.c.deployment == deployment, deliveries.c.consumer == consumer, deliveries.c.model_id == model_id)
    not_yet = or_(deliveries.c.rung_revision < revision, and_(deliveries.c.rung_revision == revision, deliveries.c.rings < rings))
    return update(deliveries).where(mine, not_yet).values(rung_revision=revision, rings=rings, rung_at=now)


def open_generation(output: str) -> Executable:
    """The next generation of an output partition; from now on no older writer may commit."""
    fresh = insert(partitions).values(output=output, generation=1, state="open")
    following = {"generation": partitions.c.generation + 1}
    return fresh.on_conflict_do_update(index_elements=["output"], set_=following).returning(partitions.c.generation)


def add_intent(values: dict[str, Any]) -> Executable:
    """A ledger entry, before its data."""
    return insert(ledger).values(**values).returning(ledger.c.id)


def add_commit(values: dict[str, Any]) -> Executable:
    """The entry's data is in place; nothing if that was said before."""
    return insert(ledger_commits).values(**values).on_conflict_do_nothing()


def make_live(output: str, generation: int, entry_id: int) -> Update:
    """The partition's content is by this entry; zero rows if a newer generation was opened meanwhile."""
    mine = update(partitions).where(partitions.c.output == output, partitions.c.generation == generation)
    return mine.values(live_entry_id=entry_id, state="live")


_COMMITTED = ("committed_at", "uri", "digest", "rows", "quarantined", "null_predictions", "seconds", "size_bytes")


def entries() -> Select[Any]:
    """All lines of the ledger, each with its commit, its partition, and the decision behind its pin."""
    at_revision = and_(promotions.c.model_id == ledger.c.model_id, promotions.c.revision == ledger.c.pinned_revision)
    became_champion = and_(at_revision, promotions.c.version_id == ledger.c.version_id)
    joined = (
        ledger.join(models, models.c.id == ledger.c.model_id)
        .join(versions, versions.c.id == ledger.c.version_id)
        .outerjoin(ledger_commits, ledger_commits.c.entry_id == ledger.c.id)
        .outerjoin(partitions, partitions.c.output == ledger.c.output)
        .outerjoin(promotions, became_champion)
        .outerjoin(decisions, decisions.c.id == promotions.c.decision_id)
    )
    commit = [ledger_commits.c[name] for name in _COMMITTED]
    live = func.coalesce(partitions.c.live_entry_id == ledger.c.id, False).label("is_live")
    place = (partitions.c.generation.label("newest_generation"), partitions.c.state, decisions.c.uid.label("decision_uid"))
    return select(ledger, models.c.name.label("model_name"), versions.c.number, *commit, live, *place).select_from(joined)


def entry_by_uid(uid: str) -> Select[Any]:
    """One ledger entry."""
    return entries().where(ledger.c.uid == uid)


def live_entries(outputs: Sequence[str]) -> Select[Any]:
    """The live writers of some outputs; quarantined content has none."""
    live = and_(partitions.c.live_entry_id == ledger.c.id, partitions.c.state != QUARANTINED)
    return entries().where(ledger.c.output.in_(outputs), live)


def entry_at(paths: Sequence[str]) -> Select[Any]:
    """The newest committed entry whose output or data object is at one of these paths; the live one first."""
    there = entries().where(or_(ledger.c.output.in_(paths), ledger_commits.c.uri.in_(paths)), ledger_commits.c.entry_id.is_not(None))
    return there.order_by((partitions.c.live_entry_id == ledger.c.id).desc().nulls_last(), ledger.c.id.desc()).limit(1)


def written_to(outputs: Sequence[str], partition: str | None) -> Select[Any]:
    """Every line about one of these outputs, oldest first; the first one only under this partition key, if there is one."""
    there = ledger.c.output.in_(outputs)
    keyed = there if partition is None else and_(there, ledger.c.partition_key == partition)
    return entries().where(keyed).order_by(ledger.c.id)


def entry_of_run(version_id: int, dag_id: str | None, run_id: str | None, partition: str | None) -> Select[Any]:
    """What one run wrote, or meant to write, with a version: finished lines first, then the newest."""
    known = {"dag_id": dag_id, "run_id": run_id, "partition_key": partition}
    mine = [ledger.c[name].is_(None) if value is None else ledger.c[name] == value for name, value in known.items()]
    found = entries().where(ledger.c.version_id == version_id, *mine)
    return found.order_by(ledger_commits.c.entry_id.is_not(None).desc(), ledger.c.id.desc()).limit(1)


def entry_by_digest(digest: str) -> Select[Any]:
    """The newest committed entry that wrote exactly these bytes."""
    return entries().where(ledger_commits.c.digest == digest).order_by(ledger.c.id.desc()).limit(1)


def entries_of(model_id: int, version_id: int | None) -> Select[Any]:
    """What a model, or one version, wrote or meant to write; oldest first."""
    mine = entries().where(ledger.c.model_id == model_id)
    return (mine if version_id is None else mine.where(ledger.c.version_id == version_id)).order_by(ledger.c.id)


def touched_by(version_id: int) -> Select[Any]:
    """Partitions that hold a version's output: live entries, and intents without commit that no live output has superseded."""
    return entries().where(is_touched_by(version_id)).order_by(ledger.c.id)


def is_touched_by(version_id: int) -> ColumnElement[bool]:
    """Whether a line of the ledger, joined with its commit and its partition, says that the version's output may be there."""
    newer = ledger.alias("newer")
    superseded = exists().where(newer.c.id == partitions.c.live_entry_id, newer.c.generation > ledger.c.generation)
    live = partitions.c.live_entry_id == ledger.c.id
    half = ledger_commits.c.entry_id.is_(None) & ~superseded
    return and_(ledger.c.version_id == version_id, ~ledger.c.is_shadow, or_(live, half))


def champions_with_age() -> Select[Any]:
    """Every champion and when its version was registered."""
    joined = champions.join(models, models.c.id == champions.c.model_id).join(versions, versions.c.id == champions.c.version_id)
    return select(models.c.name, versions.c.number, versions.c.registered_at).select_from(joined).order_by(models.c.key)


def behind(changed_before: datetime) -> Select[Any]:
    """Consumers that have not answered a champion who was there before that moment."""
    joined = (
        deliveries.join(champions, champions.c.model_id == deliveries.c.model_id)
        .join(models, models.c.id == deliveries.c.model_id)
        .join(versions, versions.c.id == champions.c.version_id)
    )
    wanted = select(
        deliveries.c.deployment, deliveries.c.consumer, deliveries.c.acknowledged,
        models.c.name, versions.c.number, champions.c.revision, champions.c.changed_at,
    )  # fmt: skip
    late = wanted.select_from(joined).where(deliveries.c.acknowledged < champions.c.revision, champions.c.changed_at < changed_before)
    return late.order_by(models.c.key, deliveries.c.deployment, deliveries.c.consumer)


def left_open(opened_before: datetime) -> Select[Any]:
    """Intents of the newest generation of their output, older than that moment and without commit."""
    newest = and_(ledger.c.generation == partitions.c.generation, ~ledger.c.is_shadow)
    return entries().where(newest, ledger_commits.c.entry_id.is_(None), ledger.c.opened_at < opened_before).order_by(ledger.c.id)


def unrecorded_uses(version_id: int) -> Select[Any]:
    """Runs that were given a version's path, and of which the ledger does not know what they wrote with it."""
    wrote = exists().where(
        ledger.c.version_id == pins.c.version_id,
        ledger.c.deployment == pins.c.deployment,
        ledger.c.dag_id == pins.c.dag_id,
        ledger.c.run_id == pins.c.run_id,
    )
    return (
        select(pins.c.deployment, pins.c.dag_id, pins.c.run_id)
        .where(pins.c.version_id == version_id, pins.c.handed_out_at.is_not(None), ~wrote)
        .order_by(pins.c.pinned_at)
    )
