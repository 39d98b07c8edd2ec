"""Resamples of groups say about a mean what resamples of rows say."""

import numpy as np
import pytest
from scipy import stats

from airflow_registry.domain.stats.bootstrap import REPLICATES, GroupSums, weights
from airflow_registry.domain.stats.rows import Sections

LEVELS = [0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99]
GOLDEN = [-16.74958591813325, -0.7436106904444599, -0.06855106213838522, 4.758214884888625]


def t_statistics(values, seed=1):
    """Sorted t-statistics of the whole by the package."""
    sections = Sections.of(len(values))
    return GroupSums.of(values - values.mean(), None, sections, seed).resampled(seed)[0]


def by_rows(values, resamples=8000):
    """Sorted t-statistics of plain resamples of rows, by numpy alone."""
    random = np.random.default_rng(5)
    found = []
    for _ in range(resamples // 100):
        drawn = random.choice(values, size=(100, len(values)))
        found.append((drawn.mean(axis=1) - values.mean()) / (drawn.std(axis=1, ddof=1) / np.sqrt(len(values))))
    return np.sort(np.concatenate(found))


@pytest.mark.parametrize("bits", [1, 4, 12])
def test_weights_are_how_often_a_group_is_drawn(bits):
    drawn = weights(bits, 3)
    assert drawn.shape == (REPLICATES, 1 << bits)
    assert (drawn.sum(axis=1) == 1 << bits).all()
    counts = np.bincount(drawn.ravel(), minlength=20)
    expected = stats.binom.pmf(np.arange(20), 1 << bits, 0.5**bits) * drawn.size
    assert counts == pytest.approx(expected, abs=5 * np.sqrt(drawn.size))
    assert drawn is weights(bits, 3)
    assert not drawn.flags.writeable
    assert (drawn != weights(bits, 4)).any()


def test_replicates_never_change():
    assert t_statistics(np.arange(10.0) ** 2)[[0, 500, 1000, 1999]] == pytest.approx(GOLDEN, rel=1e-9)


@pytest.mark.parametrize("rows", [200, 1024, 3000])
def test_few_rows_are_resampled_one_by_one(rows):
    values = np.random.default_rng(rows).exponential(size=rows)
    ours, plain = t_statistics(values), by_rows(values)
    for level in LEVELS:
        error = 4 * np.sqrt(level * (1 - level) / REPLICATES * 1.25)
        assert np.searchsorted(plain, np.quantile(ours, level)) / len(plain) == pytest.approx(level, abs=error)


def test_groups_of_many_rows_keep_spread_and_skewness():
    values = np.random.default_rng(7).lognormal(sigma=1.5, size=40_000)
    ours, plain = t_statistics(values), by_rows(values, 2500)
    for level in LEVELS:
        error = 4 * np.sqrt(level * (1 - level) / REPLICATES * 1.8)
        assert np.searchsorted(plain, np.quantile(ours, level)) / len(plain) == pytest.approx(level, abs=error)
    assert abs(np.quantile(plain, 0.05)) > 1.05 * abs(np.quantile(plain, 0.95))  # skewness is there to be kept
    assert abs(np.quantile(ours, 0.05)) > 1.05 * abs(np.quantile(ours, 0.95))


def test_slices_are_resampled_as_if_they_were_alone():
    random = np.random.default_rng(8)
    values, codes = random.exponential(size=30_000), np.repeat([0, 1, 2, -1, 3], [100, 5000, 20_000, 4800, 100])
    sections = Sections.of(len(values), random.permutation(codes), 5)
    means = sections.sums(values) / np.maximum(sections.counts(), 1)
    found = GroupSums.of(values - means[-1], values - means[sections.codes], sections, 9).resampled(9)
    assert found.shape == (6, REPLICATES)
    for at in (0, 1, 2, 3):
        plain = by_rows(values[sections.codes == at], 2500)
        for level in LEVELS:
            error = 4 * np.sqrt(level * (1 - level) / REPLICATES * 1.8)
            assert np.searchsorted(plain, np.quantile(found[at], level)) / len(plain) == pytest.approx(level, abs=error)
    assert (found[4] == 0).all()  # no rows
    assert (found[-1] == t_statistics(values, 9)).all()
    alone = values[sections.codes == 0]
    assert found[0] == pytest.approx(t_statistics(alone, 9))


def test_two_rows_show_no_spread_or_no_distance():
    assert set(t_statistics(np.array([0.0, 1.0])).tolist()) == {-1e9, 0.0, 1e9}
    assert set(t_statistics(np.zeros(50)).tolist()) == {0.0}
