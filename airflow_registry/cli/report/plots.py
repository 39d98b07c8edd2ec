"""The diagrams of a report. Each takes values and returns SVG; whatever a diagram shows also stands in a table."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_registry.cli.report import svg
from airflow_registry.cli.report.svg import WIDTH, Scale

if TYPE_CHECKING:
    from collections.abc import Sequence

_TOP, _ROW, _AXIS, _EDGE = 34, 24, 48, 16
_LABELS = 240
_LETTER = 8.4  # of the widest of the usual fonts


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A value with its limits.

    Attributes:
        series: Which version it is of, from 0; it chooses colour and marker.
        value: None where it is not a finite number.
        low: Lower limit, None for none.
        high: Upper limit, None for none.
    """

    series: int
    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a forest plot.

    Attributes:
        label: Stands at the left.
        points: What is drawn on the line.
        border: A value that must be reached, None for none.
    """

    label: str
    points: tuple[Point, ...]
    border: float | None = None


def forest(rows: Sequence[Row], series: Sequence[str], *, title: str, axis: str, zero: bool = False, labels: float = _LABELS) -> str:
    """Values with their limits, one line for each row.

    Args:
        rows: From top to bottom.
        series: Names of the versions, for the legend.
        title: What it shows.
        axis: What the values are.
        zero: Whether 0 is marked: for gains.
        labels: Width of the labels' column, in units of the drawing.
    """
    values = [value for row in rows for value in _values(row)]
    low, high = svg.span([*values, 0.0] if zero else values)
    scale = Scale(low=low, high=high, start=labels, end=WIDTH - _EDGE)
    bottom = _TOP + _ROW * len(rows)
    parts = [*_legend(series, labels), *_x_axis(scale, bottom, axis)]
    if zero:
        parts.append(svg.line(scale(0.0), _TOP, scale(0.0), bottom, "line"))
    for place, row in enumerate(rows):
        parts += _forest_row(row, scale, _TOP + _ROW * (place + 0.5))
    words = "; ".join(f"{row.label}: {', '.join(_words(point, series) for point in row.points)}" for row in rows)
    return svg.drawing(bottom + _AXIS, title=title, description=words, parts=parts)


def reliability(bins: Sequence[tuple[float, float, int]], *, title: str, series: int = 0) -> str:
    """How often the positive class comes when the model says so: (mean score, share of positives, rows) of each bin."""
    side, left, top = 300.0, 64.0, 12.0
    x = Scale(low=0.0, high=1.0, start=left, end=left + side)
    y = Scale(low=0.0, high=1.0, start=top + side, end=top)
    most = max((rows for *_, rows in bins), default=1)
    parts = [*_x_axis(x, top + side, "mean score"), *_y_axis(y, left, left + side, "share of positives")]
    parts.append(svg.line(x(0), y(0), x(1), y(1), "border"))
    parts.append(svg.curve([(x(score), y(share)) for score, share, _ in bins], f"s{series}"))
    for score, share, rows in bins:
        parts.append(svg.marker(x(score), y(share), series, hollow=rows < most / 20, tip=f"{rows:,} rows: {share:.3g} at {score:.3g}"))
    words = "; ".join(f"score {score:.2g}: {share:.2g} of {rows:,} rows" for score, share, rows in bins)
    return svg.drawing(top + side + _AXIS, width=left + side + _EDGE, title=title, description=words, parts=parts)


def histogram(bins: Sequence[tuple[float, float, int, int]], *, title: str) -> str:
    """How often which score is given: (low, high, rows of the other class, rows of the positive class) of each bin."""
    side, left, top = 300.0, 64.0, 34.0
    most = max((max(others, positives) for *_, others, positives in bins), default=1) or 1
    x = Scale(low=0.0, high=1.0, start=left, end=left + side)
    y = Scale(low=0.0, high=most * 1.05, start=top + side - 22, end=top)
    parts = [*_legend(("other", "positive"), left=left), *_x_axis(x, top + side - 22, "score"), *_y_axis(y, left, left + side, "rows")]
    for low, high, *counts in bins:
        wide = (x(high) - x(low)) / 2
        for place, count in enumerate(counts):
            parts.append(svg.bar(x(low) + place * wide, y(count), wide - 1, y(0) - y(count), f"s{place}"))
    words = "; ".join(f"{low:.2g} to {high:.2g}: {others:,} other, {positives:,} positive" for low, high, others, positives in bins)
    return svg.drawing(top + side - 22 + _AXIS, width=left + side + _EDGE, title=title, description=words, parts=parts)


def history(points: Sequence[tuple[int, float, bool]], current: int, *, title: str, axis: str) -> str:
    """A metric over versions: (version, value, whether it was computed on the same data as the current one)."""
    left, top, height = 64.0, 34.0, 180.0
    shown = [point for point in points if math.isfinite(point[1])]
    low, high = svg.span([value for _, value, _ in shown])
    first, last = points[0][0], max(points[-1][0], points[0][0] + 1)
    x = Scale(low=first, high=last, start=left + 12, end=WIDTH - _EDGE - 12)
    y = Scale(low=low, high=high, start=top + height, end=top)
    parts = [*_legend(("same data", "other data"), left=left, hollow=frozenset({1})), *_y_axis(y, left, WIDTH - _EDGE, axis)]
    step = max(1, math.ceil((last - first + 1) / 15))
    parts += [svg.text(x(number), top + height + 18, f"v{number}", anchor="middle", soft=True) for number in range(first, last + 1, step)]
    parts.append(svg.curve([(x(number), y(value)) for number, value, is_same in shown if is_same], "s0"))
    for number, value, is_same in shown:
        if number == current:
            parts.append(svg.line(x(number), top, x(number), top + height, "border"))
        parts.append(svg.marker(x(number), y(value), 0 if is_same else 1, hollow=not is_same, tip=f"v{number}: {value:.6g}"))
    words = "; ".join(f"v{number} {value:.6g}{'' if is_same else ' on other data'}" for number, value, is_same in shown)
    return svg.drawing(top + height + _AXIS, title=title, description=words, parts=parts)


def _values(row: Row) -> list[float]:
    found = [value for point in row.points for value in (point.value, point.low, point.high) if value is not None]
    return found if row.border is None else [*found, row.border]


def _forest_row(row: Row, scale: Scale, middle: float) -> list[str]:
    parts = [
        svg.text(scale.start - 12, middle + 4, row.label, anchor="end", most=int(scale.start / _LETTER)),
        svg.line(scale.start, middle + _ROW / 2, WIDTH - _EDGE, middle + _ROW / 2),
    ]
    if row.border is not None:
        parts.append(svg.line(scale(row.border), middle - _ROW / 2, scale(row.border), middle + _ROW / 2, "border"))
    gap = 9.0 if len(row.points) > 1 else 0.0
    for place, point in enumerate(row.points):
        height = middle + gap * (place - (len(row.points) - 1) / 2)
        parts += _point(point, scale, height)
    return parts


def _point(point: Point, scale: Scale, height: float) -> list[str]:
    if point.value is None:
        return [svg.text(scale.start + 6, height + 4, "not a finite number", soft=True)]
    tip = f"{point.value:.6g}"
    parts = []
    if point.low is not None or point.high is not None:
        low = scale.low if point.low is None else point.low
        high = scale.high if point.high is None else point.high
        parts.append(svg.line(scale(low), height, scale(high), height, f"limit s{point.series % svg.SERIES}"))
        tip += f" ({'' if point.low is None else f'{point.low:.4g}'} to {'' if point.high is None else f'{point.high:.4g}'})"
    return [*parts, svg.marker(scale(point.value), height, point.series, tip=tip)]


def _words(point: Point, series: Sequence[str]) -> str:
    name = series[point.series] if point.series < len(series) else ""
    if point.value is None:
        return f"{name} not a finite number"
    low, high = ("" if limit is None else f"{limit:.4g}" for limit in (point.low, point.high))
    return f"{name} {point.value:.6g}" + (f" ({low} to {high})" if low or high else "")


def _legend(series: Sequence[str], left: float = _LABELS, hollow: frozenset[int] = frozenset()) -> list[str]:
    parts, x = [], left + 8.0
    for place, name in enumerate(series):
        parts += [svg.marker(x, 14, place, hollow=place in hollow), svg.text(x + 12, 18, name, most=24)]
        x += 34 + 7.5 * min(len(name), 24)
    return parts


def _x_axis(scale: Scale, bottom: float, name: str) -> list[str]:
    parts = [svg.line(scale.start, bottom, scale.end, bottom)]
    for value in svg.ticks(scale.low, scale.high):
        parts.append(svg.line(scale(value), bottom, scale(value), bottom + 5))
        parts.append(svg.text(scale(value), bottom + 19, f"{value:g}", anchor="middle", soft=True))
    return [*parts, svg.text((scale.start + scale.end) / 2, bottom + 38, name, anchor="middle", soft=True)]


def _y_axis(scale: Scale, left: float, right: float, name: str) -> list[str]:
    parts = []
    for value in svg.ticks(scale.low, scale.high):
        parts.append(svg.line(left, scale(value), right, scale(value)))
        parts.append(svg.text(left - 8, scale(value) + 4, f"{value:g}", anchor="end", soft=True))
    middle = (scale.start + scale.end) / 2
    turned = svg.text(0, 0, name, anchor="middle", soft=True)
    return [*parts, f'<g transform="translate(14 {middle:.0f}) rotate(-90)">{turned}</g>']
