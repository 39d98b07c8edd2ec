"""What the rules' own checks have in common."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.faults import Faults, finite
from airflow_registry.errors import InvalidPolicyError

if TYPE_CHECKING:
    from collections.abc import Callable

MOST = 10**15  # rows, people, partitions: more is a typing error, and does not fit a float exactly


def without_none(**values: object) -> dict[str, Any]:
    """The values that were given, in their order."""
    return {key: value for key, value in values.items() if value is not None}


def metric_faults(metric: object) -> Faults:
    """Faults of a rule, with the first of them if it names no metric."""
    faults = Faults()
    if not isinstance(metric, str) or not metric.strip():
        faults.add("metric", f"expected the name of a metric such as roc_auc; found {metric!r}.")
    return faults


def normalize(rule: object, key: str, read: Callable[[object], object], faults: Faults, *, path: str | None = None) -> None:
    """Set an attribute of a rule that is being made to what `read` makes of it; None stays."""
    given = getattr(rule, key)
    if given is not None:
        object.__setattr__(rule, key, faults.attempt(path or key, lambda: read(given)))


def count(value: object, *, least: int = 1) -> int:
    """A whole number.

    Raises:
        InvalidPolicyError: If it is no whole number (a bool is none), or below `least`.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or not least <= int(value) <= MOST:
        raise InvalidPolicyError(f"expected a whole number from {least}; found {value!r}.")
    return int(value)


def share(value: object) -> float:
    """A part of a whole, in [0, 1].

    Raises:
        InvalidPolicyError: If it is not a number, or outside.
    """
    number = finite(value)
    if not 0 <= number <= 1:
        raise InvalidPolicyError(f"expected a share from 0 to 1; found {value!r}.")
    return number


def switch(value: object) -> bool:
    """True or False.

    Raises:
        InvalidPolicyError: If it is anything else, such as 1 or the text `yes`.
    """
    if not isinstance(value, bool):
        raise InvalidPolicyError(f"expected true or false; found {value!r}.")
    return value
