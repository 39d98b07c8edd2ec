"""Rows belong together by the values of a column, or by quantile bins of its numbers."""

from __future__ import annotations

import datetime as dt
import math
import tracemalloc
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_registry.errors import InvalidInputError
from airflow_registry.scoring.slices import LONGEST_NAME, MAX_SLICES, SliceSpec, check_slices, parse_slices, slicer

JANUARY, FEBRUARY = "2026-01-01T00:00:00", "2026-02-01T00:00:00"
ANY_NUMBER = st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True), st.sampled_from([0.0, 1.0, 1.0, 2.0]))


def sliced(spec, *arrays):
    one = slicer(SliceSpec.parse(spec), "holdout.parquet")
    for array in arrays:
        one.hear(array)
    found = one.codes()
    return [found.names[code] for code in found.codes.tolist()], found


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (["AA", None, "UA", ""], ["c=AA", "c=(missing)", "c=UA", "c="]),
        ([True, False, None], ["c=true", "c=false", "c=(missing)"]),
        ([1, 2, None], ["c=1", "c=2", "c=(missing)"]),
        ([1.0, 2.5, math.nan, None], ["c=1", "c=2.5", "c=(missing)", "c=(missing)"]),
        ([dt.date(2026, 1, 31)], ["c=2026-01-31"]),
        ([dt.datetime(2026, 1, 31, 5, tzinfo=dt.UTC)], ["c=2026-01-31T05:00:00+00:00"]),
        ([dt.time(5, 30)], ["c=05:30:00"]),
        ([Decimal("1.50")], ["c=1.50"]),
        ([b"AA", b"\xff"], ["c=AA", "c=\\xff"]),
        (["a\x00b"], ["c=a\\u0000b"]),
    ],
)
def test_every_value_has_a_name(values, names):
    assert sliced("c", pa.array(values))[0] == names


def test_names_are_in_order_and_the_same_whatever_the_batches_are():
    whole = sliced("c", pa.array(["b", "a", None, "b"]))
    parts = sliced("c", pa.array(["b"]), pa.array(["a", None]).dictionary_encode(), pa.array(["b"]))
    assert whole[1].names == parts[1].names == ("c=(missing)", "c=a", "c=b")
    assert whole[0] == parts[0]


def test_a_category_that_no_row_has_is_no_slice():
    encoded = pa.DictionaryArray.from_arrays(pa.array([0, None], pa.int8()), pa.array(["AA", "UA"]))
    assert sliced("c", encoded)[1].names == ("c=(missing)", "c=AA")


def test_long_values_stay_different_and_short_enough_for_the_registry():
    names, _ = sliced("c", pa.array(["a" * 500, "a" * 501]))
    assert len(set(names)) == 2
    assert max(map(len, names)) == LONGEST_NAME


def test_no_rows_have_no_slices():
    assert sliced("c")[1].names == ()
    assert sliced("c:4")[1].names == ()


def test_a_thousand_values_are_slices_and_one_more_is_refused_with_the_advice_to_bin():
    assert len(sliced("c", pa.array(range(MAX_SLICES)))[1].names) == MAX_SLICES
    with pytest.raises(
        InvalidInputError, match=r"'c' of 'holdout.parquet' has more than 1,000 different values \(at least 1,001\).*'bins': 10"
    ):
        sliced("c", pa.array(range(MAX_SLICES)), pa.array([MAX_SLICES]))


def test_a_million_values_are_refused_at_the_first_batch_with_little_memory():
    values = slicer(SliceSpec.parse("c"), "holdout.parquet")
    batch = pa.array([f"name {number}" for number in range(65_536)])
    tracemalloc.start()
    with pytest.raises(InvalidInputError, match="at least 65,536"):
        values.hear(batch)
    assert tracemalloc.get_traced_memory()[1] < 4_000_000
    tracemalloc.stop()


def test_bins_hold_about_as_many_rows_each_and_are_named_by_their_bounds():
    names, found = sliced("d:4", pa.array(range(100)))
    assert found.names == ("d:4=[0, 25)", "d:4=[25, 50)", "d:4=[50, 75)", "d:4=[75, 99]")
    assert [names.count(name) for name in found.names] == [25, 25, 25, 25]


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([5, 5, 5], ["d:2=[5, 5]"]),
        ([0, 0, 0, 7], ["d:2=[0, 7)", "d:2=[7, 7]"]),
        ([0, 7, 7, 7], ["d:2=[0, 7)", "d:2=[7, 7]"]),
        ([0.25, 0.5], ["d:2=[0.25, 0.5)", "d:2=[0.5, 0.5]"]),
        ([0, 1, None, math.nan], ["d:2=[0, 1)", "d:2=[1, 1]", "d:2=(missing)"]),
        ([0.0, 1.0, math.inf, -math.inf], ["d:2=[0, 1)", "d:2=[1, 1]", "d:2=(infinite)"]),
        ([None, None], ["d:2=(missing)"]),
        ([dt.date(2026, 1, 1)] * 2 + [dt.date(2026, 2, 1)], [f"d:2=[{JANUARY}, {FEBRUARY})", f"d:2=[{FEBRUARY}, {FEBRUARY}]"]),
    ],
)  # fmt: skip
def test_ties_gaps_and_times_have_bins_too(values, names):
    array = pa.array(values) if None not in values or set(values) != {None} else pa.array(values, pa.float64())
    assert list(sliced("d:2", array)[1].names) == names


@given(st.lists(ANY_NUMBER, max_size=60), st.integers(2, 12), st.integers(0, 60))
def test_bins_are_full_ordered_and_hold_all_rows_of_one_value(values, bins, cut):
    arrays = [pa.array(part, pa.float64()) for part in (values[:cut], values[cut:])]
    names, found = sliced({"column": "d", "bins": bins}, *arrays)
    assert len(names) == len(values)
    assert set(names) == set(found.names)
    assert len(found.names) <= bins + 2
    numbers = [
        (value, code) for value, code in zip(values, found.codes.tolist(), strict=True) if value is not None and math.isfinite(value)
    ]
    assert all(left[1] <= right[1] for left in numbers for right in numbers if left[0] <= right[0])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("carrier", SliceSpec(column="carrier")),
        ("distance:4", SliceSpec(column="distance", bins=4)),
        ("a:b", SliceSpec(column="a:b")),
        ({"column": "distance", "bins": 4}, SliceSpec(column="distance", bins=4)),
        ({"column": "a:4"}, SliceSpec(column="a:4")),
    ],
)
def test_slices_are_written_as_text_or_mapping(given, expected):
    assert SliceSpec.parse(given) == expected


@pytest.mark.parametrize(
    "given",
    ["", 5, None, {}, {"bins": 4}, {"column": "a", "bin": 4}, {"column": "a", "bins": True}, "a:1", "a:101", {"column": "a", "bins": 2.5}],
)
def test_what_names_no_slice_is_refused(given):
    with pytest.raises(InvalidInputError, match="names no slice|expected a whole number from 2 to 100"):
        parse_slices([given])


@pytest.mark.parametrize("given", ["carrier", {"column": "carrier"}])
def test_a_single_slice_is_a_list_of_one(given):
    with pytest.raises(InvalidInputError, match="is a list, also of one"):
        parse_slices(given)


def test_a_template_that_was_not_rendered_is_named():
    with pytest.raises(InvalidInputError, match="not rendered"):
        parse_slices(["{{ params.column }}"])


def test_the_same_slice_twice_is_one_and_a_column_may_be_sliced_in_two_ways():
    assert [spec.key for spec in parse_slices(["d", {"column": "d"}, "d:4", {"column": "d", "bins": 4}])] == ["d", "d:4"]
    with pytest.raises(InvalidInputError, match="Rename that column"):
        parse_slices(["d:4", {"column": "d:4"}])


SCHEMA = pa.schema([("c", pa.string()), ("d", pa.int64()), ("l", pa.list_(pa.int64())), ("k", pa.dictionary(pa.int8(), pa.float32()))])


@pytest.mark.parametrize(
    ("slices", "message"),
    [
        (["carrier", "x"], "no slice column 'carrier', 'x'. It has c, d, l, k"),
        (["c:4"], "'c' of 'h' cannot be sliced: bins need numbers or times; found string"),
        (["l"], "'l' of 'h' cannot be sliced: it holds list<"),
        (["l:4"], "bins need numbers"),
    ],
)
def test_columns_that_cannot_be_sliced_are_known_before_any_row_is_read(slices, message):
    with pytest.raises(InvalidInputError) as caught:
        check_slices(parse_slices(slices), SCHEMA, "h")
    assert message in str(caught.value)
    check_slices(parse_slices(["c", "d:3", "k:4", "k"]), SCHEMA, "h")


def test_encoded_numbers_can_be_binned():
    assert sliced("k:2", pa.array([1.0, 2.0]).dictionary_encode())[1].names == ("k:2=[1, 2)", "k:2=[2, 2]")


def test_codes_fit_two_bytes():
    assert sliced("c", pa.array(["a"]))[1].codes.dtype == np.int16
    assert sliced("c:2", pa.array([1]))[1].codes.dtype == np.int16
