"""A worker that loses power while one of its tasks is writing predictions."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_registry.errors import ModelNotFoundError
from airflow_registry.testing.flight_loop import INFERENCE, MODEL

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow_registry.domain.ledger import LedgerEntry
    from airflow_registry.testing.team import Team

WORKERS = ("worker-1", "worker-2")
TIMEOUT_S = 240.0
SCORER = "batch_inference"
UNSCORED = "unscored_partitions"
_EXECUTED = re.compile(rf"Executing workload in Celery: .*task_id='{SCORER}'.*?map_index=(\d+)")


@dataclass(frozen=True, kw_only=True)
class Accident:
    """What happened.

    Attributes:
        worker: Who was killed.
        entry: What it had announced to write, and had not finished.
        busy: The workers that had begun scoring tasks by then.
    """

    worker: str
    entry: LedgerEntry
    busy: frozenset[str]


class Saboteur:
    """Kills the first worker that is found between the intent and the commit of a scoring task.

    It waits until both have begun to score: else nobody would show that the other one goes on. Both are frozen before the ledger
    is believed: what is unfinished then cannot finish before the kill.
    """

    def __init__(self, team: Team) -> None:
        self._team = team
        self._registry = team.registry()

    def accident(self) -> Accident:
        """Wait for the moment, and use it."""
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            if all(map(self._started, WORKERS)) and self._unfinished() and (accident := self._strike()):
                return accident
            time.sleep(0.02)
        raise AssertionError(f"No worker was seen in the middle of scoring.\n{self._team.log_tail()}")

    def _strike(self) -> Accident | None:
        partitions = self._partitions()
        for worker in WORKERS:
            self._team.freeze(worker)
        busy = {worker: {partitions[index] for index in self._started(worker)} for worker in WORKERS}
        hit = next(((worker, entry) for entry in self._unfinished() for worker in WORKERS if entry.partition in busy[worker]), None)
        if hit:
            self._team.kill(hit[0])
        for worker in WORKERS:
            if not hit or worker != hit[0]:
                self._team.thaw(worker)
        return Accident(worker=hit[0], entry=hit[1], busy=frozenset(worker for worker in WORKERS if busy[worker])) if hit else None

    def _unfinished(self) -> list[LedgerEntry]:
        try:
            found = self._registry.predictions(MODEL)
        except ModelNotFoundError:  # training has not come that far
            return []
        return [entry for entry in found if not entry.committed_at and "/predictions/" in f"{entry.output}/"]

    def _partitions(self) -> list[str]:
        run = self._team.client.runs(INFERENCE)[0]
        partitions: list[str] = self._team.client.xcom(INFERENCE, run["dag_run_id"], UNSCORED)
        return partitions

    def _started(self, worker: str) -> Collection[int]:
        return {int(found[1]) for found in _EXECUTED.finditer(self._team.log(worker))}
