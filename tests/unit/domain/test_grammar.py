"""Plain values become a policy, and what is not understood is refused with its path."""

import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_registry.domain.grammar import BURN_IN_KEYS, NESTED_KEYS, POLICY_KEYS, RULE_KEYS, policy_from_mapping
from airflow_registry.domain.names import ModelName
from airflow_registry.domain.policy import Policy
from airflow_registry.domain.rules import Approval, BurnIn, Comparison, Fresh, Gap, Margin, Require, Shadow, Smoke, Threshold
from airflow_registry.errors import InvalidPolicyError
from tests.unit.domain.policies import POLICIES

AUC = {"metric": "auc", "at_least": 0.5}
KEYS = sorted({*POLICY_KEYS, *BURN_IN_KEYS, *(key for keys in (*RULE_KEYS.values(), *NESTED_KEYS.values()) for key in keys), "x"})
WORDS = ["auc", "champion", "anchor", "1%", "7d", "tags", "v3", "carrier", "minimize", " ", ""]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
)
RULE_MAPPINGS = st.dictionaries(st.sampled_from(KEYS), ANYTHING, max_size=5)


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
                "first_model": "approval",
                "rules": [
                    {"metric": "roc_auc", "at_least": 0.55, "at_most": 0.9},
                    {"metric": "roc_auc", "against": "champion", "no_worse_than": 0.005, "confidence": 0.95},
                    {"metric": "log_loss", "against": "champion", "no_worse_than": "1%", "data": "any"},
                    {"metric": "costs:per_flight", "against": "champion", "improve_by": 0, "goal": "minimize"},
                    {"metric": "roc_auc", "against": "anchor", "version": "v12", "no_worse_than": 0.01, "confidence": 0.95},
                    {"metric": "roc_auc", "against": "anchor", "promotions_ago": 4, "no_worse_than": "2%", "by": "distance:4"},
                    {"metric": "accuracy", "against": "trivial", "improve_by": 0.01},
                    {"metric": "roc_auc", "by": "carrier", "values": ["AA", 17], "min_rows": 200, "at_least": 0.45},
                    {"metric": "roc_auc", "by": "carrier", "gap_at_most": 0.1, "min_rows": 200},
                    {"require": ["git_commit", "datasets", "change_note"]},
                    {"champion_not_older_than": "30d"},
                    {"loads_within": "60s", "predicts_rows": 10},
                    {"shadow": {"partitions": 5, "agreement": 0.97}},
                    {"approval": {"people": 2, "not_the_author": False, "groups": {"risk": ["a.person"]}, "within": "3d"}},
                ],
                "valid_for": "7d",
                "burn_in": {"for": "3d", "failed_partitions": 0, "null_share": 0.01, "quarantine_share": 0.05, "cool_down": "7d"},
            }
        )
        assert policy == Policy(
            model=ModelName("flight_delay"),
            first_model="approval",
            rules=(
                Threshold("roc_auc", at_least=0.55, at_most=0.9),
                Comparison("roc_auc", no_worse_than=Margin(0.005), confidence=0.95),
                Comparison("log_loss", no_worse_than=Margin(1, is_percent=True), data="any"),
                Comparison("costs:per_flight", improve_by=Margin(0), goal="minimize"),
                Comparison("roc_auc", against="anchor", version=12, no_worse_than=0.01, confidence=0.95),
                Comparison("roc_auc", against="anchor", promotions_ago=4, no_worse_than="2%", by="distance:4"),
                Comparison("accuracy", against="trivial", improve_by=0.01),
                Threshold("roc_auc", by="carrier", values=("AA", "17"), min_rows=200, at_least=0.45),
                Gap("roc_auc", by="carrier", gap_at_most=0.1, min_rows=200),
                Require(("git_commit", "datasets", "change_note")),
                Fresh(champion_not_older_than=timedelta(days=30)),
                Smoke(loads_within=timedelta(minutes=1), predicts_rows=10),
                Shadow(partitions=5, agreement=0.97),
                Approval(people=2, not_the_author=False, groups={"risk": ("a.person",)}, within=timedelta(days=3)),
            ),
            valid_for=timedelta(days=7),
            burn_in=BurnIn(
                lasts=timedelta(days=3), failed_partitions=0, null_share=0.01, quarantine_share=0.05, cool_down=timedelta(days=7)
            ),
        )

    def test_what_may_be_left_out_has_a_default(self):
        rules = [{"loads_within": "60s"}, {"approval": {}}]
        policy = policy_from_mapping({"rules": rules})
        assert policy.rules == (Smoke(loads_within=timedelta(minutes=1), predicts_rows=1), Approval(people=1, not_the_author=True))
        assert (policy.model, policy.first_model, policy.valid_for, policy.burn_in) == (None, "value_rules", None, None)

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
            ({"rules": [AUC], "first_model": "aproval"}, "first_model", "Did you mean 'approval'?"),
            ({"rules": [AUC], "first_model": ["approval"]}, "first_model", "does not know ['approval']"),
            ({"rules": [AUC], "burn_in": "3d"}, "burn_in", "expected a mapping such as {for: 3d, failed_partitions: 0}; found '3d'"),
            ({"rules": [AUC], "burn_in": None}, "burn_in", "has no value"),
            ({"rules": [AUC], "burn_in": {"for": "3d"}}, "burn_in.failed_partitions", "Give at least one limit"),
            ({"rules": [AUC], "burn_in": {"null_share": 0.1}}, "burn_in.for", "missing"),
            ({"rules": [AUC], "burn_in": {"for": 3, "null_share": 0.1}}, "burn_in.for", "expected a duration"),
            ({"rules": [AUC], "burn_in": {"for": "3d", "nul_share": 0.1}}, "burn_in.nul_share", "Did you mean 'null_share'?"),
            ({"rules": [AUC], "burn_in": {"for": "3d", "null_share": 2}}, "burn_in.null_share", "from 0 to 1"),
            (
                {"rules": [AUC], "burn_in": {"for": "3d", "live": 0.8}},
                "burn_in.live",
                "expected a mapping of metric, at_least, at_most or min",
            ),
            ({"rules": [AUC], "burn_in": {"for": "3d", "live": {"at_least": 0.8}}}, "burn_in.live.metric", "expected the name of a metric"),
            ({"rules": [AUC], "burn_in": {"for": "3d", "live": {"metric": "x", "least": 1}}}, "burn_in.live.least", "no such key here"),
            ({"rules": [AUC], "burn_in": {"for": "3d", "prediction_drift": {}}}, "burn_in.prediction_drift.at_most", "Write at_most: 0.2."),
            (
                {"rules": [AUC], "burn_in": {"for": "3d", "prediction_drift": 1}},
                "burn_in.prediction_drift",
                "expected a mapping of at_most",
            ),
            ({"rules": [AUC], "cool_down": "3d"}, "cool_down", "It stands inside burn_in."),
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
            (
                {"rules": [AUC, {"metric": "auc", "at_most": 0.4}]},
                "rules[1]",
                "with rules[0], no value of 'auc' can be at least 0.5 and at most 0.4",
            ),
            ({"rules": [AUC | {"by": 3}]}, "rules[0].by", "expected the name of a column"),
            ({"rules": [AUC | {"min_row": 200}]}, "rules[0].min_row", "Did you mean 'min_rows'?"),
            ({"rules": [{"predicts_rows": 10}]}, "rules[0].loads_within", "missing. Write loads_within: 60s."),
            ({"rules": [{"loads_within": 60}]}, "rules[0].loads_within", "expected a duration"),
            ({"rules": [{"loads_within": "60s", "metric": "auc"}]}, "rules[0].metric", "does not go with loads_within or predicts_rows"),
            ({"rules": [{"champion_not_older_than": 30}]}, "rules[0].champion_not_older_than", "expected a duration"),
            ({"rules": [{"champion_not_older": "3d"}]}, "rules[0].champion_not_older", "Did you mean 'champion_not_older_than'?"),
            ({"rules": [{"shadow": 5}]}, "rules[0].shadow", "expected a mapping of partitions, agreement or within; found 5"),
            ({"rules": [{"shadow": {}}]}, "rules[0].shadow.agreement", "missing"),
            ({"rules": [{"shadow": {"partitions": 5}}]}, "rules[0].shadow.agreement", "missing. Write agreement: 0.97."),
            ({"rules": [{"shadow": {"partition": 5}}]}, "rules[0].shadow.partition", "Did you mean 'partitions'?"),
            ({"rules": [{"partitions": 5}]}, "rules[0].partitions", "It stands inside shadow."),
            ({"rules": [AUC | {"shadow": {}}]}, "rules[0].metric", "does not go with shadow"),
            ({"rules": [{"approval": True}]}, "rules[0].approval", "expected a mapping of people, not_the_author, groups or within"),
            ({"rules": [{"approval": {"people": 0}}]}, "rules[0].approval.people", "expected a whole number from 1"),
            ({"rules": [{"approval": {"agreement": 1}}]}, "rules[0].approval.agreement", "It stands inside shadow."),
            ({"rules": [{"approval": {"groups": {"risk": ["a", 7]}}}]}, "rules[0].approval.groups.risk[1]", "found 7"),
            ({"rules": [{"people": 2}]}, "rules[0].people", "It stands inside approval."),
            ({"rules": [{"metric": "auc", "gap_at_most": 0.1}]}, "rules[0].by", "missing. Write by: carrier."),
            ({"rules": [{"metric": "auc", "by": "carrier", "gap_at_most": -1}]}, "rules[0].gap_at_most", "expected a number from 0"),
            ({"rules": [{"by": "carrier", "gap_at_most": 0.1}]}, "rules[0].metric", "expected the name of a metric"),
            ({"rules": [{"metric": "auc", "by": "carrier"}]}, "rules[0].at_least", "missing"),
            ({"rules": [AUC | {"by": "carrier", "gap_at_most": 0.1}]}, "rules[0].at_least", "does not go with metric, gap_at_most"),
            ({"rules": [AUC | {"goal": "maximize"}]}, "rules[0].at_least", "does not go with"),
            ({"rules": [AUC | {"require": ["tags"]}]}, "rules[0].at_least", "Make it a rule of its own"),
            ({"rules": [{"require": "tags"}]}, "rules[0].require", "expected a list"),
            ({"rules": [{"require": ["tag"]}]}, "rules[0].require", "Did you mean 'tags'?"),
            ({"rules": [{"metric": "auc", "no_worse_than": 0}]}, "rules[0].against", "Write against: champion"),
            ({"rules": [{"metric": "auc", "against": "champion"}]}, "rules[0].no_worse_than", "give either"),
            ({"rules": [{"metric": "auc", "against": "anchor", "improve_by": 0}]}, "rules[0].version", "either version or promotions_ago"),
            ({"rules": [{"metric": "auc", "against": "ancor", "improve_by": 0}]}, "rules[0].against", "Did you mean 'anchor'?"),
            ({"rules": [{"metric": "auc", "version": 3, "improve_by": 0}]}, "rules[0].against", "missing"),
            ({"rules": [{"metric": "auc", "against": "champion", "improve_by": "-1%"}]}, "rules[0].improve_by", "not negative"),
            ({"rules": [{"metric": "auc", "confidence": 0.95}]}, "rules[0].against", "missing"),
            ({"rules": [AUC | {"confidence": 0.95}]}, "rules[0].at_least", "does not go with metric, against"),
            ({"rules": [{"metric": "rocauc", "against": "champion", "improve_by": 0}]}, "rules[0].goal", "Did you mean 'roc_auc'?"),
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

    def test_rules_keep_their_numbers_when_another_one_is_faulty(self):
        faults = faults_of({"rules": [{"metric": "auc"}, AUC, {"metric": "f1", "at_least": 0.1}, AUC, {"metric": "auc", "at_most": 0.1}]})
        assert faults == [
            "rules[0].at_least: missing. Give at_least, at_most or both.",
            "rules[3]: says the same as rules[1], 'auc at least 0.5'. Keep one of the two.",
            "rules[4]: with rules[1], no value of 'auc' can be at least 0.5 and at most 0.1.",
            "rules[4]: with rules[3], no value of 'auc' can be at least 0.5 and at most 0.1.",
        ]

    def test_a_misspelt_key_never_overrides_the_right_one(self):
        [fault] = faults_of({"rules": [AUC | {"at_lest": "x"}]})
        assert fault.startswith("rules[0].at_lest: ")

    def test_the_message_names_the_source_and_holds_every_fault(self):
        with pytest.raises(InvalidPolicyError, match=r"(?s)The policy here\.yaml has 2 fault\(s\).*- first_model.*- valid_for"):
            policy_from_mapping({"rules": [AUC], "first_model": "x", "valid_for": "x"}, "here.yaml")

    @given(ANYTHING | st.fixed_dictionaries({"rules": st.lists(RULE_MAPPINGS, min_size=1, max_size=3)}, optional={"burn_in": ANYTHING}))
    def test_anything_else_is_refused_and_nothing_else_is_raised(self, anything):
        try:
            policy = policy_from_mapping(anything)
        except InvalidPolicyError as error:
            assert error.faults  # noqa: PT017  most inputs are refused, some are not
        else:
            assert policy.rules
