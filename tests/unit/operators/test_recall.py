"""RecallOperator and RescoreRecalledOperator: what is marked, what is mapped over, and what is said to people."""

from __future__ import annotations

import json
import shutil
import sqlite3

import pandas as pd
import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from airflow_registry.domain.ledger import Written
from airflow_registry.domain.names import RunKey
from airflow_registry.errors import InvalidInputError
from airflow_registry.operators import (
    BatchInferenceOperator,
    RecallOperator,
    RescoreRecalledOperator,
    SqlInput,
    SqlOutput,
    UnscoredPartitionsOperator,
)

SPARK = RunKey(dag_id="spark", run_id="monday", task_id="job")


@pytest.fixture
def lake(tmp_path, frame):
    for day in (1, 2, 3):
        folder = tmp_path / "lake" / f"ds={day}"
        folder.mkdir(parents=True)
        frame.drop(columns="late").iloc[day * 10 : day * 10 + 10].to_parquet(folder / "part.parquet", index=False)
    return tmp_path / "lake"


@pytest.fixture
def score(lake, tmp_path, context):
    def operator(day, run_id="manual__1", **options):
        given = {"model": "lead", "input": str(lake), "output": str(tmp_path / "out"), "partition": f"ds={day}", **options}
        return BatchInferenceOperator(**given).execute(context("score", run_id=run_id, map_index=day))

    return operator


@pytest.fixture
def bad(registry, register, champion, score):
    """`lead:2` is champion and wrote all three partitions; another program wrote a fourth with it."""
    register()
    registry.promote("lead", 2, reason="better")
    for day in (1, 2, 3):
        score(day)
    intent = registry.open_output("/elsewhere", partition="x", model="lead", version=2, run=SPARK)
    registry.commit_output(intent, Written(uri="/elsewhere"))
    registry.pin("lead", RunKey(dag_id="notebook", run_id="r1", task_id="t"))


@pytest.fixture
def recall(context):
    def chunks(run=None, **options):
        given = {"model": "lead", "version": 2, "reason": "far too sure", "and_rollback": True, **options}
        return RecallOperator(**given).execute(run or context("recall", run_id="recall__1"))

    return chunks


@pytest.fixture
def rescore(context):
    def operator(chunk, run=None):
        return RescoreRecalledOperator(chunk=chunk).execute(run or context("rescore", run_id="recall__1", map_index=0))

    return operator


def test_chunks_hold_what_we_can_score_and_the_log_names_the_rest(registry, bad, recall, context, rung, capsys, tmp_path):
    run = context("recall")
    chunks = recall(run)
    [made] = registry.recalls()
    assert chunks == json.loads(json.dumps(chunks))
    assert chunks == [{"recall": made.uid, "outputs": [f"{tmp_path}/out/ds={day}"]} for day in (1, 2, 3)]
    assert rung(run) == ["airflow-registry://lead/production"]
    told = capsys.readouterr().out
    assert "By hand: /elsewhere (task job in run monday of spark)" in told
    assert "Run r1 of notebook was given lead:2 and said nothing" in told


def test_a_chunk_is_scored_again_once_and_with_the_recipe_of_its_writer(registry, bad, recall, rescore, tmp_path):
    chunks = recall(partitions_per_task=2)
    assert [len(chunk["outputs"]) for chunk in chunks] == [2, 1]
    reports = [rescore(chunk) for chunk in chunks]
    assert [len(report["rescored"]) for report in reports] == [2, 1]
    assert [rescore(chunk) for chunk in chunks] == [{"rescored": [], "left": [], "faults": {}}] * 2
    entries = [entry for entry in registry.predictions("lead", 1) if entry.recall]
    assert [(entry.partition, entry.rows, entry.run_id, entry.task_id, entry.is_live) for entry in entries] == [
        (f"ds={day}", 10, "recall__1", "rescore", True) for day in (1, 2, 3)
    ]
    assert entries[0].size_bytes == (tmp_path / "out" / "ds=1" / "predictions.parquet").stat().st_size
    assert registry.predictions("lead", 2)[0].size_bytes > 0
    assert entries[0].recipe == registry.predictions("lead", 2)[0].recipe
    assert entries[0].input_digest == registry.predictions("lead", 2)[0].input_digest
    found = pd.read_parquet(tmp_path / "out" / "ds=1" / "predictions.parquet", partitioning=None)
    assert list(found["id"]) == list(range(10, 20))
    assert registry.whois(str(tmp_path / "out" / "ds=1")).number == 1
    assert recall(and_rollback="False") == []


def test_the_next_normal_run_finds_quarantined_partitions_unscored_and_repairs_them(registry, bad, recall, score, lake, context, tmp_path):
    recall()
    unscored = UnscoredPartitionsOperator(model="lead", input=str(lake), output=str(tmp_path / "out"))
    assert unscored.execute(context("unscored", run_id="manual__2")) == ["ds=1", "ds=2", "ds=3"]
    assert [score(day, run_id="manual__2")["ref"] for day in (1, 2, 3)] == ["lead:1"] * 3
    assert (registry.recalls()[0].done, registry.recalls()[0].partitions) == (3, 4)
    assert unscored.execute(context("unscored", run_id="manual__2")) == []


def test_a_run_that_was_pinned_to_it_goes_on_with_the_other_version(bad, recall, score):
    recall()
    assert score(1)["ref"] == "lead:1"
    with pytest.raises(AirflowFailException, match="lead:2 may not write: it was recalled"):
        score(2, version=2)


def test_what_fails_fails_the_task_in_the_end_and_a_retry_only_where_it_may_help(bad, recall, rescore, context, lake):
    [chunk] = recall(partitions_per_task=3)
    shutil.rmtree(lake / "ds=2")
    run = context("rescore", map_index=0)
    with pytest.raises(AirflowException, match="1 partitions were not scored again and stay quarantined") as caught:
        rescore(chunk, run)
    assert not isinstance(caught.value, AirflowFailException)
    assert [output[-4:] for output in run["ti"].pushed["rescored"]] == ["ds=1", "ds=3"]
    (lake / "ds=2").mkdir()
    (lake / "ds=2" / "part.csv").write_text("id,x\n1,2\n")
    with pytest.raises(AirflowFailException, match="'y'"):
        rescore(chunk)


@pytest.mark.parametrize("chunk", [None, {}, {"recall": "x"}, "{{ x }}", ["a"]])
def test_what_is_no_chunk_is_said_to_be_none(rescore, chunk):
    with pytest.raises(AirflowFailException, match="Expected one of what RecallOperator returned"):
        rescore(chunk)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"reason": " "}, "says nothing"),
        ({"version": None}, "No version was given"),
        ({"partitions_per_task": 0}, "Expected a count from 1"),
        ({"partitions_per_task": "x"}, "is not a count"),
    ],
)
def test_bad_arguments_fail_when_the_dag_is_parsed(options, text):
    with pytest.raises(InvalidInputError, match=text):
        RecallOperator(**{"model": "lead", "version": 2, "reason": "x", **options})


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"and_rollback": "perhaps"}, "neither True nor False"),
        ({"and_rollback": False}, "it is in PRODUCTION"),
        ({"with_version": "2"}, "cannot score again what is recalled because of it"),
        ({"version": "other:2"}, "Leave one of them out"),
    ],
)
def test_what_cannot_be_recalled_fails_at_once(registry, bad, recall, options, text):
    with pytest.raises((AirflowFailException, InvalidInputError), match=text):
        recall(**options)
    assert registry.recalls() == ()


def test_texts_that_templates_make_of_nothing_and_true_are_understood(registry, bad, recall):
    assert len(recall(with_version="None", and_rollback="True", version="lead:2")) == 3
    assert registry.production("lead").number == 1


def test_a_partition_of_a_table_is_scored_again_in_its_table(
    registry, register, champion, recall, rescore, context, tmp_path, frame, monkeypatch
):
    path = tmp_path / "warehouse.db"
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "sqlite", "host": str(path)}))
    connection = sqlite3.connect(path)
    frame.head(10).assign(day="1").drop(columns="late").to_sql("leads", connection, index=False)
    register()
    registry.promote("lead", 2, reason="better")
    given = SqlInput(conn_id="warehouse", query="SELECT id, x, y FROM leads WHERE day = :day ORDER BY id")
    output = SqlOutput(conn_id="warehouse", table="predictions", partition_column="day")
    BatchInferenceOperator(model="lead", input=given, output=output, partition="day=1").execute(context("score"))
    [chunk] = recall()
    assert len(rescore(chunk)["rescored"]) == 1
    assert connection.execute("SELECT day, model_version, count(*) FROM predictions GROUP BY 1, 2").fetchall() == [("1", 1, 10)]
    connection.close()
    assert registry.recalls()[0].is_closed
