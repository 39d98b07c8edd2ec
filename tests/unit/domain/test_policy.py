"""A policy says back what it was told, and refuses what it does not understand."""

import hashlib
import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_registry.domain.grammar import policy_from_mapping
from airflow_registry.domain.names import Digest, ModelName
from airflow_registry.domain.policy import (
    REQUIRABLE,
    Comparison,
    Margin,
    Policy,
    Require,
    Threshold,
    parse_duration,
    print_duration,
    thresholds_policy,
)
from airflow_registry.errors import InvalidPolicyError

AUC = {"metric": "auc", "at_least": 0.5}
FINITE = st.floats(allow_nan=False, allow_infinity=False)
METRICS = st.sampled_from(["auc", "f1", "log_loss", "my metric"])
THRESHOLDS = st.builds(Threshold, METRICS, at_least=FINITE) | st.builds(Threshold, st.text(min_size=1).filter(str.strip), at_least=FINITE)
MARGINS = st.builds(Margin, st.floats(min_value=0, allow_nan=False, allow_infinity=False), is_percent=st.booleans())
COMPARISONS = st.builds(
    lambda name, key, margin, data: Comparison(name, data=data, goal="minimize" if name == "my metric" else None, **{key: margin}),
    METRICS,
    st.sampled_from(["no_worse_than", "improve_by"]),
    MARGINS,
    st.sampled_from(["same", "any"]),
)
REQUIRES = st.lists(st.sampled_from(sorted(REQUIRABLE)), min_size=1, max_size=4).map(lambda names: Require(tuple(names)))
POLICIES = st.builds(
    Policy,
    rules=st.lists(THRESHOLDS | COMPARISONS | REQUIRES, min_size=1, max_size=5).map(tuple),
    model=st.none() | st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}", fullmatch=True).map(ModelName),
    valid_for=st.none() | st.integers(1, 3650 * 86400).map(lambda seconds: timedelta(seconds=seconds)),
)


def faults_of(mapping):
    with pytest.raises(InvalidPolicyError) as caught:
        policy_from_mapping(mapping, "here.yaml")
    return list(caught.value.faults)


class TestReading:
    def test_the_whole_grammar_of_this_release(self):
        policy = policy_from_mapping(
            {
                "schema": 1,
                "model": "flight_delay",
                "first_model": "value_rules",
                "rules": [
                    {"metric": "roc_auc", "at_least": 0.55, "at_most": 0.9},
                    {"metric": "roc_auc", "against": "champion", "no_worse_than": 0.005},
                    {"metric": "log_loss", "against": "champion", "no_worse_than": "1%", "data": "any"},
                    {"metric": "cost", "against": "champion", "improve_by": 0, "goal": "minimize"},
                    {"require": ["git_commit", "datasets", "change_note"]},
                ],
                "valid_for": "7d",
            }
        )
        assert policy == Policy(
            model=ModelName("flight_delay"),
            rules=(
                Threshold("roc_auc", at_least=0.55, at_most=0.9),
                Comparison("roc_auc", no_worse_than=Margin(0.005)),
                Comparison("log_loss", no_worse_than=Margin(1, is_percent=True), data="any"),
                Comparison("cost", improve_by=Margin(0), goal="minimize"),
                Require(("git_commit", "datasets", "change_note")),
            ),
            valid_for=timedelta(days=7),
        )

    @given(POLICIES)
    def test_what_a_policy_writes_reads_back(self, policy):
        again = policy_from_mapping(policy.to_mapping())
        assert again == policy
        assert again.digest == policy.digest

    def test_a_duration_may_be_given_in_python(self):
        assert policy_from_mapping({"rules": [AUC], "valid_for": timedelta(hours=1)}).valid_for == timedelta(hours=1)

    @pytest.mark.parametrize(
        ("mapping", "path", "said"),
        [
            (None, "rules", "expected a mapping"),
            ([AUC], "rules", "expected a mapping"),
            ({}, "rules", "a policy without rules approves nothing"),
            ({"rules": []}, "rules", "a policy without rules approves nothing"),
            ({"rules": AUC}, "rules", "expected a list"),
            ({"rules": "auc"}, "rules", "expected a list"),
            ({"rules": [AUC], "schema": 2}, "schema", "this release reads schema 1; found 2"),
            ({"rules": [AUC], "schema": True}, "schema", "found True"),
            ({"rules": [AUC], "schema": "1"}, "schema", "found '1'"),
            ({"rules": [AUC], "model": "a/b"}, "model", "is not a model name"),
            ({"rules": [AUC], "model": "{{ x }}"}, "model", "was not rendered"),
            ({"rules": [AUC], "first_model": "approval"}, "first_model", "does not know 'approval'"),
            ({"rules": [AUC], "first_model": "value_rule"}, "first_model", "Did you mean 'value_rules'?"),
            ({"rules": [AUC], "valid_for": 7}, "valid_for", "expected a duration such as 12h or 7d; found 7"),
            ({"rules": [AUC], "valid_for": "a week"}, "valid_for", "found 'a week'"),
            ({"rules": [AUC], "valid_for": "-7d"}, "valid_for", "found '-7d'"),
            ({"rules": [AUC], "valid_for": "0d"}, "valid_for", "from 1s to 3650d"),
            ({"rules": [AUC], "valid_for": "3651d"}, "valid_for", "at most 3650d"),
            ({"rules": [AUC], "valid_for": timedelta(seconds=0.5)}, "valid_for", "whole seconds"),
            ({"rules": [AUC], "valid_for": None}, "valid_for", "has no value"),
            ({"rules": [AUC], "waivers": []}, "waivers", "no such key"),
            ({"rules": [AUC], "modell": "a"}, "modell", "Did you mean 'model'?"),
            ({"rules": [AUC], 3: "a"}, "3", "no such key"),
            ({"rules": [None]}, "rules[0]", "expected a mapping"),
            ({"rules": [AUC, {}]}, "rules[1]", "expected a mapping"),
            ({"rules": [AUC, {"metric": "auc"}]}, "rules[1].at_least", "missing"),
            ({"rules": [{"at_least": 1}]}, "rules[0].metric", "expected the name of a metric"),
            ({"rules": [{"metric": "auc", "at_least": None, "at_most": 1}]}, "rules[0].at_least", "has no value"),
            ({"rules": [AUC | {"at_most": 0.4}]}, "rules[0].at_least", "above at_most"),
            ({"rules": [AUC, {"metric": "auc", "at_most": 0.4}]}, "rules", "no value of 'auc' can be at least 0.5 and at most 0.4"),
            ({"rules": [AUC | {"by": "carrier"}]}, "rules[0].by", "no such key"),
            ({"rules": [AUC | {"min_rows": 200}]}, "rules[0].min_rows", "no such key"),
            ({"rules": [{"loads_within": "60s"}]}, "rules[0].loads_within", "no such key"),
            ({"rules": [{"shadow": {"partitions": 5}}]}, "rules[0].shadow", "no such key"),
            ({"rules": [{"approval": {"people": 1}}]}, "rules[0].approval", "no such key"),
            ({"rules": [AUC | {"goal": "maximize"}]}, "rules[0].at_least", "does not go with"),
            ({"rules": [AUC | {"require": ["tags"]}]}, "rules[0].at_least", "Make it a rule of its own"),
            ({"rules": [{"require": "tags"}]}, "rules[0].require", "expected a list"),
            ({"rules": [{"require": ["tag"]}]}, "rules[0].require", "Did you mean 'tags'?"),
            ({"rules": [{"metric": "auc", "no_worse_than": 0}]}, "rules[0].against", "Write against: champion"),
            ({"rules": [{"metric": "auc", "against": "champion"}]}, "rules[0].no_worse_than", "give either"),
            ({"rules": [{"metric": "auc", "against": "anchor", "improve_by": 0}]}, "rules[0].against", "does not know 'anchor'"),
            ({"rules": [{"metric": "auc", "against": "champion", "improve_by": "-1%"}]}, "rules[0].improve_by", "not negative"),
            (
                {"rules": [{"metric": "auc", "against": "champion", "improve_by": 0, "confidence": 0.95}]},
                "rules[0].confidence",
                "no such key",
            ),
            ({"rules": [{"metric": "cost", "against": "champion", "improve_by": 0}]}, "rules[0].goal", "goal: maximize or goal: minimize"),
        ],
    )
    def test_what_it_does_not_understand_is_refused_with_its_path(self, mapping, path, said):
        faults = faults_of(mapping)
        assert any(fault.startswith(f"{path}: ") and said in fault for fault in faults), faults

    def test_all_faults_of_a_policy_are_told_at_once(self):
        mapping = {
            "schema": 2,
            "modle": "flight delay",
            "rules": [
                AUC,
                {"metric": "auc", "at_lest": math.nan},
                {"metric": "auc", "against": "champion", "improve_by": "x", "goal": "up"},
            ],
        }
        paths = {fault.partition(": ")[0] for fault in faults_of(mapping)}
        assert paths == {"schema", "modle", "model", "rules[1].at_lest", "rules[1].at_least", "rules[2].improve_by", "rules[2].goal"}

    def test_a_misspelt_key_never_overrides_the_right_one(self):
        [fault] = faults_of({"rules": [AUC | {"at_lest": "x"}]})
        assert fault.startswith("rules[0].at_lest: ")

    def test_the_message_names_the_source_and_holds_every_fault(self):
        with pytest.raises(InvalidPolicyError, match=r"(?s)The policy here\.yaml has 2 fault\(s\).*- valid_for.*- first_model"):
            policy_from_mapping({"rules": [AUC], "first_model": "x", "valid_for": "x"}, "here.yaml")

    @given(
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.sampled_from(["auc", "champion", "1%", "7d", "tags"]),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(
                        ["rules", "metric", "at_least", "at_most", "against", "improve_by", "goal", "data", "require", "valid_for", "x"]
                    ),
                    inner,
                    max_size=4,
                )
            ),
        )
    )
    def test_anything_else_is_refused_and_nothing_else_is_raised(self, anything):
        try:
            policy = policy_from_mapping(anything)
        except InvalidPolicyError as error:
            assert error.faults  # noqa: PT017  most inputs are refused, some are not
        else:
            assert policy.rules


class TestPolicy:
    def test_it_can_be_made_without_rules_and_then_writes_none(self):
        assert Policy(rules=()).to_mapping()["rules"] == []

    def test_rules_may_come_as_a_list(self):
        assert Policy(rules=[Threshold("auc", at_least=0.5)]) == Policy(rules=(Threshold("auc", at_least=0.5),))

    def test_what_is_no_rule_is_refused(self):
        with pytest.raises(InvalidPolicyError, match=r"rules\[0\]: expected a Threshold, a Comparison or a Require; found \{'metric'"):
            Policy(rules=({"metric": "auc"},))

    def test_rules_that_want_opposite_directions_are_refused(self):
        rules = tuple(Comparison("cost", improve_by=0, goal=goal) for goal in ("minimize", "maximize"))
        with pytest.raises(InvalidPolicyError, match="maximize 'cost' and another one to minimize"):
            Policy(rules=rules)

    def test_rules_that_want_the_same_direction_are_fine(self):
        assert Policy(rules=(Comparison("cost", improve_by=0, goal="minimize"), Comparison("cost", no_worse_than=1, goal="minimize")))

    def test_two_thresholds_that_can_both_hold_are_fine(self):
        assert Policy(rules=(Threshold("auc", at_least=0.5), Threshold("auc", at_most=0.5), Threshold("f1", at_most=0.1)))

    def test_the_digest_is_one_of_canonical_json_and_known(self):
        policy = Policy(rules=(Threshold("auc", at_least=0.5),), model="flights")
        text = '{"first_model":"value_rules","model":"flights","rules":[{"at_least":0.5,"metric":"auc"}],"schema":1}'
        assert Digest(policy.digest) == f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"

    def test_every_change_changes_the_digest(self):
        variants = [
            Policy(rules=(Threshold("auc", at_least=0.5),)),
            Policy(rules=(Threshold("auc", at_least=0.51),)),
            Policy(rules=(Threshold("auc", at_most=0.5),)),
            Policy(rules=(Comparison("auc", improve_by=0.5),)),
            Policy(rules=(Comparison("auc", improve_by="0.5%"),)),
            Policy(rules=(Comparison("auc", improve_by=0.5, data="any"),)),
            Policy(rules=(Threshold("auc", at_least=0.5),), model="flights"),
            Policy(rules=(Threshold("auc", at_least=0.5),), valid_for=timedelta(days=1)),
        ]
        assert len({policy.digest for policy in variants}) == len(variants)

    def test_numbers_that_are_equal_give_the_same_digest(self):
        one, other = Policy(rules=(Threshold("r2", at_least=0),)), Policy(rules=(Threshold("r2", at_least=-0.0),))
        assert one == other
        assert one.digest == other.digest


class TestThresholds:
    def test_a_floor_or_a_ceiling_by_what_is_known_of_the_metric(self):
        policy = thresholds_policy({"accuracy": 0.8, "log_loss": 0.4}, model="flights")
        assert policy.rules == (Threshold("accuracy", at_least=0.8), Threshold("log_loss", at_most=0.4))
        assert policy.model == "flights"

    def test_all_faults_at_once(self):
        with pytest.raises(InvalidPolicyError) as caught:
            thresholds_policy({"profit": 3, "accuracy": "high", 5: 1, "mae": math.nan}, model="a b")
        said = " ".join(caught.value.faults)
        assert "profit: whether higher or lower is better is not known. Write a policy with a rule that says at_least or at_most." in said
        assert "accuracy.at_least: expected a number; found 'high'" in said
        assert "5: whether" in said
        assert "mae.at_most: expected a finite number" in said
        assert "model: 'a b' is not a model name" in said

    @pytest.mark.parametrize("thresholds", [{}, None, ["accuracy"], 0.8])
    def test_no_thresholds_are_a_fault(self, thresholds):
        with pytest.raises(InvalidPolicyError, match="thresholds: expected a mapping such as"):
            thresholds_policy(thresholds)


class TestDuration:
    @pytest.mark.parametrize(
        ("text", "duration"),
        [
            ("90s", timedelta(seconds=90)),
            ("30m", timedelta(minutes=30)),
            ("12h", timedelta(hours=12)),
            (" 3 d", timedelta(days=3)),
            ("2w", timedelta(weeks=2)),
        ],
    )
    def test_units(self, text, duration):
        assert parse_duration(text) == duration

    @pytest.mark.parametrize("text", ["", "7", "d", "7 days", "1.5h", "7D", "1d12h", "3651d", "999999999w", "9999999999d"])
    def test_anything_else_is_refused(self, text):
        with pytest.raises(InvalidPolicyError, match="units w, d, h, m or s"):
            parse_duration(text)

    @given(st.integers(0, 3650 * 86400))
    def test_what_it_prints_reads_back(self, seconds):
        assert parse_duration(print_duration(timedelta(seconds=seconds))) == timedelta(seconds=seconds)
