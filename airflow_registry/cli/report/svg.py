"""Drawing as SVG text: a few pure functions, because a plot library would weigh more than everything else here.

A drawing is as wide as its place allows. Colours come from classes (`s0`, `s1`, …) that `COLOURS` defines for light and dark; they are
of Okabe and Ito's palette, which people of all kinds of colour vision can tell apart, and each series has a marker of its own besides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape

from airflow_registry.cli.render import shown

WIDTH = 760
SERIES = 4
COLOURS = """\
svg { --ink: #1b1f24; --soft: #57606a; --line: #d0d7de; --paper: #ffffff; --s0: #0072b2; --s1: #d55e00; --s2: #007a5a; --s3: #a3478a; }
@media (prefers-color-scheme: dark) {
  svg { --ink: #e6edf3; --soft: #9aa4af; --line: #3d444d; --paper: #0d1117; --s0: #56b4e9; --s1: #f0a63c; --s2: #2fc298; --s3: #d99ac5; }
}
@media print {
  svg { --ink: #000000; --soft: #444444; --line: #bbbbbb; --paper: #ffffff; --s0: #0072b2; --s1: #d55e00; --s2: #007a5a; --s3: #a3478a; }
}
svg text { font: 13px system-ui, sans-serif; fill: var(--ink); }
svg .paper { fill: var(--paper); }
svg .soft { fill: var(--soft); }
svg .line { stroke: var(--line); fill: none; }
svg .border { stroke: var(--ink); stroke-dasharray: 5 4; fill: none; }
svg .s0 { stroke: var(--s0); fill: var(--s0); } svg .s1 { stroke: var(--s1); fill: var(--s1); }
svg .s2 { stroke: var(--s2); fill: var(--s2); } svg .s3 { stroke: var(--s3); fill: var(--s3); }
svg .curve { fill: none; stroke-width: 2; }
svg .band { stroke: none; fill-opacity: 0.18; }
svg .bar { stroke: none; fill-opacity: 0.75; }
svg .hollow { fill: var(--paper); stroke-width: 2; }
svg .limit { stroke-width: 2; }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """From values to places in the drawing: `low` is at `start`, `high` at `end`."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The place of a value; beyond the ends it stays at the end."""
        inside = min(max(value, self.low), self.high)
        return self.start + (self.end - self.start) * (inside - self.low) / (self.high - self.low)


def span(values: list[float], *, room: float = 0.05) -> tuple[float, float]:
    """Smallest and largest finite value with some room around them; never empty.

    >>> span([0.0, 1.0, float("nan")], room=0.5)
    (-0.5, 1.5)
    """
    finite = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(finite), max(finite)
    spare = (high - low) * room or abs(high) * 0.05 or 1.0
    return low - spare, high + spare


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers between two others, at most so many.

    >>> ticks(0.0, 1.0)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(size * power for size in (1, 2, 5, 10) if size * power >= raw * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{place * step:.12g}") for place in range(first, last + 1)]


def drawing(height: float, *, title: str, description: str, parts: list[str], width: float = WIDTH, style: str = "") -> str:
    """One drawing with a name and a description for those who do not see it.

    Args:
        height: In units of the drawing.
        title: What it shows, in one line.
        description: What it says, in words.
        parts: Its elements.
        width: In units of the drawing.
        style: A style sheet, for a drawing that stands alone in a file.
    """
    inner = "\n".join(parts)
    # Alone in a file it must not rely on the colour of the page around it, which may be dark where the reader's system is light.
    sheet = f'<style>\n{style}</style>\n<rect class="paper" width="100%" height="100%"/>\n' if style else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_n(width)}" height="{_n(height)}" viewBox="0 0 {_n(width)} {_n(height)}" '
        'role="img">\n'
        f"<title>{text_of(title)}</title>\n<desc>{text_of(description)}</desc>\n{sheet}{inner}\n</svg>\n"
    )


def text(x: float, y: float, content: str, *, anchor: str = "start", soft: bool = False, most: int = 0) -> str:
    """Words; longer than `most` letters they are cut, and whole when one points at them."""
    flat = shown(content)
    is_cut = 0 < most < len(flat)
    words = escape(f"{flat[: most - 1]}…" if is_cut else flat)
    whole = f"<title>{escape(flat)}</title>" if is_cut else ""
    look = ' class="soft"' if soft else ""
    return f'<text x="{_n(x)}" y="{_n(y)}" text-anchor="{anchor}"{look}>{whole}{words}</text>'


def line(x1: float, y1: float, x2: float, y2: float, look: str = "line") -> str:
    """A straight line."""
    return f'<line class="{look}" x1="{_n(x1)}" y1="{_n(y1)}" x2="{_n(x2)}" y2="{_n(y2)}"/>'


def curve(points: list[tuple[float, float]], look: str) -> str:
    """A line through points."""
    return f'<polyline class="curve {look}" points="{" ".join(f"{_n(x)},{_n(y)}" for x, y in points)}"/>'


def band(lower: list[tuple[float, float]], upper: list[tuple[float, float]], look: str) -> str:
    """The area between two lines of points with the same order."""
    return f'<polygon class="band {look}" points="{" ".join(f"{_n(x)},{_n(y)}" for x, y in [*lower, *reversed(upper)])}"/>'


def bar(x: float, y: float, width: float, height: float, look: str) -> str:
    """A filled rectangle."""
    return f'<rect class="bar {look}" x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}"/>'


def marker(x: float, y: float, series: int, *, hollow: bool = False, tip: str = "") -> str:
    """The sign of a series at a place: circle, square, diamond, triangle."""
    corners = (
        None,
        [(-4.5, -4.5), (4.5, -4.5), (4.5, 4.5), (-4.5, 4.5)],
        [(0, -6.5), (6.5, 0), (0, 6.5), (-6.5, 0)],
        [(0, -6), (6, 5), (-6, 5)],
    )[series % SERIES]
    look = f"s{series % SERIES}{' hollow' if hollow else ''}"
    inner = f"<title>{text_of(tip)}</title>" if tip else ""
    if corners is None:
        return f'<circle class="{look}" cx="{_n(x)}" cy="{_n(y)}" r="5">{inner}</circle>'
    return f'<polygon class="{look}" points="{" ".join(f"{_n(x + dx)},{_n(y + dy)}" for dx, dy in corners)}">{inner}</polygon>'


def text_of(content: str) -> str:
    """Text as it may stand between tags."""
    return escape(shown(content))


def _n(number: float) -> str:
    """A place with one digit, so that the same facts give the same bytes on every machine.

    >>> _n(12.0), _n(-0.04), _n(3.14159)
    ('12', '0', '3.1')
    """
    rounded = round(number, 1) + 0.0
    return f"{rounded:.0f}" if rounded == int(rounded) else f"{rounded:.1f}"
