"""Intervals and score bins of an evaluation, from the rows that it kept; without rows a sentence that says why there are none."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.stats.calibration import score_bins
from airflow_registry.domain.stats.draws import seed_of
from airflow_registry.domain.stats.single import intervals
from airflow_registry.errors import RegistryError
from airflow_registry.service.rows import rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_registry.domain.evaluation import EvaluationRows
    from airflow_registry.domain.report import EvaluationRecord, Measure
    from airflow_registry.domain.stats.calibration import Bin
    from airflow_registry.domain.stats.single import Interval
    from airflow_registry.service.core import Core

MOST_SLICES = 200  # the worst of a column; the bootstrap of all slices of a column with a million values would never end
_NEAR = 1e-6  # relative; an interval beside its value would be of something else

_Key = tuple[int, str, str]


def with_intervals(core: Core, record: EvaluationRecord, number: int) -> EvaluationRecord:
    """The record with intervals where its rows allow them, else with the reason.

    Args:
        core: The stores.
        record: An evaluation, as the database has it.
        number: The version that the report is about: its worst slices are looked at.
    """
    if not record.measures:
        return record
    if record.evaluation.rows_uri is None:
        return replace(record, problem="The evaluation kept no rows, because its metrics were computed elsewhere.")
    try:
        rows = rows_of(core, record.evaluation)
    except RegistryError as error:
        return replace(record, problem=str(error))
    found = _intervals(record, rows, number)
    measures = tuple(replace(entry, interval=_of(entry, found)) for entry in record.measures)
    return replace(record, measures=measures, bins=_bins(rows), problem=None)


def _intervals(record: EvaluationRecord, rows: EvaluationRows, number: int) -> Mapping[_Key, Interval | None]:
    seed = seed_of(rows.data_digest)
    found: dict[_Key, Interval | None] = {}
    for metric in sorted({entry.metric.name for entry in record.measures}):
        sections = [((), None), *_sections(record, rows, metric, number)]
        for version, scored in rows.scored.items():
            for names, codes in sections:
                limits = intervals(metric, rows.labels, scored, codes=codes, n_slices=len(names), seed=seed)
                found[version, metric, ""] = limits[-1]
                found |= {(version, metric, name): limits[at] for at, name in enumerate(names)}
    return found


def _sections(record: EvaluationRecord, rows: EvaluationRows, metric: str, number: int) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Each column's worst slices in this metric, and which of them each row is in."""
    import numpy as np

    worst = [entry.metric.slice for entry in record.worst(number, metric)]
    for sliced in rows.slices.values():
        known = set(sliced.names)
        chosen = [name for name in worst if name in known][:MOST_SLICES]
        place = {name: at for at, name in enumerate(chosen)}
        # Rows of no slice have the code -1, which is the last element.
        places = np.array([place.get(name, -1) for name in sliced.names] + [-1])
        yield tuple(chosen), places[sliced.codes]


def _of(measure: Measure, found: Mapping[_Key, Interval | None]) -> Interval | None:
    metric = measure.metric
    interval = found.get((measure.number, metric.name, metric.slice))
    if interval is None or metric.value is None:
        return None
    spare = _NEAR * max(1.0, abs(metric.value))
    return interval if interval.low - spare <= metric.value <= interval.high + spare else None


def _bins(rows: EvaluationRows) -> dict[int, tuple[Bin, ...]]:
    if rows.kind != "binary":
        return {}
    found = {number: score_bins(rows.labels, scored) for number, scored in rows.scored.items()}
    return {number: bins for number, bins in found.items() if bins}
