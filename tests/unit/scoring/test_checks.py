"""Rows against the signature."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_registry.domain.model import Column, Signature
from airflow_registry.errors import SignatureMismatchError
from airflow_registry.modeling.signature import capture
from airflow_registry.scoring.checks import LONGEST_VALUE, Inspector
from airflow_registry.scoring.predict import plan

CATEGORY = "dictionary<values=string, indices=int8, ordered=0>"
BATCH = 13


class Bare:
    def predict(self, rows):
        return rows


def inspect(column, values, type_=None):
    """What an inspector says about one column."""
    batch = pa.RecordBatch.from_arrays([values if isinstance(values, pa.Array) else pa.array(values, type_)], names=["it"])
    signature = Signature(inputs=(Column(name="it", **column),))
    return Inspector(signature, plan(signature, batch.schema).inputs).inspect(batch)


def told(found):
    """Row numbers by defect."""
    return {finding.defect: finding.mask.nonzero()[0].tolist() for finding in found.findings}


TRAINING = {
    "double": (pa.float64(), st.floats()),
    "float": (pa.float32(), st.floats(width=32)),
    "int": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "small": (pa.uint8(), st.integers(0, 255)),
    "text": (pa.string(), st.sampled_from(["a", "b", "ä", ""])),
    "open": (pa.large_string(), st.text(max_size=3)),
    "truth": (pa.bool_(), st.booleans()),
    "moment": (pa.timestamp("us", "Europe/Berlin"), st.integers(0, 2**50)),
    "clock": (pa.timestamp("ns"), st.integers(0, 2**60)),
    "day": (pa.date32(), st.integers(0, 40_000)),
    "money": (pa.decimal128(9, 2), st.decimals(-1000, 1000, places=2)),
    "list": (pa.list_(pa.int8()), st.lists(st.integers(0, 9), max_size=2)),
    "none": (pa.null(), st.none()),
}


@st.composite
def tables(draw):
    """Training data: some columns, some rows, with and without nulls."""
    names = draw(st.lists(st.sampled_from(sorted(TRAINING)), min_size=1, unique=True))
    rows = draw(st.integers(0, 25))
    columns = {}
    for name in names:
        type_, values = TRAINING[name]
        values = values | st.none() if draw(st.booleans()) else values
        columns[name] = pa.array(draw(st.lists(values, min_size=rows, max_size=rows)), type_)
        if name in {"text", "open"} and draw(st.booleans()):
            columns[name] = columns[name].dictionary_encode()
    return pa.table(columns)


def bad_rows(signature, table):
    layout = plan(signature, table.schema)
    inspector = Inspector(signature, layout.inputs)
    looked = [inspector.inspect(batch) for batch in table.to_batches(max_chunksize=BATCH)]
    return [finding.about(int(finding.mask.argmax())) for each in looked for finding in each.findings]


@settings(max_examples=40)
@given(tables())
def test_a_training_frame_fits_its_own_signature_whatever_is_enforced(table):
    signature = capture(Bare(), training_frame=table).with_policy(range="error", null="error", unseen="error", unrepresentable="error")
    assert bad_rows(signature, table) == []
    frame = table.to_pandas(types_mapper=pd.ArrowDtype)
    signature = capture(Bare(), training_frame=frame).with_policy(range="error", null="error", unseen="error", unrepresentable="error")
    assert bad_rows(signature, table) == []


OTHER_FORMS = {
    "double": [pa.float64()],
    "float": [pa.float64(), pa.float32()],
    "small": [pa.int64(), pa.float64(), pa.decimal128(5, 1), pa.int16()],
    "text": [pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string()), pa.dictionary(pa.int8(), pa.large_string())],
    "truth": [pa.int8()],
    "moment": [pa.timestamp("ns", "UTC"), pa.timestamp("us", "Asia/Tokyo")],
    "day": [pa.date64(), pa.timestamp("s")],
    "money": [pa.decimal128(20, 4)],
}


@settings(max_examples=40)
@given(st.data(), tables())
def test_rows_that_conform_are_never_lost_whatever_form_they_come_in(data, table):
    signature = capture(Bare(), training_frame=table).with_policy(range="quarantine")
    order = data.draw(st.permutations(table.column_names))
    columns = {}
    for name in order:
        column = table.column(name)
        wanted = data.draw(st.sampled_from(OTHER_FORMS.get(name, [column.type])))
        plain = column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
        columns[name] = plain.cast(wanted.value_type).dictionary_encode() if pa.types.is_dictionary(wanted) else plain.cast(wanted)
    shuffled = pa.table({**columns, "extra": pa.nulls(len(table))})
    assert bad_rows(signature, shuffled) == []
    layout = plan(signature, shuffled.schema)
    assert layout.inputs == tuple(table.column_names)
    if len(table):
        inputs = Inspector(signature, layout.inputs).inspect(shuffled.combine_chunks().to_batches()[0]).inputs
        for column in signature.inputs:
            if column.name in {"double", "float", "small", "truth", "moment", "day"} or (column.name == "text" and column.categories):
                found = str(inputs.schema.field(column.name).type)
                assert found == str(column.type).replace("indices=int8", "indices=int32")


@given(
    st.lists(st.none() | st.floats() | st.integers(-5, 15).map(float), max_size=60),
    st.booleans(),
    st.sampled_from(["int64", "double", "float"]),
)
def test_a_row_is_bad_exactly_when_its_value_is(values, nullable, type_):
    column = {"type": type_, "nullable": nullable, "low": 0, "high": 10, "policy": {"range": "quarantine"}}
    found = inspect(column, values, pa.float64())

    def is_bad(value):
        if value is None or math.isnan(value):
            return not nullable
        with np.errstate(over="ignore"):
            value = float(np.float32(value)) if type_ == "float" else value
        whole = type_ != "int64" or (math.isfinite(value) and value == int(value))
        return not whole or not 0 <= value <= 10

    bad = [False] * len(values) if found.bad is None else found.bad.tolist()
    assert bad == [is_bad(value) for value in values]
    assert found.without(found.bad).inputs.num_rows == bad.count(False)


@pytest.mark.parametrize(
    ("column", "values", "type_", "expected"),
    [
        (
            {"type": "int64", "nullable": False},
            [1.0, 1.5, None, math.nan, 1e300],
            pa.float64(),
            {"null": [2, 3], "unrepresentable": [1, 4]},
        ),
        ({"type": "int64", "nullable": True}, [1.0, 1.5, None, math.nan], pa.float64(), {"unrepresentable": [1]}),
        ({"type": "int32", "nullable": True}, [1, 2**40], pa.int64(), {"unrepresentable": [1]}),
        ({"type": "double", "nullable": False}, [1.0, math.nan, math.inf], pa.float64(), {"null": [1]}),
        ({"type": "double", "nullable": False}, [1.0, None, math.nan], pa.float64(), {"null": [1, 2]}),
        ({"type": "double", "nullable": True}, [1.0, None, math.nan], pa.float64(), {}),
        ({"type": "double", "low": 0.0}, [1.0, None, math.nan], pa.float64(), {}),
        ({"type": "double", "nullable": False}, [None, None], pa.null(), {"null": [0, 1]}),
        ({"type": None, "nullable": False}, [[1], None], pa.list_(pa.int8()), {"null": [1]}),
        ({"type": "string", "categories": ["a"]}, ["a", "b", None], pa.string(), {"unseen": [1]}),
        ({"type": "string", "categories": ["a"]}, ["a", "b", None], pa.large_string(), {"unseen": [1]}),
        ({"type": "string", "categories": ["a"]}, ["a", "b", None], pa.dictionary(pa.int8(), pa.string()), {"unseen": [1]}),
        ({"type": "string", "categories": []}, ["a", None], pa.string(), {"unseen": [0]}),
        ({"type": CATEGORY, "categories": ["b", "a"]}, ["a", "z", None], pa.string(), {"unseen": [1]}),
        ({"type": "bool", "categories": [True]}, [1, 0, 2, None], pa.int8(), {"unrepresentable": [2], "unseen": [1]}),
        ({"type": "int64", "low": 0, "high": 5}, [-1, 6], pa.int64(), {}),
        (
            {"type": "timestamp[us, tz=UTC]", "low": "2026-01-01 00:00:00.000000Z", "policy": {"range": "quarantine"}},
            [0, 2**51],
            pa.timestamp("us", "Europe/Berlin"),
            {"range": [0]},
        ),
        ({"type": "decimal128(3, 2)", "high": "1.50", "policy": {"range": "quarantine"}}, [1.25, 1.75], pa.float64(), {"range": [1]}),
        ({"type": "decimal128(3, 2)", "nullable": True}, [1234567, 12345], pa.decimal128(10, 3), {}),
        ({"type": None, "high": 1, "policy": {"range": "quarantine"}}, [0.5, 1.5], pa.float64(), {"range": [1]}),
        ({"type": "int64", "nullable": False, "policy": {"null": "pass", "unrepresentable": "pass"}}, [1.5, None], pa.float64(), {}),
        ({"type": "string", "categories": ["a"], "policy": {"unseen": "pass"}}, ["z"], pa.string(), {}),
    ],
)
def test_each_defect_is_found_where_it_is(column, values, type_, expected):
    assert told(inspect(column, values, type_)) == expected


@pytest.mark.parametrize("type_", [pa.float64(), pa.float32(), pa.int64(), pa.string(), pa.dictionary(pa.int8(), pa.string())], ids=str)
def test_a_column_of_which_only_name_and_type_are_known_goes_in_as_it_comes(type_):
    wanted = "string" if "string" in str(type_) else "int64"
    values = pa.array(["a", None] if wanted == "string" else [1, None]).cast(type_.value_type if pa.types.is_dictionary(type_) else type_)
    values = values.dictionary_encode() if pa.types.is_dictionary(type_) else values
    found = inspect({"type": wanted}, values)
    assert found.bad is None
    assert found.inputs.column(0).equals(values)


def test_the_model_gets_the_types_of_the_training():
    found = inspect({"type": "int64", "nullable": True}, [1.0, 2.0], pa.float64())
    assert found.inputs.column(0).equals(pa.array([1, 2]))
    assert found.batch.column(0).type == pa.float64()
    found = inspect({"type": "string", "nullable": True}, pa.array(["a", "b"]).dictionary_encode())
    assert found.inputs.column(0).equals(pa.array(["a", "b"]))


def test_a_value_that_may_pass_although_it_is_not_representable_stays_what_it_is():
    found = inspect({"type": "int64", "nullable": True, "policy": {"unrepresentable": "pass"}}, [1.5, 2.0], pa.float64())
    assert found.bad is None
    assert found.inputs.column(0).equals(pa.array([1.5, 2.0]))


def test_a_dictionary_comes_in_the_order_of_the_training_however_it_came():
    column = {"type": CATEGORY, "categories": ["b", "never", "a"]}
    for values in (
        pa.array(["a", "b", None]),
        pa.array(["a", "b", None]).dictionary_encode(),
        pa.array(["a", "b", None], pa.large_string()),
    ):
        frame = inspect(column, values).inputs.to_pandas()
        assert frame["it"].cat.categories.tolist() == ["b", "never", "a"]
        assert frame["it"].cat.codes.tolist() == [2, 0, -1]


def test_an_unseen_category_that_may_pass_is_put_behind_the_known_ones():
    column = {"type": CATEGORY, "categories": ["b", "a"], "policy": {"unseen": "pass"}}
    found = inspect(column, pa.array(["z", "a", None, "y", "z"]))
    assert found.bad is None
    frame = found.inputs.to_pandas()
    assert frame["it"].cat.categories.tolist() == ["b", "a", "z", "y"]
    assert frame["it"].astype(object).where(frame["it"].notna(), None).tolist() == ["z", "a", None, "y", "z"]


def test_a_dictionary_of_too_many_values_to_know_their_order_is_left_alone():
    values = pa.array(["a", "z", None]).dictionary_encode()
    found = inspect({"type": CATEGORY, "nullable": False}, values)
    assert told(found) == {"null": [2]}
    assert found.inputs.column(0).equals(values)


def test_a_null_that_hides_in_a_dictionary_is_a_null():
    values = pa.DictionaryArray.from_arrays(pa.array([0, 1], pa.int8()), pa.array(["a", None]))
    assert told(inspect({"type": "string", "nullable": False, "categories": ["a"]}, values)) == {"null": [1]}


@pytest.mark.parametrize(
    ("expected", "found", "says"),
    [
        ("double", pa.string(), "expected double, found string"),
        ("string", pa.int64(), "expected string, found int64"),
        ("timestamp[us, tz=UTC]", pa.timestamp("us"), "one has a time zone and the other has none"),
        ("timestamp[us]", pa.timestamp("us", "UTC"), "one has a time zone and the other has none"),
    ],
)
def test_another_kind_of_type_is_named_before_the_first_row_unless_it_may_pass(expected, found, says):
    column = Column(name="it", type=expected, nullable=False)
    with pytest.raises(SignatureMismatchError, match=says):
        plan(Signature(inputs=(column,)), pa.schema({"it": found}))
    passing = Signature(inputs=(column,)).with_policy(type="pass")
    batch = pa.RecordBatch.from_arrays([pa.nulls(2, found)], names=["it"])
    looked = Inspector(passing, plan(passing, batch.schema).inputs).inspect(batch)
    assert (looked.bad, looked.inputs.schema.field("it").type) == (None, found)


def test_categories_that_cannot_be_compared_with_the_column_are_a_mismatch():
    signature = Signature(inputs=(Column(name="it", categories=("a",)),))
    with pytest.raises(SignatureMismatchError, match="found int64"):
        plan(signature, pa.schema({"it": pa.int64()}))


def test_naive_and_zoned_times_of_a_signature_of_types_only_are_let_pass_as_before():
    assert plan(Signature(inputs=(Column(name="it", type="timestamp[us, tz=UTC]"),)), pa.schema({"it": pa.timestamp("us")})).inputs == (
        "it",
    )


@pytest.mark.parametrize(
    ("column", "value", "sentence"),
    [
        ({"type": "int64", "nullable": True}, 1.5, "column 'it' is not representable as int64: 1.5"),
        ({"type": "double", "nullable": False}, None, "column 'it' is null, and had no null in training"),
        ({"type": "string", "categories": ["a"]}, "ZZ", "column 'it' has a category that training did not see: 'ZZ'"),
        (
            {"type": "double", "low": 2.0, "policy": {"range": "quarantine"}},
            1.0,
            "column 'it' is below 2.0, the smallest value of the training: 1.0",
        ),
    ],
)
def test_the_reason_is_said_in_words_with_the_value(column, value, sentence):
    found = inspect(column, [value], pa.string() if isinstance(value, str) else pa.float64())
    assert [finding.about(0) for finding in found.findings] == [sentence]


def test_a_long_value_is_cut():
    finding = inspect({"type": "string", "categories": ["a"]}, ["x" * 500]).findings[0]
    assert len(finding.value(0)) == LONGEST_VALUE
    assert finding.value(0).endswith("…")


def test_the_steps_are_compiled_once_for_each_schema(monkeypatch):
    from airflow_registry.scoring import checks

    calls = []
    real = checks._compile
    monkeypatch.setattr(checks, "_compile", lambda *arguments: calls.append(1) or real(*arguments))
    inspector = Inspector(Signature(inputs=(Column(name="it", type="string", categories=("a",)),)), ("it",))
    plain, encoded = pa.array(["a", "b"]), pa.array(["a", "b"]).dictionary_encode()
    for values in (plain, plain, encoded, plain, encoded):
        found = inspector.inspect(pa.RecordBatch.from_arrays([values], names=["it"]))
        assert told(found) == {"unseen": [1]}
    assert len(calls) == 2


def test_a_batch_without_a_signature_passes_untouched():
    batch = pa.RecordBatch.from_pydict({"x": [1, None], "y": [None, "a"]})
    found = Inspector(None, ("y", "x")).inspect(batch)
    assert found.bad is None
    assert found.inputs.schema.names == ["y", "x"]
    assert found.without(None) is found
    assert np.array_equal(found.without(np.array([True, False])).batch.column("y").to_pylist(), ["a"])
