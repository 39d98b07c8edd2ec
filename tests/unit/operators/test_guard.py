"""GuardChampionOperator: a broken burn-in brings the previous champion back and rings."""

from __future__ import annotations

from datetime import timedelta

import pandas as pd
import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from airflow_registry.domain.ledger import Written
from airflow_registry.errors import InvalidInputError
from airflow_registry.operators import BatchInferenceOperator, GuardChampionOperator, RecordPredictionsOperator
from airflow_registry.service import burn_in

POLICY = {"rules": [{"metric": "accuracy", "at_least": 0.5}], "burn_in": {"for": "3d", "failed_partitions": 0, "null_share": 0.1}}


@pytest.fixture
def watched(registry, register):
    """`lead:2` in PRODUCTION under a burn-in, after `lead:1`."""
    for number in (register().number, register().number):
        registry.promote("lead", number, decision=registry.decide("lead", number, policy=POLICY))


@pytest.fixture
def broken(registry, watched):
    intent = registry.open_output("/out/a", partition="a", model="lead", version=2)
    registry.commit_output(intent, Written(uri="/out/a", rows=1000, null_predictions=500))


def test_a_broken_limit_rolls_back_rings_and_tells_the_notifiers(registry, broken, context, rung):
    told, task = [], context("guard")
    result = GuardChampionOperator(model="lead", notifiers=[lambda found: told.append(found["model_event"])]).execute(task)
    assert (result["ref"], result["standing"], result["broken"], result["rolled_back"]) == ("lead:2", "broken", True, True)
    assert registry.production("lead").ref == "lead:1"
    assert registry.history("lead")[-1].uid == result["promotion"]
    assert rung(task) == ["airflow-registry://lead/production"]
    assert [(notice["kind"], notice["ref"], notice["replaced"]) for notice in told] == [("rollback", "lead:1", 2)]
    assert "500 of 1000 predictions" in told[0]["text"]


def test_a_retry_rings_again_and_does_not_roll_back_further(registry, broken, context, rung):
    operator = GuardChampionOperator(model="lead")
    first = operator.execute(context("guard"))
    again = context("guard")
    repeated = operator.execute(again)
    assert (repeated["promotion"], repeated["rolled_back"], repeated["reasons"]) == (first["promotion"], True, first["reasons"])
    assert registry.production("lead").ref == "lead:1"
    assert rung(again) == ["airflow-registry://lead/production"]


def test_the_next_run_finds_nothing_to_watch(registry, broken, context, rung):
    GuardChampionOperator(model="lead").execute(context("guard"))
    task = context("guard", run_id="scheduled__2")
    result = GuardChampionOperator(model="lead").execute(task)
    assert (result["ref"], result["standing"], result["rolled_back"]) == ("lead:1", "none", False)
    assert rung(task) == []


def test_a_champion_within_its_limits_stays_and_nobody_is_rung(registry, watched, context, rung):
    task = context("guard")
    result = GuardChampionOperator(model="lead").execute(task)
    assert (result["standing"], result["broken"], result["rolled_back"]) == ("running", False, False)
    assert registry.production("lead").ref == "lead:2"
    assert rung(task) == []


def test_what_a_scoring_task_left_unfinished_is_found_behind_it(registry, watched, context):
    registry.open_output("/out/a", partition="a", model="lead", version=2)
    assert GuardChampionOperator(model="lead", grace="1h").execute(context("guard"))["broken"] is False
    result = GuardChampionOperator(model="lead", grace="0s").execute(context("guard", run_id="scheduled__2"))
    assert (result["broken"], result["rolled_back"]) == (True, True)


def test_with_nothing_to_go_back_to_the_task_fails_and_the_report_is_there_for_people(registry, register, context, rung):
    register()
    registry.promote("lead", 1, decision=registry.decide("lead", 1, policy=POLICY))
    registry.open_output("/out/a", partition="a", model="lead", version=1)
    task = context("guard")
    with pytest.raises(AirflowFailException, match="no other version held PRODUCTION before"):
        GuardChampionOperator(model="lead", grace=timedelta(0)).execute(task)
    assert task["ti"].pushed["standing"] == "broken"
    assert registry.production("lead").ref == "lead:1"
    assert rung(task) == []
    result = GuardChampionOperator(model="lead", grace=timedelta(0), if_no_previous="continue").execute(task)
    assert (result["broken"], result["rolled_back"], result["previous"]) == (True, False, None)


def test_a_champion_that_comes_while_the_old_one_is_judged_stays_and_the_task_is_well(
    registry, register, broken, context, rung, monkeypatch
):
    third, judge = register().number, burn_in.check

    def judge_slowly(*arguments):
        report = judge(*arguments)
        registry.promote("lead", third, reason="fresh")
        return report

    monkeypatch.setattr(burn_in, "check", judge_slowly)
    task = context("guard")
    result = GuardChampionOperator(model="lead").execute(task)
    assert (result["ref"], result["broken"], result["rolled_back"]) == ("lead:2", True, False)
    assert "v3 became champion" in result["note"]
    assert registry.production("lead").number == 3
    assert rung(task) == []


def test_a_model_that_does_not_exist_yet_is_skipped_and_one_without_champion_is_reported(registry, register, context):
    with pytest.raises(AirflowSkipException, match="no model 'lead'"):
        GuardChampionOperator(model="lead").execute(context("guard"))
    register()
    assert GuardChampionOperator(model="lead").execute(context("guard"))["standing"] == "none"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"grace": "soon"}, "grace='soon'"),
        ({"grace": timedelta(seconds=-1)}, "grace="),
        ({"min_rows": 0}, "min_rows="),
        ({"if_no_previous": "skip"}, "if_no_previous='skip'"),
    ],
)
def test_wrong_arguments_fail_when_the_dag_is_read(wrong, told):
    with pytest.raises(InvalidInputError, match=told):
        GuardChampionOperator(model="lead", **wrong)


class Nothing:
    """Has no answer for rows below 5."""

    def predict_batch(self, rows):
        return [None if value < 5 else 1.0 for value in rows["x"]]


def test_a_scored_partition_tells_the_ledger_how_many_predictions_are_null(registry, watched, context, tmp_path, frame, monkeypatch):
    frame[["id", "x", "y"]].to_parquet(tmp_path / "leads.parquet", index=False)
    monkeypatch.setattr("airflow_registry.domain.model.ModelVersion.load", lambda _version: Nothing())
    operator = BatchInferenceOperator(model="lead", input=str(tmp_path / "leads.parquet"), output=str(tmp_path / "out"), partition="all")
    assert operator.execute(context("score"))["non_finite"] == 5
    (entry,) = registry.predictions("lead", 2)
    assert (entry.rows, entry.null_predictions) == (40, 5)
    result = GuardChampionOperator(model="lead", min_rows=40).execute(context("guard"))
    assert (result["broken"], result["rolled_back"]) == (True, True)
    assert "5 of 40 predictions" in result["note"]


def test_others_may_say_how_many_of_their_predictions_are_null(registry, watched, context, tmp_path):
    pd.DataFrame({"score": [0.1, None]}).to_parquet(tmp_path / "scores.parquet")
    known = {"model": "lead", "output": str(tmp_path / "scores.parquet"), "partition": "all"}
    RecordPredictionsOperator(**known, null_predictions="1").execute(context("record"))
    RecordPredictionsOperator(**known).execute(context("record", run_id="manual__2"))
    assert [entry.null_predictions for entry in registry.predictions("lead", 2)] == [1, None]
