"""Numbers as people write and read them: exact differences, and texts that never make two numbers look alike."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMED = 5  # more slices or people than these are counted and not named


def exact(value: float) -> Fraction:
    """The number as people write it.

    In binary 0.595 - 0.6 is below -0.005, and a challenger on the border would fall; 595/1000 - 6/10 is exactly -5/1000.

    >>> exact(0.595) - exact(0.6) == exact(-0.005)
    True
    """
    return Fraction(repr(float(value)))


def rounded(number: Fraction) -> float:
    """The nearest float; infinite where the difference of two huge floats has none."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def shown(value: float, *beside: float | None) -> str:
    """Six digits, or all of them where six would make `value` look like another number beside it.

    >>> shown(0.6, 0.7), shown(0.60000001, 0.6)
    ('0.6', '0.60000001')
    """
    short = f"{value:.6g}"
    looks_equal = any(other is not None and other != value and f"{other:.6g}" == short for other in beside)
    return repr(value) if looks_equal else short


def percent(share: float) -> str:
    """A confidence in percent: `95 %`, `99.9 %`."""
    return f"{share * 100:.10g} %"


def counted(rows: int | None) -> str:
    """`1,200 rows`.

    >>> counted(1200), counted(1), counted(None)
    ('1,200 rows', '1 row', 'an unknown number of rows')
    """
    if rows is None:
        return "an unknown number of rows"
    return "1 row" if rows == 1 else f"{rows:,} rows"


def listed(names: Sequence[str]) -> str:
    """The first few, and how many there are besides.

    >>> listed(["a", "b"]), listed(list("abcdefg"))
    ('a, b', 'a, b, c, d, e and 2 more')
    """
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")
