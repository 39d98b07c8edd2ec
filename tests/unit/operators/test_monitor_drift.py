"""MonitorDriftOperator: what the champion scored is looked at, and a retraining is rung for once."""

from __future__ import annotations

import json
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from airflow.sdk import DAG, AssetAlias
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from airflow_registry.assets import RETRAININGS
from airflow_registry.domain.drift.sketch import Sketch
from airflow_registry.errors import InvalidInputError
from airflow_registry.operators import BatchInferenceOperator, MonitorDriftOperator

BELL = "airflow-registry://lead/retrain"
TERMS = {"model": "lead", "k": 2, "n": 3, "min_rows": 500}


def rows(seed, shift=0.0, count=600):
    random = np.random.default_rng(seed)
    return pd.DataFrame({"id": range(count), "x": random.normal(20 + shift, 10, count), "y": random.integers(0, 7, count)})


@pytest.fixture
def watched(registry, register):
    """`lead:1` in PRODUCTION, registered with a reference."""
    registry.promote("lead", register(reference=rows(0, count=5000)).number, reason="the first one")


@pytest.fixture
def score(tmp_path, context):
    """Scores one day, whose x may be shifted by so many tenths of its deviation."""

    def make(day, shift=0.0):
        path = tmp_path / "leads" / f"ds={day}.parquet"
        path.parent.mkdir(exist_ok=True)
        rows(day + 1, shift).to_parquet(path, index=False)
        return BatchInferenceOperator(model="lead", input=str(path), output=str(tmp_path / "out"), partition=f"ds={day}").execute(
            context("score", run_id=f"day_{day}")
        )

    return make


def test_what_is_scored_is_counted_in_the_ledger(registry, watched, score):
    score(0)
    report = registry.drift("lead")
    assert [(one.partition, one.rows) for one in report.partitions] == [("ds=0", 600)]
    assert {one.name for one in report.together.inputs} == {"x", "y"}
    assert {one.name for one in report.together.predictions} == {"prediction", "probability_True"}
    assert report.verdict == "stable"


def test_a_version_without_a_reference_is_scored_and_not_counted(registry, champion, score):
    assert score(0)["rows"] == 600
    assert registry.drift("lead").partitions == ()


def test_quiet_days_ring_nothing(watched, score, context, rung):
    for day in range(3):
        score(day)
    task = context("monitor")
    result = MonitorDriftOperator(**TERMS).execute(task)
    assert (result["asked"], result["retraining"], result["verdict"], result["partitions"]) == (False, None, "stable", 3)
    assert result["note"] == "0 of the last 3 partitions with at least 500 rows drifted; 2 of 3 would ask for a retraining."
    assert rung(task) == []
    assert result == json.loads(json.dumps(result))


def test_drift_rings_the_bell_once_and_a_retry_rings_it_again(registry, watched, score, context, rung):
    score(0)
    for day in (1, 2):
        score(day, shift=8.0)
    operator, first = MonitorDriftOperator(**TERMS), context("monitor")
    result = operator.execute(first)
    assert (result["asked"], result["verdict"], result["ref"]) == (True, "drifted", "lead:1")
    assert "x" in result["drifted"]
    assert rung(first) == [BELL]
    [event] = [event for one in first["outlet_events"]._dict.values() for event in one.asset_alias_events]
    assert (event.extra["retraining"], event.extra["number"]) == (result["retraining"], 1)
    assert any(reason.startswith("ds=2: x: PSI") for reason in event.extra["reasons"])

    retry = context("monitor")
    assert operator.execute(retry)["retraining"] == result["retraining"]
    assert rung(retry) == [BELL]
    next_day = context("monitor", run_id="scheduled__2")
    assert operator.execute(next_day)["asked"] is False
    assert rung(next_day) == []
    assert len(registry.retrainings("lead")) == 1


def test_after_the_retraining_the_new_champion_is_looked_at(registry, register, watched, score, context, rung):
    for day in (1, 2):
        score(day, shift=8.0)
    MonitorDriftOperator(**TERMS).execute(context("monitor"))
    registry.promote("lead", register(reference=rows(9, shift=8.0, count=5000)).number, reason="retrained")
    for day in (1, 2, 3):
        score(day, shift=8.0)
    task = context("monitor", run_id="scheduled__2")
    result = MonitorDriftOperator(**TERMS, cool_down=timedelta(0)).execute(task)
    assert (result["ref"], result["verdict"], result["asked"]) == ("lead:2", "stable", False)
    report = registry.drift("lead")
    assert report.previous == 1
    assert {one.name for one in report.since_previous} == {"prediction", "probability_True"}


def test_without_a_champion_it_skips_or_fails(registry, register, context):
    for prepare in (lambda: None, register):
        prepare()
        with pytest.raises(AirflowSkipException):
            MonitorDriftOperator(model="lead").execute(context("monitor"))
    with pytest.raises(AirflowFailException, match="no champion"):
        MonitorDriftOperator(model="lead", if_no_champion="fail").execute(context("monitor"))


def test_the_alias_stands_in_the_dag_also_where_it_is_mapped():
    with DAG("d", schedule=None):
        plain = MonitorDriftOperator(model="lead", cool_down="2d")
        mapped = MonitorDriftOperator.partial(outlets=[AssetAlias("mine")]).expand(model=["a", "b"])
    assert plain.outlets == [AssetAlias(RETRAININGS)]
    assert (plain.task_id, plain.cool_down) == ("monitor_drift", timedelta(days=2))
    assert mapped.partial_kwargs["outlets"] == [AssetAlias("mine"), AssetAlias(RETRAININGS)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"k": 6},
        {"k": 0},
        {"min_rows": -1},
        {"cool_down": "soon"},
        {"within": "0s"},
        {"alpha": 2},
        {"floor": -1},
        {"ignore": "x"},
        {"if_no_champion": "wait"},
    ],
)
def test_bad_arguments_fail_when_the_dag_is_parsed(wrong):
    with pytest.raises(InvalidInputError, match=next(iter(wrong))):
        MonitorDriftOperator(model="lead", **wrong)


def test_bins_that_cannot_be_read_cost_the_counts_only(registry, watched, score, caplog):
    from airflow_registry.sql.drift_tables import drift_references

    with registry.core.store.write() as tx:
        tx.run(drift_references.update().values(body={"schema": 2}))
    assert score(0)["rows"] == 600
    assert "are not counted for drift" in caplog.text


def test_a_sketch_is_small_and_is_read_as_it_was_written(registry, watched, score):
    score(0)
    with registry.core.store.read() as tx:
        from airflow_registry.sql.tables import ledger_commits

        [row] = tx.all(ledger_commits.select())
    assert Sketch.from_json(row["sketch"]).rows == 600
    assert len(json.dumps(row["sketch"])) < 1000
