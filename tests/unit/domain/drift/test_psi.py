"""The index itself: zero for the same shares, the same from both sides, rare bins merged, chance's share as it should be."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2

from airflow_registry.domain.drift.psi import compare, filled

bins = st.integers(1, 12).flatmap(lambda size: st.tuples(*[st.lists(st.integers(0, 5000), min_size=size, max_size=size).filter(any)] * 2))


@given(bins)
def test_it_is_never_negative_and_the_same_from_both_sides(pair):
    one, two = compare(*pair), compare(*reversed(pair))
    assert one.value >= -1e-12
    assert one.value == pytest.approx(two.value, abs=1e-9)
    assert sum(one.parts) == pytest.approx(one.value)
    assert 1 <= one.groups <= len(pair[0])


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=12).filter(any))
def test_the_same_counts_differ_by_nothing(counts):
    assert compare(counts, counts).value == pytest.approx(0, abs=1e-12)


def test_the_textbook_value():
    half_a_row = (100.5 / 301, 200.5 / 301)
    expected = 2 * (half_a_row[0] - half_a_row[1]) * math.log(half_a_row[0] / half_a_row[1])
    assert compare((100, 200, 0), (200, 100, 0)).value == pytest.approx(expected)


def test_bins_that_nobody_fell_into_do_not_count():
    assert compare((50, 50, 0), (50, 50, 0)).groups == 2
    assert filled((5, 0, 0), (0, 5, 0)) == 2


def test_rare_bins_are_compared_together():
    found = compare((500, 490, 4, 3, 3), (500, 490, 3, 3, 4))
    assert found.groups == 3
    assert found.parts[3:] == (0.0, 0.0)


def test_what_is_rare_even_together_goes_to_the_smallest_other_bin():
    assert compare((500, 300, 1, 0), (500, 300, 0, 1)).groups == 2


def test_where_all_bins_are_rare_there_is_one_group_and_nothing_to_say():
    found = compare((1, 1, 1), (1, 1, 1))
    assert (found.groups, found.value, found.cutoff(0.05)) == (1, 0.0, 0.0)


def test_a_bin_that_only_the_new_rows_are_in_is_not_rare():
    found = compare((900, 100), (1000, 0))
    assert found.groups == 2
    assert found.value > 0.5


@pytest.mark.parametrize("alpha", [0.05, 0.0005])
def test_the_cutoff_is_that_of_both_sample_sizes(alpha):
    found = compare((100,) * 10, (1000,) * 10)
    assert found.cutoff(alpha) == pytest.approx((1 / 1000 + 1 / 10_000) * chi2.isf(alpha, 9))
