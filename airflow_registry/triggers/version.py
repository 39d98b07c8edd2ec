"""Waits in the triggerer until a version, or a version in a stage, is there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_registry.errors import RegistryError
from airflow_registry.hooks.lookup import Wanted
from airflow_registry.hooks.registry import RegistryHook

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from airflow_registry.domain.model import ModelVersion


class VersionTrigger(BaseTrigger):
    """Yields one event with the reference of the version that was waited for.

    Args:
        model: The model.
        version: Its version, as `Wanted.parse` reads it.
        stage: The stage.
        min_version: The smallest number that will do.
        registry_conn_id: The Airflow connection of the registry.
        poll_interval_s: Seconds between two looks.
    """

    def __init__(
        self,
        *,
        model: str,
        version: int | None = None,
        stage: str | None = None,
        min_version: int | None = None,
        registry_conn_id: str,
        poll_interval_s: float,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow gives it no types
        self.wanted = Wanted.parse(model=model, version=version, stage=stage, min_version=min_version)
        self.registry_conn_id = registry_conn_id
        self.poll_interval_s = poll_interval_s

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and arguments."""
        arguments = {**self.wanted.to_json(), "registry_conn_id": self.registry_conn_id, "poll_interval_s": self.poll_interval_s}
        return f"{__name__}.{type(self).__qualname__}", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until it is there; an error that a retry cannot mend ends the wait with its text, and the task fails."""
        while True:
            try:
                found = await asyncio.to_thread(self._find)
            except RegistryError as error:
                if not error.retryable:
                    yield _event({"error": str(error)})
                    return
                self.log.warning("The registry is out of reach, the wait for %s goes on: %s", self.wanted, error)
                found = None
            if found is not None:
                yield _event({"ref": found.ref})
                return
            await asyncio.sleep(self.poll_interval_s)

    def _find(self) -> ModelVersion | None:
        return self.wanted.find(RegistryHook(self.registry_conn_id).registry())


def _event(payload: dict[str, str]) -> TriggerEvent:
    return TriggerEvent(payload)  # type: ignore[no-untyped-call]  # Airflow gives it no types
