"""A policy says back what it was told; its digest names it."""

import copy
import hashlib
import math
import pickle
from datetime import timedelta

import pytest
from hypothesis import given

from airflow_registry.domain.names import Digest
from airflow_registry.domain.policy import Policy, thresholds_policy
from airflow_registry.domain.rules import Approval, BurnIn, Comparison, Require, Threshold
from airflow_registry.errors import InvalidPolicyError
from tests.unit.domain.policies import POLICIES


class TestPolicy:
    def test_it_can_be_made_without_rules_and_then_writes_none(self):
        assert Policy(rules=()).to_mapping()["rules"] == []

    def test_rules_may_come_as_a_list(self):
        assert Policy(rules=[Threshold("auc", at_least=0.5)]) == Policy(rules=(Threshold("auc", at_least=0.5),))

    def test_what_is_no_rule_is_refused(self):
        with pytest.raises(InvalidPolicyError, match=r"rules\[0\]: expected a rule \(Threshold, Gap, .*\); found \{'metric'"):
            Policy(rules=({"metric": "auc"},))

    @pytest.mark.parametrize("rules", [None, 3, {"metric": "auc"}, Threshold("auc", at_least=0.5)])
    def test_what_is_no_list_of_rules_is_refused(self, rules):
        with pytest.raises(InvalidPolicyError, match="rules: expected a list of rules; found"):
            Policy(rules=rules)

    def test_durations_may_be_text(self):
        assert Policy(rules=(), valid_for="7d") == Policy(rules=(), valid_for=timedelta(days=7))

    @pytest.mark.parametrize("burn_in", [{"for": "3d"}, "3d", timedelta(days=3)])
    def test_a_burn_in_is_one(self, burn_in):
        with pytest.raises(InvalidPolicyError, match="burn_in: expected a BurnIn; found"):
            Policy(rules=(), burn_in=burn_in)

    @pytest.mark.parametrize("schema", [2, 1.0, True, "1", None])
    def test_another_grammar_is_refused(self, schema):
        with pytest.raises(InvalidPolicyError, match="schema: this release reads schema 1; found"):
            Policy(rules=(), schema=schema)

    @given(POLICIES)
    def test_it_can_be_copied_and_sent(self, policy):
        assert copy.deepcopy(policy) == pickle.loads(pickle.dumps(policy)) == policy
        assert copy.deepcopy(policy).digest == policy.digest

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
            Policy(rules=(Threshold("auc", at_least=0.5),), first_model="approval"),
            Policy(rules=(Threshold("auc", at_least=0.5),), burn_in=BurnIn(lasts="3d", null_share=0.1)),
            Policy(rules=(Threshold("auc", at_least=0.5),), burn_in=BurnIn(lasts="3d", quarantine_share=0.1)),
            Policy(rules=(Approval(groups={"risk": ["a.person"]}),)),
            Policy(rules=(Approval(groups={"risk": ["b.person"]}),)),
        ]
        assert len({policy.digest for policy in variants}) == len(variants)

    @pytest.mark.parametrize(
        ("policy", "digest"),
        [
            (
                Policy(
                    model="flight_delay",
                    rules=(
                        Threshold("roc_auc", at_least=0.55, at_most=0.9),
                        Comparison("roc_auc", no_worse_than=0.005),
                        Comparison("log_loss", no_worse_than="1%"),
                        Require(("datasets", "change_note")),
                    ),
                ),
                "sha256:e0dfa9a3c18f5dcc0973d52dc2476782a2badbce329b98afd069b7c33f95a48d",
            ),
            (
                Policy(
                    model="flight_delay",
                    rules=(
                        Threshold("roc_auc", at_least=0.55, at_most=0.9),
                        Comparison("roc_auc", no_worse_than=0.005),
                        Comparison("log_loss", no_worse_than="1%", data="any"),
                        Comparison("cost", improve_by=0, goal="minimize"),
                        Require(("git_commit", "datasets", "change_note")),
                    ),
                    valid_for=timedelta(days=7),
                ),
                "sha256:eee05a94b0a414ae3c147bff7d07d299ab77ad4fee449835a60599258ad40816",
            ),
            (
                thresholds_policy({"accuracy": 0.8, "log_loss": 0.4}, model="lead_scoring"),
                "sha256:b6587664b15737ee0bbea62ea060d5d544fe13c3769195244f62ff2dcc3e6a65",
            ),
        ],
        ids=["the flights", "every key", "thresholds"],
    )
    def test_policies_of_the_first_release_keep_the_digests_that_stored_decisions_name(self, policy, digest):
        assert policy.digest == digest

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
