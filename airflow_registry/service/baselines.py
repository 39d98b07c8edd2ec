"""Which versions an evaluation scores: the challenger, the champion, and the anchors."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_registry.domain.anchors import anchor_number, read_anchor
from airflow_registry.domain.names import ModelName, Reference
from airflow_registry.domain.rules import Anchor
from airflow_registry.errors import InvalidInputError, VersionNotFoundError
from airflow_registry.sql import catalog, rows
from airflow_registry.sql.statements import judgements, models

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_registry.sql.store import Transaction

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A version that is scored.

    Attributes:
        row: Its row.
        role: What it is here: `challenger`, `champion` or `anchor`; the first of them that fits.
    """

    row: catalog.VersionRow
    role: str

    @property
    def number(self) -> int:
        """Of the version."""
        return self.row.value.number


def find_judged(tx: Transaction, model: str, version: object, anchors: Sequence[object]) -> tuple[Judged, ...]:
    """The challenger first, then the champion and the anchors, each version once.

    Args:
        tx: The transaction.
        model: The model.
        version: The challenger.
        anchors: Versions, references, or `N promotions ago`.

    Raises:
        VersionNotFoundError: If the challenger, or an anchor that was named by its number, is not there.
        InvalidInputError: If an anchor is none, or of another model.
    """
    wanted = [read_anchor(each) for each in _listed(anchors)]
    row = catalog.need_model(tx, model)
    challenger = catalog.need_version(tx, row, version)
    found = [Judged(row=challenger, role="challenger")]
    cell = catalog.champion_cell(tx, row)
    champion = None if cell.version_id is None else tx.first(models.version_by_id(cell.version_id))
    if champion is not None:
        found.append(Judged(row=catalog.version_row(champion, row), role="champion"))
    found += [Judged(row=anchor, role="anchor") for each in wanted if (anchor := _anchor(tx, row, each)) is not None]
    return tuple({judged.row.id: judged for judged in reversed(found)}[number] for number in dict.fromkeys(one.row.id for one in found))


def _listed(anchors: Sequence[object]) -> Sequence[object]:
    if isinstance(anchors, (str, bytes)) or not hasattr(anchors, "__iter__"):
        raise InvalidInputError(f"anchors= is a list, also of one: [{anchors!r}].")
    return anchors


def _anchor(tx: Transaction, model: catalog.ModelRow, wanted: Anchor | Reference) -> catalog.VersionRow | None:
    """The version of an anchor; None, with a warning, where the model has not had that many promotions, or has nobody in the stage."""
    number = _number(tx, model, wanted)
    if number is None:
        _log.warning("%s has no version that is %s, so no rule against it can hold.", model.name, wanted)
        return None
    try:
        return catalog.need_version(tx, model, number)
    except VersionNotFoundError as error:
        error.add_note("It was named as an anchor.")
        raise


def _number(tx: Transaction, model: catalog.ModelRow, wanted: Anchor | Reference) -> int | None:
    if isinstance(wanted, Anchor):
        return anchor_number((rows.promotion(row) for row in tx.all(judgements.promotions_of(model.id))), wanted)
    if ModelName(wanted.model).key != model.name.key:
        raise InvalidInputError(f"The anchor {wanted} is of another model than {model.name}. Anchors are versions of the same model.")
    if wanted.number is not None:
        return wanted.number
    row = tx.first(models.newest_in_stage(model.id, str(wanted.stage)))
    return None if row is None else int(row["number"])
