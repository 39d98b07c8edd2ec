"""Mean losses of two versions: values, limits and p-values belong together, and nothing passes by accident."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from airflow_registry.domain.stats.bootstrap import REPLICATES
from airflow_registry.domain.stats.means import LossDifference, loss_differences
from airflow_registry.domain.stats.rows import Sections

LOSSES = st.lists(st.tuples(st.floats(0, 10), st.floats(0, 10)), min_size=2, max_size=60).map(lambda pairs: np.array(pairs).T)


def compared(challenger, baseline, metric="mae", codes=None, n_slices=0):
    challenger, baseline = np.asarray(challenger, dtype=float), np.asarray(baseline, dtype=float)
    return loss_differences(metric, challenger, baseline, Sections.of(len(challenger), codes, n_slices), seed=4)


def like(t_statistics, gain=0.2, rows=500):
    return LossDifference(
        metric="mae", rows=rows, challenger=1.0, baseline=1.2, gain=gain, standard_error=0.1, replicates=np.sort(t_statistics)
    )


@given(LOSSES)
@settings(max_examples=25)
def test_values_are_means_and_the_standard_error_is_that_of_scipy(losses):
    challenger, baseline = losses
    one = compared(challenger, baseline)[-1]
    assert one.challenger == pytest.approx(challenger.mean())
    assert one.baseline == pytest.approx(baseline.mean())
    assert one.gain == pytest.approx((baseline - challenger).mean(), abs=1e-9)
    assert one.standard_error == pytest.approx(stats.sem(baseline - challenger), abs=1e-9)


def test_of_a_root_the_gain_is_between_roots_and_its_error_that_of_a_plain_bootstrap():
    random = np.random.default_rng(6)
    challenger, baseline = random.normal(size=(2, 3000)) ** 2 * [[1.0], [1.4]]
    one = compared(challenger, baseline, "rmse")[-1]
    assert one.challenger == pytest.approx(math.sqrt(challenger.mean()))
    assert one.gain == pytest.approx(math.sqrt(baseline.mean()) - math.sqrt(challenger.mean()))
    plain = stats.bootstrap(
        (challenger, baseline), lambda c, b, axis: np.sqrt(b.mean(axis=axis)) - np.sqrt(c.mean(axis=axis)),
        paired=True, vectorized=True, n_resamples=3000, method="percentile", confidence_level=0.9, rng=random,
    )  # fmt: skip
    assert one.standard_error == pytest.approx(plain.standard_error, rel=0.06)
    assert one.lower_limit(0.95) == pytest.approx(plain.confidence_interval.low, abs=0.25 * one.standard_error)
    assert one.upper_limit(0.95) == pytest.approx(plain.confidence_interval.high, abs=0.25 * one.standard_error)


def test_a_root_of_nothing_but_zeros_is_compared_too():
    one = compared(np.zeros(50), np.linspace(0.5, 1.5, 50), "rmse")[-1]
    assert one.challenger == 0.0
    assert one.gain == pytest.approx(one.baseline) == pytest.approx(1.0, abs=0.05)
    assert 0 < one.lower_limit(0.95) < one.gain


@given(LOSSES, st.floats(0.55, 0.999), st.floats(-5, 5))
@settings(max_examples=25)
def test_the_lower_limit_is_above_a_border_exactly_if_the_p_value_says_so(losses, confidence, border):
    one = compared(*losses)[-1]
    limit = one.lower_limit(confidence)
    if not math.isclose(limit, border, rel_tol=1e-9, abs_tol=1e-9):
        assert (limit > border) == (one.p_value(border) < 1 - confidence)


@given(LOSSES, st.floats(0.51, 0.999), st.floats(0.51, 0.999))
@settings(max_examples=25)
def test_limits_and_p_values_are_monotone_and_swapped_roles_mirror_them(losses, first, second):
    one, other = compared(*losses)[-1], compared(*losses[::-1])[-1]
    low, high = sorted((first, second))
    assert one.lower_limit(high) <= one.lower_limit(low) <= one.gain + 1e-9
    assert one.upper_limit(high) >= one.upper_limit(low)
    assert one.upper_limit(low) == pytest.approx(-other.lower_limit(low), rel=1e-6, abs=1e-6)
    values = [one.p_value(border) for border in np.linspace(-6, 6, 7)]
    assert values == sorted(values)
    assert all(0 < value <= 1 for value in values)
    assert 0 <= one.detectable(low) <= one.detectable(high)


@given(LOSSES, st.floats(0, 1), st.floats(-2, 2))
@settings(max_examples=25)
def test_being_better_by_the_same_on_each_row_never_raises_the_p_value(losses, better, border):
    challenger, baseline = losses
    assert compared(challenger - better, baseline)[-1].p_value(border) <= compared(challenger, baseline)[-1].p_value(border) + 1e-9


def test_a_slice_is_compared_as_if_it_were_alone():
    random = np.random.default_rng(9)
    losses, codes = random.exponential(size=(2, 600)), random.integers(-1, 3, 600)
    for metric in ("mse", "rmse"):
        found = compared(*losses, metric, codes, 4)
        assert list(found) == [-1, 0, 1, 2, 3]
        for at in range(3):
            alone = compared(*losses[:, codes == at], metric)[-1]
            for name in ("rows", "challenger", "baseline", "gain", "standard_error"):
                assert getattr(found[at], name) == pytest.approx(getattr(alone, name), rel=1e-9)
            assert found[at].lower_limit(0.95) == pytest.approx(alone.lower_limit(0.95), rel=1e-6)
        assert found[3] is None


@pytest.mark.parametrize("wrong", [math.nan, math.inf, 1e308])
def test_a_loss_that_is_not_finite_spoils_its_sections_only(wrong):
    losses = np.ones((2, 40)) * np.arange(40)
    losses[0, -2:] = wrong
    found = compared(*losses, "mse", np.repeat([0, 1], 20), 2)
    assert found[-1] is found[1] is None
    assert found[0].rows == 20


def test_one_row_has_no_difference():
    assert compared([1.0], [2.0]) == {-1: None}


@pytest.mark.parametrize("rows", [2, 3, 4])
def test_a_few_rows_that_are_all_better_pass_nothing(rows):
    for baseline in (np.full(rows, 2.0), 2.0 + np.arange(rows) * 0.001):
        one = compared(np.ones(rows), baseline)[-1]
        assert one.p_value(0) >= 0.5**rows > 0.05
        assert one.lower_limit(0.95) == -math.inf
        assert one.detectable(0.95) == math.inf


def test_the_same_gain_on_each_of_many_rows_is_certain():
    one = compared(np.ones(100), np.full(100, 2.0))[-1]
    assert (one.gain, one.standard_error, one.lower_limit(0.95), one.upper_limit(0.95), one.detectable(0.95)) == (1, 0, 1, 1, 0)
    assert one.p_value(0.99) == 0.5**100
    assert one.p_value(1.0) == 1.0


def test_where_the_largest_resamples_are_all_the_same_nothing_is_said_beyond_them():
    one = like(np.repeat([0.0, 3.0], [1900, 100]), gain=1.0)  # ten standard errors
    assert one.p_value(0.0) > 0.02
    assert one.lower_limit(0.95) == pytest.approx(1.0 - 0.1 * 3.0)
    assert one.lower_limit(0.999) < -1e6


def test_equal_losses_pass_no_superiority():
    one = compared(np.arange(100), np.arange(100))[-1]
    assert (one.gain, one.standard_error) == (0.0, 0.0)
    assert one.p_value(0) == 1.0
    assert one.p_value(-0.01) < 1e-20


def test_differences_that_rounding_alone_makes_are_none():
    losses = np.full(100, 1 / 3)
    one = compared(losses, losses + 1e-16)[-1]
    assert (one.gain, one.standard_error) == (0.0, 0.0)
    assert one.p_value(0) == 1.0


def test_the_p_value_is_the_share_of_resamples_that_reach_the_gain():
    t = np.linspace(-5, 5, REPLICATES)  # heavier than Student's, which therefore does not count
    one = like(t, gain=0.2)  # two standard errors
    assert one.p_value(0.0) == pytest.approx((1 + (t >= 2.0).sum()) / (1 + REPLICATES))
    assert one.lower_limit(0.9) == pytest.approx(0.2 - 0.1 * np.quantile(t, 0.9), abs=0.001)
    assert like(t).detectable(0.9, 0.8) == pytest.approx(0.1 * (np.quantile(t, 0.9) + stats.norm.ppf(0.8)), abs=0.001)


def test_student_counts_where_the_resamples_are_lighter():
    one = like(np.linspace(-1, 1, REPLICATES))
    assert one.p_value(0.0) == pytest.approx(stats.t.sf(2.0, 499))
    assert one.lower_limit(0.95) == pytest.approx(0.2 - 0.1 * stats.t.isf(0.05, 499))


def test_beyond_the_resamples_the_tail_is_exponential_and_has_no_step():
    t = np.sort(np.random.default_rng(3).exponential(size=REPLICATES) * 2 - 1)
    for gain in np.linspace(0.5, 3, 60):
        one = like(t, gain=gain)
        expected = np.exp(-(gain * 10 + 1) / 2)
        assert one.p_value(0.0) == pytest.approx(expected, rel=0.5 + 0.1 * gain * 10)
    edge = float(t[-40])
    values = [like(t, gain=0.1 * place).p_value(0.0) for place in (edge - 1e-9, edge, edge + 1e-9)]
    assert values[0] >= values[1] >= values[2] >= values[0] * 0.97
    assert like(t, gain=2.0).p_value(0.0) < 1 / REPLICATES / 10


def test_a_reason_names_the_method():
    assert like(np.zeros(REPLICATES)).method_at(0.0) == "paired bootstrap"
