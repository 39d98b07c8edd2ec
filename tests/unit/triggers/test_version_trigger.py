from __future__ import annotations

import asyncio

import pytest

from airflow_registry.errors import StorageUnavailableError
from airflow_registry.triggers import version as module
from airflow_registry.triggers.version import VersionTrigger

CONN = "airflow_registry_default"


def trigger(**wanted):
    return VersionTrigger(model="m", registry_conn_id=CONN, poll_interval_s=0.0, **wanted)


def events_of(waiting):
    async def collect():
        return [event.payload async for event in waiting.run()]

    return asyncio.run(asyncio.wait_for(collect(), 10))


def test_a_version_that_is_there_ends_the_wait(registry):
    registry.register("m", metrics={"auc": 0.7})
    assert events_of(trigger(version=1)) == [{"ref": "m:1"}]


def test_a_promotion_made_meanwhile_ends_the_wait(registry):
    registry.register("m", metrics={"auc": 0.7})

    async def promote_while_waiting():
        waiting = trigger(stage="production").run()
        next_event = asyncio.ensure_future(anext(waiting))
        done, _ = await asyncio.wait({next_event}, timeout=0.1)
        assert not done
        await asyncio.to_thread(registry.promote, "m", 1, reason="first")
        return (await asyncio.wait_for(next_event, 10)).payload

    assert asyncio.run(promote_while_waiting()) == {"ref": "m:1"}


def test_a_registry_out_of_reach_does_not_end_the_wait(registry, monkeypatch):
    registry.register("m", metrics={"auc": 0.7})
    answers = [StorageUnavailableError("away"), registry]

    class Hook:
        def __init__(self, conn_id):
            self.conn_id = conn_id

        def registry(self):
            answer = answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

    monkeypatch.setattr(module, "RegistryHook", Hook)
    assert events_of(trigger(version=1)) == [{"ref": "m:1"}]
    assert answers == []


def test_a_registry_that_is_not_there_ends_the_wait_with_the_reason(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW_REGISTRY_DATABASE", f"sqlite:///{tmp_path / 'nowhere.db'}")
    (event,) = events_of(trigger(version=1))
    assert "nowhere.db" in event["error"]


@pytest.mark.parametrize("wanted", [{"version": 3}, {"stage": "SHADOW", "min_version": 2}])
def test_a_trigger_is_rebuilt_from_what_it_serializes(wanted):
    classpath, arguments = trigger(**wanted).serialize()
    assert classpath == "airflow_registry.triggers.version.VersionTrigger"
    assert VersionTrigger(**arguments).serialize() == (classpath, arguments)
