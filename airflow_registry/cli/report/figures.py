"""Which diagrams stand in a report, made from its facts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_registry.cli.report import plots
from airflow_registry.cli.report.blocks import Figure
from airflow_registry.cli.report.plots import Point, Row
from airflow_registry.cli.report.svg import SERIES
from airflow_registry.domain.report import gains

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_registry.domain.report import EvaluationRecord, Gain, Measure, ModelReport


def by_slice(record: EvaluationRecord, numbers: Sequence[int], name: str, most: int) -> list[Figure]:
    """A metric on all rows and on the worst slices, each version with its interval.

    Args:
        record: The evaluation.
        numbers: Versions: the report's own first.
        name: Name of the metric.
        most: How many slices.
    """
    drawn = list(numbers[:SERIES])
    worst = [entry.metric.slice for entry in record.worst(drawn[0], name)[:most]]
    known = {(entry.metric.slice, entry.number): entry for entry in record.measures if entry.metric.name == name}
    rows = [_row(slice_ or "all rows", [known.get((slice_, number)) for number in drawn]) for slice_ in ("", *worst)]
    if all(point.value is None for row in rows for point in row.points):
        return []
    title = f"{name} {'on all rows and by slice, worst first' if worst else 'on all rows'}"
    drawing = plots.forest(rows, [f"v{number}" for number in drawn], title=title, axis=name)
    return [Figure(drawings=[drawing], caption=f"{title}; lines are intervals.")]


def of_scores(record: EvaluationRecord, number: int) -> list[Figure]:
    """How honest the scores of a binary model are, and how they are spread."""
    bins = record.bins.get(number, ())
    if not bins:
        return []
    filled = [(found.mean_score, found.positives / found.rows, found.rows) for found in bins if found.mean_score is not None]
    spread = [(found.low, found.high, found.rows - found.positives, found.positives) for found in bins]
    honest, classes = f"How often the positive class comes where v{number} says so", f"Scores of v{number} by class"
    caption = f"First: {honest[0].lower()}{honest[1:]} (broken line: perfect; hollow: few rows). Second: {classes[0].lower()}{classes[1:]}."
    return [Figure(drawings=[plots.reliability(filled, title=honest), plots.histogram(spread, title=classes)], caption=caption)]


def history(report: ModelReport, names: Sequence[str]) -> list[Figure]:
    """The first of these metrics that several versions have, over the versions."""
    for name in names:
        points = [(point.number, point.metric.as_float, point.same_data) for point in report.history if point.metric.name == name]
        if len(points) > 1:
            title = f"{name} of the versions of {report.version.model}"
            drawing = plots.history(points, report.version.number, title=title, axis=name)
            return [
                Figure(
                    drawings=[drawing], caption=f"{title}. Broken line: this version. Hollow: other data, so that values do not compare."
                )
            ]
    return []


def weighed(report: ModelReport) -> list[Figure]:
    """What the comparisons of the newest decision have weighed, one diagram for each unit."""
    by_metric: dict[str, list[Gain]] = {}
    for gain in gains(report):
        by_metric.setdefault(gain.metric, []).append(gain)
    return [_weighed(metric, found) for metric, found in by_metric.items()]


def _weighed(metric: str, found: Sequence[Gain]) -> Figure:
    rows = [Row(label=gain.rule, points=(Point(series=0, value=gain.gain, low=gain.lower),), border=gain.border) for gain in found]
    title = f"Gains in {metric}"
    drawing = plots.forest(rows, ["gain"], title=title, axis=f"gain in {metric}, positive is better", zero=True, labels=400)
    caption = f"{title}: the point is what was seen, the line reaches down to its lower limit, which must not be left of the broken border."
    return Figure(drawings=[drawing], caption=caption)


def _row(label: str, measures: Sequence[Measure | None]) -> Row:
    return Row(label=label, points=tuple(_point(place, entry) for place, entry in enumerate(measures) if entry is not None))


def _point(series: int, measure: Measure) -> Point:
    interval = measure.interval
    if interval is None:
        return Point(series=series, value=measure.metric.value)
    return Point(series=series, value=measure.metric.value, low=interval.low, high=interval.high)
