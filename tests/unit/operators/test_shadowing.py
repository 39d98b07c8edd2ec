"""Versions in SHADOW beside the champion: they are compared, and nothing that they do reaches its task."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest
from airflow.sdk.exceptions import AirflowSkipException, AirflowTaskTimeout, TaskDeferred
from sklearn.dummy import DummyClassifier
from sklearn.tree import DecisionTreeClassifier

from airflow_registry.errors import InvalidInputError, StorageUnavailableError
from airflow_registry.modeling.signature import capture
from airflow_registry.operators import BatchInferenceOperator, PromoteModelOperator, SqlInput, shadowing
from airflow_registry.operators.shadowing import allowed_seconds
from airflow_registry.scoring.partitions import list_partitions
from airflow_registry.service.registry import ModelRegistry

DAY = "ds=2026-01-01"


@pytest.fixture
def score(tmp_path, frame, context):
    """Scores a day of ten rows, and returns what the task returned."""
    leads = tmp_path / "leads" / DAY
    leads.mkdir(parents=True)
    frame.drop(columns="late").iloc[:10].to_parquet(leads / "part.parquet", index=False)

    def make(run_id="manual__1", **arguments):
        given = {"model": "lead", "input": str(tmp_path / "leads"), "output": str(tmp_path / "out"), "partition": DAY, **arguments}
        return BatchInferenceOperator(**given).execute(context("score", run_id=run_id))

    return make


@pytest.fixture
def shadow(registry, champion, fitted, frame):
    """Another version, in SHADOW; with `flips` it says the opposite for that many of the first ten rows."""

    def make(flips=0, model=None):
        if model is None and flips == 10:
            model = DummyClassifier(strategy="constant", constant=True).fit(frame[["x", "y"]], frame["late"])
        elif model is None and flips:
            model = DecisionTreeClassifier().fit(frame[["x", "y"]], frame["late"] | (frame["x"] < flips))
        version = registry.register("lead", model or fitted, metrics={"accuracy": 0.9})
        registry.move("lead", version.number, "SHADOW")
        return version

    return make


def compared(registry, number=2):
    return [(one.agreement.rows, one.agreement.agreeing, one.champion) for one in registry.shadow_report("lead", number).comparisons]


def test_a_version_in_shadow_scores_beside_and_is_compared(registry, shadow, score, tmp_path):
    shadow(flips=3)
    result = score()
    assert (result["ref"], result["rows"]) == ("lead:1", 10)
    assert compared(registry) == [(10, 7, 1)]
    [one] = registry.shadow_report("lead", 2).comparisons
    assert (one.partition, one.kind, one.output) == (DAY, "labels", str(tmp_path / "out" / ".shadow" / "lead-v2" / DAY))
    assert one.agreement.scored == sum(one.agreement.champion_scores) == sum(one.agreement.shadow_scores) == 10
    assert 0 < one.agreement.mean_difference < 1
    assert one.seconds > 0
    assert one.champion_seconds > 0


def test_its_output_is_hidden_from_those_who_read_the_champion_s(registry, shadow, score, tmp_path):
    shadow(flips=10)
    result = score()
    assert len(pd.read_parquet(tmp_path / "out")) == 10
    assert pd.read_parquet(tmp_path / "out")["prediction"].tolist() == [False] * 10
    assert [path.parent.name for path in tmp_path.glob("out/*/predictions.parquet")] == [DAY]
    assert [part.key for part in list_partitions(str(tmp_path / "out"))] == [DAY]
    assert registry.whois(result["uri"]).number == 1
    assert registry.live_outputs([result["output"]])[result["output"]].number == 1
    assert registry.recall("lead", 2).entries == ()


def test_the_same_version_over_the_same_input_is_not_scored_twice(registry, shadow, score):
    shadow()
    score()
    assert score(run_id="manual__2")["skipped"] is True
    score(run_id="manual__3", force=True)
    assert compared(registry) == [(10, 10, 1)]


def test_a_version_that_came_to_shadow_later_scores_what_the_champion_has_scored_before(registry, champion, shadow, score):
    score()
    shadow()
    assert score(run_id="manual__2")["skipped"] is True
    assert compared(registry) == [(10, 10, 1)]


def test_only_the_newest_three_and_only_those_in_shadow(registry, shadow, score):
    for _ in range(4):
        shadow()
    score()
    assert [len(compared(registry, number)) for number in (2, 3, 4, 5)] == [0, 1, 1, 1]


@pytest.mark.parametrize("how", ["switched off", "not the champion"])
def test_nothing_scores_beside_where_nobody_wants_it_or_the_champion_does_not_score(registry, shadow, register, score, how):
    shadow()
    register()
    score(**({"shadow": False} if how == "switched off" else {"version": 3}))
    assert compared(registry) == []
    assert registry.predictions("lead", 2) == ()


class Stubborn:
    """A model that does what it must not."""

    classes_ = (False, True)

    def __init__(self, deed):
        self.deed = deed

    def predict(self, rows):
        return self.deed(rows)


@pytest.fixture
def loads(monkeypatch):
    """Puts a model in place of what version 2 would load."""
    from airflow_registry.service.load import Access

    real = Access.load

    def replace(model, number=2):
        def load(self, version, **how):
            return model() if version.number == number else real(self, version, **how)

        monkeypatch.setattr(Access, "load", load)

    return replace


def raise_(error):
    raise error


@pytest.mark.parametrize(
    "deed",
    [
        lambda rows: raise_(ValueError("no")),
        lambda rows: raise_(SystemExit(3)),
        lambda rows: raise_(MemoryError()),
        lambda rows: [True],
    ],
    ids=["raises", "exits", "no memory", "wrong length"],
)
def test_whatever_a_shadow_does_the_champion_s_task_succeeds(registry, shadow, score, loads, deed, capsys, tmp_path):
    shadow()
    shadow()
    loads(lambda: Stubborn(deed))
    assert score()["rows"] == 10
    assert (compared(registry), compared(registry, 3)) == ([], [(10, 10, 1)])
    assert registry.shadow_report("lead", 2).failed == (str(tmp_path / "out" / ".shadow" / "lead-v2" / DAY),)
    assert "lead:2 in SHADOW failed on this partition" in capsys.readouterr().out
    assert score(run_id="manual__2")["skipped"] is True
    assert len(registry.predictions("lead", 2)) == 1


def test_a_flipped_byte_of_a_shadow_is_its_own_failure(registry, shadow, score):
    path = Path(shadow(flips=1).remote_path)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"\0\1")
    assert score()["rows"] == 10
    assert len(registry.shadow_report("lead", 2).failed) == 1


def test_a_slow_shadow_is_stopped_and_does_not_count(registry, shadow, score, loads, fitted, capsys):
    def slowly(rows):
        time.sleep(0.06)
        return fitted.predict(rows)

    shadow()
    loads(lambda: Stubborn(slowly))
    assert score(shadow_seconds=0.05)["rows"] == 10
    assert compared(registry) == []
    assert len(registry.shadow_report("lead", 2).failed) == 1
    assert "lead:2 in SHADOW was stopped, so this partition does not count for it: It took longer than 0.05 s" in capsys.readouterr().out


def test_one_that_takes_too_long_to_load_is_stopped_before_it_scores(registry, shadow, score, loads):
    asked = []

    def load():
        time.sleep(0.06)
        return Stubborn(asked.append)

    shadow()
    loads(load)
    score(shadow_seconds=0.05)
    assert asked == []
    assert len(registry.shadow_report("lead", 2).failed) == 1


def test_when_the_task_s_own_time_is_up_no_other_shadow_begins(registry, shadow, score, loads):
    shadow()
    shadow()
    loads(lambda: Stubborn(lambda rows: raise_(AirflowTaskTimeout())), number=3)
    assert score()["rows"] == 10
    assert len(registry.shadow_report("lead", 3).failed) == 1
    assert registry.predictions("lead", 2) == ()


def test_a_registry_out_of_reach_afterwards_is_no_failure(champion, score, monkeypatch, capsys):
    def away(*_, **__):
        raise StorageUnavailableError("away")

    monkeypatch.setattr(ModelRegistry, "shadow_versions", away)
    assert score()["rows"] == 10
    assert "cannot be read, so none scores beside the champion" in capsys.readouterr().out


def test_how_long_a_shadow_may_take():
    assert allowed_seconds(None, None) == shadowing.LEAST_S
    assert allowed_seconds(None, 3600) == 7200
    assert allowed_seconds(0.5, 3600) == 0.5


@pytest.mark.parametrize("wrong", [0, -1, True, "10s", float("nan")])
def test_a_time_that_is_none_is_refused(wrong):
    with pytest.raises(InvalidInputError, match="shadow_seconds="):
        BatchInferenceOperator(model="lead", input="/in", output="/out", partition="a", shadow_seconds=wrong)


def test_the_gate_waits_for_shadow_runs_and_promotes_when_they_agree(registry, champion, register, score, context, tmp_path, frame):
    """A loop without people: the gate moves the version to SHADOW, waits, is woken by each comparison, and promotes."""
    register()
    rules = [{"metric": "accuracy", "at_least": 0.5}, {"shadow": {"partitions": 2, "agreement": 0.9}}]
    gate = PromoteModelOperator(version="lead:2", policy={"rules": rules})
    with pytest.raises(TaskDeferred) as wait:
        gate.execute(context("promote"))
    assert registry.get("lead:2").stage == "SHADOW"
    assert [decision.outcome for decision in registry.decisions("lead")] == ["PENDING", "PENDING"]
    assert wait.value.trigger.mark == registry.circumstances("lead", 2).mark
    score()
    assert wait.value.trigger.mark != registry.circumstances("lead", 2).mark
    with pytest.raises(TaskDeferred) as again:
        gate.resume(context("promote"), {"because": "changed"}, **wait.value.kwargs)
    later = tmp_path / "leads" / "ds=2026-01-02"
    later.mkdir()
    frame.drop(columns="late").iloc[10:20].to_parquet(later / "part.parquet", index=False)
    score(run_id="manual__2", partition="ds=2026-01-02")
    result = gate.resume(context("promote"), {"because": "changed"}, **again.value.kwargs)
    assert (result["outcome"], result["replaced"], registry.production("lead").number) == ("APPROVED", 1, 2)
    assert "on 20 of 20 rows in 2 partitions" in result["reasons"][-1]


def test_a_version_that_is_not_good_enough_otherwise_is_not_moved_to_shadow(registry, champion, register, context):
    register()
    rules = [{"metric": "accuracy", "at_least": 0.95}, {"shadow": {"partitions": 2, "agreement": 0.9}}]
    with pytest.raises(AirflowSkipException):
        PromoteModelOperator(version="lead:2", policy={"rules": rules}).execute(context("promote"))
    assert registry.get("lead:2").stage == "DEVELOPMENT"


def test_a_version_that_waits_for_people_only_is_not_moved_to_shadow(registry, champion, register, context):
    register()
    rules = [{"metric": "accuracy", "at_least": 0.5}, {"approval": {}}]
    with pytest.raises(TaskDeferred):
        PromoteModelOperator(version="lead:2", policy={"rules": rules}).execute(context("promote"))
    assert registry.get("lead:2").stage == "DEVELOPMENT"


def test_a_gate_that_does_not_wait_moves_nothing(registry, champion, register, context):
    register()
    rules = [{"metric": "accuracy", "at_least": 0.5}, {"shadow": {"partitions": 2, "agreement": 0.9}}]
    gate = PromoteModelOperator(version="lead:2", policy={"rules": rules}, wait=False, on_refusal="continue")
    assert gate.execute(context("promote"))["outcome"] == "PENDING"
    assert registry.get("lead:2").stage == "DEVELOPMENT"


@pytest.mark.parametrize(("order", "compares"), [("", True), (" DESC", True), (None, False)], ids=["ordered", "descending", "no digest"])
def test_rows_of_a_query_are_compared_where_it_can_be_known_what_they_are(
    registry, champion, shadow, context, tmp_path, frame, monkeypatch, order, compares
):
    path = tmp_path / "warehouse.db"
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "sqlite", "host": str(path)}))
    with closing(sqlite3.connect(path)) as connection:
        frame.iloc[:10].assign(day="1").drop(columns="late").to_sql("leads", connection, index=False)
    shadow(flips=3)
    query = f"SELECT id, x, y FROM leads WHERE day = :day ORDER BY id{order or ''}"
    given = SqlInput(conn_id="warehouse", query=query, digest_by=None if order is None else "SELECT max(id) FROM leads WHERE day = :day")
    operator = BatchInferenceOperator(model="lead", input=given, output=str(tmp_path / "out"), partition="day=1")
    assert operator.execute(context("score"))["rows"] == 10
    assert compared(registry) == ([(10, 7, 1)] if compares else [])
    assert registry.shadow_report("lead", 2).failed == ()


def test_a_query_that_gives_its_rows_in_another_order_is_not_compared(registry, champion, shadow, context, tmp_path, frame, monkeypatch):
    path = tmp_path / "warehouse.db"
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "sqlite", "host": str(path)}))
    with closing(sqlite3.connect(path)) as connection:
        frame.iloc[:10].assign(day="1").drop(columns="late").to_sql("leads", connection, index=False)
    shadow()
    query = "SELECT id, x, y FROM leads WHERE day = :day ORDER BY random()"
    given = SqlInput(conn_id="warehouse", query=query, digest_by="SELECT max(id) FROM leads WHERE day = :day")
    operator = BatchInferenceOperator(model="lead", input=given, output=str(tmp_path / "out"), partition="day=1")
    assert operator.execute(context("score"))["rows"] == 10
    assert (compared(registry), len(registry.shadow_report("lead", 2).failed)) == ([], 1)


def test_rows_that_the_shadow_cannot_score_count_against_it_however_many(registry, context, score, tmp_path, frame):
    constant = DummyClassifier(strategy="constant", constant=False).fit(frame[["x", "y"]], frame["late"])
    rows = frame.drop(columns="late").iloc[:10]
    rows.assign(x=rows["x"].where(rows["id"] < 4)).to_parquet(tmp_path / "leads" / DAY / "part.parquet", index=False)
    registry.register("lead", constant, signature=capture(constant, frame[["x", "y"]]))
    registry.register("lead", constant, signature=capture(constant, training_frame=frame))
    registry.promote("lead", 1, reason="it takes what comes")
    registry.move("lead", 2, "SHADOW")
    assert score()["rows"] == 10
    [one] = registry.shadow_report("lead", 2).comparisons
    assert (one.agreement.rows, one.agreement.agreeing, one.agreement.unmatched, one.agreement.share) == (4, 4, 6, 0.4)
