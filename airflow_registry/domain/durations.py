"""Lengths of time as people write them: `90s`, `30m`, `12h`, `7d`, `2w`.

Law: `parse_duration(print_duration(duration)) == duration` for whole seconds.
"""

from __future__ import annotations

import math
import re
from datetime import timedelta

from airflow_registry.errors import InvalidPolicyError, one_of

LONGEST = timedelta(days=3650)  # a typing error of a few digits more would leave the calendar
_UNITS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}
_DURATION = re.compile(r"([0-9]{1,9})\s*([smhdw])")


def parse_duration(text: str) -> timedelta:
    """Read `90s`, `30m`, `12h`, `7d` or `2w`.

    Raises:
        InvalidPolicyError: If it is none of these.
    """
    found = _DURATION.fullmatch(text.strip())
    seconds = int(found[1]) * _UNITS[found[2]] if found else math.inf
    if seconds > LONGEST.total_seconds():
        raise InvalidPolicyError(
            f"expected a duration such as 12h or 7d (units {one_of(_UNITS)}; at most {LONGEST.days}d); found {text!r}."
        )
    return timedelta(seconds=seconds)


def print_duration(duration: timedelta) -> str:
    """The shortest text that `parse_duration` reads back; `duration` is in whole seconds.

    >>> print_duration(timedelta(days=7))
    '1w'
    """
    seconds = int(duration.total_seconds())
    unit = next(unit for unit, size in _UNITS.items() if seconds % size == 0)
    return f"{seconds // _UNITS[unit]}{unit}"


def checked_duration(value: object) -> timedelta:
    """A length of time of whole seconds, from a timedelta or text.

    Raises:
        InvalidPolicyError: If it is neither, not positive, longer than ten years, or has a fraction of a second.

    >>> checked_duration("3d").days
    3
    """
    duration = parse_duration(value) if isinstance(value, str) else value
    if not isinstance(duration, timedelta):
        raise InvalidPolicyError(f"expected a duration such as 12h or 7d; found {value!r}.")
    if not timedelta(0) < duration <= LONGEST or duration % timedelta(seconds=1):
        raise InvalidPolicyError(f"expected whole seconds, from 1s to {LONGEST.days}d; found {duration!s}.")
    return duration
