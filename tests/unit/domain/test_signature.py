"""The signature as a value: what it says, what it refuses, and its JSON."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_registry.domain.signature import ACTIONS, DEFAULT_ACTIONS, MAX_CATEGORIES, Column, Signature
from airflow_registry.errors import InvalidInputError

values = st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text()
actions = st.dictionaries(st.sampled_from(sorted(set(DEFAULT_ACTIONS) - {"type"})), st.sampled_from(ACTIONS))
columns = st.builds(
    Column,
    name=st.text(),
    type=st.none() | st.sampled_from(["int64", "timestamp[us, tz=UTC]", "dictionary<values=string, indices=int8, ordered=0>"]),
    nullable=st.none() | st.booleans(),
    categories=st.none() | st.lists(values, max_size=5),
    low=st.none() | values,
    high=st.none() | values,
    policy=actions,
)
signatures = st.builds(Signature, inputs=st.lists(columns, max_size=4).map(tuple), output=st.none() | st.just("int64"))


def same(left, right):
    """Equal, and equal in type: 1, 1.0 and True are three values to a model."""
    return left == right and repr(left) == repr(right)


@given(signatures)
def test_what_is_stored_is_read_again(signature):
    assert same(Signature.from_json(json.loads(json.dumps(signature.to_json(), allow_nan=False))), signature)


@given(signatures)
def test_a_signature_can_be_hashed_and_compared(signature):
    assert hash(signature) == hash(Signature.from_json(signature.to_json()))


def test_the_json_of_names_and_types_is_what_it_always_was():
    stored = {"inputs": [{"name": "x", "type": "double"}, {"name": "y", "type": None}], "output": "int64"}
    signature = Signature(inputs=(Column(name="x", type="double"), Column(name="y")), output="int64")
    assert signature.to_json() == stored
    assert Signature.from_json(stored) == signature


def test_what_a_newer_release_stored_besides_is_passed_over():
    stored = {"inputs": [{"name": "x", "type": "double", "unit": "km"}], "output": None, "version": 2}
    assert Signature.from_json(stored) == Signature(inputs=(Column(name="x", type="double"),))
    assert Signature.from_json({}) == Signature()


@pytest.mark.parametrize("fact", [{"nullable": False}, {"nullable": True}, {"categories": ()}, {"low": 0}, {"high": "2026-01-01"}])
def test_a_column_of_which_more_than_name_and_type_is_known_is_observed(fact):
    assert Column(name="x", **fact).is_observed
    assert not Column(name="x", type="double", policy={"null": "error"}).is_observed


def test_a_defect_has_the_default_action_unless_the_column_says_otherwise():
    column = Column(name="x", policy={"null": "error", "range": "pass"})
    assert {defect: column.action(defect) for defect in DEFAULT_ACTIONS} == {**DEFAULT_ACTIONS, "null": "error"}
    assert column.policy == (("null", "error"),)


def test_a_policy_is_set_for_some_columns_or_for_all():
    signature = Signature(inputs=(Column(name="x", policy={"null": "error"}), Column(name="y")), output="int64")
    some = signature.with_policy("y", unseen="pass", range="quarantine")
    assert [column.policy for column in some.inputs] == [(("null", "error"),), (("range", "quarantine"), ("unseen", "pass"))]
    assert [column.policy for column in signature.with_policy(type="pass").inputs] == [
        (("null", "error"), ("type", "pass")),
        (("type", "pass"),),
    ]
    assert signature.with_policy("x", null="quarantine").inputs[0].policy == ()
    assert (some.output, some.names) == ("int64", ("x", "y"))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Column(name="x", policy={"nulls": "pass"}), "'nulls' is no defect.*Did you mean 'null'"),
        (lambda: Column(name="x", policy={"null": "ignore"}), "'ignore' is no action.*error, quarantine or pass"),
        (lambda: Column(name="x", policy={"type": "quarantine"}), "no action for the defect 'type'. Expected error or pass"),
        (lambda: Column(name="x", categories=range(MAX_CATEGORIES + 1)), "1001 categories; at most 1000"),
        (lambda: Column(name="x", low=-math.inf), "-inf is no bound"),
        (lambda: Column(name="x", high=math.nan), "nan is no bound"),
        (lambda: Signature(inputs=(Column(name="carrier"),)).with_policy("karrier", null="pass"), "no input column 'karrier'.*'carrier'"),
    ],
)
def test_what_makes_no_sense_is_refused(make, message):
    with pytest.raises(InvalidInputError, match=message):
        make()
