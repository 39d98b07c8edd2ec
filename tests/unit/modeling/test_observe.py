"""What is read from a training frame."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from airflow_registry.domain.model import Column, Signature
from airflow_registry.domain.signature import MAX_CATEGORIES
from airflow_registry.errors import InvalidInputError
from airflow_registry.modeling import observe
from airflow_registry.modeling.signature import capture


class Bare:
    def predict(self, rows):
        return rows


def column(values):
    """The one column of a training frame."""
    frame = values if isinstance(values, pa.Table) else pd.DataFrame({"it": values})
    return capture(Bare(), training_frame=frame).inputs[0]


def repeated(*values, times=200):
    return list(values) * times


def test_nulls_categories_and_ranges_are_read_in_model_order(frame, numbers, labels):
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression().fit(numbers[["c", "a"]], labels)
    found = capture(model, training_frame=frame)
    assert found.names == ("c", "a")
    assert [each.nullable for each in found.inputs] == [False, False]
    assert [(each.low, each.high) for each in found.inputs] == [(frame[name].min(), frame[name].max()) for name in ("c", "a")]
    assert Signature.from_json(json.loads(json.dumps(found.to_json(), allow_nan=False))) == found


def test_an_example_tells_names_and_types_only():
    found = capture(Bare(), pd.DataFrame({"x": [1.0], "carrier": ["AA"]}))
    assert found.inputs == (Column(name="x", type="double"), Column(name="carrier", type="string"))


@pytest.mark.parametrize(
    ("values", "nullable"),
    [
        ([1.0, 2.0], False),
        ([1.0, np.nan], True),
        (pd.array([1, None], dtype="Int64"), True),
        ([None, None], True),
        (["a", None], True),
        ([1, "a"], False),
        ([1, "a", None], True),
        (pa.table({"it": [1.0, float("nan")]}), True),
        (pa.table({"it": pa.DictionaryArray.from_arrays([0, 1], pa.array(["a", None]))}), True),
        ([], None),
    ],
)
def test_null_and_nan_are_both_seen_as_nulls(values, nullable):
    assert column(values).nullable is nullable


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [
        ([3, 1, 2], 1, 3),
        ([3.5, np.nan, -1.0], -1.0, 3.5),
        ([np.inf, 1.0], 1.0, None),
        ([np.inf, -np.inf], None, None),
        ([np.nan, np.nan], None, None),
        (np.array([2**64 - 1, 0], dtype="uint64"), 0, 2**64 - 1),
        ([Decimal("1.50"), Decimal("-2.25")], "-2.25", "1.50"),
        ([dt.date(2026, 1, 2), dt.date(2026, 1, 1)], "2026-01-01", "2026-01-02"),
        (pd.to_datetime(["2026-01-01", "2026-01-02"]), "2026-01-01 00:00:00.000000", "2026-01-02 00:00:00.000000"),
        (
            pd.to_datetime(["2026-01-01", "2026-01-02"]).tz_localize("Europe/Berlin"),
            "2025-12-31 23:00:00.000000Z",
            "2026-01-01 23:00:00.000000Z",
        ),
        (["b", "a"], None, None),
        ([True, False], None, None),
        (np.array([1.0, 2.0], dtype="float16"), None, None),
    ],
)
def test_the_range_is_that_of_the_finite_values_as_json_holds_it(values, low, high):
    found = column(values)
    assert (found.low, found.high) == (low, high)


@pytest.mark.parametrize(
    ("values", "categories"),
    [
        (repeated("UA", "AA", None), ("AA", "UA")),
        (repeated(True, False), (False, True)),
        (repeated(True), (True,)),
        (pd.Categorical(repeated("b", "a"), categories=["b", "never", "a"]), ("b", "never", "a")),
        (pd.Categorical(repeated(3, 1)), (1, 3)),
        (pa.table({"it": pa.array(repeated("a", "b"), pa.large_string())}), ("a", "b")),
        (
            pa.table({"it": pa.chunked_array([pa.array(["b"] * 9).dictionary_encode(), pa.array(["a"] * 9).dictionary_encode()])}),
            ("b", "a"),
        ),
        ([1, 2], None),
        ([1.0, 2.0], None),
        ([None, None], None),
        (repeated("a", 1), None),
        ([f"{number}" for number in range(MAX_CATEGORIES)], tuple(sorted(f"{number}" for number in range(MAX_CATEGORIES)))),
        ([f"{number}" for number in range(MAX_CATEGORIES + 1)], None),
        (pd.Categorical([f"{number}" for number in range(MAX_CATEGORIES + 1)]), None),
        (repeated("a", "b" * 257), None),
    ],
)
def test_the_categories_are_the_values_of_texts_dictionaries_and_booleans(values, categories):
    assert column(values).categories == categories


def test_a_dictionary_keeps_its_order_and_is_not_taken_for_text():
    found = column(pd.Categorical(repeated("b", "a"), categories=["b", "a"], ordered=True))
    assert found.type == "dictionary<values=string, indices=int8, ordered=1>"
    assert found.categories == ("b", "a")


@pytest.mark.parametrize(
    ("values", "action"),
    [([*repeated("a", "b", times=100), "c", "d"], "quarantine"), ([*repeated("a", "b", times=100), "c", "d", "e"], "pass")],
)
def test_where_new_categories_are_to_be_expected_they_are_let_pass(values, action):
    assert column(values).action("unseen") == action
    assert len(column(values).categories) in {4, 5}


def test_a_column_is_read_slice_by_slice_and_all_of_it_counts(monkeypatch):
    whole = {
        "number": np.r_[np.arange(50.0), np.nan],
        "text": ["a"] * 25 + ["b"] * 25 + [None],
        "late": pd.Series([None] * 26 + ["z"] * 25, dtype=object),
        "mixed": ["a"] * 50 + [1],
    }
    expected = capture(Bare(), training_frame=pd.DataFrame(whole))
    monkeypatch.setattr(observe, "SLICE_ROWS", 8)
    assert capture(Bare(), training_frame=pd.DataFrame(whole)) == expected
    assert (expected.inputs[0].low, expected.inputs[0].high, expected.inputs[0].nullable) == (0.0, 49.0, True)
    assert [each.categories for each in expected.inputs] == [None, ("a", "b"), ("z",), None]
    del whole["mixed"]
    assert capture(Bare(), training_frame=pa.table(whole)).inputs[1:] == expected.inputs[1:3]


def test_one_column_of_mixed_objects_does_not_hide_the_types_of_the_others():
    found = capture(Bare(), training_frame=pd.DataFrame({"mixed": [1, "a"], "x": [1.0, 2.0]}))
    assert [each.type for each in found.inputs] == [None, "double"]
    assert [each.nullable for each in found.inputs] == [False, False]


def test_a_column_that_the_frame_does_not_have_stays_unknown(numbers, labels):
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression().fit(numbers[["a", "b"]], labels)
    assert capture(model, training_frame=numbers[["a"]]).inputs[1] == Column(name="b")


def test_labels_that_are_no_text_are_found_by_their_text():
    found = capture(Bare(), training_frame=pd.DataFrame({0: [1.0], 1: [np.nan]}))
    assert [(each.name, each.nullable) for each in found.inputs] == [("0", False), ("1", True)]


def test_a_training_array_without_names_is_refused():
    with pytest.raises(InvalidInputError, match="expected a pandas DataFrame or an Arrow table"):
        capture(Bare(), training_frame=np.ones((2, 2)))
