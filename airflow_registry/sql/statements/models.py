"""Statements about models, versions, stages and champions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from airflow_registry.sql.tables import champions, models, promotions, version_stages, versions

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Executable, Select, Update


def add_model(name: str, key: str, now: datetime) -> Executable:
    """A model, unless one of that name exists in any case."""
    values = {"key": key, "name": name, "next_number": 1, "created_at": now}
    return insert(models).values(**values).on_conflict_do_nothing().returning(models.c.id)


def add_champion_cell(model_id: int) -> Executable:
    """The cell that holds the champion, empty at revision 0."""
    return insert(champions).values(model_id=model_id, version_id=None, revision=0).on_conflict_do_nothing()


def model_by_key(key: str) -> Select[Any]:
    """One model."""
    return select(models).where(models.c.key == key)


def locked_model(key: str) -> Select[Any]:
    """One model, whose next version nobody else takes before we commit; others may still refer to it."""
    return model_by_key(key).with_for_update(key_share=True)


def all_models() -> Select[Any]:
    """Every model with its champion and how many versions it has."""
    counted = select(versions.c.model_id, func.count().label("versions")).group_by(versions.c.model_id).subquery()
    return (
        select(models, champions.c.revision, versions.c.number.label("champion"), func.coalesce(counted.c.versions, 0).label("versions"))
        .join_from(models, champions, champions.c.model_id == models.c.id)
        .outerjoin(versions, versions.c.id == champions.c.version_id)
        .outerjoin(counted, counted.c.model_id == models.c.id)
        .order_by(models.c.key)
    )


def describe_model(model_id: int, facts: dict[str, str]) -> Update:
    """What is known about a model beyond its versions."""
    return update(models).where(models.c.id == model_id).values(**facts)


def take_number(model_id: int) -> Executable:
    """The next version number; the model is locked until the version is committed, so none is given twice or lost."""
    taken = update(models).where(models.c.id == model_id).values(next_number=models.c.next_number + 1)
    return taken.returning((models.c.next_number - 1).label("number"))


def add_version(values: dict[str, Any]) -> Executable:
    """A version."""
    return insert(versions).values(**values).returning(versions.c.id)


def add_stage(version_id: int, model_id: int, stage: str) -> Executable:
    """The stage cell of a new version."""
    return insert(version_stages).values(version_id=version_id, model_id=model_id, stage=stage)


def _versions() -> Select[Any]:
    joined = versions.join(models, models.c.id == versions.c.model_id).join(version_stages, version_stages.c.version_id == versions.c.id)
    return select(versions, models.c.name.label("model_name"), version_stages.c.stage).select_from(joined)


def version_by_number(model_id: int, number: int) -> Select[Any]:
    """One version of a model."""
    return _versions().where(versions.c.model_id == model_id, versions.c.number == number)


def version_by_id(version_id: int) -> Select[Any]:
    """One version by its row."""
    return _versions().where(versions.c.id == version_id)


def version_by_identity(identity: str) -> Select[Any]:
    """The version that one registration key made."""
    return _versions().where(versions.c.identity_key == identity)


def version_of_task(run_identity: str, digest: str) -> Select[Any]:
    """The version with these bytes that an earlier clear of the same task instance made."""
    same = _versions().where(versions.c.run_identity == run_identity, versions.c.digest == digest)
    return same.order_by(versions.c.number.desc()).limit(1)


def versions_of(model_id: int) -> Select[Any]:
    """All versions of a model, oldest first."""
    return _versions().where(versions.c.model_id == model_id).order_by(versions.c.number)


def newest_versions(model_id: int, limit: int | None) -> Select[Any]:
    """The versions with the highest numbers, newest first."""
    return _versions().where(versions.c.model_id == model_id).order_by(versions.c.number.desc()).limit(limit)


def newest_number(model_id: int) -> Select[Any]:
    """The highest number that was given out."""
    return select(func.max(versions.c.number)).where(versions.c.model_id == model_id)


def newest_in_stage(model_id: int, stage: str) -> Select[Any]:
    """The newest version in a stage."""
    there = _versions().where(versions.c.model_id == model_id, version_stages.c.stage == stage)
    return there.order_by(versions.c.number.desc()).limit(1)


def changes_of(model_id: int) -> Select[Any]:
    """A number that grows whenever a version is registered or a stage changes."""
    moves = select(func.coalesce(func.max(promotions.c.id), 0)).where(promotions.c.model_id == model_id).scalar_subquery()
    return select(models.c.next_number + moves).where(models.c.id == model_id)


def champion_of(model_id: int) -> Select[Any]:
    """The champion's cell with the version's number."""
    joined = champions.outerjoin(versions, versions.c.id == champions.c.version_id)
    return select(champions, versions.c.number).select_from(joined).where(champions.c.model_id == model_id)


def lock_champion(model_id: int) -> Select[Any]:
    """From here on nobody else moves the champion before we commit.

    To be read afterwards: a lock that had to wait sees what is joined to its row as it was before it waited.
    """
    return select(champions.c.revision).where(champions.c.model_id == model_id).with_for_update()


def replace_champion(model_id: int, *, seen_revision: int, version_id: int | None, now: datetime) -> Update:
    """The compare-and-set: zero rows if the champion moved since `seen_revision` was read."""
    unmoved = update(champions).where(champions.c.model_id == model_id, champions.c.revision == seen_revision)
    return unmoved.values(version_id=version_id, revision=champions.c.revision + 1, changed_at=now)


def change_stage(version_id: int, *, seen: str, target: str) -> Update:
    """Move one version from the stage that was seen; zero rows if somebody else moved it."""
    cell = update(version_stages).where(version_stages.c.version_id == version_id, version_stages.c.stage == seen)
    return cell.values(stage=target)


def holders(model_id: int) -> Select[Any]:
    """Who became champion at which revision, newest first; a revision that emptied the cell has another stage than PRODUCTION."""
    joined = promotions.join(versions, versions.c.id == promotions.c.version_id)
    facts = [promotions.c[name] for name in ("revision", "from_stage", "to_stage", "promoted_at", "version_id")]
    chosen = select(*facts, versions.c.number)
    return (
        chosen.select_from(joined)
        .where(promotions.c.model_id == model_id, promotions.c.revision.is_not(None))
        .order_by(promotions.c.revision.desc())
    )


def counters_of(model_id: int) -> Select[Any]:
    """The two counters of a model: its next number, and how often its champion has changed."""
    joined = models.join(champions, champions.c.model_id == models.c.id)
    return select(models.c.next_number, champions.c.revision).select_from(joined).where(models.c.id == model_id)


def lift_revision(model_id: int, revision: int, now: datetime) -> Update:
    """After a restore: the champion's revision is above every one that a consumer has seen."""
    older = update(champions).where(champions.c.model_id == model_id, champions.c.revision < revision)
    return older.values(revision=revision, changed_at=now)


def remote_paths() -> Select[Any]:
    """Where the artifacts of all versions are."""
    return select(versions.c.remote_path)


def revisions() -> Select[Any]:
    """Every model that has a champion, with its revision: one cheap read for all bells."""
    joined = champions.join(models, models.c.id == champions.c.model_id)
    return select(models.c.name, champions.c.revision).select_from(joined).where(champions.c.version_id.is_not(None))


def champion_formats() -> Select[Any]:
    """The format of every champion."""
    joined = champions.join(models, models.c.id == champions.c.model_id).join(versions, versions.c.id == champions.c.version_id)
    return select(models.c.name, versions.c.format).select_from(joined).order_by(models.c.key)


def is_imported(uid: str) -> Select[Any]:
    """Whether a version came from another registry or another table."""
    return select(versions.c.is_imported).where(versions.c.uid == uid)


def set_next_number(model_id: int, number: int) -> Update:
    """After an import or a restore: the next number is above every one that was given out."""
    return update(models).where(models.c.id == model_id, models.c.next_number < number).values(next_number=number)
