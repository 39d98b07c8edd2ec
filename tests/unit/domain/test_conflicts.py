"""Rules of one policy that contradict or repeat each other."""

import pytest

from airflow_registry.domain.policy import Policy
from airflow_registry.domain.rules import Approval, Comparison, Fresh, Gap, Require, Shadow, Smoke, Threshold
from airflow_registry.errors import InvalidPolicyError


def faults_of(*rules):
    with pytest.raises(InvalidPolicyError) as caught:
        Policy(rules=rules)
    return list(caught.value.faults)


class TestBounds:
    def test_bounds_that_no_value_satisfies_are_refused(self):
        assert faults_of(Threshold("auc", at_least=0.5), Threshold("auc", at_most=0.4)) == [
            "rules[1]: with rules[0], no value of 'auc' can be at least 0.5 and at most 0.4."
        ]

    @pytest.mark.parametrize("values", [(None, None), (("AA",), None), (None, ("AA",)), (("AA", "UA"), ("AA", "DL"))])
    def test_bounds_of_the_same_slices_are_compared(self, values):
        low, high = values
        [fault] = faults_of(
            Threshold("auc", at_least=0.5, by="carrier", values=low), Threshold("auc", at_most=0.4, by="carrier", values=high)
        )
        assert fault == "rules[1]: with rules[0], no value of 'auc' by 'carrier' can be at least 0.5 and at most 0.4."

    @pytest.mark.parametrize(
        "other",
        [
            Threshold("auc", at_most=0.5),
            Threshold("f1", at_most=0.1),
            Threshold("auc", at_most=0.4, by="carrier"),
        ],
        ids=str,
    )
    def test_bounds_that_can_both_hold_are_fine(self, other):
        assert len(Policy(rules=(Threshold("auc", at_least=0.5), other)).rules) == 2

    def test_bounds_of_other_slices_are_fine(self):
        rules = (
            Threshold("auc", at_least=0.5, by="carrier", values=("AA",)),
            Threshold("auc", at_most=0.4, by="carrier", values=("UA",)),
            Threshold("auc", at_most=0.4, by="month"),
        )
        assert Policy(rules=rules).rules == rules


class TestGoals:
    def test_rules_that_want_opposite_directions_are_refused(self):
        [fault] = faults_of(*(Comparison("cost", improve_by=margin, goal=goal) for margin, goal in ((0, "minimize"), (1, "maximize"))))
        assert fault == "rules: one rule has the goal to maximize 'cost' and another one to minimize it."

    def test_rules_that_want_the_same_direction_are_fine(self):
        assert Policy(rules=(Comparison("cost", improve_by=0, goal="minimize"), Comparison("cost", no_worse_than=1, goal="minimize")))


class TestRepetitions:
    @pytest.mark.parametrize(
        "rule",
        [
            Threshold("auc", at_least=0.5),
            Gap("auc", by="carrier", gap_at_most=0.1),
            Comparison("auc", no_worse_than=0),
            Require(("tags",)),
            Fresh(champion_not_older_than="1d"),
            Smoke(loads_within="1m"),
            Shadow(partitions=5, agreement=1),
            Approval(),
        ],
        ids=str,
    )
    def test_the_same_rule_twice_is_refused_once(self, rule):
        assert faults_of(Threshold("f1", at_least=0), rule, rule) == [
            f"rules[2]: says the same as rules[1], {str(rule)!r}. Keep one of the two."
        ]

    def test_rules_with_the_same_text_are_refused_because_a_waiver_would_mean_both(self):
        [fault] = faults_of(Comparison("auc", no_worse_than=0), Comparison("auc", no_worse_than=0, data="any"))
        assert fault == "rules[1]: says the same as rules[0], 'auc at most 0 worse than the champion'. Keep one of the two."

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (Fresh(champion_not_older_than="1d"), Fresh(champion_not_older_than="2d")),
            (Smoke(loads_within="1m"), Smoke(loads_within="2m")),
            (Shadow(partitions=5, agreement=1), Shadow(partitions=6, agreement=1)),
            (Approval(), Approval(people=2)),
        ],
        ids=["fresh", "smoke", "shadow", "approval"],
    )
    def test_of_some_kinds_a_policy_has_one(self, one, other):
        assert faults_of(one, Require(("tags",)), other) == [
            "rules[2]: rules[0] is a rule of this kind already, and a policy has one at most. Make one of the two."
        ]
