"""The tail of the chi-squared distribution against scipy's, near the middle and far out."""

import pytest
from scipy.stats import chi2

from airflow_registry.domain.stats.chi_squared import upper_quantile, upper_tail

FREEDOMS = (1, 2, 3, 9, 10, 101)


@pytest.mark.parametrize("freedom", FREEDOMS)
@pytest.mark.parametrize("x", [0.01, 0.5, 3.0, 9.0, 30.0, 120.0, 500.0])
def test_the_tail_is_scipys(x, freedom):
    assert upper_tail(x, freedom) == pytest.approx(chi2.sf(x, freedom), rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("freedom", FREEDOMS)
@pytest.mark.parametrize("alpha", [0.9, 0.05, 0.0005, 1e-9])
def test_the_quantile_is_scipys(alpha, freedom):
    assert upper_quantile(alpha, freedom) == pytest.approx(chi2.isf(alpha, freedom), rel=1e-9)


@pytest.mark.parametrize("x", [0.0, -1.0])
def test_nothing_is_below_zero(x):
    assert upper_tail(x, 3) == 1.0
