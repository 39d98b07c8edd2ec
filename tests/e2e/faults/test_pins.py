"""A promotion in the middle of a run changes nothing for the run."""

from __future__ import annotations

import pytest

from airflow_registry.scoring.writer import read_provenance

pytestmark = pytest.mark.e2e
MANY = 20


@pytest.fixture(scope="module")
def overtaken(world, eventually):
    """A run of twenty mapped scoring tasks, ended, during which another version was promoted."""
    run_id = world.client.trigger("score_many", conf={"count": MANY})
    eventually(lambda: [entry for entry in entries_of(world, run_id) if entry.is_live], "the first of twenty partitions")
    promotion = world.registry.promote("many", 2, reason="while others score")
    return world.ended("score_many", run_id), promotion.at


@pytest.fixture(scope="module")
def following(world, overtaken):
    """The next run, over the first three of the partitions."""
    return world.ended("score_many", world.client.trigger("score_many", conf={"count": 3}))


def entries_of(world, run_id):
    return [entry for entry in world.registry.predictions("many") if entry.run_id == run_id]


def written_by(world, number):
    return read_provenance(world.scene / "out" / "many" / f"part={number:02}" / "predictions.parquet")


def versions(world, run):
    return [world.client.xcom("score_many", run["dag_run_id"], "batch_inference", map_index=index)["version"] for index in range(3)]


def test_twenty_mapped_tasks_use_the_version_that_the_first_one_found(world, overtaken):
    run, promoted_at = overtaken
    entries = entries_of(world, run["dag_run_id"])
    assert run["state"] == "success"
    assert len(entries) == MANY
    assert {entry.number for entry in entries} == {1}
    assert [entry for entry in entries if entry.committed_at < promoted_at]
    assert [entry for entry in entries if entry.started_at > promoted_at]


def test_the_next_run_uses_the_new_version(world, overtaken, following):
    assert following["state"] == "success"
    assert versions(world, following) == [2, 2, 2]
    assert [written_by(world, number)["version"] for number in (0, 1, 2, 3)] == ["2", "2", "2", "1"]


def test_a_clear_of_the_old_run_still_uses_the_old_version(world, overtaken, following):
    run_id = overtaken[0]["dag_run_id"]
    world.client.clear("score_many", run_id, [["batch_inference", 0], ["batch_inference", MANY - 1]])
    again = world.ended("score_many", run_id)
    results = [world.client.xcom("score_many", run_id, "batch_inference", map_index=index) for index in (0, MANY - 1)]
    assert again["state"] == "success"
    assert [(result["version"], result["skipped"]) for result in results] == [(1, False), (1, True)]
    assert [written_by(world, number)["version"] for number in (0, 1, MANY - 1)] == ["1", "2", "1"]
