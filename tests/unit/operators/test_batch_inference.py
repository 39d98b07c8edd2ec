"""BatchInferenceOperator: one partition, one version, whole or not at all."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from airflow_registry.errors import InputNotReadyError
from airflow_registry.operators import BatchInferenceOperator


@pytest.fixture
def leads(tmp_path, frame):
    """Three partitions of ten rows, Hive style."""
    for day in (1, 2, 3):
        folder = tmp_path / "leads" / f"ds=2026-01-0{day}"
        folder.mkdir(parents=True)
        frame.drop(columns="late").iloc[day * 10 : day * 10 + 10].to_parquet(folder / "part.parquet", index=False)
    return tmp_path / "leads"


@pytest.fixture
def score(leads, tmp_path):
    def make(**arguments):
        given = {"model": "lead", "input": str(leads), "output": str(tmp_path / "out"), "partition": "ds=2026-01-01"}
        return BatchInferenceOperator(**{**given, **arguments})

    return make


def test_the_predictions_are_those_of_the_model_and_the_ledger_names_it(registry, champion, score, context, tmp_path, frame, fitted):
    result = score().execute(context("score"))
    target = tmp_path / "out" / "ds=2026-01-01"
    found = pd.read_parquet(target / "predictions.parquet", partitioning=None)
    rows = frame.iloc[10:20]
    assert found["id"].tolist() == rows["id"].tolist()
    assert found["prediction"].tolist() == fitted.predict(rows[["x", "y"]]).tolist()
    assert found["probability_True"].tolist() == pytest.approx(fitted.predict_proba(rows[["x", "y"]])[:, 1])
    assert (result["ref"], result["rows"], result["skipped"], result["quarantined"]) == ("lead:1", 10, False, 0)
    assert (result["output"], result["uri"]) == (str(target), str(target / "predictions.parquet"))
    manifest = json.loads((target / "_manifest.json").read_text())
    assert (manifest["model"], manifest["version"], manifest["run"]["run_id"]) == ("lead", 1, "manual__1")
    entry = registry.whois(result["uri"])
    assert (entry.number, entry.rows, entry.is_live, entry.run_id, entry.partition) == (1, 10, True, "manual__1", "ds=2026-01-01")
    assert result == json.loads(json.dumps(result))


def test_columns_and_probabilities_can_be_chosen(registry, champion, score, context):
    result = score(keys=[], proba=False).execute(context("score"))
    assert pd.read_parquet(result["uri"], partitioning=None).columns.tolist() == ["prediction"]


def test_the_same_version_over_the_same_input_does_nothing(registry, champion, score, context, tmp_path):
    first = score().execute(context("score"))
    before = (tmp_path / "out" / "ds=2026-01-01" / "predictions.parquet").stat()
    again = score().execute(context("score", run_id="manual__2"))
    assert (again["skipped"], again["rows"], again["uri"]) == (True, 10, first["uri"])
    assert (tmp_path / "out" / "ds=2026-01-01" / "predictions.parquet").stat() == before
    assert len(registry.predictions("lead")) == 1
    assert score(force=True).execute(context("score"))["skipped"] is False


def test_another_version_or_other_rows_are_scored(registry, register, champion, score, context, leads, frame):
    score().execute(context("score"))
    register()
    registry.promote("lead", 2, reason="better")
    assert score().execute(context("score", run_id="manual__2"))["ref"] == "lead:2"
    frame.drop(columns="late").iloc[:3].to_parquet(leads / "ds=2026-01-01" / "part.parquet", index=False)
    third = score().execute(context("score", run_id="manual__3"))
    assert (third["skipped"], third["rows"]) == (False, 3)


def test_all_partitions_of_a_run_use_one_version(registry, register, champion, score, context):
    refs = [score().execute(context("score", map_index=0))["ref"]]
    register()
    registry.promote("lead", 2, reason="in the middle of the run")
    refs += [score(partition=f"ds=2026-01-0{day}").execute(context("score", map_index=day))["ref"] for day in (2, 3)]
    assert refs == ["lead:1"] * 3
    assert score(repin=True).execute(context("score"))["ref"] == "lead:2"
    assert score().execute(context("score"))["ref"] == "lead:2"


def test_a_version_can_be_named(registry, register, champion, score, context):
    register()
    assert score(version=2).execute(context("score"))["ref"] == "lead:2"
    assert score(version="latest").execute(context("score"))["skipped"] is True
    assert score(version={"model": "lead", "version": 1}).execute(context("score"))["ref"] == "lead:1"


def test_a_version_that_turns_out_to_be_none_is_not_the_pinned_one(registry, champion, score, context):
    operator = score(version="{{ ti.xcom_pull('train')['ref'] }}")
    operator.version = None  # what Airflow renders it to
    with pytest.raises(AirflowFailException, match="upstream task pushed nothing"):
        operator.execute(context("score"))


@pytest.mark.parametrize(("choice", "raised"), [("skip", AirflowSkipException), ("fail", AirflowFailException)])
def test_before_the_first_promotion_it_skips_or_fails(registry, register, score, context, choice, raised, tmp_path):
    register()
    with pytest.raises(raised):
        score(if_no_champion=choice).execute(context("score"))
    assert not (tmp_path / "out").exists()
    assert registry.predictions("lead") == ()


def test_after_a_failure_the_intent_stays_and_the_old_output_too(registry, register, champion, score, context, leads, frame):
    first = score().execute(context("score"))
    frame[["id", "x"]].assign(y="text").to_parquet(leads / "ds=2026-01-01" / "part.parquet", index=False)
    with pytest.raises(AirflowFailException, match="'y'"):
        score().execute(context("score", run_id="manual__2"))
    entries = registry.predictions("lead")
    assert [entry.committed_at is not None for entry in entries] == [True, False]
    assert len(pd.read_parquet(first["uri"], partitioning=None)) == 10
    assert registry.recall("lead", 1).entries


def test_a_flipped_byte_is_never_a_prediction(registry, champion, score, context, tmp_path):
    from pathlib import Path

    path = Path(champion.remote_path)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"\0\1")
    with pytest.raises(AirflowFailException, match="is not the one that was registered"):
        score().execute(context("score"))
    assert not (tmp_path / "out" / "ds=2026-01-01" / "predictions.parquet").exists()


def test_an_output_that_somebody_removed_is_written_again(registry, champion, score, context, tmp_path):
    from pathlib import Path

    first = score().execute(context("score"))
    Path(first["uri"]).unlink()
    assert score().execute(context("score"))["skipped"] is False
    assert Path(first["uri"]).is_file()


def test_two_runs_over_one_partition_leave_the_newer_one_live(registry, champion, score, context):
    older = registry.open_output(
        score().output_path + "/ds=2026-01-01", partition="ds=2026-01-01", model="lead", version=1, input_digest=f"sha256:{'b' * 64}"
    )
    score().execute(context("score"))
    from airflow_registry.domain.ledger import Written
    from airflow_registry.errors import OutputConflictError

    with pytest.raises(OutputConflictError):
        registry.commit_output(older, Written(uri="/late"))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"output": "relative/out"}, "relative path"),
        ({"partition": "{{ ds }}"}, "not rendered"),
        ({"output": "/out/{{ ds }}"}, "not rendered"),
        ({"keys": ["no_such_column"]}, "no_such_column"),
        ({"version": 9}, "no version 9"),
    ],
)
def test_bad_input_fails_without_a_retry(registry, champion, score, context, wrong, message):
    operator = score(**{name: value for name, value in wrong.items() if name != "partition"})
    operator.partition = wrong.get("partition", operator.partition)
    with pytest.raises(AirflowFailException, match=message):
        operator.execute(context("score"))
    assert [entry for entry in registry.predictions("lead") if entry.committed_at] == []


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"partition": "ds=2030-01-01"}, "no partition 'ds=2030-01-01'"), ({"input": "/no/such/folder/x"}, "/no/such/folder")],
)
def test_a_partition_that_has_not_arrived_is_tried_again(registry, champion, score, context, wrong, message):
    operator = score(**{name: value for name, value in wrong.items() if name != "partition"})
    operator.partition = wrong.get("partition", operator.partition)
    with pytest.raises(InputNotReadyError, match=message):
        operator.execute(context("score"))
    assert registry.predictions("lead") == ()


def test_progress_is_logged_while_it_runs(registry, champion, score, context, capsys, monkeypatch):
    monkeypatch.setattr("airflow_registry.operators.batch_inference.PROGRESS_S", 0.0)
    score().execute(context("score"))
    assert "10 of 10 rows scored" in capsys.readouterr().out
