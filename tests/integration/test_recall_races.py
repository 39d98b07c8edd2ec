"""A recall while others write: no intent of the recalled version is missed, and nobody is scored twice by two recalls at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_registry import ModelRegistry
from airflow_registry.domain.ledger import Written
from airflow_registry.errors import ConflictError, OutputConflictError

pytestmark = pytest.mark.postgres

WRITERS, PARTITIONS, ROUNDS = 4, 12, 3


@pytest.fixture
def opened(postgres_url, tmp_path):
    """One more process's view of a registry whose second version was rolled back."""

    def make():
        return ModelRegistry(postgres_url, artifacts=str(tmp_path / "artifacts"), create=True)

    registry = make()
    for _ in range(2):
        registry.promote("lead", registry.register("lead").number, reason="x")
    registry.rollback("lead", reason="x")
    return make


def together(*calls):
    """All calls, begun at one moment."""
    start = threading.Barrier(len(calls))

    def run(call):
        start.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [done.result() for done in [pool.submit(run, call) for call in calls]]


def test_no_intent_of_a_recalled_version_is_missed(opened):
    def write(worker):
        registry, refused = opened(), 0
        for number in range(PARTITIONS):
            try:
                intent = registry.open_output(f"/out/{worker}/{number}", partition=str(number), model="lead", version=2)
                if number % 2:
                    registry.commit_output(intent, Written(uri=intent.output))
            except ConflictError:
                refused += 1
        return refused

    registry = opened()
    recall, *refused = together(lambda: opened().apply_recall("lead", 2, reason="x"), *[lambda w=w: write(w) for w in range(WRITERS)])
    recalled = {item.entry.output for item in registry.recall_items(recall.uid)}
    assert {entry.output for entry in registry.predictions("lead", 2)} == recalled
    assert registry.live_outputs(sorted(recalled)) == {}
    assert sum(refused) > 0
    for intent in [entry for entry in registry.predictions("lead", 2) if entry.committed_at is None]:
        with pytest.raises(OutputConflictError):
            registry.commit_output(intent.uid, Written(uri=intent.output))


def test_recalls_normal_runs_and_second_applies_at_once_leave_one_live_writer_each(opened):
    registry, outputs = opened(), [f"/out/{number}" for number in range(PARTITIONS)]
    for output in outputs:
        registry.commit_output(registry.open_output(output, partition="x", model="lead", version=2), Written(uri=output))
    recall = registry.apply_recall("lead", 2, reason="x")

    def rescore():
        mine, done = opened(), 0
        for _ in range(ROUNDS):
            for output in outputs:
                try:
                    intent = mine.open_recalled(recall.uid, output)
                    done += intent is not None and mine.commit_output(intent, Written(uri=output)).is_live
                except OutputConflictError:
                    continue
        return done

    def normal():
        mine, done = opened(), 0
        for output in reversed(outputs[::2]):
            try:
                intent = mine.open_output(output, partition="x", model="lead", version=1, input_digest="sha256:1")
                done += not intent.already_live and mine.commit_output(intent, Written(uri=output)).is_live
            except OutputConflictError:
                continue
        return done

    def apply():
        return [opened().apply_recall("lead", 2, reason="again").uid for _ in range(ROUNDS)]

    told = together(rescore, rescore, normal, apply)
    assert set(told[-1]) == {recall.uid}
    assert registry.recalls()[0].is_closed
    live = registry.live_outputs(outputs)
    assert {entry.number for entry in live.values()} == {1}
    assert len(live) == PARTITIONS
    by_recall = [entry.output for entry in registry.predictions("lead", 1) if entry.recall and entry.committed_at]
    assert len(by_recall) == len(set(by_recall)), "the recall wrote a partition twice"
