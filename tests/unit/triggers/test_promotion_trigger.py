from __future__ import annotations

import asyncio

import pytest
from airflow.triggers.shared_stream import SharedStreamManager

from airflow_registry.config import Settings
from airflow_registry.errors import StorageUnavailableError
from airflow_registry.service.protocol import Bell, Subscription
from airflow_registry.triggers import promotion
from airflow_registry.triggers.promotion import PromotionTrigger

CONN = "airflow_registry_default"


class RingingRegistry:
    """Answers each poll with the next list of (model, consumer) to ring; an exception is raised instead."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []
        self.opened = 0

    def bells_due(self, subscriptions):
        self.asked.append({(each.model, each.consumer) for each in subscriptions})
        answer = self.answers.pop(0) if self.answers else []
        if isinstance(answer, Exception):
            raise answer
        return tuple(Bell(subscription=Subscription(model=m, consumer=c), revision=4, number=7, ring=1) for m, c in answer)


@pytest.fixture
def rung(monkeypatch):
    """A registry in the place where the connection leads; polls follow each other without a pause."""

    def install(*answers, database=lambda: "sqlite:///r.db"):
        registry = RingingRegistry(*answers)

        class Hook:
            def __init__(self, conn_id):
                self.conn_id = conn_id

            def settings(self):
                return Settings(database_url=database(), artifacts="/a")

            def registry(self):
                registry.opened += 1
                return registry

        monkeypatch.setattr(promotion, "RegistryHook", Hook)
        monkeypatch.setattr(PromotionTrigger, "poll_s", 0.0)
        monkeypatch.setattr(PromotionTrigger, "longest_pause_s", 0.0)
        return registry

    yield install
    assert not any(promotion._waiting.values()), "a trigger that ended is still waiting"


def trigger(model="m", consumer="score"):
    return PromotionTrigger(model=model, consumer=consumer, registry_conn_id=CONN)


async def first(events):
    async for event in events:
        await events.aclose()
        return event.payload
    raise AssertionError("the trigger ended")


def in_time(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 10))


def test_a_promotion_that_is_unanswered_rings_its_consumer(rung):
    rung([], [("m", "score")])
    assert in_time(first(trigger().run())) == {"model": "m", "consumer": "score", "revision": 4, "version": 7}


def test_the_bell_of_others_is_not_heard(rung):
    registry = rung([("m", "other"), ("m2", "score")], [("M", "score")])
    assert in_time(first(trigger().run()))["model"] == "M"
    assert len(registry.asked) == 2


def test_a_registry_out_of_reach_does_not_end_the_watch(rung, caplog):
    rung(StorageUnavailableError("the database is away"), RuntimeError("whatever"), [("m", "score")])
    assert in_time(first(trigger().run()))["revision"] == 4
    assert caplog.text.count("No promotion can be seen") == 2
    assert "the database is away" in caplog.text


def test_the_pauses_grow_while_the_registry_is_out_of_reach(rung, monkeypatch):
    pauses = []

    async def record(seconds):
        pauses.append(seconds)

    rung(*[StorageUnavailableError("away")] * 5, [("m", "score")])
    monkeypatch.setattr(PromotionTrigger, "poll_s", 5.0)
    monkeypatch.setattr(PromotionTrigger, "longest_pause_s", 60.0)
    monkeypatch.setattr(promotion.asyncio, "sleep", record)
    in_time(first(trigger().run()))
    assert pauses == [10.0, 20.0, 40.0, 60.0, 60.0]


def test_the_registry_is_opened_once_and_again_when_the_connection_changes(rung):
    addresses = iter(["sqlite:///a.db", "sqlite:///a.db", "sqlite:///b.db", "sqlite:///b.db"])
    registry = rung([], [], [], [("m", "score")], database=lambda: next(addresses))
    in_time(first(trigger().run()))
    assert registry.opened == 2


def test_all_triggers_of_a_connection_share_one_poll(rung):
    both = [("m", "score"), ("m2", "mail")]
    registry = rung([], both)

    async def run_as_airflow_does():
        manager, triggers = SharedStreamManager(), [trigger(), trigger("m2", "mail")]
        keys = [each.shared_stream_key() for each in triggers]
        assert keys[0] == keys[1]
        streams = [manager.subscribe(trigger_id=n, trigger=each, key=each.shared_stream_key()) for n, each in enumerate(triggers)]
        heard = await asyncio.gather(*[first(each.filter_shared_stream(stream)) for each, stream in zip(triggers, streams, strict=True)])
        await manager.stop_all()
        return heard

    heard = in_time(run_as_airflow_does())
    assert [(each["model"], each["consumer"]) for each in heard] == both
    assert registry.asked[:2] == [set(both), set(both)]


def test_nobody_is_asked_for_when_nobody_waits(rung):
    registry = rung()

    async def poll_a_while():
        stream = PromotionTrigger.open_shared_stream(trigger().serialize()[1])
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(stream), 0.05)

    in_time(poll_a_while())
    assert registry.asked == []


def test_a_trigger_is_rebuilt_from_what_it_serializes():
    classpath, arguments = trigger().serialize()
    module, _, name = classpath.rpartition(".")
    assert getattr(__import__(module, fromlist=[name]), name)(**arguments).serialize() == (classpath, arguments)


def test_a_promotion_is_rung_from_a_real_registry_until_it_is_answered(registry, monkeypatch):
    from datetime import timedelta

    from airflow_registry.domain import bell
    from airflow_registry.domain.names import RunKey

    monkeypatch.setattr(bell, "GRACE", timedelta(0))
    monkeypatch.setattr(PromotionTrigger, "poll_s", 0.0)
    registry.register("m", metrics={"auc": 0.7})
    registry.promote("m", 1, reason="first")
    heard = in_time(first(trigger().run()))
    assert (heard["model"], heard["consumer"], heard["version"]) == ("m", "score", 1)
    registry.pin("m", RunKey(dag_id="score", run_id="r", task_id="t"), acknowledges=["score"])
    assert registry.bells_due([Subscription(model="m", consumer="score")]) == ()
