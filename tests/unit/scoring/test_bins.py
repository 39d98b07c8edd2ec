"""Counting: each value in the bin that a plain loop would put it in; bins of a reference as even as the values let them be."""

from bisect import bisect_right

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_registry.domain.drift.bins import Bins
from airflow_registry.scoring.bins import category_bins, count_categories, count_numbers, decile_bins, is_category, is_number, numbers

floats = st.lists(st.floats(width=32) | st.sampled_from([0.0, 1.0, 2.0]), min_size=1, max_size=60)
edges = st.lists(st.floats(-100, 100), max_size=9, unique=True).map(lambda found: tuple(sorted(found)))


def plainly(values, edges):
    counts = [0] * (len(edges) + 2)
    for value in values:
        counts[-1 if value != value else bisect_right(edges, value)] += 1  # noqa: PLR0124  NaN
    return tuple(counts)


@given(floats, edges)
def test_numbers_are_counted_as_a_loop_would(values, edges):
    assert count_numbers(np.array(values), edges) == plainly(values, edges)


@given(st.lists(st.integers(-(2**62), 2**62), min_size=1), edges)
def test_whole_numbers_are_counted_as_such(values, edges):
    assert count_numbers(np.array(values), edges) == plainly(values, edges)


def test_whole_numbers_that_no_float_can_tell_apart_are_told_apart():
    large = 2**60
    assert count_numbers(np.array([large - 1, large, large + 1]), (large, large + 1)) == (1, 1, 1, 0)


@pytest.mark.parametrize("kind", ["int8", "uint8", "uint64", "int16"])
def test_an_edge_beyond_the_type_is_an_edge(kind):
    assert count_numbers(np.array([0, 1, 100], dtype=kind), (-1000, 50, 10**20)) == (0, 2, 1, 0, 0)


def test_null_becomes_missing_whatever_the_type():
    for type_ in (pa.int32(), pa.float64(), pa.decimal128(5, 2)):
        assert count_numbers(numbers(pa.array([1, None, 3], type_)), (2,)) == (1, 1, 1)


@given(st.lists(st.sampled_from(["a", "b", "c", None])))
def test_categories_are_counted_in_every_encoding(values):
    wanted = (values.count("a"), values.count("b"), values.count("c"), values.count(None))
    plain = pa.array(values, pa.string())
    for column in (plain, plain.cast(pa.large_string()), plain.dictionary_encode()):
        assert count_categories(column, ("a", "b")) == wanted


def test_a_dictionary_may_hold_null_itself_and_values_that_nobody_uses():
    column = pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 2]), pa.array(["a", None, "z", "unused"]))
    assert count_categories(column, ("a",)) == (1, 1, 2)


@pytest.mark.parametrize(
    ("values", "categories", "counts"),
    [
        ([True, False, True], ("false", "true"), (1, 2, 0, 0)),
        ([0, 1, 1], ("0", "1"), (1, 2, 0, 0)),
        ([0.0, float("nan"), 7.5], ("0", "7.5"), (1, 1, 0, 1)),
        ([], ("a",), (0, 0, 0)),
        (["a", "b"], (), (2, 0)),
    ],
)
def test_labels_that_are_no_text_are_categories_too(values, categories, counts):
    assert count_categories(pa.array(values), categories) == counts


@given(st.integers(10, 500), st.randoms())
def test_values_that_are_all_different_give_even_deciles(count, random):
    values = np.array(random.sample(range(10**6), count), dtype=float)
    counts = count_numbers(values, decile_bins(values).edges)
    assert len(counts) == 11
    assert max(counts[:-1]) - min(counts[:-1]) <= 1
    assert counts[-1] == 0


def test_a_value_of_which_there_are_many_has_a_bin_of_its_own():
    values = np.concatenate([np.zeros(950), np.arange(1.0, 51.0)])
    assert count_numbers(values, decile_bins(values).edges) == (950, 50, 0)


def test_a_few_whole_numbers_have_a_bin_each():
    values = np.repeat(np.arange(1, 8), 100)
    bins = decile_bins(values)
    assert bins == Bins(edges=(2, 3, 4, 5, 6, 7))
    assert all(isinstance(edge, int) for edge in bins.edges)


@pytest.mark.parametrize("values", [np.full(20, 3.0), np.full(20, np.nan), np.array([np.inf, -np.inf, 1.0])])
def test_values_of_one_kind_have_one_bin(values):
    assert decile_bins(values) == Bins(edges=())


def test_infinite_values_are_in_the_outermost_bins():
    values = np.concatenate([np.arange(100.0), [np.inf, -np.inf]])
    bins = decile_bins(values)
    assert all(np.isfinite(bins.edges))
    counts = count_numbers(values, bins.edges)
    assert (counts[0], counts[-2], counts[-1]) == (11, 11, 0)


def test_common_categories_have_bins_and_identifiers_have_none():
    assert category_bins(pa.array(["b"] * 9 + ["a"] * 5 + ["c"] * 4 + [None] * 9)) == Bins(categories=("a", "b"))
    assert category_bins(pa.array([f"id {row}" for row in range(1000)])) == Bins(categories=())
    assert category_bins(pa.array(["b"] * 9 + ["a"] * 5).dictionary_encode(), most=1) == Bins(categories=("b",))


@pytest.mark.parametrize(
    ("type_", "number", "category"),
    [
        (pa.int8(), True, False),
        (pa.float16(), True, False),
        (pa.decimal128(4, 1), True, False),
        (pa.bool_(), False, True),
        (pa.string(), False, True),
        (pa.dictionary(pa.int8(), pa.large_string()), False, True),
        (pa.timestamp("us"), False, False),
        (pa.list_(pa.int8()), False, False),
    ],
)
def test_every_type_is_one_kind_or_none(type_, number, category):
    assert (is_number(type_), is_category(type_)) == (number, category)
