"""Every consumer hears every promotion, and nobody hears a refusal."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from airflow_registry.service import resolve
from airflow_registry.service.protocol import Subscription

pytestmark = pytest.mark.e2e
CONSUMERS = ("bell_a", "bell_b")


def scored(world, consumer):
    """Which versions the consumer's output was written by, oldest first."""
    output = str(world.scene / "out" / consumer / "all")
    return [entry.number for entry in world.registry.predictions("bell") if entry.output == output and entry.committed_at]


def heard(world, dag_id, run_id):
    """The assets whose events started a run."""
    events = world.client.get(f"dags/{dag_id}/dagRuns/{run_id}/upstreamAssetEvents")["asset_events"]
    return {event["uri"] for event in events}


def would_ring_within_an_hour(world, model, *consumers):
    core = replace(world.registry.core, now=lambda: datetime.now(UTC) + timedelta(hours=1))
    return resolve.bells_due(core, [Subscription(model=model, consumer=consumer) for consumer in consumers])


def acknowledged(world, consumer):
    with sqlite3.connect(world.airflow.home / "airflow_registry.db") as database:
        found = database.execute("SELECT acknowledged FROM airflow_registry_deliveries WHERE consumer = ?", [consumer]).fetchone()
    return found and found[0]


@pytest.fixture(scope="module")
def both_rung(world):
    """The runs of both consumers after the first promotion, which one of them slept through, and what they scored."""
    return {consumer: (world.rung(consumer, count=1), scored(world, consumer)) for consumer in CONSUMERS}


@pytest.fixture(scope="module", autouse=True)
def by_hand(world, both_rung):
    """A promotion without any event. Made before the other tests of this file, which wait for bells of their own meanwhile."""
    assert world.rung("bystander", count=1)[0]["state"] == "success"
    return world.registry.promote("bell", 2, reason="by hand, outside Airflow")


def test_a_consumer_that_was_paused_during_a_promotion_runs_after_it_is_unpaused(world, both_rung):
    ((first,), first_scored), ((late,), late_scored) = both_rung["bell_a"], both_rung["bell_b"]
    assert (first["run_type"], first["state"]) == (late["run_type"], late["state"]) == ("asset_triggered", "success")
    assert "airflow-registry://bell/production" in heard(world, "bell_a", first["dag_run_id"])
    assert "airflow-registry://bell/production/bell_b" in heard(world, "bell_b", late["dag_run_id"])
    assert first_scored == late_scored == [1]


def test_of_two_promotions_100_ms_apart_none_is_lost(world, eventually):
    assert world.started_by_hand("promote_twins")["state"] == "success"
    first, second = [change for change in world.registry.history("twin") if change.to_stage == "PRODUCTION"]
    assert [(change.number, change.revision) for change in (first, second)] == [(1, 1), (2, 2)]
    assert timedelta(milliseconds=100) <= second.at - first.at < timedelta(seconds=2)
    eventually(lambda: acknowledged(world, "hear_twins") == 2, "the second promotion resolved by its consumer")
    runs = world.rung("hear_twins", count=1)
    assert world.client.xcom("hear_twins", runs[-1]["dag_run_id"], "hear") == "twin:2"
    assert would_ring_within_an_hour(world, "twin", "hear_twins") == ()


def test_a_refusal_rings_nobody_whatever_the_gate_does_then(world):
    run = world.started_by_hand("refuse")
    states = {name: task["state"] for name, task in run["tasks"].items()}
    assert states == {
        "skip": "skipped",
        "after_skip": "skipped",
        "fail": "failed",
        "after_fail": "upstream_failed",
        "continue": "success",
        "after_continue": "success",
    }
    assert run["tasks"]["fail"]["try_number"] == 1
    assert [decision.outcome for decision in world.registry.decisions("refused")] == ["REFUSED"] * 3
    events = world.client.get("assets/events", limit=100)["asset_events"]
    assert [event for event in events if "refused" in event["uri"]] == []
    assert [event for event in events if "twin" in event["uri"]] != []
    assert world.client.runs("hear_refused") == []
    assert would_ring_within_an_hour(world, "refused", "hear_refused") == ()


def test_a_promotion_without_any_event_rings_both_once_although_another_file_names_the_public_asset(world, by_hand):
    runs = {consumer: world.rung(consumer, count=2) for consumer in CONSUMERS}
    for consumer in CONSUMERS:
        assert [run["state"] for run in runs[consumer]] == ["success", "success"]
        assert datetime.fromisoformat(runs[consumer][1]["run_after"]) - by_hand.at < timedelta(seconds=60)
        assert scored(world, consumer) == [1, 2]
    assert would_ring_within_an_hour(world, "bell", *CONSUMERS) == ()
    assert len(world.client.runs("bystander")) == 1
