"""Versions that are right or wrong on the same rows: exact where it must be, never too easily passed elsewhere."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import optimize, stats

from airflow_registry.domain.stats.proportions import (
    ProportionDifference,
    _losing_share,
    mcnemar,
    mcnemar_two_sided,
    proportion_differences,
    tango,
)
from airflow_registry.domain.stats.rows import Sections
from airflow_registry.errors import InvalidMetricError

COUNTS = st.integers(0, 60)
BORDERS = st.floats(-0.99, 0.99)


def difference(wins, losses, rows, metric="accuracy"):
    right = (rows - wins - losses) // 2
    return ProportionDifference(
        metric=metric, rows=rows, challenger=(right + wins) / rows, baseline=(right + losses) / rows, wins=wins, losses=losses
    )


@st.composite
def tables(draw, most=60):
    wins, losses = draw(st.integers(0, most)), draw(st.integers(0, most))
    return wins, losses, max(1, wins + losses + draw(st.integers(0, 3 * most)))


@given(st.integers(0, 3000), st.integers(0, 3000))
def test_mcnemar_is_the_exact_binomial_test(wins, losses):
    assume(wins + losses)
    expected = stats.binomtest(wins, wins + losses, alternative="greater").pvalue
    assert mcnemar(wins, losses) == pytest.approx(expected, rel=1e-9, abs=1e-15)
    assert mcnemar_two_sided(wins, losses) == pytest.approx(stats.binomtest(wins, wins + losses).pvalue, rel=1e-9)


def test_mcnemar_stays_exact_for_a_million_rows_that_differ():
    assert mcnemar(501_000, 499_000) == pytest.approx(stats.binom.sf(500_999, 1_000_000, 0.5), rel=1e-6)
    assert mcnemar(600, 0) == pytest.approx(0.5**600)


def test_where_no_row_differs_nothing_is_shown():
    assert mcnemar(0, 0) == mcnemar_two_sided(0, 0) == 1.0


@pytest.mark.parametrize("counts", [(-1, 0), (0, -1)])
def test_counts_below_zero_are_refused(counts):
    with pytest.raises(InvalidMetricError, match="at least 0"):
        mcnemar(*counts)
    with pytest.raises(InvalidMetricError, match="at least 0"):
        mcnemar_two_sided(*counts)


@pytest.mark.parametrize(
    ("wins", "losses", "rows", "border"),
    [(10, 5, 100, -0.05), (10, 5, 100, 0.1), (3, 30, 200, -0.2), (0, 4, 50, -0.02), (4, 0, 50, 0.3), (7, 7, 20, 0.05)],
)
def test_the_share_of_lost_rows_is_the_most_likely_one(wins, losses, rows, border):
    def unlikelihood(share):
        return -(
            wins * math.log(share + border)
            + losses * math.log(share)
            + (rows - wins - losses) * math.log(max(1 - 2 * share - border, 1e-300))
        )

    low, high = max(0.0, -border) + 1e-12, (1 - border) / 2 - 1e-12
    best = optimize.minimize_scalar(unlikelihood, bounds=(low, high), method="bounded", options={"xatol": 1e-12}).x
    assert _losing_share(wins, losses, rows, border) == pytest.approx(best, abs=1e-5)


def exact_size(rows, border, differing, alpha):
    """Probability that a challenger whose true gain is the border passes, over all tables."""
    winning = (differing + border) / 2 / differing
    size = 0.0
    for total in range(int(stats.binom.ppf(1 - 1e-9, rows, differing)) + 1):
        wins = np.arange(total + 1)
        passed = [difference(int(count), total - int(count), rows).p_value(border) < alpha for count in wins]
        size += stats.binom.pmf(total, rows, differing) * stats.binom.pmf(wins, total, winning)[passed].sum()
    return size


@pytest.mark.parametrize("alpha", [0.05, 0.01])
@pytest.mark.parametrize("differing", [0.05, 0.1, 0.3])
@pytest.mark.parametrize("border", [-0.05, -0.01, 0.0, 0.02])
@pytest.mark.parametrize("rows", [20, 60, 200])
def test_a_gain_of_exactly_the_border_passes_at_most_alpha_of_the_time(rows, border, differing, alpha):
    assert exact_size(rows, border, differing, alpha) <= alpha


@given(tables(), st.floats(0.55, 0.999), BORDERS)
def test_the_lower_limit_is_above_a_border_exactly_if_the_p_value_says_so(table, confidence, border):
    one = difference(*table)
    limit = one.lower_limit(confidence)
    assume(abs(limit - border) > 1e-9)
    assert (limit > border) == (one.p_value(border) < 1 - confidence)
    assert (limit > 0) == (one.p_value(0) < 1 - confidence)


@given(tables(), BORDERS, BORDERS)
def test_a_higher_border_never_has_a_lower_p_value(table, first, second):
    one = difference(*table)
    values = [one.p_value(border) for border in sorted((first, second, 0.0))]
    assert values == sorted(values)
    assert all(0 <= value <= 1 for value in values)


@given(tables(), BORDERS)
def test_one_more_row_right_never_raises_the_p_value(table, border):
    wins, losses, rows = table
    before = difference(wins, losses, rows).p_value(border)
    if losses:
        assert difference(wins, losses - 1, rows).p_value(border) <= before + 1e-12
    if wins + losses < rows:
        assert difference(wins + 1, losses, rows).p_value(border) <= before + 1e-12


@given(tables(), st.floats(0.5, 0.999), st.floats(0.5, 0.999))
def test_more_confidence_never_raises_the_lower_limit(table, first, second):
    one = difference(*table)
    low, high = sorted((first, second))
    assert -1 <= one.lower_limit(high) <= one.lower_limit(low) <= 1


@given(tables(), st.floats(0.55, 0.99))
def test_swapped_roles_mirror_the_limits(table, confidence):
    wins, losses, rows = table
    one, other = difference(wins, losses, rows), difference(losses, wins, rows)
    assert one.upper_limit(confidence) == -other.lower_limit(confidence)
    assert one.gain == -other.gain
    assert one.standard_error == other.standard_error
    assert one.lower_limit(confidence) <= one.gain + 1e-12
    assert one.upper_limit(confidence) >= one.gain - 1e-12


def test_tango_agrees_with_its_uncorrected_form_on_many_rows():
    wins, losses, rows, border = 4300, 4000, 100_000, -0.001
    share = _losing_share(wins, losses, rows, border)
    z = (wins - losses - rows * border) / math.sqrt(rows * (2 * share + border * (1 - border)))
    assert tango(wins, losses, rows, border) == pytest.approx(stats.norm.sf(z), rel=0.05)


def test_no_difference_on_few_rows_is_no_proof_of_being_no_worse():
    assert difference(0, 0, 50).p_value(-0.02) > 0.05
    assert difference(0, 0, 5000).p_value(-0.02) < 0.05
    assert difference(0, 0, 1).p_value(0) == 1.0


def test_the_ends_of_the_scale():
    assert difference(0, 7, 7).p_value(-1) == 1.0
    assert difference(0, 6, 7).p_value(-1) == 0.0
    assert difference(0, 7, 7).p_value(-1.5) == 0.0
    assert difference(7, 0, 7).p_value(1) == difference(7, 0, 7).p_value(2) == 1.0
    assert difference(7, 0, 7).p_value(math.nan) == 1.0
    assert difference(0, 7, 7).lower_limit(0.95) == -1.0


@pytest.mark.parametrize(("wins", "losses"), [(4, 0), (6, 1), (8, 2), (14, 6)])
def test_a_limit_that_only_the_score_test_puts_above_zero_is_zero(wins, losses):
    one = difference(wins, losses, 100)
    assert tango(wins, losses, 100, 1e-9) < 0.05 < one.p_value(0)
    assert one.lower_limit(0.95) == 0.0


def test_a_limit_that_only_the_exact_test_puts_above_zero_is_above_it():
    one = difference(60, 0, 60)
    confidence = 1 - 1e-15
    assert one.p_value(0) < 1 - confidence
    assert one.lower_limit(confidence) > 0


def test_a_reason_names_the_test_that_was_made():
    one = difference(3, 2, 10)
    assert one.method_at(0) == "exact McNemar"
    assert one.method_at(-0.01) == "Tango score"


@pytest.mark.parametrize(("rows", "differing"), [(2000, 0.1), (20_000, 0.05)])
def test_the_detectable_gain_is_seen_with_the_stated_power(rows, differing):
    half = round(rows * differing / 2)
    gain = difference(half, half, rows).detectable(0.95, 0.8)
    total = 2 * half
    wins = np.arange(total + 1)
    passed = [difference(int(count), total - int(count), rows).p_value(0) < 0.05 for count in wins]
    power = stats.binom.pmf(wins, total, (1 + gain / differing) / 2)[passed].sum()
    assert power == pytest.approx(0.8, abs=0.02)
    assert difference(0, 0, 10).detectable(0.95) > 0


def test_counts_of_sections_are_those_of_their_rows():
    random = np.random.default_rng(1)
    challenger, baseline = random.random((2, 500)) < 0.7
    codes = random.integers(-1, 4, 500)
    known = np.ones(500, dtype=bool)
    found = proportion_differences("error_rate", challenger, baseline, known, Sections.of(500, codes, 5))
    assert list(found) == [-1, 0, 1, 2, 3, 4]
    for at in range(-1, 4):
        rows = codes == at if at >= 0 else np.ones(500, dtype=bool)
        one = found[at]
        assert (one.rows, one.wins, one.losses) == (
            rows.sum(), (challenger & ~baseline & rows).sum(), (baseline & ~challenger & rows).sum(),
        )  # fmt: skip
        assert one.challenger == pytest.approx(1 - challenger[rows].mean())
        assert one.baseline == pytest.approx(1 - baseline[rows].mean())
        assert one.gain == pytest.approx(one.baseline - one.challenger)
        gains = challenger[rows].astype(float) - baseline[rows]
        assert one.standard_error == pytest.approx(gains.std() / math.sqrt(rows.sum()))
    assert found[4] is None


def test_a_row_that_is_unknown_spoils_its_sections_only():
    right, known = np.ones(6, dtype=bool), np.array([True] * 5 + [False])
    found = proportion_differences("accuracy", right, ~right, known, Sections.of(6, np.array([0, 0, 0, 1, 1, 1]), 2))
    assert found[0].gain == 1.0
    assert found[1] is found[-1] is None
