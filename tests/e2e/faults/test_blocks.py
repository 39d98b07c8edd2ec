"""The block `scoring(...)` around mapped tasks, under a real scheduler."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.e2e


def states(run, task_id):
    return [run["tasks"][f"each.{task_id}[{index}]"]["state"] for index in range(3)]


def ledger(world):
    return {(entry.partition, entry.generation): entry for entry in world.registry.predictions("block")}


def files(world):
    found = {path.name: path / "rows.csv" for path in (world.scene / "out" / "block").iterdir()}
    return {name: (file.read_text(), file.stat().st_mtime_ns, file.stat().st_ino) for name, file in found.items()}


@pytest.fixture(scope="module")
def failed(world):
    """A run of three mapped instances, of which one failed; with what it left behind."""
    return world.started_by_hand("score_block"), ledger(world), files(world)


@pytest.fixture(scope="module")
def cleared(world, failed):
    """The same run after that one instance was cleared, and could write."""
    (world.scene / "fail_b").unlink()
    world.client.clear("score_block", failed[0]["dag_run_id"], [["each.work", 1]])
    return world.ended("score_block", failed[0]["dag_run_id"])


def test_a_failed_instance_leaves_an_intent_and_no_commit_and_the_run_fails(failed):
    run, entries, written = failed
    assert run["state"] == "failed"
    assert states(run, "work") == states(run, "scoring_commit") == ["success", "failed", "success"]
    found = [(partition, entry.is_live, entry.committed_at is not None) for (partition, _), entry in entries.items()]
    assert sorted(found) == [("a", True, True), ("b", False, False), ("c", True, True)]
    assert set(written) == {"0", "2"}


def test_clearing_one_mapped_instance_changes_nothing_for_the_others(world, failed, cleared):
    _, before, written = failed
    after = ledger(world)
    assert cleared["state"] == "success"
    assert [cleared["tasks"][f"each.work[{index}]"]["try_number"] for index in range(3)] == [1, 2, 1]
    assert [key for key in after if key[0] != "b"] == [key for key in before if key[0] != "b"]
    assert all(after[key] == before[key] for key in before)
    assert (after["b", 2].is_live, after["b", 2].committed_at is not None) == (True, True)
    assert {name: facts for name, facts in files(world).items() if name != "1"} == written
    assert files(world)["1"][0] == "b,block:1"
