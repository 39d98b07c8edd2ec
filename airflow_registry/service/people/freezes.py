"""Freezes: for a while nothing is promoted automatically. A rollback, and a person's override with a reason, stay possible."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_registry.domain.clock import ends_at
from airflow_registry.errors import NotApprovedError
from airflow_registry.service.people.standing import standing
from airflow_registry.service.people.words import needed_reason, said, speaker
from airflow_registry.sql import catalog
from airflow_registry.sql.statements import people as statements

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_registry.domain.people import Standing
    from airflow_registry.service.core import Core
    from airflow_registry.sql.catalog import ModelRow, VersionRow
    from airflow_registry.sql.store import Transaction


def freeze(core: Core, model: str, *, until: object, reason: object, by: str | None) -> Standing:
    """Refuse automatic promotion until then; a second freeze replaces the first.

    Raises:
        InvalidInputError: If `until` is not in the future, has no time zone, or there is no reason.
    """
    person, text = speaker(core, by), needed_reason(reason, "A freeze")
    end = ends_at(until, now=core.now(), what="until")
    with core.store.write() as tx:
        found = catalog.need_model(tx, model)
        _store(core, tx, found, person, text, end)
        return standing(tx, found)


def unfreeze(core: Core, model: str, *, reason: object, by: str | None) -> Standing:
    """Allow automatic promotion again; where nothing is frozen, nothing changes.

    Raises:
        InvalidInputError: If there is no reason.
    """
    person, text = speaker(core, by), needed_reason(reason, "Ending a freeze")
    with core.store.write() as tx:
        found = catalog.need_model(tx, model)
        if standing(tx, found).is_frozen_at(core.now()):
            _store(core, tx, found, person, text, None)
        return standing(tx, found)


def how_it_stands(core: Core, model: str) -> Standing:
    """What people have laid down for a model."""
    with core.store.read() as tx:
        return standing(tx, catalog.need_model(tx, model))


def refuse_frozen(core: Core, tx: Transaction, row: VersionRow) -> None:
    """A decision from before the freeze promotes nothing while it lasts.

    Raises:
        NotApprovedError: If the model is frozen.
    """
    found = standing(tx, row.model)
    if found.is_frozen_at(core.now()):
        raise NotApprovedError(
            f"{row.value.ref} is not promoted: {row.model.name} is frozen until {found.frozen_until:%Y-%m-%d %H:%M} UTC by "
            f"{found.frozen_by}: {found.frozen_reason} Unfreeze it, wait, or promote with a reason."
        )


def _store(core: Core, tx: Transaction, model: ModelRow, person: str, text: str, until: datetime | None) -> None:
    common = said(core, person, text)
    tx.run(statements.add_freeze({**common, "model_id": model.id, "frozen_until": until}))
    tx.run(statements.freeze_model(model.id, until))
    body = {"freeze": common["uid"], "until": until and until.isoformat(), "entered_by": core.user}
    core.record(tx, "unfreeze" if until is None else "freeze", model.name, body, by=person, text=text)
