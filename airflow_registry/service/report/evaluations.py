"""The evaluations of a report: the newest on each data set in detail, the others mentioned."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_registry.domain.report import EvaluationRecord, Measure
from airflow_registry.sql import rows
from airflow_registry.sql.statements import report as statements

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.engine import RowMapping

    from airflow_registry.domain.evaluation import Evaluation
    from airflow_registry.sql.catalog import VersionRow
    from airflow_registry.sql.store import Transaction

DETAILED = 3  # data sets whose newest evaluation is shown metric by metric


def records(tx: Transaction, row: VersionRow) -> tuple[EvaluationRecord, ...]:
    """Every evaluation of a version, newest first."""
    heads = tx.all(statements.evaluations_about(row.id))
    ids = [head["id"] for head in heads]
    detailed = _detailed(heads)
    found = {entry.sequence: entry for entry in _read(tx, row, ids, slices=False)}
    found |= {entry.sequence: entry for entry in _read(tx, row, detailed, slices=True)}
    recorders = {head["id"]: head["recorded_by"] for head in heads}
    uses = {found["data_digest"]: found["uses"] for found in tx.all(statements.data_uses(row.model.id))}
    return tuple(_record(found[key], recorders[key], uses, is_detailed=key in detailed) for key in ids)


def _detailed(heads: Sequence[RowMapping]) -> list[int]:
    """The newest evaluation on each data set; what came with the registration is the oldest of all, and gives way to any other."""
    chosen: dict[str | None, int] = {}
    for head in heads:
        chosen.setdefault(head["data_digest"] or head["data_name"], head["id"])
    return list(chosen.values())[:DETAILED]


def _read(tx: Transaction, row: VersionRow, ids: Sequence[int], *, slices: bool) -> tuple[Evaluation, ...]:
    if not ids:
        return ()
    versions = [found["version_id"] for found in tx.all(statements.versions_in(ids))]
    return rows.evaluations(tx.all(statements.metrics_in(row.model.id, versions, ids, slices=slices)), row.model.name)


def _record(evaluation: Evaluation, recorded_by: str, uses: Mapping[str, int], *, is_detailed: bool) -> EvaluationRecord:
    digest = None if evaluation.data is None else evaluation.data.digest
    record = EvaluationRecord(evaluation=evaluation, recorded_by=recorded_by, uses=None if digest is None else uses.get(digest, 0))
    if not is_detailed:
        return record
    found = (Measure(number=number, metric=metric) for number, metrics in evaluation.results.items() for metric in metrics)
    return replace(record, measures=tuple(sorted(found, key=_place)))


def _place(measure: Measure) -> tuple[str, str, int]:
    return measure.metric.name, measure.metric.slice, measure.number
