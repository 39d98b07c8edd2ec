"""A task that is killed at the worst moment leaves nothing that its retry does not make whole."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.e2e
ROWS = 300_000


@pytest.fixture(scope="module")
def trained(world):
    return world.started_by_hand("killed_training")


@pytest.fixture(scope="module")
def scored(world, trained):
    return world.rung("killed_scoring", count=1)


def left_behind(world, task_id):
    """What was there when the first try died."""
    return json.loads((world.scene / "deaths" / task_id).read_text())


def test_after_a_death_between_upload_and_commit_there_is_one_version(world, trained):
    dead = left_behind(world, "train")
    assert [name for name in dead["files"] if "/plain/killed/" in name]
    assert "killed" not in dead["versions"]
    assert (trained["tasks"]["train"]["state"], trained["tasks"]["train"]["try_number"]) == ("success", 2)
    (version,) = world.registry.versions("killed")
    assert version.number == 1
    assert version.load().predict(pd.DataFrame({"x": [1.5]})).tolist() == [True]
    stored = (world.airflow.home / "airflow_registry_artifacts" / "plain" / "killed").rglob("model.*")
    assert [str(path) for path in stored] == [version.remote_path]


def test_after_a_death_between_promotion_and_event_there_is_one_champion_and_its_consumer_ran(world, trained, scored):
    dead = left_behind(world, "promote_model")
    assert dead["revisions"]["killed"] == 1
    assert (trained["state"], trained["tasks"]["promote_model"]["try_number"]) == ("success", 2)
    (promotion,) = world.registry.history("killed")
    assert (promotion.number, promotion.to_stage, promotion.revision) == (1, "PRODUCTION", 1)
    assert world.registry.revisions()["killed"] == 1
    champion = world.registry.production("killed")
    pointer = json.loads((world.airflow.home / "airflow_registry_artifacts" / "production" / "killed.json").read_text())
    assert (pointer["version"], pointer["digest"], pointer["revision"]) == (1, champion.digest, 1)
    events = world.client.get("assets/events", limit=100)["asset_events"]
    assert [event["extra"]["revision"] for event in events if event["uri"] == "airflow-registry://killed/production"] == [1]
    assert [(run["run_type"], run["state"]) for run in scored] == [("asset_triggered", "success")]
    assert world.client.xcom("killed_scoring", scored[0]["dag_run_id"], "batch_inference")["ref"] == "killed:1"


def test_after_a_death_in_the_middle_of_writing_the_predictions_are_whole(world, scored):
    unfinished = {Path(name).name: size for name, size in left_behind(world, "batch_inference")["files"].items() if "/out/killed/" in name}
    assert [name.startswith(".predictions.1.") and size > 0 for name, size in unfinished.items()] == [True]
    assert scored[0]["tasks"]["batch_inference"]["try_number"] == 2
    intent, entry = world.registry.predictions("killed")
    assert (intent.generation, intent.is_live, intent.committed_at) == (1, False, None)
    assert (entry.generation, entry.is_live, entry.rows) == (2, True, ROWS)
    data = Path(entry.uri)
    assert sorted(path.name for path in data.parent.iterdir()) == ["_manifest.json", "predictions.parquet"]
    assert pq.read_table(data).num_rows == ROWS
    manifest = json.loads((data.parent / "_manifest.json").read_text())
    digest = hashlib.sha256(data.read_bytes()).hexdigest()
    assert [(file["sha256"], file["rows"]) for file in manifest["files"]] == [(digest, ROWS)]
    assert (manifest["generation"], manifest["run"]["run_id"]) == (2, scored[0]["dag_run_id"])
    assert entry.digest == f"sha256:{digest}"


def test_ds_in_a_run_that_an_asset_started_fails_at_once_and_says_what_to_write(world, trained):
    run = world.rung("uses_ds", count=1)[0]
    world.client.pause("uses_ds")  # it never answers its bell, and would be rung again
    assert (run["run_type"], run["state"]) == ("asset_triggered", "failed")
    for task_id in ("batch_inference", "scoring_intent"):
        assert (run["tasks"][task_id]["state"], run["tasks"][task_id]["try_number"]) == ("failed", 1)
        log = world.client.log("uses_ds", run["dag_run_id"], task_id)
        assert "'ds' is undefined" in log
        assert "PARTITION" in log
