"""References: frozen when a version is registered, read when it scores or is judged."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow_registry.domain.drift.bins import Reference
from airflow_registry.modeling.trained import AtHand
from airflow_registry.service import move, read
from airflow_registry.sql import catalog
from airflow_registry.sql.statements import drift as statements

if TYPE_CHECKING:
    from airflow_registry.domain.signature import Signature
    from airflow_registry.service.core import Core
    from airflow_registry.sql.store import Transaction

FEWEST_AT_HAND = 200
"""Rows of data that nobody called a reference: with fewer, it would say that everything drifts or nothing does."""

_log = logging.getLogger(__name__)


def frozen(core: Core, data: object, model: object, signature: Signature | None) -> Reference | None:
    """What `register(reference=…)` was given, as it is kept; None if there is nothing to keep.

    Raises:
        InvalidInputError: If it was asked for and cannot be used. What was only at hand is left out then, with a warning.
    """
    from airflow_registry.scoring.reference import freeze, rows_of

    if data is None or isinstance(data, Reference):
        return data
    if not isinstance(data, AtHand):
        return freeze(data, model, signature, storage=core.settings.storage)
    if (rows_of(data.rows) or 0) < FEWEST_AT_HAND:
        return None
    try:
        return freeze(data.rows, model, signature, storage=core.settings.storage)
    except Exception as error:  # noqa: BLE001  nobody asked for it, so it must not cost the registration
        _log.warning("The version is registered without a reference for drift: %s: %s", type(error).__name__, error)
        return None


def reference(core: Core, ref: str) -> Reference | None:
    """What a version is compared with; None if it was registered without."""
    version = read.get(core, ref)
    with core.store.read() as tx:
        row = catalog.need_version(tx, catalog.need_model(tx, version.model), version.number)
        return reference_of(tx, row.id)


def counted_by(core: Core, ref: str) -> tuple[Reference, ...]:
    """By which bins the rows that a version scores are counted: its own, and the predictions also by another champion's.

    That is the champion before it; for a version that is not champion, the champion.
    """
    version = read.get(core, ref)
    with core.store.read() as tx:
        model = catalog.need_model(tx, version.model)
        cell = catalog.champion_cell(tx, model)
        other = move.previous_holder_of(tx, model) if cell.number == version.number else cell.number
        own = reference_of(tx, catalog.need_version(tx, model, version.number).id)
        theirs = None if other is None else reference_of(tx, catalog.need_version(tx, model, other).id)
    known = (own, None if theirs is None else Reference(predictions=theirs.predictions))
    return tuple(one for one in known if one is not None and one.profiles)


def reference_of(tx: Transaction, version_id: int) -> Reference | None:
    """What a version is compared with; None if it was registered without."""
    body = tx.scalar(statements.reference_of(version_id))
    return None if body is None else Reference.from_json(body)
