"""From p-values to limits: where a test that holds on the left stops to hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def bisected(holds: Callable[[float], bool], low: float, high: float) -> float:
    """The border up to which `holds` is true, to 2**-60 of the interval; `low` if it is true nowhere.

    Args:
        holds: True left of some point and false right of it; asked inside (low, high) only.
        low: Left end.
        high: Right end.

    >>> round(bisected(lambda x: x * x < 2, 0.0, 2.0), 6)
    1.414214
    """
    for _ in range(60):
        middle = (low + high) / 2
        if holds(middle):
            low = middle
        else:
            high = middle
    return low
