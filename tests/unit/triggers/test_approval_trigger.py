"""The wait for people: it ends when something has changed, at its time, or with an error that waiting cannot mend."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from airflow_registry.errors import StorageUnavailableError
from airflow_registry.hooks import registry as hook
from airflow_registry.service.registry import ModelRegistry
from airflow_registry.triggers.approval import ApprovalTrigger

ASKS = {"rules": [{"metric": "auc", "at_least": 0.5}, {"approval": {"people": 2, "not_the_author": False}}]}


@pytest.fixture(autouse=True)
def _default_connection(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_AIRFLOW_REGISTRY_DEFAULT", '{"conn_type": "airflow_registry"}')


@pytest.fixture
def lead(registry):
    return registry.register("lead", metrics={"auc": 0.9})


@pytest.fixture
def trigger(registry, lead):
    """A trigger that waits since now."""

    def make(until=None, **changed):
        mark = registry.circumstances("lead", 1).mark
        arguments = {"model": "lead", "version": 1, "mark": mark, "until": until and until.isoformat(), "poll_interval_s": 0.02}
        return ApprovalTrigger(**{**arguments, "registry_conn_id": "airflow_registry_default", **changed})

    return make


def first(waiting, *, while_waiting=None, timeout_s=20):
    """The first event; what happens meanwhile happens in a thread after the wait has begun."""

    async def run():
        event = asyncio.ensure_future(anext(waiting.run()))
        done, _ = await asyncio.wait({event}, timeout=0.2)
        if while_waiting is not None:
            assert not done, "it did not wait"
            await asyncio.to_thread(while_waiting)
        return (await asyncio.wait_for(event, timeout_s)).payload

    return asyncio.run(run())


def test_a_vote_ends_the_wait(registry, trigger):
    assert first(trigger(), while_waiting=lambda: registry.vote("lead", 1, policy=ASKS, by="approver")) == {"because": "changed"}


def test_what_was_said_before_the_wait_began_is_not_missed(registry, trigger):
    waiting = trigger()
    registry.vote("lead", 1, policy=ASKS, by="approver")
    assert first(waiting) == {"because": "changed"}


def test_what_concerns_another_version_does_not_end_the_wait(registry, trigger):
    waiting = trigger(until=datetime.now(UTC) - timedelta(seconds=0.5))
    waiting.margin_s = 1.5
    registry.register("lead", metrics={"auc": 0.9})
    registry.vote("lead", 2, policy=ASKS, by="approver")
    assert first(waiting) == {"because": "time"}


def test_it_wakes_a_second_after_the_deadline_and_not_before(trigger):
    until = datetime.now(UTC)
    assert first(trigger(until=until)) == {"because": "time"}
    assert datetime.now(UTC) >= until + timedelta(seconds=1)


def test_a_deadline_in_the_past_ends_the_wait_at_once(trigger):
    began = time.monotonic()
    assert first(trigger(until=datetime.now(UTC) - timedelta(days=1))) == {"because": "time"}
    assert time.monotonic() - began < 5


def test_a_restarted_triggerer_goes_on_where_the_old_one_stopped(registry, trigger):
    path, arguments = trigger(until=datetime.now(UTC) + timedelta(days=1)).serialize()
    assert path == "airflow_registry.triggers.approval.ApprovalTrigger"
    registry.vote("lead", 1, policy=ASKS, by="approver")
    again = ApprovalTrigger(**arguments)
    assert again.serialize() == (path, arguments)
    assert first(again) == {"because": "changed"}


def test_an_error_that_waiting_cannot_mend_ends_the_wait_with_its_text(trigger):
    assert "no model 'gone'" in first(trigger(model="gone"))["error"]


def test_a_registry_out_of_reach_is_waited_for(registry, trigger, monkeypatch):
    failures = iter([True, True])
    real = ModelRegistry.circumstances

    def flaky(self, *args, **kwargs):
        if next(failures, False):
            raise StorageUnavailableError("the database is out of reach")
        return real(self, *args, **kwargs)

    waiting = trigger()
    monkeypatch.setattr(ModelRegistry, "circumstances", flaky)
    assert first(waiting, while_waiting=lambda: registry.vote("lead", 1, policy=ASKS, by="approver")) == {"because": "changed"}
    assert next(failures, None) is None


def test_looking_does_not_block_the_event_loop(trigger, monkeypatch):
    seen = []
    real = hook.RegistryHook.registry

    def registry(self):
        seen.append(threading.current_thread() is threading.main_thread())
        return real(self)

    monkeypatch.setattr(hook.RegistryHook, "registry", registry)
    first(trigger(mark="old"))
    assert seen == [False]
