"""Values into bins: how they are counted, and how the bins of a reference are made.

A number is counted by comparing the whole column with each edge: measured, an eighth of what a binary search for each value costs.
"""

# pyarrow.compute makes its functions when it is imported, where pyright cannot see them.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.drift.bins import DECILES, MOST_CATEGORIES, Bins
from airflow_registry.scoring.arrow_types import value_type

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from airflow_registry.domain.drift.bins import Counts

FEWEST_OF_A_CATEGORY = 5
"""Rows of a category that gets a bin of its own: an identifier, of which each value stands once, has none."""


def is_number(type_: pa.DataType) -> bool:
    """Whether values of a type are counted by edges."""
    import pyarrow as pa

    return any(test(type_) for test in (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal))


def is_category(type_: pa.DataType) -> bool:
    """Whether they are counted by category; what is neither (times, lists) is not counted."""
    import pyarrow as pa

    plain = value_type(type_)
    return any(test(plain) for test in (pa.types.is_boolean, pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))


def numbers(column: pa.Array) -> np.ndarray[Any, Any]:
    """A column of numbers in its own type, shape (n,); null becomes NaN."""
    import pyarrow as pa

    if pa.types.is_decimal(column.type):
        column = column.cast(pa.float64(), safe=False)
    found: np.ndarray[Any, Any] = column.to_numpy(zero_copy_only=False)
    return found


def count_numbers(values: np.ndarray[Any, Any], edges: tuple[float, ...]) -> Counts:
    """Rows of each bin, shape of `values` (n,); NaN is missing."""
    import numpy as np

    is_float = values.dtype.kind == "f"
    missing = int(np.count_nonzero(values != values)) if is_float else 0  # noqa: PLR0124  true for NaN only
    # Whole numbers are compared as such: no copy as floats, and nothing is rounded.
    borders = edges if is_float else [math.ceil(edge) for edge in edges]
    above = [int(np.count_nonzero(values >= border)) for border in borders]
    ends = [len(values) - missing, *above, 0]
    return (*(ends[index] - ends[index + 1] for index in range(len(ends) - 1)), missing)


def count_categories(column: pa.Array, categories: tuple[str, ...]) -> Counts:
    """Rows of each category, of others, and of none."""
    import numpy as np

    codes = _codes(column, categories)
    return tuple(int(rows) for rows in np.bincount(codes, minlength=len(categories) + 2))


def _codes(column: pa.Array, categories: tuple[str, ...]) -> np.ndarray[Any, Any]:
    """The place of each value's bin, shape (n,). Only distinct values are turned into text and looked up."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    other, missing = len(categories), len(categories) + 1
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    distinct = encoded.dictionary
    found = pc.fill_null(pc.index_in(distinct.cast(pa.string()), value_set=pa.array(categories, pa.string())), other)
    absent = distinct.is_null(nan_is_null=True).to_numpy(zero_copy_only=False)
    known = np.append(np.where(absent, missing, found.to_numpy(zero_copy_only=False)), missing)
    places = pc.fill_null(encoded.indices.cast(pa.int64()), len(distinct))
    codes: np.ndarray[Any, Any] = known[places.to_numpy(zero_copy_only=False)]
    return codes


def decile_bins(values: np.ndarray[Any, Any]) -> Bins:
    """Bins that hold a tenth of the values each, as far as equal values let them; a value of which there are many has its own."""
    import numpy as np

    finite = values if values.dtype.kind in "iu" else values[np.isfinite(values)]
    distinct, counts = np.unique(finite, return_counts=True)
    up_to = np.cumsum(counts)
    ends = np.searchsorted(up_to, len(finite) * np.arange(1, DECILES) / DECILES)  # the value with which each tenth is full
    starts = np.unique(ends + 1)
    return Bins(edges=tuple(distinct[starts[starts < len(distinct)]].tolist()))


def category_bins(column: pa.Array, most: int = MOST_CATEGORIES) -> Bins:
    """A bin for each of the commonest categories, in the order of their names."""
    import pyarrow as pa

    texts = column.cast(pa.string()) if not pa.types.is_dictionary(column.type) else column.dictionary_decode().cast(pa.string())
    found = [(entry["counts"], entry["values"]) for entry in texts.value_counts().to_pylist()]
    common = sorted((-rows, text) for rows, text in found if text is not None and rows >= FEWEST_OF_A_CATEGORY)
    return Bins(categories=tuple(sorted(text for _, text in common[:most])))
