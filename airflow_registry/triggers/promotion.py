"""Rings a consumer when the registry says that a promotion is unanswered.

The trigger keeps nothing: which revision a consumer resolved, when it was rung and how often stands in the registry, so a
restarted triggerer goes on where the old one stopped, and a DAG that is unpaused is rung for what it slept through.

All triggers of one connection share one poll. The shared poll gets the arguments of only one of them, so each trigger enters
its subscription in `_waiting` while it lives, and the poll asks for all of them in one call.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from airflow_registry.domain.names import ModelName
from airflow_registry.hooks.registry import RegistryHook
from airflow_registry.service.protocol import Subscription

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Hashable, Iterable

    from airflow_registry.config import Settings
    from airflow_registry.service.protocol import Bell, Registry

log = logging.getLogger(__name__)

_waiting: dict[str, dict[PromotionTrigger, Subscription]] = {}  # by connection; of this process and its one event loop


class PromotionTrigger(BaseEventTrigger):
    """Yields an event when a promotion of `model` waits for `consumer`.

    Args:
        model: The model.
        consumer: Who wants to run after each promotion.
        registry_conn_id: The Airflow connection of the registry.
    """

    poll_s: ClassVar[float] = 5.0
    """Seconds between two polls. Not an argument: arguments that vary would make Airflow start a second trigger."""
    longest_pause_s: ClassVar[float] = 60.0
    """Seconds between two polls at most, after several that failed."""

    def __init__(self, model: str, consumer: str, registry_conn_id: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow gives it no types
        self.subscription = Subscription(model=str(ModelName(model)), consumer=consumer)
        self.registry_conn_id = registry_conn_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and arguments; equal arguments are one trigger to Airflow."""
        arguments = {
            "model": self.subscription.model,
            "consumer": self.subscription.consumer,
            "registry_conn_id": self.registry_conn_id,
        }
        return f"{__name__}.{type(self).__qualname__}", arguments

    def shared_stream_key(self) -> Hashable:
        """Triggers of one connection share one poll."""
        return ("airflow-registry", self.registry_conn_id)

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[tuple[Bell, ...]]:
        """Poll for all triggers of the connection; yields the bells that are due, never ends, never raises.

        A registry out of reach, a connection that is wrong: the poll logs it and tries again, later each time, because a watcher
        that died would lose promotions without anybody seeing it.
        """
        poll, pause = _Poll(kwargs["registry_conn_id"]), cls.poll_s
        while True:
            try:
                bells = await asyncio.to_thread(poll.due, _subscriptions(poll.conn_id))
                pause = cls.poll_s
            except Exception:
                bells, pause = (), min(2 * pause, cls.longest_pause_s)
                log.exception("No promotion can be seen through connection %r; next try in %.0f s", poll.conn_id, pause)
            if bells:
                yield bells
            await asyncio.sleep(pause)

    async def filter_shared_stream(self, shared_stream: AsyncIterator[tuple[Bell, ...]]) -> AsyncIterator[TriggerEvent]:
        """The events of this trigger's own consumer."""
        mine = _waiting.setdefault(self.registry_conn_id, {})
        mine[self] = self.subscription
        try:
            async for bells in shared_stream:
                for bell in bells:
                    if self._is_mine(bell):
                        self.log.info("Ring %d for revision %d of %s", bell.ring, bell.revision, self.subscription.model)
                        yield _event(bell)
        finally:
            del mine[self]

    def _is_mine(self, bell: Bell) -> bool:
        """The registry may write the model's name in another case than the DAG does."""
        found, wanted = bell.subscription, self.subscription
        return (found.consumer, found.model.lower()) == (wanted.consumer, wanted.model.lower())

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """The same with a poll of its own, for an Airflow that shares no streams."""
        async for event in self.filter_shared_stream(type(self).open_shared_stream(self.serialize()[1])):
            yield event


class _Poll:
    """One registry, opened again only when the connection says something else."""

    def __init__(self, conn_id: str) -> None:
        self.conn_id = conn_id
        self._opened: tuple[Settings, Registry] | None = None

    def due(self, subscriptions: Iterable[Subscription]) -> tuple[Bell, ...]:
        """Blocks: reads the connection and asks the registry."""
        wanted = tuple(subscriptions)
        return self._registry().bells_due(wanted) if wanted else ()

    def _registry(self) -> Registry:
        hook = RegistryHook(self.conn_id)
        settings = hook.settings()
        if self._opened is None or self._opened[0] != settings:
            self._opened = (settings, hook.registry())
        return self._opened[1]


def _subscriptions(conn_id: str) -> tuple[Subscription, ...]:
    return tuple(dict.fromkeys(_waiting.get(conn_id, {}).values()))


def _event(bell: Bell) -> TriggerEvent:
    found = bell.subscription
    payload = {"model": found.model, "consumer": found.consumer, "revision": bell.revision, "version": bell.number}
    return TriggerEvent(payload)  # type: ignore[no-untyped-call]  # Airflow gives it no types
