"""The loop closes with nobody in it: `dags/` unchanged, on real flights, in a real Airflow.

May is judged first and promoted, June's version is refused (its probabilities are worse than the champion's), July's replaces
the champion and scores what was left over. Each test is the next chapter of one story.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pyarrow.parquet as pq
import pytest

from airflow_registry.testing.flight_loop import INFERENCE, MODEL, TRAINING

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def story(loop):
    """Runs the three months once; the tests read what happened."""
    loop.begin("2013-05")
    early = loop.ended(INFERENCE, loop.client.trigger(INFERENCE))
    chapters = {"early": early, "may": loop.step("2013-05"), "rung_before_june": len(loop.inference_runs())}
    chapters |= {"june": loop.step("2013-06"), "rung_after_june": len(loop.inference_runs())}
    return chapters | {"july": loop.step("2013-07")}


def written(step):
    return {(entry.partition, entry.number) for entry in step.scored}


def test_before_the_first_promotion_the_consumer_skips_and_does_not_fail(loop, story):
    states = {task["state"] for task in loop.client.task_instances(INFERENCE, story["early"]["dag_run_id"])}
    assert states == {"skipped"}


def test_the_first_version_is_promoted_and_rings_a_run_that_nobody_started(loop, story):
    step = story["may"]
    assert (step.challenger, step.champion, step.outcome, step.promoted, step.faults) == (1, None, "APPROVED", True, [])
    assert (step.inference["run_type"], step.inference["triggering_user_name"]) == ("asset_triggered", None)
    assert written(step) == {(f"month=2013-{month:02d}", 1) for month in range(1, 6)}


def test_every_partition_has_one_whole_output_that_names_its_writer(loop, story):
    output = loop.flights.folder / "predictions" / "month=2013-03"
    scheduled = pq.read_metadata(loop.flights.folder / "scheduled" / "month=2013-03" / "flights.parquet").num_rows
    found = pq.read_table(output / "predictions.parquet")
    assert found.num_rows == scheduled
    assert {"flight", "scheduled_hour", "prediction"} <= set(found.column_names)
    assert json.loads((output / "_manifest.json").read_text())["version"] == 1
    entry = loop.registry.whois(str(output / "predictions.parquet"))
    assert (entry.model, entry.number, entry.run_id) == (MODEL, 1, story["may"].inference["dag_run_id"])


def test_a_refusal_says_why_keeps_the_champion_and_rings_nobody(loop, story):
    step = story["june"]
    assert (step.challenger, step.champion, step.outcome, step.promoted, step.inference) == (2, 1, "REFUSED", False, None)
    assert len(step.faults) == 1
    assert "log_loss" in step.faults[0]
    assert story["rung_after_june"] == story["rung_before_june"]
    states = {task["task_id"]: task["state"] for task in loop.client.task_instances(TRAINING, step.training_run)}
    assert states == {"split": "success", "train": "success", "evaluate_model": "success", "promote_model": "skipped"}
    assert step.metrics["2"]["log_loss"] > step.metrics["1"]["log_loss"] * 1.01


def test_the_next_champion_scores_what_was_left_and_leaves_the_rest(loop, story):
    step = story["july"]
    assert (step.challenger, step.champion, step.promoted) == (3, 1, True)
    assert written(step) == {("month=2013-06", 3), ("month=2013-07", 3), ("month=2013-01", 3)}
    live = {(entry.partition, entry.number) for entry in loop.registry.predictions(MODEL) if entry.is_live}
    assert {("month=2013-02", 1), ("month=2013-05", 1), ("month=2013-06", 3)} <= live


def test_a_program_that_knows_only_the_remote_path_stands_in_the_ledger(loop, story):
    output = loop.flights.folder / "predictions_by_path" / "month=2013-01" / "predictions.parquet"
    entry = loop.registry.whois(str(output))
    assert (entry.number, entry.is_live, entry.rows) == (3, True, pq.read_metadata(output).num_rows)
    assert [old.number for old in loop.registry.predictions(MODEL) if old.output == entry.output] == [1, 3]


def test_the_registry_tells_the_story(loop, story):
    registry = loop.registry
    assert registry.production(MODEL).number == 3
    assert [(str(one.to_stage), one.number) for one in registry.history(MODEL) if str(one.to_stage) == "PRODUCTION"] == [
        ("PRODUCTION", 1),
        ("PRODUCTION", 3),
    ]
    assert [decision.outcome for decision in registry.decisions(MODEL)] == ["APPROVED", "REFUSED", "APPROVED"]
    version = registry.get(f"{MODEL}:3")
    assert [data.name for data in version.datasets] == [f"month=2013-{month:02d}" for month in range(1, 7)]


def test_tasks_link_to_their_version_and_only_users_see_its_page(loop, story):
    run_id = story["june"].training_run
    for task_id in ("train", "evaluate_model", "promote_model"):  # the last one skipped: a refusal has something to show too
        links = loop.client.get(f"dags/{TRAINING}/dagRuns/{run_id}/taskInstances/{task_id}/links")["extra_links"]
        assert links == {"Model version": f"/registry/models/{MODEL}/versions/2", "Model": f"/registry/models/{MODEL}"}
    address = f"{loop.airflow.url}{links['Model version']}"
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(address)
    asked = urllib.request.Request(address, headers={"Authorization": f"Bearer {loop.client.token()}"})
    with urllib.request.urlopen(asked) as answer:
        page = answer.read().decode()
    assert f"{MODEL}:2" in page
    assert "log_loss" in page
