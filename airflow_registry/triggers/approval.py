"""Waits in the triggerer until the gate may say something else about a version that it has not decided on.

The trigger keeps nothing but its arguments: what had been said when the gate judged is a mark, and the registry tells whether the
mark is still the same. So a restarted triggerer goes on where the old one stopped, and what was said in between is seen.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_registry.errors import RegistryError
from airflow_registry.hooks.registry import RegistryHook

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class ApprovalTrigger(BaseTrigger):
    """Yields one event when people (or the ledger, or another champion) have changed something, or a deadline has come.

    Args:
        model: The model.
        version: The number of its version.
        mark: What `registry.circumstances(…)` said before the gate judged.
        until: When to wake up in any case, ISO 8601 with a zone; None for never.
        registry_conn_id: The Airflow connection of the registry.
        poll_interval_s: Seconds between two looks.
    """

    margin_s: ClassVar[float] = 1.0
    """Seconds after a deadline, so that the clock of the worker, which judges, has passed it too."""

    def __init__(self, *, model: str, version: int, mark: str, until: str | None, registry_conn_id: str, poll_interval_s: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow gives it no types
        self.model = model
        self.version = version
        self.mark = mark
        self.until = until
        self.registry_conn_id = registry_conn_id
        self.poll_interval_s = poll_interval_s

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and arguments."""
        names = ("model", "version", "mark", "until", "registry_conn_id", "poll_interval_s")
        return f"{__name__}.{type(self).__qualname__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until something has changed; an error that a retry cannot mend ends the wait with its text, and the task fails."""
        while (left_s := self._left_s()) > 0:
            try:
                mark = await asyncio.to_thread(self._look)
            except RegistryError as error:
                if not error.retryable:
                    yield _event({"error": str(error)})
                    return
                self.log.warning("The registry is out of reach, the wait for %s:%s goes on: %s", self.model, self.version, error)
                mark = self.mark
            if mark != self.mark:
                yield _event({"because": "changed"})
                return
            await asyncio.sleep(min(self.poll_interval_s, left_s))
        yield _event({"because": "time"})

    def _look(self) -> str:
        return RegistryHook(self.registry_conn_id).registry().circumstances(self.model, self.version).mark

    def _left_s(self) -> float:
        if self.until is None:
            return float("inf")
        return (datetime.fromisoformat(self.until) - datetime.now(UTC)).total_seconds() + self.margin_s


def _event(payload: dict[str, str]) -> TriggerEvent:
    return TriggerEvent(payload)  # type: ignore[no-untyped-call]  # Airflow gives it no types
