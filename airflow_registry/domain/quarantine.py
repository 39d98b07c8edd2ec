"""How many rows of a partition may be set aside before all of it is refused."""

from __future__ import annotations

import math

from airflow_registry.errors import InvalidInputError

MAX_SHARE = 0.01
"""Of a partition's rows, unless somebody says otherwise."""


def allowed(rows: int, max_share: float) -> int:
    """How many of a partition's rows may be set aside (count).

    The share of the rows, rounded down. One row always may if others are left and the share is not 0: one stray row says nothing
    about a partition, and 1 % of fewer than a hundred rows would be none.

    Args:
        rows: Of the partition (count, >= 0).
        max_share: In [0, 1].

    >>> allowed(1_000_000, 0.01), allowed(10, 0.01), allowed(1, 0.01), allowed(10, 0.0), allowed(10, 1.0)
    (10000, 1, 0, 0, 10)
    """
    stray = 1 if max_share > 0 and rows > 1 else 0
    return max(math.floor(rows * max_share + 1e-9), stray)  # 0.29 * 100 is a little less than 29


def check_share(max_share: object) -> None:
    """Refuse what is no share.

    Raises:
        InvalidInputError: If it is not a number from 0 to 1.
    """
    is_number = isinstance(max_share, (int, float)) and not isinstance(max_share, bool)
    if not is_number or not 0 <= max_share <= 1:  # type: ignore[operator]  # it is a number
        raise InvalidInputError(f"max_quarantine_share is a share of the rows, from 0 to 1 (0.01 is one percent); found {max_share!r}.")
