"""What the rules' own checks have in common."""

from __future__ import annotations

import re
from numbers import Integral
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.faults import Faults, finite
from airflow_registry.errors import InvalidPolicyError

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_BINS = 100
_BINS = re.compile(r".+:([0-9]{1,9})", re.DOTALL)
_BIN_COUNTS = frozenset(map(str, range(2, MAX_BINS + 1)))  # as text: distance:04 would name no slice
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


def not_negative(value: object) -> float:
    """A finite number from 0.

    Raises:
        InvalidPolicyError: If it is none.
    """
    number = finite(value)
    if number < 0:
        raise InvalidPolicyError(f"expected a number from 0; found {value!r}.")
    return number


def switch(value: object) -> bool:
    """True or False.

    Raises:
        InvalidPolicyError: If it is anything else, such as 1 or the text `yes`.
    """
    if not isinstance(value, bool):
        raise InvalidPolicyError(f"expected true or false; found {value!r}.")
    return value


def needed(rule: object, faults: Faults, **examples: str) -> None:
    """Note what must be given and was not; `examples` says by key how it is written."""
    for key, example in examples.items():
        if getattr(rule, key) is None:
            faults.add(key, f"missing. Write {key}: {example}.")


def check_slices(rule: object, faults: Faults) -> None:
    """Check and normalize `by`, `values` and `min_rows`, which several rules have."""
    normalize(rule, "by", _column, faults)
    normalize(rule, "min_rows", count, faults)
    values, by = getattr(rule, "values"), getattr(rule, "by")  # noqa: B009  a rule is not one type, and mypy would want it
    if values is None:
        return
    object.__setattr__(rule, "values", _slice_names(values, faults))
    if by is None and not faults.found:
        faults.add("values", "names slices, and no column of which they are. Write by: carrier, for example.")


def slices_text(rule: object) -> str:
    """`, by carrier (AA, UA), min_rows 200`, as far as it was given."""
    by, values, min_rows = (getattr(rule, key) for key in ("by", "values", "min_rows"))
    names = "" if values is None else f" ({', '.join(values)})"
    return f"{'' if by is None else f', by {by}{names}'}{'' if min_rows is None else f', min_rows {min_rows}'}"


def slices_mapping(rule: object) -> dict[str, Any]:
    """The same as it stands in a policy file."""
    by, values, min_rows = (getattr(rule, key) for key in ("by", "values", "min_rows"))
    return without_none(by=by, values=None if values is None else list(values), min_rows=min_rows)


def _column(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InvalidPolicyError(f"expected the name of a column such as carrier, or distance:4 for four quantile bins; found {value!r}.")
    found = _BINS.fullmatch(value)
    if found and found[1] not in _BIN_COUNTS:
        raise InvalidPolicyError(f"expected a column and its quantile bins, from 2 to {MAX_BINS}, as distance:4; found {value!r}.")
    return value


def _slice_names(values: object, faults: Faults) -> tuple[str, ...]:
    if not isinstance(values, (list, tuple)) or not values:
        faults.add("values", f"expected a list of slices such as [AA, UA]; found {values!r}.")
        return ()
    names = [str(value) if is_name(value) else "" for value in values]
    for position, (name, value) in enumerate(zip(names, values, strict=True)):
        if not name:
            faults.add(f"values[{position}]", f"expected a value of the column as text or a whole number; found {value!r}. Quote it.")
        elif name in names[:position]:
            faults.add(f"values[{position}]", f"{name!r} is given a second time. Keep one of the two.")
    return tuple(names)


def is_name(value: object) -> bool:
    """Text that is not blank, or a whole number, which YAML makes of a code such as 17."""
    return bool(value.strip()) if isinstance(value, str) else isinstance(value, Integral) and not isinstance(value, bool)
