"""After the database was restored to an earlier time: nothing that was given out since may be given out again."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.chain import RESTORE
from airflow_registry.domain.names import ModelName
from airflow_registry.errors import RegistryError
from airflow_registry.service import marks
from airflow_registry.service.audit.anchoring import newest_anchored
from airflow_registry.service.pointer import point
from airflow_registry.sql import catalog
from airflow_registry.sql.statements import audit
from airflow_registry.sql.statements import models as statements

if TYPE_CHECKING:
    from airflow_registry.service.core import Core
    from airflow_registry.sql.store import Transaction

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifted:
    """A model whose counters were behind.

    Attributes:
        model: The model's name.
        next_number: The number that the next version gets now.
        lost: Numbers that were given out and have no row any more: first and last, None if there are none.
        revision: The champion's revision now.
        champion: Number of the version that is in PRODUCTION now, None if none is.
        pointed_at: Number of the version that the production pointer named, None if it named none.
    """

    model: str
    next_number: int
    lost: tuple[int, int] | None
    revision: int
    champion: int | None
    pointed_at: int | None

    def to_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "model": self.model,
            "next_number": self.next_number,
            "lost_numbers": None if self.lost is None else list(self.lost),
            "revision": self.revision,
            "champion": self.champion,
            "pointer_named": self.pointed_at,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What was done, and what cannot be brought back.

    Attributes:
        lifted: Models whose counters were behind; none if the database is as new as the store.
        without_rows: Remote paths of these models' artifacts that no version in the database has.
    """

    lifted: tuple[Lifted, ...]
    without_rows: tuple[str, ...]


def after_restore(core: Core) -> Restored:
    """Lift every counter above what the store has seen, in one transaction, and say what is lost.

    Running it on a registry that is whole changes nothing.

    Raises:
        StorageUnavailableError: If the database or the store is out of reach; nothing was changed then.
    """
    found, anchored = [marks.seen(core, model) for model in marks.known_models(core)], newest_anchored(core)
    with core.store.write() as tx:
        lifted = tuple(done for one in found if (done := _lift(core, tx, one)) is not None)
        lost = _skip_lost_entries(tx, anchored)
        if lifted or lost:
            core.record(tx, RESTORE, "registry", {"models": [one.to_json() for one in lifted], **lost}, by=core.user)
    for one in lifted:
        _point_again(core, one)
    return Restored(lifted=lifted, without_rows=_without_rows(core, lifted))


def _lift(core: Core, tx: Transaction, found: marks.Seen) -> Lifted | None:
    if not found.number and not found.revision:
        return None
    model = catalog.make_model(tx, found.model, core.now())  # the model itself may be younger than the backup
    cell = catalog.champion_cell(tx, model, lock=True)
    behind = marks.compared(tx, model, found)
    if behind is None:
        return None
    tx.run(statements.set_next_number(model.id, found.number + 1))
    if behind.seen_revision > cell.revision:
        tx.run(statements.lift_revision(model.id, found.revision + 1, core.now()))
    lost = (behind.next_number, found.number) if found.number >= behind.next_number else None
    return Lifted(
        model=model.name,
        next_number=max(found.number + 1, behind.next_number),
        lost=lost,
        revision=found.revision + 1 if behind.seen_revision > cell.revision else cell.revision,
        champion=cell.number,
        pointed_at=found.pointer.get("version"),
    )


def _skip_lost_entries(tx: Transaction, anchored: int) -> dict[str, list[int]]:
    """Places of the audit chain that were anchored are not given out again; the entry behind the gap says which ones were lost."""
    head = tx.first(audit.locked_head())
    if head is None or head["seq"] >= anchored:
        return {}
    tx.run(audit.skip_to(anchored))
    return {"lost_entries": [head["seq"] + 1, anchored]}


def _point_again(core: Core, lifted: Lifted) -> None:
    """The pointer follows the row: consumers that read only the file go back to the restored champion."""
    try:
        point(core, ModelName(lifted.model), lifted.champion, lifted.revision)
    except (RegistryError, OSError):
        _log.warning("The production pointer of %s could not be written; the next promotion writes it.", lifted.model, exc_info=True)


def _without_rows(core: Core, lifted: tuple[Lifted, ...]) -> tuple[str, ...]:
    """Artifacts of the lifted models that nobody in the database speaks of."""
    folders = tuple(f"/plain/{ModelName(one.model).key}/" for one in lifted)
    if not folders:
        return ()
    with core.store.read() as tx:
        known = {row["remote_path"] for row in tx.all(statements.remote_paths())}
    return tuple(path for path in core.artifacts.orphans(known) if any(folder in path for folder in folders) and "/.tmp-" not in path)
