"""Arrow types as texts and back, which types a model may be given for another, and conversion value by value."""

# pyarrow.compute makes its functions when it is imported, where pyright cannot see them.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

_FAMILIES = {
    "number": re.compile(r"u?int\d|float|double|halffloat|decimal"),
    "text": re.compile(r"(large_)?(string|utf8)"),
    "truth": re.compile(r"bool"),
    "time": re.compile(r"timestamp|date|datetime"),
}
_DICTIONARY = re.compile(r"dictionary<values=(.+), indices=[^,]+, ordered=(\d)>")
_ZONED = re.compile(r"timestamp\[(\w+), tz=(.+)\]")
_DECIMAL = re.compile(r"(decimal\d+)\((\d+), (-?\d+)\)")


def parse_type(text: str | None) -> pa.DataType | None:
    """The Arrow type that `str(type)` shows; None for unknown and nested ones. Of a dictionary, the type of its values."""
    import pyarrow as pa

    if text is None:
        return None
    if found := _DICTIONARY.fullmatch(text):
        return parse_type(found[1])
    if found := _ZONED.fullmatch(text):
        return pa.timestamp(found[1], tz=found[2])
    if found := _DECIMAL.fullmatch(text):
        return getattr(pa, found[1])(int(found[2]), int(found[3]))
    try:
        return pa.type_for_alias(text)
    except ValueError:
        return None


def is_dictionary(text: str | None) -> bool:
    """Whether a type's text is that of a dictionary (a pandas Categorical)."""
    return text is not None and _DICTIONARY.fullmatch(text) is not None


def is_ordered(text: str | None) -> bool:
    """Whether it is a dictionary whose values have an order."""
    found = None if text is None else _DICTIONARY.fullmatch(text)
    return found is not None and found[2] == "1"


def family(text: str | None) -> str | None:
    """The kind of a type; None fits everything: unknown, all null, or nothing that we know."""
    text = re.sub(r"^dictionary<values=(.+), indices=.*", r"\1", text or "")
    return next((name for name, pattern in _FAMILIES.items() if pattern.match(text)), None)


def fits(expected: str | None, found: str) -> bool:
    """Whether values of one type may be given to a model that was trained on the other, as far as their kinds go."""
    kinds = {family(expected), family(found)}
    return None in kinds or len(kinds) == 1 or kinds == {"number", "truth"}


def differs_in_zone(expected: str | None, found: str) -> bool:
    """Whether one is a point in time and the other is what a clock showed somewhere: nobody can say by how much they differ."""
    return all((text or "").startswith("timestamp") for text in (expected, found)) and ("tz=" in (expected or "")) != ("tz=" in found)


def value_type(type_: pa.DataType) -> pa.DataType:
    """The type itself, or of a dictionary that of its values."""
    import pyarrow as pa

    return type_.value_type if pa.types.is_dictionary(type_) else type_


def decoded(column: pa.Array) -> pa.Array:
    """Plain values: dictionaries differ between batches."""
    return column if column.type == value_type(column.type) else column.dictionary_decode()


def holds_nan(column: pa.Array) -> bool:
    """Whether a float column without nulls holds a NaN.

    The largest value is NaN then and only then. Measured on 65,536 doubles: 9 µs, a fifth of what Arrow's `is_nan` takes; a sum of
    squares is quicker on an idle machine, but its library starts threads for it.
    """
    import numpy as np

    values = column.to_numpy(zero_copy_only=True)
    return bool(np.isnan(np.maximum.reduce(values, initial=-np.inf)))


def absent(column: pa.Array) -> np.ndarray[Any, Any]:
    """Where a column has a null or NaN, shape (n,)."""
    return as_mask(column.is_null(nan_is_null=True))


def converted(column: pa.Array, target: pa.DataType) -> tuple[pa.Array, np.ndarray[Any, Any] | None]:
    """The values in another type of their family.

    Digits that a coarser float or clock does not have are let go; a value that would become another one is not.

    Returns:
        The values, null where they cannot be represented (and where they were null or NaN and the target knows no NaN), and
        where those are, shape (n,); None instead if there are none.

    Raises:
        ArrowNotImplementedError: If Arrow does not convert between the types.
    """
    import pyarrow as pa

    column = decoded(column)
    if column.type == target:
        return column, None
    if pa.types.is_floating(target):
        return _to_float(column, target)
    if pa.types.is_floating(column.type) and (column.null_count or holds_nan(column)):
        column = _without_nan(column)
    if pa.types.is_boolean(target):
        return _to_bool(column)
    if pa.types.is_date(target) and pa.types.is_timestamp(column.type):
        return _to_date(column, target)
    return _cast_each(column, target)


def as_mask(column: pa.Array) -> np.ndarray[Any, Any]:
    """A boolean column without nulls as an array, shape (n,)."""
    found: np.ndarray[Any, Any] = column.to_numpy(zero_copy_only=False)
    return found


def _marked(values: pa.Array, bad: pa.Array) -> tuple[pa.Array, np.ndarray[Any, Any] | None]:
    """Values without the bad ones, and where those were; `bad` may be null where the value is."""
    import pyarrow as pa
    import pyarrow.compute as pc

    bad = pc.fill_null(bad, False)
    if not bad.true_count:
        return values, None
    return pc.if_else(bad, pa.scalar(None, values.type), values), as_mask(bad)


def _to_float(column: pa.Array, target: pa.DataType) -> tuple[pa.Array, np.ndarray[Any, Any] | None]:
    import pyarrow as pa
    import pyarrow.compute as pc

    values = column.cast(target, safe=False)
    if target == pa.float64() or pa.types.is_boolean(column.type):
        return values, None
    wide = column.cast(pa.float64(), safe=False)
    return _marked(values, pc.and_not(pc.is_inf(values.cast(pa.float64())), pc.is_inf(wide)))


def _without_nan(column: pa.Array) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)


def _to_bool(column: pa.Array) -> tuple[pa.Array, np.ndarray[Any, Any] | None]:
    import pyarrow as pa
    import pyarrow.compute as pc

    numbers = column.cast(pa.float64(), safe=False)
    return _marked(numbers.cast(pa.bool_()), pc.and_(pc.not_equal(numbers, 0.0), pc.not_equal(numbers, 1.0)))


def _to_date(column: pa.Array, target: pa.DataType) -> tuple[pa.Array, np.ndarray[Any, Any] | None]:
    import pyarrow.compute as pc

    values = column.cast(target)
    return _marked(values, pc.not_equal(values.cast(column.type), column))  # Arrow drops the time of day without a word


def _cast_each(column: pa.Array, target: pa.DataType) -> tuple[pa.Array, np.ndarray[Any, Any] | None]:
    import pyarrow as pa
    import pyarrow.compute as pc

    options = pc.CastOptions(target, allow_time_truncate=True)
    try:
        return column.cast(options=options), None
    except pa.ArrowInvalid:
        pass
    bad = _by_halves(column, options) if pa.types.is_decimal(column.type) else _by_return(column, target)
    return pc.if_else(bad, pa.scalar(None, column.type), column).cast(options=options), as_mask(bad)


def _by_return(column: pa.Array, target: pa.DataType) -> pa.Array:
    """Where a value does not come back as what it was, or changes its sign on the way."""
    import pyarrow as pa
    import pyarrow.compute as pc

    there = column.cast(target, safe=False)
    bad = pc.not_equal(there.cast(column.type, safe=False), column)
    if pa.types.is_integer(target):
        bad = pc.or_(bad, pc.not_equal(_is_negative(there), _is_negative(column)))
    return pc.fill_null(bad, False)


def _is_negative(column: pa.Array) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.less(column, pa.scalar(0, column.type))  # a zero of another type would widen the column, which not every value survives


def _by_halves(column: pa.Array, options: Any) -> pa.Array:  # noqa: ANN401  pyarrow.compute.CastOptions
    import numpy as np
    import pyarrow as pa

    bad = np.zeros(len(column), dtype=bool)
    _mark_unfit(column, options, bad)
    return pa.array(bad)


def _mark_unfit(column: pa.Array, options: Any, bad: np.ndarray[Any, Any]) -> None:  # noqa: ANN401  pyarrow.compute.CastOptions
    """Mark the values that do not survive, by halves: Arrow says only that there is one."""
    import pyarrow as pa

    if len(column) == 1:
        bad[0] = True
        return
    middle = len(column) // 2
    for part, mark in ((column.slice(0, middle), bad[:middle]), (column.slice(middle), bad[middle:])):
        try:
            part.cast(options=options)
        except pa.ArrowInvalid:
            _mark_unfit(part, options, mark)
