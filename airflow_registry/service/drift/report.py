"""The drift of a model: what its champion scored lately, against what it was registered with and what the champion before it said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_registry.domain.drift.report import Counted, DriftReport, judge_partitions, since
from airflow_registry.domain.drift.sketch import Sketch, merge
from airflow_registry.errors import InvalidInputError, NoChampionError
from airflow_registry.service import move
from airflow_registry.service.drift.references import reference_of
from airflow_registry.sql import catalog
from airflow_registry.sql.statements import drift as statements

if TYPE_CHECKING:
    from airflow_registry.domain.drift.bins import Reference
    from airflow_registry.domain.drift.verdict import Limits
    from airflow_registry.service.core import Core
    from airflow_registry.sql.catalog import ModelRow
    from airflow_registry.sql.store import Transaction


def drift(core: Core, model: str, limits: Limits, partitions: int) -> DriftReport:
    """Judge the last live partitions of the champion; nothing is changed.

    Raises:
        InvalidInputError: If it is about no partition.
        NoChampionError: If nothing is in PRODUCTION.
    """
    if isinstance(partitions, bool) or not isinstance(partitions, int) or partitions < 1:
        raise InvalidInputError(f"partitions={partitions!r}: the last 1 or more are looked at.")
    with core.store.read() as tx:
        return report(tx, catalog.need_model(tx, model), limits, partitions)


def report(tx: Transaction, model: ModelRow, limits: Limits, partitions: int) -> DriftReport:
    """The same inside a transaction.

    Raises:
        NoChampionError: If nothing is in PRODUCTION.
    """
    cell = catalog.champion_cell(tx, model)
    if cell.version_id is None or cell.number is None:
        raise NoChampionError(f"{model.name} has no champion, so there are no partitions to look at. Promote a version first.")
    reference = reference_of(tx, cell.version_id)
    counted = _counted(tx, cell.version_id, partitions, live=True)
    known: dict[str, Any] = {"model": model.name, "number": cell.number, **_since_previous(tx, model, counted, partitions, limits)}
    if reference is None:
        return DriftReport(**known, note=_no_reference(f"{model.name}:{cell.number}"))
    each, together = judge_partitions(reference, counted, limits)
    note = _note(f"{model.name}:{cell.number}", counted, reference, tx.scalar(statements.uncounted(cell.version_id)))
    return DriftReport(**known, note=note, partitions=each, together=together)


def _since_previous(tx: Transaction, model: ModelRow, counted: list[Counted], partitions: int, limits: Limits) -> dict[str, Any]:
    """The champion's predictions against those of the champion before it, where both were counted by the earlier one's bins."""
    number = move.previous_holder_of(tx, model)
    if number is None:
        return {}
    version_id = catalog.need_version(tx, model, number).id
    reference = reference_of(tx, version_id)
    if reference is None:
        return {}
    before = merge(one.sketch for one in _counted(tx, version_id, partitions, live=False))
    found = since(reference.predictions, before, merge(one.sketch for one in counted), limits)
    return {"previous": number, "since_previous": found} if found else {}


def _counted(tx: Transaction, version_id: int, limit: int, *, live: bool) -> list[Counted]:
    return [
        Counted(
            output=row["output"], partition=row["partition_key"], committed_at=row["committed_at"], sketch=Sketch.from_json(row["sketch"])
        )
        for row in tx.all(statements.counted(version_id, limit, live=live))
    ]


def _no_reference(ref: str) -> str:
    return (
        f"{ref} was registered without a reference, so nobody knows what its data looked like. Train with "
        "Trained(model, training_frame=…) or register(…, reference=…); the next champion has one then."
    )


def _note(ref: str, counted: list[Counted], reference: Reference, uncounted: int) -> str:
    rows, sampled = sum(one.sketch.rows for one in counted), sum(one.sketch.sampled for one in counted)
    said = f"{ref}: {sampled} of {rows} rows in {len(counted)} partitions were counted, {reference.sampled} rows of the reference."
    return (
        said if not uncounted else f"{said} {uncounted} of its live partitions were not: another program wrote them, or an earlier release."
    )
