"""The values of a report: who was champion when, which slices are the worst."""

from __future__ import annotations

import math
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from airflow_registry.domain.report import tenures
from airflow_registry.domain.stage import Stage
from tests.unit.domain.report.facts import NOW, decided, evaluated, moved, report


def at(hours, number, **facts):
    return moved(number, at=NOW + timedelta(hours=hours), **facts)


def test_a_tenure_lasts_until_the_next_change_of_the_champion():
    found = tenures(
        [
            at(0, 1, decision=None, reason="the first"),
            at(1, 2),
            at(1, 1, source=Stage.PRODUCTION, target=Stage.ARCHIVED, revision=None),
            at(2, 3, target=Stage.SHADOW, revision=None),
            at(3, 2, source=Stage.PRODUCTION, target=Stage.ARCHIVED),
        ]
    )
    assert [(tenure.number, tenure.since, tenure.until) for tenure in found] == [
        (1, NOW, NOW + timedelta(hours=1)),
        (2, NOW + timedelta(hours=1), NOW + timedelta(hours=3)),
        (None, NOW + timedelta(hours=3), None),
    ]
    assert (found[0].reason, found[0].decision, found[1].decision, found[1].by) == ("the first", None, "d1", "approver")


def test_a_model_that_never_had_a_champion_has_no_tenures():
    assert tenures([]) == ()


@given(st.lists(st.sampled_from([1, 2, 3, None]), max_size=8))
def test_tenures_have_no_gaps_and_only_the_last_one_lasts(numbers):
    changes = [
        at(hour, 1 if number is None else number, target=Stage.ARCHIVED if number is None else Stage.PRODUCTION)
        for hour, number in enumerate(numbers)
    ]
    found = tenures(changes)
    assert [tenure.number for tenure in found] == numbers
    assert [tenure.until for tenure in found[:-1]] == [tenure.since for tenure in found[1:]]
    assert all(tenure.until is None for tenure in found[-1:])


def test_the_worst_slice_comes_first_in_the_direction_of_the_metric():
    record = evaluated(
        {
            2: {"": {"auc": 0.1}, "c=A": {"auc": 0.9, "log_loss": 0.2}, "c=B": {"auc": 0.7, "log_loss": 0.9}, "c=C": {"auc": math.nan}},
            1: {"c=D": {"auc": 0.0}},
        }
    )
    assert [entry.metric.slice for entry in record.worst(2, "auc")] == ["c=C", "c=B", "c=A"]
    assert [entry.metric.slice for entry in record.worst(2, "log_loss")] == ["c=B", "c=A"]
    assert record.worst(2, "f1") == ()


def test_the_measures_of_one_version_are_found_by_slice():
    record = evaluated({2: {"": {"auc": 0.9}, "c=A": {"auc": 0.8}}, 1: {"": {"auc": 0.7}}})
    assert [entry.metric.value for entry in record.of(2)] == [0.9]
    assert [entry.metric.value for entry in record.of(2, "c=A")] == [0.8]
    assert record.of(1, "c=A") == ()


def test_only_evaluations_with_measures_are_detailed():
    shown, named = evaluated({2: {"": {"auc": 0.9}}}), evaluated({2: {"": {"auc": 0.9}}}, detailed=False)
    assert report(evaluations=(named, shown)).detailed == (shown,)


def test_the_newest_decision_is_the_last_one():
    assert report(decisions=()).newest_decision is None
    assert report(decisions=(decided(uid="old"), decided(uid="new"))).newest_decision.uid == "new"
