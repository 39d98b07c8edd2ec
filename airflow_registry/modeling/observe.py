"""What a training column holds: nulls, categories and range, read slice by slice, so that no second copy of the frame is made."""

# pyarrow.compute makes its functions when it is imported, where pyright cannot see them.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.signature import MAX_CATEGORIES

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from airflow_registry.domain.signature import Column, Value

SLICE_ROWS = 1 << 18
LONGEST_CATEGORY = 256
"""Characters. A longer text is no category."""

# A text of which so large a share was seen only once will go on to bring new values: that is no defect. It is also the share of a
# partition that may be set aside.
_EXPECTED_UNSEEN = 0.01


def observed(column: Column, values: Any) -> Column:  # noqa: ANN401  a pandas Series, an Arrow array, or several in chunks
    """The column with what its training values tell; what they do not tell stays None.

    Args:
        column: Name and type.
        values: The training values.
    """
    if not len(values):
        return column
    slices = _Slices(values)
    if column.type is None:  # nothing but nulls, or objects of several types
        return replace(column, nullable=slices.lacks_values())
    low, high = _range(slices)
    nullable = slices.lacks_values() or any(part.null_count for part in slices)  # pandas has columns in which NaN is not its null
    return _with_categories(replace(column, nullable=nullable, low=low, high=high), slices)


class _Slices:
    """A column as Arrow arrays of at most `SLICE_ROWS` values, NaN as null, without those that hold nothing else.

    A pandas column is converted a slice at a time.
    """

    def __init__(self, values: Any) -> None:  # noqa: ANN401  as for `observed`
        self._values = values

    def __iter__(self) -> Iterator[pa.Array]:
        import pyarrow as pa

        for start in range(0, len(self._values), SLICE_ROWS):
            for part in self._slice(start):
                if not pa.types.is_null(part.type):
                    yield _without_nan(part)

    def lacks_values(self) -> bool:
        """Whether there are nulls, as pandas or Arrow see them."""
        isna = getattr(self._values, "isna", None)
        return bool(isna().any()) if isna is not None else bool(_plain(self._values).null_count)

    def _slice(self, start: int) -> list[pa.Array]:
        import pyarrow as pa

        values = self._values
        if hasattr(values, "iloc"):
            values, start = pa.array(values.iloc[start : start + SLICE_ROWS], from_pandas=True), 0
        found = values.slice(start, SLICE_ROWS)
        return list(found.chunks) if isinstance(found, pa.ChunkedArray) else [found]


def _plain(values: Any) -> Any:  # noqa: ANN401  an Arrow array, or several in chunks
    """Without a dictionary, in which nulls may hide."""
    import pyarrow as pa

    return values.cast(values.type.value_type) if pa.types.is_dictionary(values.type) else values


def _without_nan(values: pa.Array) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_floating(values.type):
        return values
    return pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)


def _range(slices: _Slices) -> tuple[Value | None, Value | None]:
    """The smallest and largest value, None for a type without order or an extreme that is infinite."""
    import pyarrow.compute as pc

    ends = []
    for part in slices:
        if not _has_range(part.type):
            return None, None
        found = pc.min_max(part)
        ends += [end for end in (found["min"], found["max"]) if end.is_valid]
    if not ends:
        return None, None
    values = {end.as_py(): end for end in ends}
    return _bound(values[min(values)]), _bound(values[max(values)])


def _has_range(type_: pa.DataType) -> bool:
    import pyarrow as pa

    is_number = pa.types.is_integer(type_) or type_ in {pa.float32(), pa.float64()} or pa.types.is_decimal(type_)
    return is_number or pa.types.is_timestamp(type_) or pa.types.is_date(type_)


def _bound(end: pa.Scalar) -> Value | None:
    """As JSON holds it: a number, or text for times (UTC) and decimals."""
    import pyarrow as pa

    if pa.types.is_timestamp(end.type) and end.type.tz is not None:
        end = end.cast(pa.timestamp(end.type.unit, "UTC"))
    if pa.types.is_timestamp(end.type) or pa.types.is_date(end.type):
        return str(end.cast(pa.string()).as_py())
    value = end.as_py()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, int) else str(value)


def _with_categories(column: Column, slices: _Slices) -> Column:
    """The column with its categories, if it has any; rows with another one are let pass where new ones are to be expected.

    Source:
        Good (1953), Biometrika 40:237-264: the share of rows whose category was never seen before is about that of the categories
        which were seen once.
    """
    counts: Counter[Value] = Counter()
    declared: dict[Value, None] = {}
    for part in slices:
        if not _has_categories(part.type) or not _counted(part, counts, declared):
            return column
    if not counts and not declared:
        return column
    column = replace(column, categories=tuple(declared) or tuple(sorted(counts)))
    seen_once = sum(1 for count in counts.values() if count == 1)
    is_open = seen_once > _EXPECTED_UNSEEN * counts.total()
    return replace(column, policy={"unseen": "pass"}) if is_open else column


def _has_categories(type_: pa.DataType) -> bool:
    import pyarrow as pa

    if pa.types.is_dictionary(type_):
        return _has_categories(type_.value_type) or pa.types.is_integer(type_.value_type)
    return type_ in {pa.string(), pa.large_string(), pa.string_view(), pa.bool_()}


def _counted(part: pa.Array, counts: Counter[Value], declared: dict[Value, None]) -> bool:
    """Add the values of a slice; False if it turns out that they are no categories."""
    import pyarrow as pa

    if pa.types.is_dictionary(part.type):
        # The order of the dictionary is what models know categories by, also those that no row happens to have.
        if len(part.dictionary) > MAX_CATEGORIES:
            return False
        declared.update(dict.fromkeys(value for value in part.dictionary.to_pylist() if value is not None))
        part = _plain(part)
    for found in part.drop_null().value_counts():
        counts[found["values"].as_py()] += found["counts"].as_py()
        if len(counts) > MAX_CATEGORIES:
            return False
    known = declared or counts
    return len(known) <= MAX_CATEGORIES and not any(isinstance(value, str) and len(value) > LONGEST_CATEGORY for value in known)
