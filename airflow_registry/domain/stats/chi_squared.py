"""Tail of the chi-squared distribution, so that drift needs no scipy."""

from __future__ import annotations

import math

from airflow_registry.domain.stats.limits import bisected

_TINY = 1e-300
_ENOUGH = 1e-16


def upper_tail(x: float, freedom: int) -> float:
    """P(X >= x) for a chi-squared X.

    Args:
        x: Any number; 1.0 for those below zero.
        freedom: Degrees of freedom (count, >= 1).

    Source:
        Abramowitz, Stegun (1964), Handbook of mathematical functions, 6.5.29, 6.5.31 and 26.4.19.

    >>> round(upper_tail(16.918978, 9), 6)
    0.05
    """
    half, shape = x / 2, freedom / 2
    if half <= 0:
        return 1.0
    front = math.exp(shape * math.log(half) - half - math.lgamma(shape))
    if half < shape + 1:  # there the series converges fast, and the fraction slowly
        return 1 - front * _series(shape, half)
    return front * _fraction(shape, half)


def upper_quantile(alpha: float, freedom: int) -> float:
    """The x with P(X >= x) = alpha, for alpha in (0, 1).

    >>> round(upper_quantile(0.05, 9), 6)
    16.918978
    """
    high = 2.0 * freedom
    while upper_tail(high, freedom) > alpha:
        high *= 2
    return bisected(lambda x: upper_tail(x, freedom) > alpha, 0.0, high)


def _series(shape: float, half: float) -> float:
    """The lower incomplete gamma function without its front factor."""
    term = total = 1 / shape
    while term > total * _ENOUGH:
        shape += 1
        term *= half / shape
        total += term
    return total


def _fraction(shape: float, half: float) -> float:
    """The continued fraction of the upper incomplete gamma function, from the front by Lentz's method."""
    base = half + 1 - shape
    upper, value = 1 / _TINY, 1 / base
    lower, change, place = value, 0.0, 0
    while abs(change - 1) > 1e-15 and place < 10_000:
        place += 1
        step, base = place * (shape - place), base + 2
        lower = 1 / ((base + step * lower) or _TINY)
        upper = (base + step / upper) or _TINY
        change = upper * lower
        value *= change
    return value
