"""A year of weekly retrains: a gate by confidence, with an anchor, does not rot; a gate by the plain margin does.

Each week a candidate comes that is the champion plus N(-0.1, 0.3) points of accuracy; both are compared on 2,000 new test rows, on 10 %
of which they differ. The counts of rows that candidate, champion and anchor got right are drawn at once, because all three are scored on
the same rows.
"""

from functools import cache

import numpy as np
import pytest

from airflow_registry.domain.stats.proportions import ProportionDifference

ROWS, WEEKS, DIFFERING, START = 2000, 52, 0.10, 0.85
MARGIN = 0.01
HISTORIES = [400, pytest.param(10_000, marks=pytest.mark.soak)]


@cache
def is_no_worse(wins, losses, margin):
    one = ProportionDifference(metric="accuracy", rows=ROWS, challenger=0.0, baseline=0.0, wins=wins, losses=losses)
    return one.lower_limit(0.95) >= -margin


def by_confidence(margin):
    return lambda wins, losses: np.array([is_no_worse(*pair, margin) for pair in zip(wins.tolist(), losses.tolist(), strict=True)])


def by_value(margin):
    return lambda wins, losses: (wins - losses) / ROWS >= -margin


def counts(random, gained, step, is_anchor):
    """Rows by (anchor, champion, candidate) is right, for each history: the candidate's flips depend on the champion alone."""
    differing = np.where(is_anchor, 0.0, DIFFERING)
    won, lost = (differing + gained) / 2, (differing - gained) / 2
    pairs = [START - lost, lost, won, 1 - START - won]  # (1, 1), (1, 0), (0, 1), (0, 0)
    fixed, broken = (DIFFERING + step) / 2 / (1 - START - gained), (DIFFERING - step) / 2 / (START + gained)
    cells = [pair * share for pair, flip in zip(pairs, [broken, fixed] * 2, strict=True) for share in (1 - flip, flip)]
    return random.multinomial(ROWS, np.stack(cells, axis=1)).T


def year(gate, *, with_anchor, histories):
    """The champion's true gain over the anchor after a year, and the promotions, of each history."""
    random = np.random.default_rng(52)
    gained, promotions = np.zeros(histories), np.zeros(histories, dtype=int)
    for _ in range(WEEKS):
        step = random.normal(-0.001, 0.003, histories)
        # 1 is right and 0 wrong, of anchor, champion and candidate: (111, 110), (100, 101), (011, 010), (000, 001)
        _, c110, c100, c101, c011, c010, _, c001 = counts(random, gained, step, promotions == 0)
        passed = gate(c101 + c001, c110 + c010)
        if with_anchor:
            passed &= gate(c011 + c001, c110 + c100)
        gained += step * passed
        promotions += passed
    return 100 * gained, promotions


def told(name, points, promotions, margin):
    worst = np.quantile(points, 0.05)
    print(
        f"\n{name}: {points.mean():+.2f} points on average, worst 5 % {worst:+.2f}, "
        f"{(points < -100 * margin).mean():.1%} lose more than {100 * margin:g}, {promotions.mean():.1f} promotions"
    )


@pytest.mark.parametrize("histories", HISTORIES)
def test_with_confidence_and_an_anchor_a_year_loses_the_margin_in_few_histories_and_nothing_on_average(histories):
    points, promotions = year(by_confidence(MARGIN), with_anchor=True, histories=histories)
    told("confidence, champion and anchor", points, promotions, MARGIN)
    assert points.mean() >= 0
    assert (points < -100 * MARGIN).mean() <= 0.05
    assert promotions.mean() > 5


@pytest.mark.parametrize("histories", HISTORIES)
def test_without_the_anchor_more_histories_lose_the_margin(histories):
    points, promotions = year(by_confidence(MARGIN), with_anchor=False, histories=histories)
    told("confidence, champion alone", points, promotions, MARGIN)
    assert (points < -100 * MARGIN).mean() > 0.08


@pytest.mark.parametrize("histories", HISTORIES)
def test_a_plain_margin_of_half_a_point_loses_more_than_a_point_on_average(histories):
    points, promotions = year(by_value(0.005), with_anchor=False, histories=histories)
    told("value, champion alone", points, promotions, 0.005)
    assert points.mean() < -1
    assert (points < -0.5).mean() > 0.5


@pytest.mark.soak
@pytest.mark.parametrize("margin", [0.005, 0.015, 0.02])
def test_whatever_the_margin_the_anchor_keeps_the_loss_within_it(margin):
    points, promotions = year(by_confidence(margin), with_anchor=True, histories=4000)
    told(f"confidence, champion and anchor, margin {100 * margin:g}", points, promotions, margin)
    assert (points < -100 * margin).mean() <= 0.08
