"""Tails and quantiles agree with scipy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from airflow_registry.domain.stats.student import normal_quantile, normal_tail, upper_quantile, upper_tail

FREEDOM = st.floats(-0.3, 9).map(lambda power: 10**power)


@given(st.floats(-12, 12), FREEDOM)
def test_the_tail_is_that_of_scipy(t, freedom):
    assert upper_tail(t, freedom) == pytest.approx(stats.t.sf(t, freedom), rel=3e-5, abs=1e-13)


@given(st.floats(1e-6, 1 - 1e-6), FREEDOM)
def test_the_quantile_undoes_the_tail(alpha, freedom):
    assert upper_tail(upper_quantile(alpha, freedom), freedom) == pytest.approx(alpha, rel=1e-6)


@given(st.floats(-30, 30))
def test_the_normal_tail_is_exact_far_out(z):
    assert normal_tail(z) == pytest.approx(stats.norm.sf(z), rel=1e-12)


@given(st.floats(1e-9, 1 - 1e-9))
def test_the_normal_quantile_is_that_of_scipy(probability):
    assert normal_quantile(probability) == pytest.approx(stats.norm.ppf(probability), rel=1e-9, abs=1e-12)


def test_many_degrees_of_freedom_are_the_normal():
    assert upper_tail(1.7, float("inf")) == normal_tail(1.7)
    assert upper_tail(1.7, 1e6) == pytest.approx(normal_tail(1.7), rel=1e-5)


def test_the_ends():
    assert upper_tail(0.0, 3) == pytest.approx(0.5)
    assert upper_tail(float("inf"), 3) == 0.0
    assert upper_tail(float("-inf"), 3) == 1.0
    assert upper_tail(1e200, 3) == 0.0
    assert upper_quantile(0.5, 4) == pytest.approx(0.0, abs=1e-12)
