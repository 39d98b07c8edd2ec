"""Arrow types as text, and values in another type of their family."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_registry.scoring.arrow_types import converted, holds_nan, is_dictionary, is_ordered, parse_type

NAN, INF = math.nan, math.inf
INTEGERS = [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()]


def limits(type_):
    bits = type_.bit_width
    return (0, 2**bits - 1) if pa.types.is_unsigned_integer(type_) else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


@pytest.mark.parametrize(
    "type_",
    [
        pa.float64(),
        pa.float16(),
        pa.string(),
        pa.bool_(),
        pa.date32(),
        pa.timestamp("ns"),
        pa.timestamp("us", "UTC"),
        pa.timestamp("ns", "+01:00"),
        pa.timestamp("s", "America/Argentina/Buenos_Aires"),
        pa.decimal128(10, 2),
        pa.decimal256(50, -2),
        *INTEGERS,
    ],
    ids=str,
)
def test_a_type_is_read_from_its_text_also_inside_a_dictionary(type_):
    assert parse_type(str(type_)) == type_
    text = str(pa.dictionary(pa.int8(), type_, ordered=True))
    assert (parse_type(text), is_dictionary(text), is_ordered(text)) == (type_, True, True)
    assert not is_dictionary(str(type_))
    assert not is_ordered(str(type_))


@pytest.mark.parametrize("text", [None, "list<item: double>", "what?", "struct<a: int8>", "null?"])
def test_an_unknown_type_is_none(text):
    assert parse_type(text) is None


@pytest.mark.parametrize(
    ("values", "source", "target", "expected", "unfit"),
    [
        ([1.0, 1.5, NAN, None, INF, 2.0**63], pa.float64(), pa.int64(), [1, None, None, None, None, None], [1, 4, 5]),
        ([300, -1, 5, None], pa.int64(), pa.uint8(), [None, None, 5, None], [0, 1]),
        ([-1, 5], pa.int64(), pa.uint64(), [None, 5], [0]),
        ([2**64 - 1, 5], pa.uint64(), pa.int64(), [None, 5], [0]),
        ([2**53 + 1], pa.int64(), pa.float64(), [2.0**53], []),
        ([1e300, INF, NAN, None, 0.1], pa.float64(), pa.float32(), [None, INF, NAN, None, 0.10000000149011612], [0]),
        ([0, 1, 2, None], pa.int8(), pa.bool_(), [False, True, None, None], [2]),
        ([0.0, 1.0, 0.5, NAN], pa.float64(), pa.bool_(), [False, True, None, None], [2]),
        ([True, None], pa.bool_(), pa.float32(), [1.0, None], []),
        ([Decimal("1.50"), Decimal("2.00"), None], pa.decimal128(4, 2), pa.int32(), [None, 2, None], [0]),
        ([Decimal("1.50"), None], pa.decimal128(4, 2), pa.float64(), [1.5, None], []),
        ([10**11, 5, None], pa.timestamp("s"), pa.timestamp("ns"), [None, 5 * 10**9, None], [0]),
        ([1_999_999], pa.timestamp("us"), pa.timestamp("s"), [1], []),
        ([20454 * 86_400_000_000 + 1, 20454 * 86_400_000_000], pa.timestamp("us"), pa.date32(), [None, 20454], [0]),
        ([dt.date(2026, 1, 1)], pa.date32(), pa.timestamp("ms"), [20454 * 86_400_000], []),
        (["a", None], pa.large_string(), pa.string(), ["a", None], []),
        (["a", "a"], pa.dictionary(pa.int8(), pa.string()), pa.string(), ["a", "a"], []),
        ([None, None], pa.null(), pa.int64(), [None, None], []),
        ([None], pa.null(), pa.float32(), [None], []),
    ],
    ids=lambda value: str(value) if isinstance(value, pa.DataType) else "",
)
def test_what_the_target_cannot_hold_is_marked_and_nothing_else(values, source, target, expected, unfit):
    found, mask = converted(pa.array(values, source), target)
    assert found.type == target
    plain = found.cast(pa.int64() if pa.types.is_timestamp(target) else pa.int32()) if pa.types.is_temporal(target) else found
    assert repr(plain.to_pylist()) == repr(expected)
    assert ([] if mask is None else mask.nonzero()[0].tolist()) == unfit


@given(st.data(), st.sampled_from(INTEGERS), st.sampled_from(INTEGERS))
def test_integers_survive_exactly_when_the_target_has_room(data, source, target):
    values = data.draw(st.lists(st.integers(*limits(source)), max_size=20))
    low, high = limits(target)
    found, mask = converted(pa.array(values, source), target)
    assert found.to_pylist() == [value if low <= value <= high else None for value in values]
    assert (mask is not None and mask.any()) == any(not low <= value <= high for value in values)


@given(st.lists(st.floats() | st.integers(-(2**70), 2**70).map(float), max_size=20), st.sampled_from(INTEGERS))
def test_floats_become_integers_exactly_when_they_are_whole_and_have_room(values, target):
    low, high = limits(target)
    found, mask = converted(pa.array(values, pa.float64()), target)
    fits = [math.isfinite(value) and value == math.floor(value) and low <= int(value) <= high for value in values]
    assert found.to_pylist() == [int(value) if good else None for value, good in zip(values, fits, strict=True)]
    marked = [False] * len(values) if mask is None else mask.tolist()
    assert marked == [not good and not math.isnan(value) for value, good in zip(values, fits, strict=True)]


@given(st.lists(st.floats(width=32)), st.sampled_from([pa.float16(), pa.float32(), pa.float64()]))
def test_a_nan_is_found_and_nothing_else_is_taken_for_one(values, type_):
    column = pa.array(values, pa.float64()).cast(type_, safe=False)
    assert holds_nan(column) == any(math.isnan(value) for value in values)
    assert not holds_nan(pa.array([INF, -INF, 1e308, 1e308]))
