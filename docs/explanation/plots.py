"""Draws the plots of gate.md, and the numbers that stand in its text.

    python docs/explanation/plots.py

Nothing here is left to chance: what can be computed exactly is, and the one simulation uses the package's own generator, so that every
run writes the same bytes. A test compares them with the files beside this one.
"""
# ruff: noqa: INP001  a script among pages, and no part of a package

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import NormalDist

import numpy as np  # noqa: TID253  a script, which no DAG imports

from airflow_registry.cli.report import svg
from airflow_registry.cli.report.plots import Point, Row, forest
from airflow_registry.cli.report.svg import COLOURS, WIDTH, Scale
from airflow_registry.domain.stats.draws import words

HERE = Path(__file__).parent
NORMAL = NormalDist()
DISAGREEMENT = 0.10  # share of rows on which exactly one of two versions is right
CONFIDENCE, MARGIN, POWER = 0.95, 0.5, 0.80  # margins and gains are in points: hundredths of a share
LEFT, RIGHT, TOP, HEIGHT, BOTTOM = 72.0, WIDTH - 44.0, 44.0, 260.0, 56.0


# -- plots -------------------------------------------------------------------------------------------------------------------------


def plain_wins() -> str:
    """How often a challenger that is exactly as good wins."""
    sizes = [100, 200, 500, 1000, 2000, 5000, 10_000]
    plain, tested = zip(*(equal_challenger_wins(rows) for rows in sizes), strict=True)
    x, y = _log_x(sizes[0], sizes[-1]), _y(0.0, 0.55)
    parts = [*_axes(x, y, sizes, [0.0, 0.1, 0.2, 0.3, 0.4, 0.5], "rows in the evaluation", "share of tries that it wins", as_percent=True)]
    for series, values in enumerate((plain, tested)):
        parts.append(svg.curve([(x(math.log(n)), y(p)) for n, p in zip(sizes, values, strict=True)], f"s{series}"))
        parts += [svg.marker(x(math.log(n)), y(p), series) for n, p in zip(sizes, values, strict=True)]
    parts += _legend("challenger > champion", "improve_by: 0 with confidence: 0.95")
    words_ = "; ".join(f"{n:,} rows: {a:.1%} and {b:.1%}" for n, a, b in zip(sizes, plain, tested, strict=True))
    return _drawing("How often an equal challenger wins", f"By plain comparison and with 95 % confidence. {words_}.", parts)


def creep() -> str:
    """What many small losses add up to."""
    weeks = range(53)
    x, y = Scale(low=0, high=52, start=LEFT, end=RIGHT), _y(-4.5, 1.0)
    parts = [*_axes(x, y, [0, 10, 20, 30, 40, 52], [-4.0, -3.0, -2.0, -1.0, 0.0, 1.0], "weeks", "points against the first champion")]
    told = []
    for series, gate in enumerate(GATES):
        history = histories(gate)
        mean, worst = history.mean(axis=0), np.quantile(history, 0.05, axis=0)
        parts.append(svg.band(_points(x, y, weeks, worst), _points(x, y, weeks, mean), f"s{series}"))
        parts.append(svg.curve(_points(x, y, weeks, mean), f"s{series}"))
        parts += [svg.marker(x(week), y(float(mean[week])), series) for week in (13, 26, 39, 52)]
        told.append(f"{gate.name}: {mean[52]:+.1f} points after a year on average, {worst[52]:+.1f} in the worst twentieth")
    parts += _legend(*(gate.name for gate in GATES))
    return _drawing("A year of weekly retrains under three gates", "; ".join(told) + ".", parts)


def outcomes() -> str:
    """What the gate says, by how good the challenger really is."""
    parts, told = [], []
    for panel, rows in enumerate((2000, 20_000)):
        start = LEFT + panel * (RIGHT - LEFT + 40) / 2
        x, y = Scale(low=-3.0, high=3.0, start=start, end=start + (RIGHT - LEFT - 40) / 2), _y(0.0, 1.0)
        gains = [step / 10 for step in range(-30, 31)]
        refused, unknown = ([chance(gain, rows)[at] for gain in gains] for at in (0, 1))
        floors = [[0.0] * len(gains), refused, [a + b for a, b in zip(refused, unknown, strict=True)], [1.0] * len(gains)]
        for series, (low, high) in zip((1, 3, 0), pairwise(floors), strict=True):
            parts.append(svg.band(_points(x, y, gains, low), _points(x, y, gains, high), f"s{series} strong"))
        parts += _axes(x, y, [-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0], [0.0, 0.5, 1.0] if panel == 0 else [], "true gain in points", "")
        parts += [svg.line(x(-MARGIN), y(0), x(-MARGIN), y(1), "border"), svg.text(x(0), TOP - 6, f"{rows:,} rows", anchor="middle")]
        told.append(f"with {rows:,} rows an equal challenger is approved in {chance(0.0, rows)[2]:.0%} of tries")
    parts += _legend("REFUSED", "INCONCLUSIVE", "APPROVED", series=(1, 3, 0), y=14)
    return _drawing("What the gate says, by how good the challenger really is", f"Stacked shares of outcomes; {'; '.join(told)}.", parts)


def detectable_gains() -> str:
    """How small a gain so many rows can show."""
    sizes = [500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000]
    x = _log_x(sizes[0], sizes[-1])
    y = Scale(low=math.log(0.1), high=math.log(6.0), start=TOP + HEIGHT, end=TOP)
    parts = [*_axes(x, y, sizes, [0.1, 0.2, 0.5, 1.0, 2.0, 5.0], "rows in the evaluation", "gain in points", log_y=True)]
    shares = (0.20, 0.10, 0.05)
    for series, share in enumerate(shares):
        curve = [(x(math.log(n)), y(math.log(detectable(n, share)))) for n in sizes]
        parts += [svg.curve(curve, f"s{series}"), *(svg.marker(*place, series) for place in curve)]
    parts += _legend(*(f"differ on {100 * share:.0f} % of the rows" for share in shares))
    words_ = "; ".join(f"{n:,} rows: {detectable(n, DISAGREEMENT):.2f} points" for n in sizes)
    return _drawing("The smallest gain that is seen four times in five", f"Where the versions differ on 10 % of the rows: {words_}.", parts)


def three_decisions() -> str:
    """How a lower limit decides."""
    rows = [
        Row(label="APPROVED: all of it is right of the border", points=(Point(series=0, value=0.4, low=-0.3, high=1.1),), border=-MARGIN),
        Row(label="INCONCLUSIVE: the border is inside", points=(Point(series=0, value=-0.1, low=-0.8, high=0.6),), border=-MARGIN),
        Row(label="REFUSED: all of it is left of the border", points=(Point(series=0, value=-1.4, low=-2.1, high=-0.7),), border=-MARGIN),
    ]
    found = forest(rows, ["gain with its limits"], title="Three decisions by no_worse_than: 0.5 points", axis="gain in points", labels=400)
    return found.replace("</desc>\n", f'</desc>\n<style>\n{COLOURS}</style>\n<rect class="paper" width="100%" height="100%"/>\n', 1)


PLOTS = {
    "plain-wins.svg": plain_wins,
    "creep.svg": creep,
    "outcomes.svg": outcomes,
    "detectable.svg": detectable_gains,
    "three-decisions.svg": three_decisions,
}


# -- what they show ----------------------------------------------------------------------------------------------------------------


def equal_challenger_wins(rows: int, alpha: float = 1 - CONFIDENCE) -> tuple[float, float]:
    """Chances that an equal challenger is strictly better on the rows, and that the exact McNemar test at `alpha` says so.

    The rows on which exactly one version is right are binomial; of these the challenger wins a binomial half. Both sums are exact.
    """
    plain = tested = 0.0
    middle, spread = rows * DISAGREEMENT, math.sqrt(rows * DISAGREEMENT * (1 - DISAGREEMENT))
    for differing in range(max(0, int(middle - 7 * spread)), min(rows, int(middle + 7 * spread)) + 1):
        share = math.exp(_log_binomial(rows, differing, DISAGREEMENT))
        wins = np.exp([_log_binomial(differing, won, 0.5) for won in range(differing + 1)])
        tails = np.cumsum(wins[::-1])[::-1]
        plain += share * float(wins[differing // 2 + 1 :].sum())
        tested += share * float(max(tails[tails < alpha], default=0.0))
    return plain, tested


def _log_binomial(rows: int, hits: int, share: float) -> float:
    choose = math.lgamma(rows + 1) - math.lgamma(hits + 1) - math.lgamma(rows - hits + 1)
    return choose + hits * math.log(share) + (rows - hits) * math.log(1 - share)


def error(rows: int, disagreement: float = DISAGREEMENT) -> float:
    """Standard error of a gain in accuracy, in points."""
    return 100 * math.sqrt(disagreement / rows)


def chance(gain: float, rows: int) -> tuple[float, float, float]:
    """Chances of REFUSED, INCONCLUSIVE and APPROVED under `no_worse_than: 0.5 points, confidence: 0.95`."""
    distance, width = (gain + MARGIN) / error(rows), NORMAL.inv_cdf(CONFIDENCE)
    approved, refused = NORMAL.cdf(distance - width), NORMAL.cdf(-distance - width)
    return refused, 1 - approved - refused, approved


def detectable(rows: int, disagreement: float) -> float:
    """How far above its border a gain must be to be seen in 80 % of tries, in points."""
    return (NORMAL.inv_cdf(CONFIDENCE) + NORMAL.inv_cdf(POWER)) * error(rows, disagreement)


@dataclass(frozen=True, kw_only=True)
class Gate:
    """A gate of the simulation; margins in points.

    Attributes:
        name: For the legend.
        anchor: Margin against the first champion, None for no such rule.
        confidence: With it the limit of the gain counts, with 0.5 the gain itself.
    """

    name: str
    anchor: float | None = None
    confidence: float = 0.5

    def lets_pass(self, against_champion: float, against_anchor: float) -> bool:
        """Whether the gains that were seen suffice."""
        width = NORMAL.inv_cdf(self.confidence) * error(ROWS)
        holds = against_champion - width >= -MARGIN
        return holds and (self.anchor is None or against_anchor - width >= -self.anchor)


ROWS, HISTORIES, SEED = 2000, 400, 20261123
DRIFT, SPREAD = -0.1, 0.3  # of a retrain against the champion, in points: a little worse on average
GATES = (
    Gate(name="champion only"),
    Gate(name="champion and anchor", anchor=1.0),
    Gate(name="both, with confidence 0.95", anchor=1.0, confidence=CONFIDENCE),
)


def histories(gate: Gate) -> np.ndarray:
    """(HISTORIES, 53) true quality of the champion against the first one, in points, week by week.

    Every week a retrain is the champion plus normal(DRIFT, SPREAD). It is compared on 2,000 fresh rows, so that what is seen of a gain is
    the gain plus a normal error.
    """
    found = np.zeros((HISTORIES, 53))
    normals = _normals(HISTORIES * 52 * 3).reshape(HISTORIES, 52, 3)
    for story, draws in zip(found, normals, strict=True):
        for week, (change, luck, other_luck) in enumerate(draws):
            champion = story[week]
            challenger = champion + DRIFT + SPREAD * change
            seen = challenger - champion + error(ROWS) * luck, challenger + error(ROWS) * other_luck
            story[week + 1] = challenger if gate.lets_pass(*seen) else champion
    return found


def _normals(count: int) -> np.ndarray:
    uniform = (words(SEED, 0, 0, count) >> np.uint64(12)).astype(np.float64) / 2.0**52 + 2.0**-53
    return np.array([NORMAL.inv_cdf(value) for value in uniform.tolist()])


def numbers() -> dict[str, str]:
    """What the text quotes, as it quotes it."""
    ends = {gate.name: histories(gate)[:, 52] for gate in GATES}
    means = [float(end.mean()) for end in ends.values()]
    worst = [float(np.quantile(end, 0.05)) for end in ends.values()]
    few, many = equal_challenger_wins(200), equal_challenger_wins(10_000)
    return {
        "an equal challenger wins": f"{100 * few[0]:.0f} to {100 * many[0]:.0f} %",
        "with confidence it wins": f"{100 * few[1]:.1f} to {100 * many[1]:.1f} %",
        "lost in a year": f"{-means[0]:.1f} points",
        "lost in the worst histories": f"{-worst[0]:.1f} points",
        "lost with an anchor": f"{-means[1]:.1f} points",
        "lost with an anchor in the worst histories": f"{-worst[1]:.1f} points",
        "won with confidence": f"{means[2]:+.1f} points",
        "worst histories with confidence": f"{worst[2]:+.1f} points",
        "approved of 2,000": f"{100 * chance(0.0, 2000)[2]:.0f} %",
        "approved of 20,000": f"{100 * chance(0.0, 20_000)[2]:.0f} %",
        "detectable with 2,000": f"{detectable(2000, DISAGREEMENT):.1f} points",
        "detectable with 20,000": f"{detectable(20_000, DISAGREEMENT):.1f} points",
    }


# -- drawing -----------------------------------------------------------------------------------------------------------------------


def _drawing(title: str, description: str, parts: list[str]) -> str:
    style = f"{COLOURS}svg .strong {{ fill-opacity: 0.55; }}\n"
    return svg.drawing(TOP + HEIGHT + BOTTOM, title=title, description=description, parts=parts, style=style)


def _y(low: float, high: float) -> Scale:
    return Scale(low=low, high=high, start=TOP + HEIGHT, end=TOP)


def _log_x(low: float, high: float) -> Scale:
    return Scale(low=math.log(low), high=math.log(high), start=LEFT, end=RIGHT)


def _points(x: Scale, y: Scale, places: object, values: object) -> list[tuple[float, float]]:
    return [(x(float(place)), y(float(value))) for place, value in zip(places, values, strict=True)]  # type: ignore[call-overload]


def _axes(
    x: Scale, y: Scale, at_x: list, at_y: list, x_name: str, y_name: str, *, as_percent: bool = False, log_y: bool = False
) -> list[str]:
    """Lines, numbers and names; x is logarithmic where its numbers lie beyond its scale."""
    parts = []
    for value in at_y:
        height = y(math.log(value) if log_y else value)
        label = f"{100 * value:.0f} %" if as_percent else f"{value:g}"
        parts += [svg.line(x.start, height, x.end, height), svg.text(x.start - 8, height + 4, label, anchor="end", soft=True)]
    for value in at_x:
        place = x(math.log(value) if value > x.high else value)
        parts += [svg.line(place, y.start, place, y.start + 5), svg.text(place, y.start + 20, f"{value:,g}", anchor="middle", soft=True)]
    parts.append(svg.text((x.start + x.end) / 2, y.start + 42, x_name, anchor="middle", soft=True))
    turned = svg.text(0, 0, y_name, anchor="middle", soft=True)
    return [*parts, f'<g transform="translate(16 {(y.start + y.end) / 2:.0f}) rotate(-90)">{turned}</g>']


def _legend(*names: str, series: tuple[int, ...] = (0, 1, 2), y: float = 18.0) -> list[str]:
    parts, x = [], LEFT + 8.0
    for name, at in zip(names, series, strict=False):
        parts += [svg.marker(x, y - 4, at), svg.text(x + 12, y, name)]
        x += 36 + 7.8 * len(name)
    return parts


if __name__ == "__main__":
    for name, draw in PLOTS.items():
        (HERE / name).write_text(draw(), encoding="utf-8")
    for name, value in numbers().items():
        print(f"{name}: {value}")  # noqa: T201  a script
