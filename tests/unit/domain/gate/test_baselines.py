"""With whom a rule compares: champion, anchor, or the best trivial model."""

import math

import pytest

from airflow_registry.domain.promotion import Holding, Outcome, Ruling
from airflow_registry.domain.rules import Comparison, Require, Threshold
from airflow_registry.domain.stage import Stage
from tests.unit.domain.gate.cases import JUNE, NO_ROWS, changes, evaluation, judge, only_reason, version

ANCHOR = Comparison("auc", against="anchor", version=3, no_worse_than=0.01)
AGO = Comparison("auc", against="anchor", promotions_ago=1, no_worse_than=0.01)
TRIVIAL = Comparison("auc", against="trivial", improve_by=0.1)
HELD = changes(3, 5, 7)
THREE = {number: version(number) for number in (3, 5, 7)}
GOOD = evaluation({8: {"auc": 0.8}, 7: {"auc": 0.8}, 5: {"auc": 0.8}, 3: {"auc": 0.8}}, trivial={"auc": 0.5, "f1": math.nan})


class TestAnchor:
    def test_a_fixed_version_is_compared_with_also_when_it_is_not_the_champion(self):
        loses = evaluation({8: {"auc": 0.79}, 7: {"auc": 0.79}, 3: {"auc": 0.81}})
        reason = only_reason(judge(ANCHOR, loses, changes=HELD, anchors=THREE))
        assert (reason.ruling, reason.baseline_version) == (Ruling.FAILED, 3)
        assert "of anchor v3 0.81: gain -0.02" in reason.text
        assert only_reason(judge(ANCHOR, GOOD, changes=HELD, anchors=THREE)).passed

    @pytest.mark.parametrize(("ago", "number"), [(1, 5), (2, 3), (9, 3)])
    def test_promotions_are_counted_back_from_the_champion_and_the_oldest_one_is_the_last_resort(self, ago, number):
        rule = Comparison("auc", against="anchor", promotions_ago=ago, no_worse_than=0.01)
        assert only_reason(judge(rule, GOOD, changes=HELD, anchors=THREE)).baseline_version == number

    def test_what_was_rolled_back_is_nobodys_measure(self):
        back = Holding(number=5, from_stage=Stage.ARCHIVED, to_stage=Stage.PRODUCTION)
        assert only_reason(judge(AGO, GOOD, changes=(*HELD, back), anchors=THREE)).baseline_version == 3

    @pytest.mark.parametrize("rule", [ANCHOR, AGO])
    def test_a_model_that_never_had_a_champion_has_no_anchor(self, rule):
        reasons = judge([rule, Threshold("auc", at_least=0.5)], GOOD, champion=None).reasons
        assert [reason.ruling for reason in reasons] == [Ruling.NOT_APPLICABLE, Ruling.PASSED]
        assert reasons[0].text == "Does not apply: no version has ever been champion, so v8 has no anchor yet."

    def test_an_anchor_holds_also_while_nobody_is_champion(self):
        verdict = judge([ANCHOR, Comparison("auc", improve_by=0)], GOOD, champion=None, changes=HELD, anchors=THREE)
        assert [reason.ruling for reason in verdict.reasons] == [Ruling.PASSED, Ruling.NOT_APPLICABLE]
        assert verdict.approved

    def test_a_version_that_does_not_exist_refuses(self):
        reason = only_reason(judge(ANCHOR, GOOD, changes=HELD))
        assert (reason.ruling, reason.baseline_version) == (Ruling.FAILED, 3)
        assert reason.text == "The anchor v3 does not exist. Name a version of flights in the rule."

    def test_the_anchor_is_not_the_challenger(self):
        rule = Comparison("auc", against="anchor", version=8, no_worse_than=0.01)
        reason = only_reason(judge(rule, GOOD, changes=HELD, anchors={8: version(8)}))
        assert reason.ruling is Ruling.FAILED
        assert reason.text == "v8 is the anchor itself, so there is nothing to compare it with."

    def test_an_anchor_that_was_not_evaluated_refuses(self):
        reason = only_reason(judge(ANCHOR, evaluation({8: {"auc": 0.9}}), changes=HELD, anchors=THREE))
        assert "No evaluation of v3 holds 'auc'." in reason.text

    def test_the_direction_must_be_known(self):
        rule = Comparison("cost", against="anchor", version=3, no_worse_than=1)
        assert "Write goal: maximize" in only_reason(judge(rule, GOOD, changes=HELD, anchors=THREE)).text


class TestTrivial:
    def test_the_best_constant_on_the_same_data_must_be_beaten(self):
        reason = only_reason(judge(TRIVIAL, GOOD))
        assert (reason.ruling, reason.baseline_version) == (Ruling.PASSED, None)
        assert reason.text == (
            "auc of v8 is 0.8 on 'may' (1,200 rows), of the best trivial model 0.5: gain 0.3 (higher is better), needed more than 0.1: "
            "satisfied."
        )
        poor = evaluation({8: {"auc": 0.59}}, trivial={"auc": 0.5})
        assert only_reason(judge(TRIVIAL, poor)).ruling is Ruling.FAILED

    def test_it_is_a_measure_for_a_first_version_too(self):
        verdict = judge([TRIVIAL, Comparison("auc", improve_by=0), Require(("tags",))], GOOD, champion=None)
        assert [reason.ruling for reason in verdict.reasons] == [Ruling.PASSED, Ruling.NOT_APPLICABLE, Ruling.FAILED]
        assert judge([TRIVIAL, Comparison("auc", improve_by=0)], GOOD, champion=None).approved

    @pytest.mark.parametrize("data", ["same", "any"])
    def test_what_a_constant_reaches_on_other_data_says_nothing(self, data):
        rule = Comparison("auc", against="trivial", improve_by=0.1, data=data)
        other = evaluation({7: {"auc": 0.8}}, data=JUNE, sequence=2, trivial={"auc": 0.5})
        reason = only_reason(judge(rule, other, evaluation({8: {"auc": 0.9}})))
        assert reason.ruling is Ruling.FAILED
        assert "of the best trivial model on 'june' (900 rows) come from other data" in reason.text

    def test_metrics_given_at_registration_have_no_trivial_model(self):
        reason = only_reason(judge(TRIVIAL, evaluation({8: {"auc": 0.9}}, source="registration")))
        assert "No evaluation of the best trivial model holds 'auc'." in reason.text

    def test_a_constant_without_a_value_refuses(self):
        undefined = evaluation({8: {"f1": 0.9}}, trivial={"f1": math.nan})
        reason = only_reason(judge(Comparison("f1", against="trivial", improve_by=0), undefined))
        assert "f1 of the best trivial model is NaN on 'may' (1,200 rows), which is never approved." in reason.text
        empty = evaluation({8: {"auc": 0.9}}, data=NO_ROWS, trivial={"auc": 0.5})
        assert judge(TRIVIAL, empty).outcome is Outcome.REFUSED


def test_values_of_another_target_on_the_same_data_are_not_compared():
    mine, theirs = evaluation({8: {"auc": 0.9}}, target="late"), evaluation({7: {"auc": 0.6}}, sequence=2, target="cancelled")
    rule = Comparison("auc", improve_by=0)
    assert not judge(rule, mine, theirs).approved
    assert judge(rule, mine, evaluation({7: {"auc": 0.6}}, sequence=2, target="late")).approved
    assert judge(rule, mine, evaluation({7: {"auc": 0.6}}, sequence=2)).approved
