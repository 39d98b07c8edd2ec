"""The report: everything that is stored about one version, and nothing besides. What depends on the database stands in the contract."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from airflow_registry import ModelRegistry
from airflow_registry.domain.ledger import Written
from airflow_registry.domain.model import Dataset
from airflow_registry.domain.report import gains, limits
from airflow_registry.domain.stage import Stage
from airflow_registry.service.report import intervals
from airflow_registry.service.report.intervals import with_intervals
from tests.contracts import reported
from tests.contracts.registry_base import Clock, run

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """A folder with a registry in which everything has happened, made once."""
    folder = tmp_path_factory.mktemp("story")
    registry = ModelRegistry(f"sqlite:///{folder}/registry.db", artifacts=str(folder / "artifacts"), create=True)
    registry.core.now = Clock()
    reported.tell(registry, str(folder), registry.core.now)
    return folder


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def told(story, tmp_path, clock):
    """A registry with that story, on copies of database and artifacts."""
    shutil.copy(story / "registry.db", tmp_path / "registry.db")
    shutil.copytree(story / "artifacts", tmp_path / "artifacts")
    registry = ModelRegistry(f"sqlite:///{tmp_path}/registry.db", artifacts=str(tmp_path / "artifacts"))
    clock.advance(hours=1)
    registry.core.now = clock
    return registry


@pytest.fixture
def lonely(tmp_path, clock):
    """The same story with artifacts of its own."""
    registry = ModelRegistry(f"sqlite:///{tmp_path}/registry.db", artifacts=str(tmp_path / "artifacts"), create=True)
    reported.tell(registry, str(tmp_path), clock)
    return registry


def test_metrics_have_intervals_from_the_rows_that_were_kept(told):
    record = next(entry for entry in told.report("late:2").detailed if entry.evaluation.source == "evaluate")
    of = {(entry.number, entry.metric.name, entry.metric.slice): entry for entry in record.measures}
    for number in (1, 2):
        for name, method in (("roc_auc", "DeLong"), ("accuracy", "Wilson"), ("log_loss", "bootstrap")):
            whole, part = of[number, name, ""], of[number, name, "carrier=DL"]
            assert whole.interval.method == method
            assert whole.interval.low < whole.metric.value < whole.interval.high
            assert part.interval.high - part.interval.low > whole.interval.high - whole.interval.low
    assert of[2, "average_precision", ""].interval is None
    assert sum(part.rows for part in record.bins[2]) == 600
    assert record.problem is None


def test_the_newest_evaluation_on_each_data_set_is_detailed_and_the_others_are_mentioned(told):
    told.record_metrics("late", 2, {"cost": 5.0}, evaluated_on=Dataset("books", digest="sha256:" + "b" * 64, rows=9))
    found = told.report("late:2")
    assert [entry.evaluation.source for entry in found.evaluations] == ["recorded", "recorded", "evaluate"]
    assert [bool(entry.measures) for entry in found.evaluations] == [True, False, True]
    assert found.evaluations[1].evaluation.of(2) == {"cost": float("inf")}


def test_what_came_with_the_registration_gives_way_to_what_was_measured(registry):
    registry.register("lead", metrics={"auc": 0.9})
    registry.record_metrics("lead", 1, {"auc": 0.8})
    [detailed] = registry.report("lead:1").detailed
    assert detailed.evaluation.source == "recorded"


def test_it_counts_how_many_decisions_have_looked_at_the_data(told):
    uses = {entry.evaluation.source: entry.uses for entry in told.report("late:2").evaluations}
    assert uses == {"evaluate": 2, "recorded": 0}


def test_a_decision_stands_with_its_policy_and_what_was_weighed(told):
    found = told.report("late:2")
    refused, approved = found.decisions
    assert [refused.decision.outcome, approved.decision.outcome] == ["REFUSED", "APPROVED"]
    assert [rule.get("metric") for rule in approved.policy["rules"]] == [rule.get("metric") for rule in reported.POLICY["rules"]]
    gain, trivial = gains(found)
    assert gain.border == -0.01 < gain.lower < gain.gain
    assert (trivial.metric, trivial.lower, trivial.border) == ("accuracy", None, 0.01)
    assert approved.source is None


def test_champions_follow_each_other_without_a_gap(told, clock):
    one, two = clock.moment, clock.advance(hours=1)
    told.rollback("late", reason="it was worse")
    three = clock.advance(hours=1)
    told.move("late", 1, Stage.ARCHIVED)
    found = told.report("late:1").tenures
    assert [(tenure.number, tenure.since, tenure.until) for tenure in found] == [
        (1, NOON, one),
        (2, one, two),
        (1, two, three),
        (None, three, None),
    ]
    assert [tenure.reason for tenure in found[:3]] == ["the first one", None, "it was worse"]


def test_output_that_was_written_anew_by_another_version_is_not_live_any_more(told):
    written = told.predictions("late", 2)[0]
    intent = told.open_output(written.output, partition="a", model="late", version=1)
    told.commit_output(intent, Written(uri=written.uri, rows=5))
    counts = [(scoring.outputs, scoring.live) for scoring in (told.report(f"late:{number}").scoring for number in (1, 2))]
    assert counts == [(1, 1), (1, 0)]


def test_the_audit_trail_is_of_this_version_and_its_model_only(told):
    told.register("latest")
    for _ in range(20):
        told.register("late")
    trail = told.report("late:2").audit
    assert {entry.subject for entry in trail.entries} == {"late", "late:2"}
    assert [entry.action for entry in trail.entries][:2] == ["describe", "register"]
    assert [entry.seq for entry in trail.entries] == sorted(entry.seq for entry in trail.entries)
    assert trail.head.seq == max(entry.seq for entry in told.audit_entries(limit=1))
    assert trail.earlier == 0
    assert 0 < trail.anchored_to <= trail.head.seq


def test_an_erased_text_is_said_to_be_erased(told):
    [entry] = [entry for entry in told.report("late:2").audit.entries if entry.action == "register"]
    assert not entry.is_erased
    told.erase_text(entry.seq, reason="a name stood in it")
    found = told.report("late:2")
    [erased] = [entry for entry in found.audit.entries if entry.action == "register"]
    assert (erased.text, erased.is_erased, erased.hash) == (None, True, entry.hash)


def test_an_interval_beside_its_value_would_be_of_something_else_and_is_left_out(told):
    record = next(entry for entry in told.report("late:2").evaluations if entry.bins)
    wrong = tuple(replace(entry, metric=replace(entry.metric, value=0.01)) for entry in record.measures if entry.metric.value is not None)
    found = with_intervals(told.core, replace(record, measures=wrong), 2)
    assert {entry.interval for entry in found.measures} == {None}


def test_only_the_worst_of_very_many_slices_have_intervals(told, monkeypatch):
    monkeypatch.setattr(intervals, "MOST_SLICES", 1)
    record = next(entry for entry in told.report("late:2").evaluations if entry.bins)
    worst, *others = record.worst(2, "roc_auc")
    assert worst.interval is not None
    assert [entry.interval for entry in others] == [None, None]


def test_a_newer_value_on_other_data_does_not_hide_the_one_that_compares(registry):
    same, other = (Dataset("books", digest="sha256:" + letter * 64) for letter in "ab")
    for number in (1, 2):
        registry.register("lead")
        registry.record_metrics("lead", number, {"auc": 0.5 + number / 10}, evaluated_on=same)
    registry.record_metrics("lead", 1, {"auc": 0.99}, evaluated_on=other)
    points = {point.number: point for point in registry.report("lead:2").history}
    assert [(points[number].metric.value, points[number].same_data) for number in (1, 2)] == [(0.6, True), (0.7, True)]


def test_each_metric_compares_on_the_data_of_its_own_newest_value(registry):
    same, other = (Dataset("books", digest="sha256:" + letter * 64) for letter in "ab")
    for number in (1, 2):
        registry.register("lead")
        registry.record_metrics("lead", number, {"auc": 0.5 + number / 10}, evaluated_on=same)
    registry.record_metrics("lead", 2, {"profit": 3.0}, evaluated_on=other)
    points = {(point.number, point.metric.name): point.same_data for point in registry.report("lead:2").history}
    assert points == {(1, "auc"): True, (2, "auc"): True, (2, "profit"): True}


def test_the_newest_of_several_values_on_the_same_data_is_the_one_of_the_history(registry):
    data = Dataset("books", digest="sha256:" + "b" * 64)
    registry.register("lead")
    for value in (0.1, 0.2):
        registry.record_metrics("lead", 1, {"auc": value}, evaluated_on=data)
    registry.record_metrics("lead", 1, {"f1": 0.3}, evaluated_on=data)
    assert {point.metric.name: point.metric.value for point in registry.report("lead:1").history} == {"auc": 0.2, "f1": 0.3}


def test_decisions_about_another_model_do_not_wear_out_this_ones_data(registry):
    data = Dataset("books", digest="sha256:" + "b" * 64)
    for model in ("lead", "churn"):
        registry.register(model)
        registry.record_metrics(model, 1, {"auc": 0.9}, evaluated_on=data)
    for _ in range(3):
        registry.decide("churn", 1, policy={"rules": [{"metric": "auc", "at_least": 0.5}]})
    assert [registry.report(f"{model}:1").evaluations[0].uses for model in ("lead", "churn")] == [0, 3]


def test_the_history_prefers_values_on_the_data_of_the_report(told):
    points = {(point.number, point.metric.name): point for point in told.report("late:2").history}
    assert points[2, "cost"].same_data
    assert not points[1, "broken"].same_data
    told.evaluate("late", 2, data=reported.rows(str(Path(told.core.settings.artifacts).parent)), target="late")
    points = {(point.number, point.metric.name): point for point in told.report("late:2").history}
    assert points[1, "roc_auc"].same_data
    assert points[1, "roc_auc"].metric.value != 0.7


def test_rows_that_were_tampered_with_or_are_gone_are_told_and_give_no_intervals(lonely):
    path = Path(lonely.report("late:2").evaluations[-1].evaluation.rows_uri)
    path.chmod(0o644)
    path.write_bytes(b"other")
    found = lonely.report("late:2")
    assert "not those that were written" in found.evaluations[-1].problem
    assert all(entry.interval is None for entry in found.evaluations[-1].measures)
    assert found.evaluations[-1].bins == {}
    assert any("not those that were written" in limit for limit in limits(found))
    path.unlink()
    assert "are gone" in lonely.report("late:2").evaluations[-1].problem


def test_a_store_that_does_not_answer_leaves_a_report_without_intervals_and_anchor(lonely, tmp_path):
    (tmp_path / "artifacts").rename(tmp_path / "elsewhere")
    (tmp_path / "artifacts").write_text("a file where the store was")
    found = lonely.report("late:2")
    assert found.evaluations[-1].problem
    assert found.audit.anchored_to is None


def test_an_archived_version_is_reported_like_any_other(told):
    told.move("late", 2, Stage.ARCHIVED)
    assert told.report("late:2").version.stage is Stage.ARCHIVED
    assert told.report("late@archived").version.number == 2


def test_a_version_is_compared_with_the_one_before_it_where_no_decision_says_with_whom(registry):
    for _ in range(3):
        registry.register("lead", metrics={"auc": 0.9})
    assert registry.report("lead:3").previous.number == 2
    registry.promote("lead", 1, reason="test")
    registry.decide("lead", 3, policy={"rules": [{"metric": "auc", "at_least": 0.5}]})
    assert registry.report("lead:3").previous.number == 1


def test_the_run_that_decided_is_named(registry):
    registry.register("lead", metrics={"auc": 0.9})
    registry.decide("lead", 1, policy={"rules": [{"metric": "auc", "at_least": 0.5}]}, run=run("monday"))
    [record] = registry.report("lead:1").decisions
    assert (record.dag_id, record.run_id) == ("train", "monday")
