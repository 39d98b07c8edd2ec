"""Whether the database is as new as the artifact store: a restored backup must not give out a number a second time.

For each model the store keeps two small objects that only go forward: the mark of the highest version number, and the production
pointer with the champion's revision. They are written after a commit and read before a transaction, so on a whole registry neither is
ever ahead of the database. If one is, the database was restored to an earlier time (or somebody writes to an old copy of it), and
registering is refused until `doctor --after-restore` has lifted the counters.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_registry.errors import CorruptionError, DatabaseBehindStoreError, RegistryError
from airflow_registry.sql import catalog
from airflow_registry.sql.statements import models as statements

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_registry.domain.model import ModelVersion
    from airflow_registry.domain.names import ModelName
    from airflow_registry.service.core import Core
    from airflow_registry.sql.store import Transaction

REMEDY = "airflow-registry doctor --after-restore"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the artifact store knows of one model of this registry.

    Attributes:
        model: The model's name.
        number: The highest version number that was given out, 0 if the store knows none.
        revision: The champion's revision, 0 if the store knows none.
        pointer: The production pointer, {} if there is none of this registry.
    """

    model: str
    number: int = 0
    revision: int = 0
    pointer: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """A model of which the store has seen more than the database.

    Attributes:
        model: The model's name.
        next_number: The number that the database would give out next.
        seen_number: The highest number that the store has seen.
        revision: The champion's revision in the database.
        seen_revision: The one that the store has seen.
    """

    model: str
    next_number: int
    seen_number: int
    revision: int
    seen_revision: int

    def __str__(self) -> str:
        told = []
        if self.seen_number >= self.next_number:
            told.append(f"version {self.seen_number} was registered before, and the database would give out {self.next_number} next")
        if self.seen_revision > self.revision:
            told.append(f"the champion has changed {self.seen_revision} times, and the database knows of {self.revision}")
        return f"{self.model}: {'; '.join(told)}"


def look(core: Core, model: ModelName, *, must: bool) -> Seen:
    """What the store knows of a model; to be called before the transaction that compares it.

    Args:
        core: The stores.
        model: The model.
        must: Whether a store that does not answer is an error; without it, a warning (the version keeps no bytes there).

    Raises:
        RegistryError: If `must`, and the store does not answer.
    """
    try:
        return seen(core, model)
    except RegistryError:
        if must:
            raise
        _log.warning("The artifact store could not be asked which numbers of %s it has seen; going on.", model, exc_info=True)
        return Seen(model=model, pointer={})


def seen(core: Core, model: str) -> Seen:
    """What the store knows of a model of this registry; another registry's numbers say nothing about ours."""
    mark, pointer = _ours(core, core.artifacts.read_mark(model)), _ours(core, _pointer(core, model))
    return Seen(
        model=str(mark.get("model") or pointer.get("model") or model),
        number=_count(mark.get("number")),
        revision=_count(pointer.get("revision")),
        pointer=pointer,
    )


def refuse_older(tx: Transaction, model: catalog.ModelRow, found: Seen) -> None:
    """Raise if the database is behind what the store has seen of a model, which must be locked.

    Raises:
        DatabaseBehindStoreError: If it is.
    """
    behind = compared(tx, model, found) if found.number or found.revision else None
    if behind is not None:
        raise DatabaseBehindStoreError(
            f"Nothing was registered, because the registry database is older than the artifact store ({behind}). A backup seems to have "
            f"been restored, or this is an old copy of the database. Check the database address; after a restore run `{REMEDY}`."
        )


def compared(tx: Transaction, model: catalog.ModelRow, found: Seen) -> Behind | None:
    """How far the database is behind; None if it is not."""
    row = tx.one(statements.counters_of(model.id))
    behind = Behind(
        model=model.name,
        next_number=row["next_number"],
        seen_number=found.number,
        revision=row["revision"],
        seen_revision=found.revision,
    )
    return behind if found.number >= row["next_number"] or found.revision > row["revision"] else None


def leave(core: Core, version: ModelVersion) -> None:
    """Mark in the store that the number is taken. A failure is a warning: the version is registered, and the next mark covers it."""
    try:
        core.artifacts.write_mark(version.model, {"model": str(version.model), "registry_uid": core.registry_uid}, version.number)
    except (RegistryError, OSError):
        _log.warning("The mark of %s could not be written to the artifact store; the registration stands.", version.ref, exc_info=True)


def all_behind(core: Core) -> tuple[Behind, ...]:
    """Every model of which the store has seen more than the database; also those that the database does not know at all."""
    found = [seen(core, model) for model in known_models(core)]
    with core.store.read() as tx:
        return tuple(behind for one in found if (behind := _behind(tx, one)) is not None)


def refuse_disagreement(core: Core) -> None:
    """Raise if the database is older than the store in any model; for what deletes artifacts that have no row.

    Raises:
        DatabaseBehindStoreError: If it is.
    """
    behind = all_behind(core)
    if behind:
        told = "".join(f"\n  - {one}" for one in behind)
        raise DatabaseBehindStoreError(
            f"Nothing was deleted, because the registry database is older than the artifact store:{told}\nWhat looks like an artifact "
            f"without a version may belong to one whose row was lost. After a restore run `{REMEDY}`."
        )


def known_models(core: Core) -> tuple[str, ...]:
    """Lower-case names of all models of which the store or the database knows."""
    with core.store.read() as tx:
        rows = tx.all(statements.all_models())
    return tuple(sorted({row["key"] for row in rows} | set(core.artifacts.models())))


def foreign_models(core: Core) -> tuple[str, ...]:
    """Models whose mark or pointer in the store was left by another registry."""
    told = {model: (core.artifacts.read_mark(model), _pointer(core, model)) for model in core.artifacts.models()}
    return tuple(model for model, both in told.items() if any(one is not None and not _ours(core, one) for one in both))


def _behind(tx: Transaction, found: Seen) -> Behind | None:
    model = catalog.find_model(tx, found.model)
    if model is not None:
        return compared(tx, model, found)
    if not found.number and not found.revision:
        return None
    return Behind(model=found.model, next_number=1, seen_number=found.number, revision=0, seen_revision=found.revision)


def _ours(core: Core, told: Mapping[str, Any] | None) -> Mapping[str, Any]:
    return told if told is not None and told.get("registry_uid") == core.registry_uid else {}


def _pointer(core: Core, model: str) -> Mapping[str, Any] | None:
    """A damaged pointer says nothing; the next promotion writes it again."""
    try:
        return core.artifacts.read_pointer(model)
    except CorruptionError:
        _log.warning("The production pointer of %s is damaged.", model, exc_info=True)
        return None


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
