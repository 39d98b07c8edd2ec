"""Gains beside their borders, from stored facts alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_registry.domain.promotion import Reason
from airflow_registry.domain.report import gains
from airflow_registry.domain.rules import Comparison
from tests.unit.domain.report.facts import decided, evaluated, report

VALUES = {2: {"": {"auc": 0.9, "log_loss": 0.5}}, 1: {"": {"auc": 0.85, "log_loss": 0.4}, "c=A": {"auc": 0.1}}}


def weighed(mapping, *, values=VALUES, lower=None, **reason):
    rule = Comparison(**mapping)
    facts = {"observed": 0.9, "baseline_version": 1, "evaluation": "e1", "lower": lower, **reason}
    entry = decided(reasons=[Reason(rule=str(rule), passed=True, text="t", **facts)], policy={"rules": [rule.to_mapping()]})
    return gains(report(evaluations=(evaluated(values, trivial={"auc": 0.5}),), decisions=(decided(), entry)))


def test_a_rule_with_confidence_shows_its_lower_limit():
    rule = {"metric": "auc", "no_worse_than": 0.005, "confidence": 0.95}
    [found] = weighed(rule, lower=0.01)
    assert (found.metric, found.gain, found.lower, found.border, found.ruling) == ("auc", 0.05, 0.01, -0.005, "passed")
    assert found.rule == str(Comparison(**rule))


def test_a_rule_without_confidence_has_no_lower_limit():
    [found] = weighed({"metric": "auc", "improve_by": 0.01}, lower=0.04)
    assert (found.lower, found.border) == (None, 0.01)


def test_where_lower_is_better_a_higher_value_is_a_loss_and_percent_is_of_the_baseline():
    [found] = weighed({"metric": "log_loss", "no_worse_than": "1%"}, observed=0.5)
    assert (found.gain, found.border) == (pytest.approx(-0.1), pytest.approx(-0.004))


def test_the_trivial_model_is_a_baseline_too():
    [found] = weighed({"metric": "auc", "against": "trivial", "improve_by": 0.1}, baseline_version=None)
    assert found.gain == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("mapping", "reason"),
    [
        ({"metric": "auc", "no_worse_than": 0.1}, {"observed": None}),
        ({"metric": "auc", "no_worse_than": 0.1}, {"evaluation": "of long ago"}),
        ({"metric": "auc", "no_worse_than": 0.1}, {"baseline_version": 7}),
        ({"metric": "auc", "no_worse_than": 0.1, "by": "c", "min_rows": 10}, {}),
        ({"metric": "log_loss", "against": "trivial", "no_worse_than": 0.1}, {"baseline_version": None}),
    ],
)
def test_what_is_not_known_any_more_is_left_out(mapping, reason):
    assert weighed(mapping, **reason) == ()


def test_a_rule_without_a_reason_is_left_out():
    rule = Comparison(metric="auc", no_worse_than=0.1)
    assert gains(report(decisions=(decided(policy={"rules": [rule.to_mapping()]}),))) == ()


def test_a_policy_that_this_release_cannot_read_has_no_gains():
    assert gains(report(decisions=(decided(policy={"rules": [{"of": "a later release"}]}),))) == ()


def test_a_version_that_was_never_judged_has_no_gains():
    assert gains(report(decisions=())) == ()


def test_only_the_newest_decision_counts():
    rule = Comparison(metric="auc", no_worse_than=0.1)
    reason = Reason(rule=str(rule), passed=True, text="t", observed=0.9, baseline_version=1, evaluation="e1")
    entry = decided(reasons=[reason], policy={"rules": [rule.to_mapping()]})
    both = report(evaluations=(evaluated(VALUES),), decisions=(entry, decided()))
    assert gains(both) == ()
    assert len(gains(replace(both, decisions=(entry,)))) == 1
