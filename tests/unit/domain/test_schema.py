"""The JSON Schema and the reader agree."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from airflow_registry.domain.grammar import BURN_IN_KEYS, NESTED_KEYS, POLICY_KEYS, RULE_KEYS, policy_from_mapping
from airflow_registry.domain.schema import json_schema
from airflow_registry.errors import InvalidPolicyError
from tests.unit.domain.policies import POLICIES

SCHEMA = Draft202012Validator(json_schema())
KEYS = sorted({*POLICY_KEYS, *BURN_IN_KEYS, *(key for keys in (*RULE_KEYS.values(), *NESTED_KEYS.values()) for key in keys)})
VALUES = st.sampled_from(
    [
        None, True, False, 0, 1, -1, 0.5, 0.95, 1.0, 7, 10**20, -0.0,
        "", " ", "x", "7d", " 3 d ", "0d", "1%", " 0.5 % ", "-1%", "1_0", "+1e-3%", "nan", "\u0661%", "v3", "V12", "3", "v0",
        "auc", "roc_auc", "f1", "distance:4", "distance:1", "anchor", "champion", "trivial", "any", "same", "maximize", "approval",
        [], ["AA"], ["AA", 7], ["AA", "AA"], [" "], ["tags"],
        {}, {"risk": ["a"]}, {"risk": []}, {"people": 2}, {"partitions": 5, "agreement": 1}, {"for": "3d", "null_share": 0}, {"for": "3d"},
    ]
)  # fmt: skip


def is_read(mapping):
    try:
        policy_from_mapping(mapping)
    except InvalidPolicyError:
        return False
    return True


def places(value):
    """Every mapping inside a value, itself included."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from places(inner)


@st.composite
def changed_policies(draw):
    """What a policy writes, with a few things changed, added, taken away or renamed."""
    mapping = draw(POLICIES).to_mapping()
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(list(places(mapping))))
        old = draw(st.sampled_from([*place, *KEYS]))
        match draw(st.sampled_from(["set", "drop", "rename"])):
            case "set":
                place[old] = draw(VALUES)
            case "drop":
                place.pop(old, None)
            case "rename" if old in place:
                place[draw(st.sampled_from(KEYS))] = place.pop(old)
    return mapping


def test_it_is_a_schema_of_plain_values():
    Draft202012Validator.check_schema(json_schema())
    assert json.loads(json.dumps(json_schema())) == json_schema()


@given(POLICIES)
def test_it_accepts_what_a_policy_writes(policy):
    SCHEMA.validate(policy.to_mapping())


@given(changed_policies())
def test_it_refuses_nothing_that_the_reader_takes(mapping):
    if is_read(mapping):
        SCHEMA.validate(mapping)


THRESHOLD = {"metric": "auc", "at_least": 0.5}
COMPARISON = {"metric": "auc", "against": "champion", "improve_by": 0}
GAP = {"metric": "auc", "by": "carrier", "gap_at_most": 0.1}
BURN_IN = {"for": "3d", "failed_partitions": 0}
REFUSED_RULES = [
    {},
    {"metric": "auc"},
    {"metric": " ", "at_least": 0.5},
    {"metric": "auc", "at_lest": 1},
    THRESHOLD | {"at_least": "0.5"},
    THRESHOLD | {"at_most": None},
    THRESHOLD | {"goal": "maximize"},
    THRESHOLD | {"require": ["tags"]},
    THRESHOLD | {"confidence": 0.95},
    THRESHOLD | {"values": ["AA"]},
    THRESHOLD | {"by": "carrier", "values": "AA"},
    THRESHOLD | {"by": "carrier", "values": []},
    THRESHOLD | {"by": "carrier", "values": ["AA", "AA"]},
    THRESHOLD | {"by": "carrier", "values": [1.5]},
    THRESHOLD | {"by": " "},
    THRESHOLD | {"by": 3},
    THRESHOLD | {"min_rows": 0},
    THRESHOLD | {"min_rows": 1.5},
    {"metric": "auc", "gap_at_most": 0.1},
    GAP | {"gap_at_most": -0.1},
    GAP | {"values": ["AA"]},
    GAP | {"at_least": 0.1},
    {"metric": "auc", "no_worse_than": 0},
    {"metric": "auc", "against": "champion"},
    COMPARISON | {"no_worse_than": 0},
    COMPARISON | {"improve_by": -1},
    COMPARISON | {"improve_by": "one"},
    COMPARISON | {"against": "the champion"},
    COMPARISON | {"against": "anchor"},
    COMPARISON | {"against": "anchor", "version": 0},
    COMPARISON | {"against": "anchor", "version": "latest"},
    COMPARISON | {"against": "anchor", "version": 3, "promotions_ago": 2},
    COMPARISON | {"version": 3},
    COMPARISON | {"against": "trivial", "promotions_ago": 2},
    COMPARISON | {"confidence": 0.5},
    COMPARISON | {"confidence": 95},
    COMPARISON | {"confidence": 0.95, "data": "any"},
    COMPARISON | {"confidence": 0.95, "metric": "f1"},
    COMPARISON | {"goal": "up"},
    COMPARISON | {"data": "other"},
    COMPARISON | {"values": ["AA"]},
    {"require": []},
    {"require": "tags"},
    {"require": ["moon"]},
    {"champion_not_older_than": 30},
    {"champion_not_older_than": "a month"},
    {"predicts_rows": 10},
    {"loads_within": 60},
    {"loads_within": "60s", "predicts_rows": 0},
    {"shadow": {}},
    {"shadow": {"partitions": 5}},
    {"shadow": {"partitions": 0, "agreement": 1}},
    {"shadow": {"partitions": 5, "agreement": 97}},
    {"shadow": {"partitions": 5, "agreement": 1, "people": 1}},
    {"approval": True},
    {"approval": {"people": 0}},
    {"approval": {"not_the_author": "yes"}},
    {"approval": {"groups": ["a"]}},
    {"approval": {"groups": {"risk": []}}},
    {"approval": {"groups": {"risk": ["a", "a"]}}},
    {"approval": {"groups": {"risk": [7]}}},
    {"approval": {"groups": {" ": ["a"]}}},
    {"approval": {"within": 3}},
]
REFUSED = [
    {},
    {"rules": []},
    {"rules": THRESHOLD},
    {"rules": [THRESHOLD], "schema": 2},
    {"rules": [THRESHOLD], "schema": True},
    {"rules": [THRESHOLD], "first_model": "none"},
    {"rules": [THRESHOLD], "model": "a/b"},
    {"rules": [THRESHOLD], "valid_for": 7},
    {"rules": [THRESHOLD], "waivers": []},
    *({"rules": [THRESHOLD], "burn_in": wrong} for wrong in ("3d", {}, {"for": "3d"}, {"null_share": 0.1})),
    {"rules": [THRESHOLD], "burn_in": {"for": "3d", "cool_down": "1d"}},
    *(
        {"rules": [THRESHOLD], "burn_in": {"for": "3d", key: wrong}}
        for key, wrongs in (("live", (0.8, {}, {"metric": "auc"}, {"at_least": 1})), ("prediction_drift", (0.2, {}, {"at_most": -1})))
        for wrong in wrongs
    ),
    *({"rules": [THRESHOLD], "burn_in": BURN_IN | wrong} for wrong in ({"for": 3}, {"null_share": 2}, {"failed_partitions": -1}, {"x": 1})),
    *({"rules": [rule]} for rule in REFUSED_RULES),
]  # fmt: skip


@pytest.mark.parametrize("mapping", REFUSED, ids=json.dumps)
def test_it_refuses_what_the_reader_refuses(mapping):
    assert not is_read(mapping)
    assert not SCHEMA.is_valid(mapping)


@pytest.mark.parametrize("rule", [THRESHOLD, COMPARISON, GAP], ids=json.dumps)
def test_what_the_faulty_ones_are_made_of_is_right(rule):
    mapping = {"rules": [rule], "burn_in": BURN_IN}
    assert is_read(mapping)
    SCHEMA.validate(mapping)


def test_every_key_is_explained():
    def described(schema):
        for name, value in schema.get("properties", {}).items():
            inner = value.get("properties", {})
            yield name, "description" in value or bool(inner)
            yield from described(value)

    found = dict(described(json_schema()))
    for rule in json_schema()["properties"]["rules"]["items"]["oneOf"]:
        found |= dict(described(rule))
    assert set(found) == set(KEYS)
    assert [name for name, is_described in found.items() if not is_described] == []
