"""Tails of the normal and of Student's t distribution, so that the gate needs no scipy."""

from __future__ import annotations

import math
from statistics import NormalDist

from airflow_registry.domain.stats.limits import bisected

_TINY = 1e-300
_NEARLY_NORMAL = 1e7  # degrees of freedom from which the two differ by less than 1e-7 of a p-value


def normal_tail(z: float) -> float:
    """P(Z >= z) for a standard normal, exact far out too, where 1 - (1 - p) would be rounding.

    >>> normal_tail(10.0) > 0
    True
    """
    return 0.5 * math.erfc(z / math.sqrt(2))


def normal_quantile(probability: float) -> float:
    """The z with P(Z <= z) = probability, for a probability in (0, 1).

    >>> round(normal_quantile(0.95), 4)
    1.6449
    """
    return NormalDist().inv_cdf(probability)


def upper_tail(t: float, freedom: float) -> float:
    """P(T >= t) for Student's t.

    Args:
        t: Any number.
        freedom: Degrees of freedom (> 0).

    Source:
        Abramowitz, Stegun (1964), Handbook of mathematical functions, 26.5.8 and 26.7.1.

    >>> round(upper_tail(2.0, 10), 6)
    0.036694
    """
    if freedom > _NEARLY_NORMAL:
        return normal_tail(t)
    half = _incomplete_beta(freedom / 2, 0.5, freedom / (freedom + t * t)) / 2
    return half if t >= 0 else 1 - half


def upper_quantile(alpha: float, freedom: float) -> float:
    """The t with P(T >= t) = alpha, for alpha in (0, 1).

    >>> round(upper_quantile(0.05, 10), 6)
    1.812461
    """
    if alpha > 0.5:
        return -upper_quantile(1 - alpha, freedom)
    high = 2.0
    while upper_tail(high, freedom) > alpha:
        high *= 2
    return bisected(lambda t: upper_tail(t, freedom) > alpha, 0.0, high)


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """Regularised incomplete beta function I_x(a, b)."""
    if x >= 1 or x <= 0:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):  # there the fraction converges slowly, and its mirror image fast
        return 1 - _incomplete_beta(b, a, 1 - x)
    front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(front) / (a * _fraction(a, b, x))


def _fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of I_x(a, b), from the front by Lentz's method."""
    value, upper, lower, change, place = 1.0, 1.0, 0.0, 2.0, 0
    while abs(change - 1) > 1e-15 and place < 100_000:
        place += 1
        half = place // 2
        if place % 2:
            step = -(a + half) * (a + b + half) * x / ((a + 2 * half) * (a + 2 * half + 1))
        else:
            step = half * (b - half) * x / ((a + 2 * half - 1) * (a + 2 * half))
        lower = 1 / ((1 + step * lower) or _TINY)
        upper = (1 + step / upper) or _TINY
        change = upper * lower
        value *= change
    return value
