"""Holm's correction keeps the probability of any false pass below alpha."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_registry.domain.stats.multiple import holm, holm_adjusted

P_VALUES = st.lists(st.floats(0, 1), max_size=8)


def closed_testing(p_values, alpha):
    """Holm is the closed test of Bonferroni: reject i if every set that holds i is rejected."""
    tests = range(len(p_values))
    sets = [set(some) for size in range(1, len(p_values) + 1) for some in itertools.combinations(tests, size)]
    rejected = [min(p_values[test] for test in some) * len(some) < alpha for some in sets]
    return tuple(all(no for some, no in zip(sets, rejected, strict=True) if test in some) for test in tests)


@given(P_VALUES, st.floats(0.001, 0.5))
def test_holm_is_the_closed_test_of_bonferroni(p_values, alpha):
    assert holm(p_values, alpha) == closed_testing(p_values, alpha)


@given(P_VALUES)
def test_an_adjusted_p_value_is_never_below_the_plain_one_and_keeps_the_order(p_values):
    adjusted = holm_adjusted(p_values)
    assert all(plain <= new <= 1 for plain, new in zip(p_values, adjusted, strict=True))
    for first, second in itertools.pairwise(sorted(range(len(p_values)), key=p_values.__getitem__)):
        assert adjusted[first] <= adjusted[second]


@given(P_VALUES, st.data())
def test_a_smaller_p_value_never_undoes_a_rejection(p_values, data):
    if p_values:
        at = data.draw(st.integers(0, len(p_values) - 1))
        better = [p * 0.5 if place == at else p for place, p in enumerate(p_values)]
        assert all(new <= old for old, new in zip(holm_adjusted(p_values), holm_adjusted(better), strict=True))


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -0.1, 1.5])
def test_what_is_no_p_value_rejects_nothing_and_still_counts_as_a_test(wrong):
    assert holm_adjusted([wrong, 0.02]) == (1.0, 0.04)
    assert holm([wrong], 0.05) == (False,)


def test_no_tests_reject_nothing():
    assert holm([], 0.05) == ()
    assert holm_adjusted([]) == ()


def test_a_p_value_of_alpha_is_not_below_it():
    assert holm([0.05], 0.05) == (False,)
