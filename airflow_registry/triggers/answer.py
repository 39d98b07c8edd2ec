"""Looks whether somebody has answered a question that an earlier try of a task has put.

A task cannot read the answer itself, and to ask again would erase it. To wait for it once more is no way either: where the answer is
there already, Airflow wakes the task before its scheduler has seen the try end, and takes the woken task for one that was killed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import UUID

from airflow.triggers.base import BaseTrigger, TriggerEvent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class AnswerTrigger(BaseTrigger):
    """Yields one event: the answer as Airflow's human-in-the-loop tells it, or `{"answered": False}`.

    Args:
        ti_id: The task instance that has asked.
        pause_s: Seconds before it looks, in which the scheduler sees that the task waits.
    """

    def __init__(self, *, ti_id: str, pause_s: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow gives it no types
        self.ti_id = ti_id
        self.pause_s = pause_s

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and arguments."""
        return f"{__name__}.{type(self).__qualname__}", {"ti_id": self.ti_id, "pause_s": self.pause_s}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look once."""
        await asyncio.sleep(self.pause_s)
        try:
            payload = await asyncio.to_thread(self._look)
        except Exception:  # whatever is wrong: the question stands, and waiting for an answer is right
            self.log.exception("Airflow does not say whether the question was answered; it is waited for")
            payload = {"answered": False}
        yield TriggerEvent(payload)  # type: ignore[no-untyped-call]  # Airflow gives it no types

    def _look(self) -> dict[str, Any]:
        from airflow.sdk.execution_time.hitl import get_hitl_detail_content_detail

        found = get_hitl_detail_content_detail(ti_id=UUID(self.ti_id))
        if not found.response_received or not found.chosen_options:
            return {"answered": False}
        user = found.responded_by_user
        return {
            "chosen_options": list(found.chosen_options),
            "params_input": dict(found.params_input or {}),
            "responded_by_user": None if user is None else {"id": user.id, "name": user.name},
        }
