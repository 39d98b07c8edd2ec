"""What a policy without faults leaves open."""

import pytest

from airflow_registry.domain.advice import advice
from airflow_registry.domain.policy import Policy
from airflow_registry.domain.rules import Approval, Comparison, Gap, Require, Threshold

CEILING = Threshold("roc_auc", at_least=0.5, at_most=0.9)
CHAMPION = Comparison("roc_auc", no_worse_than=0.005, confidence=0.95)
ANCHOR = Comparison("roc_auc", against="anchor", version=1, no_worse_than=0.01, confidence=0.95)
COMPLETE = (CEILING, CHAMPION, ANCHOR)


def test_a_policy_that_leaves_nothing_open_gets_no_advice():
    assert advice(Policy(rules=COMPLETE)) == ()


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ((CEILING,), "No rule compares with the champion"),
        ((CEILING, ANCHOR), "No rule compares with the champion"),
        ((CEILING, CHAMPION), "No rule compares with an anchor"),
        ((CHAMPION, ANCHOR, Threshold("f1", at_least=0.1)), "roc_auc has no upper bound: a feature that leaks the label passes unseen."),
        ((*COMPLETE, Comparison("accuracy", improve_by=0)), "rules[3] has no confidence: chance alone"),
        ((*COMPLETE, Threshold("f1", at_least=0.1, by="carrier")), "rules[3] has no min_rows: a slice of a few rows"),
        ((*COMPLETE, Gap("f1", gap_at_most=0.1, by="carrier")), "rules[3] has no min_rows"),
        ((*COMPLETE, Comparison("accuracy", improve_by=0, confidence=0.9, by="carrier")), "rules[3] has no min_rows"),
        ((*COMPLETE, Threshold("acuracy", at_least=0.1)), "No evaluation computes 'acuracy'"),
        ((*COMPLETE, Threshold("acuracy", at_least=0.1)), "Did you mean 'accuracy'?"),
    ],
)
def test_what_is_left_open_is_said(rules, said):
    [sentence] = advice(Policy(rules=rules))
    assert said in sentence


def test_a_first_version_needs_a_rule_of_its_own():
    rules = (Comparison("accuracy", improve_by=0, confidence=0.95),)
    assert advice(Policy(rules=rules)) == (
        "No rule says what a metric must be by itself: a first version is never approved. Add a rule with at_least or at_most.",
    )


@pytest.mark.parametrize(
    "rule",
    [
        Comparison("f1", improve_by=0),
        Comparison("accuracy", improve_by=0, data="any"),
        Threshold("f1", at_least=0.1, by="carrier", min_rows=200),
        Threshold("costs:per_flight", at_most=3),
        Require(("tags",)),
    ],
    ids=str,
)
def test_what_cannot_be_better_gets_no_advice(rule):
    assert advice(Policy(rules=(*COMPLETE, rule))) == ()


def test_a_demand_to_be_better_needs_no_anchor():
    assert advice(Policy(rules=(CEILING, Comparison("roc_auc", improve_by=0.01, confidence=0.95)))) == ()
    assert advice(Policy(rules=(CEILING, Comparison("roc_auc", no_worse_than=0, confidence=0.95)))) == ()


@pytest.mark.parametrize(("valid_for", "within", "warned"), [("1d", "2d", 1), ("2d", "1d", 0), ("1d", None, 0), (None, "2d", 0)])
def test_a_decision_should_outlive_the_deadline_of_its_approval(valid_for, within, warned):
    found = advice(Policy(rules=(*COMPLETE, Approval(within=within)), valid_for=valid_for))
    assert [sentence.split(".")[0] for sentence in found] == ["The decision expires before the deadline of its approval"] * warned
