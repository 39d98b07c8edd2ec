"""`dags/` unchanged, on real flights, inside one process: what a person would check before the long test with a real Airflow."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from airflow_registry.testing.flights import Flights

pytestmark = pytest.mark.airflow

DAGS = Path(__file__).resolve().parents[3] / "dags"
MODEL = "flight_delay"


@pytest.fixture
def flights(tmp_path, monkeypatch):
    monkeypatch.setenv("FLIGHTS_DATA", str(tmp_path / "flights"))
    return Flights.load(tmp_path / "flights")


def commit(folder):
    """The policy requires a git commit, and the copy of `dags/` has none of its own."""
    git = ["git", "-C", str(folder), "-c", "user.name=ci", "-c", "user.email=ci@example.com"]
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message=dags"]):
        subprocess.run([*git, *command], check=True)


def train_on(closed_loop, flights, *months):
    for month in months:
        flights.schedule(month)
        flights.fly(month)
    return closed_loop.run("train_register_promote")


def test_a_promotion_rings_the_inference_and_a_refusal_does_not(closed_loop, registry, flights):
    assert closed_loop.load(DAGS) == ["batch_inference", "monitor_and_retrain", "recall", "train_register_promote"]
    commit(closed_loop.dags_folder)

    before = closed_loop.start("batch_inference")
    assert (before.state, set(before.tasks.values())) == ("success", {"skipped"})

    trained, scored = train_on(closed_loop, flights, "2013-04", "2013-01", "2013-05")
    assert (trained.state, scored.dag_id, scored.run_type, scored.state) == ("success", "batch_inference", "asset_triggered", "success")
    assert registry.production(MODEL).number == 1
    assert {entry.partition for entry in registry.predictions(MODEL, 1)} == {"month=2013-01", "month=2013-04", "month=2013-05"}
    by_path = registry.whois(str(flights.folder / "predictions_by_path" / "month=2013-01" / "predictions.parquet"))
    assert (by_path.number, by_path.partition, by_path.is_live) == (1, "month=2013-01", True)

    (refused,) = train_on(closed_loop, flights, "2013-06")
    assert refused.tasks["promote_model"] == "skipped"
    assert registry.production(MODEL).number == 1
    assert any("log_loss" in reason for reason in refused.xcom("promote_model")["reasons"])


def test_destinations_of_the_summer_drift_and_ring_the_training(closed_loop, registry, flights):
    closed_loop.load(DAGS)
    commit(closed_loop.dags_folder)
    train_on(closed_loop, flights, "2013-01", "2013-02", "2013-03")
    assert registry.production(MODEL).number == 1
    frozen = registry.drift_reference(f"{MODEL}:1")
    assert {"dest", "departure", "distance"} < set(frozen.inputs.features)
    assert "probability_1" in frozen.predictions.features or "probability_True" in frozen.predictions.features

    (quiet,) = closed_loop.run("monitor_and_retrain")
    assert quiet.xcom("monitor_drift")["asked"] is False

    for month in ("2013-06", "2013-07", "2013-08"):
        flights.schedule(month)
        flights.fly(month)
    closed_loop.run("batch_inference")
    monitored, trained, *_ = closed_loop.run("monitor_and_retrain")
    found = monitored.xcom("monitor_drift")
    assert (found["asked"], found["ref"]) == (True, f"{MODEL}:1")
    assert "dest" in found["drifted"]
    assert (trained.dag_id, trained.run_type, trained.state) == ("train_register_promote", "asset_triggered", "success")
    assert registry.get(f"{MODEL}:2").number == 2
    assert [(one.number, one.newest_version) for one in registry.retrainings(MODEL)] == [(1, 1)]

    (again,) = closed_loop.run("monitor_and_retrain")
    assert again.xcom("monitor_drift")["asked"] is False
