"""A recall is done once every partition has a newer writer; what can be scored again is said by its recipe."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_registry.domain.ledger import LedgerEntry, RecallPlan
from airflow_registry.domain.names import ModelName
from airflow_registry.domain.recall import GRACE, ItemState, Recall, RecallItem, RescoreReport, Successor, chunks_of
from airflow_registry.domain.recipe import Recipe, fault_of
from airflow_registry.errors import InvalidInputError

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RECIPE = {
    "operator": "batch_inference", "input": "/in/a", "keys": ["id"], "proba": False, "max_quarantine_share": 0.5,
    "registry_conn_id": "airflow_registry_default",
}  # fmt: skip
ENTRY = LedgerEntry(
    uid="l", output="/out/a", partition="a", generation=3, model=ModelName("m"), number=8, dag_id="score", run_id="r", input_digest=None,
    started_at=NOW, committed_at=NOW, is_live=True, rows=10, size_bytes=100, recipe=RECIPE, task_id="t", map_index=1,
)  # fmt: skip
AFTER = Successor(ref="m:7", generation=4, opened_at=NOW, committed_at=None, recall=None, dag_id="score", run_id="next")
ITEM = RecallItem(recall="r1", entry=ENTRY)
RECALL = Recall(uid="r1", model=ModelName("m"), number=8, target=7, by="ada", reason="bad", at=NOW, partitions=2, done=1)


@pytest.mark.parametrize(
    ("successor", "recipe", "state"),
    [
        (None, RECIPE, ItemState.WAITING),
        (None, None, ItemState.BY_HAND),
        (AFTER, RECIPE, ItemState.WRITING),
        (AFTER, None, ItemState.WRITING),
        (replace(AFTER, committed_at=NOW), None, ItemState.DONE),
        (replace(AFTER, opened_at=NOW - GRACE), RECIPE, ItemState.WAITING),
        (replace(AFTER, recall="r1"), RECIPE, ItemState.WAITING),
        (replace(AFTER, recall="another"), RECIPE, ItemState.WRITING),
    ],
    ids=["nobody", "foreign", "normal run", "normal run of a foreigner", "written", "too old", "our own earlier try", "another recall"],
)
def test_a_partition_stands_as_who_came_after_it(successor, recipe, state):
    item = replace(ITEM, successor=successor, entry=replace(ENTRY, recipe=recipe))
    assert item.state(NOW) == state
    assert item.is_done == (state is ItemState.DONE)


def test_a_normal_run_is_waited_for_as_long_as_it_may_take():
    item = replace(ITEM, successor=AFTER)
    assert item.is_taken(NOW + timedelta(minutes=1))
    assert not item.is_taken(NOW + timedelta(minutes=1), grace=timedelta(minutes=1))


def test_a_partition_as_json_names_who_wrote_it_and_who_replaced_it():
    found = json.loads(json.dumps(replace(ITEM, successor=AFTER).to_json(NOW)))
    assert (found["state"], found["recalled"], found["replaced_by"], found["fault"]) == ("being written", "m:8", None, None)
    assert found["written_by"] == {"dag_id": "score", "run_id": "r", "task_id": "t", "map_index": 1}
    assert replace(ITEM, successor=replace(AFTER, committed_at=NOW)).to_json(NOW)["replaced_by"] == "m:7"
    assert ITEM.to_json(NOW)["replaced_by"] is None


def test_a_recall_is_closed_when_all_is_done_also_if_there_was_nothing():
    assert not RECALL.is_closed
    assert replace(RECALL, done=2).is_closed
    assert replace(RECALL, partitions=0, done=0).is_closed
    found = json.loads(json.dumps(RECALL.to_json()))
    assert (found["ref"], found["target"], found["closed"], RECALL.target_ref) == ("m:8", 7, False, "m:7")


def test_a_report_is_small_json():
    report = RescoreReport(rescored=("/a",), left=("/b",), faults=(("/c", "no rows"),))
    assert json.loads(json.dumps(report.to_json())) == {"rescored": ["/a"], "left": ["/b"], "faults": {"/c": "no rows"}}


@given(st.lists(st.text()), st.integers(1, 9), st.integers(1, 9))
def test_chunks_lose_nothing_and_are_never_too_many(outputs, size, most):
    chunks = chunks_of(outputs, size=size, most=most)
    assert [output for chunk in chunks for output in chunk] == outputs
    assert len(chunks) <= most
    assert all(chunks)
    assert all(len(chunk) == max(map(len, chunks)) for chunk in chunks[:-1])
    if len(outputs) <= size * most:
        assert all(len(chunk) <= size for chunk in chunks)


def test_a_plan_counts_outputs_once_and_names_what_others_must_repeat():
    begun = replace(ENTRY, uid="l2", generation=4, committed_at=None, rows=None, size_bytes=None)
    foreign = replace(ENTRY, uid="l3", output="/out/b", recipe=None)
    plan = RecallPlan(model=ModelName("m"), number=8, entries=(ENTRY, begun, foreign))
    assert plan.partitions == (begun, foreign)
    assert (plan.rows, plan.size_bytes) == (20, 200)
    [(entry, why)] = plan.by_hand
    assert (entry, "another program" in why) == (foreign, True)


def test_a_recipe_is_read_as_it_was_written():
    found = Recipe.parse(RECIPE)
    assert (found.input, found.keys, found.proba, found.max_quarantine_share, found.needs_airflow) == ("/in/a", ("id",), False, 0.5, False)
    assert Recipe.parse({**RECIPE, "keys": None}).keys is None
    assert fault_of(RECIPE) is None


@pytest.mark.parametrize(
    "more", [{"input": {"conn_id": "lake"}}, {"output": {"conn_id": "lake"}}, {"engine": "spark", "spark": "local[2]"}]
)
def test_a_recipe_that_names_connections_needs_airflow(more):
    assert Recipe.parse({**RECIPE, **more}).needs_airflow


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (None, "left no recipe"),
        ({**RECIPE, "operator": "spark_submit"}, "operator 'spark_submit'"),
        ({**RECIPE, "sampled": 0.1}, "cannot be repeated here: sampled"),
        ({**RECIPE, "b": ["x"], "a": {}}, "cannot be repeated here: a, b"),
    ],
)
def test_what_is_not_known_is_not_left_out_in_silence(found, why):
    assert why in fault_of(found)
    with pytest.raises(InvalidInputError, match="recipe"):
        Recipe.parse(found)


def test_what_was_not_asked_for_is_no_hindrance():
    assert fault_of({**RECIPE, "sampled": None, "shadow": False}) is None
