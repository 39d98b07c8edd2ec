"""From reasons to one outcome; what speaks against judging at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_registry.domain.gate.reasons import reason
from airflow_registry.domain.gate.verdict import verdict_of
from airflow_registry.domain.policy import Policy
from airflow_registry.domain.promotion import DataUse, Outcome, Ruling
from airflow_registry.domain.rules import Threshold
from airflow_registry.domain.stage import Stage
from tests.unit.domain.gate.cases import case, decide, evaluation, judge, version

PASSED, FAILED, UNKNOWN, PENDING, WAIVED, NA = Ruling


@pytest.mark.parametrize(
    ("rulings", "outcome"),
    [
        ([], Outcome.REFUSED),
        ([PASSED], Outcome.APPROVED),
        ([WAIVED], Outcome.REFUSED),
        ([NA], Outcome.REFUSED),
        ([WAIVED, NA], Outcome.REFUSED),
        ([PASSED, WAIVED, NA], Outcome.APPROVED),
        ([PASSED, PENDING], Outcome.PENDING),
        ([PASSED, UNKNOWN, PENDING], Outcome.INCONCLUSIVE),
        ([PASSED, UNKNOWN, PENDING, FAILED], Outcome.REFUSED),
        ([PENDING], Outcome.PENDING),
    ],
)
def test_the_worst_ruling_decides_and_something_must_pass(rulings, outcome):
    assert verdict_of([reason("r", ruling, ".") for ruling in rulings]).outcome is outcome


@given(st.lists(st.sampled_from(Ruling)))
def test_only_reasons_that_pass_or_are_lifted_or_fall_away_approve(rulings):
    verdict = verdict_of([reason("r", ruling, ".") for ruling in rulings])
    assert verdict.approved is (Ruling.PASSED in rulings and {*rulings} <= {PASSED, WAIVED, NA})
    assert all((one.passed is True) is (one.ruling in {PASSED, WAIVED}) for one in verdict.reasons)


def test_an_archived_version_is_refused_whatever_it_can():
    archived = case(evaluation({8: {"auc": 0.9}}), challenger=version(8, stage=Stage.ARCHIVED))
    verdict = decide(Policy(rules=(Threshold("auc", at_least=0.5),)), archived)
    assert verdict.outcome is Outcome.REFUSED
    assert [(one.rule, one.ruling) for one in verdict.reasons] == [("stage", FAILED), ("auc at least 0.5", PASSED)]
    assert "flights:8 is ARCHIVED" in verdict.reasons[0].text


def test_the_reasons_stand_in_the_order_of_the_rules():
    rules = [Threshold("auc", at_least=bound) for bound in (0.1, 0.2, 0.3)]
    assert [one.rule for one in judge(rules, evaluation({8: {"auc": 0.9}})).reasons] == [str(rule) for rule in rules]


def test_the_wear_of_a_data_set_is_told_in_words():
    use = DataUse(name="holdout", digest="sha256:a", decisions=14, versions=9)
    assert str(use) == "decision number 14 by the data set 'holdout', which has judged 9 versions"
    assert str(DataUse(name="h", digest="d", decisions=1, versions=1)).endswith("has judged 1 version")
