"""The loop of `dags/` on the flights, driven month by month through a real Airflow: what the demo shows and the end-to-end test checks.

Each step delivers a month of flights and starts the training DAG. Nobody starts the inference DAG: it runs because a promotion
rang it, and a refusal rings nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_registry.testing.flights import MONTHS
from airflow_registry.testing.rest_client import POLL_INTERVAL_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_registry.domain.ledger import LedgerEntry
    from airflow_registry.domain.promotion import Reason
    from airflow_registry.service.registry import ModelRegistry
    from airflow_registry.testing.flights import Delivery, Flights
    from airflow_registry.testing.rest_client import AirflowClient, Json
    from airflow_registry.testing.running import RunningAirflow

MODEL = "flight_delay"
TRAINING = "train_register_promote"
INFERENCE = "batch_inference"
RUN_TIMEOUT_S = 300.0

Progress = Callable[[str], None]


class FlightLoopError(RuntimeError):
    """A run failed, or one that should have come did not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One month of the loop.

    Attributes:
        holdout: The month that the versions were judged on.
        training_run: Run id of the training DAG.
        challenger: Number of the version that was trained.
        champion: Number of the version it was compared with, None for the first.
        metrics: By version number, on the holdout.
        outcome: What the gate said.
        reasons: What each rule found.
        promoted: Whether the challenger became champion.
        inference: The run of the inference DAG that the promotion rang, None after a refusal.
        scored: What the ledger says that this run wrote.
    """

    holdout: Delivery
    training_run: str
    challenger: int
    champion: int | None
    metrics: dict[str, dict[str, float]]
    outcome: str
    reasons: Sequence[Reason]
    promoted: bool
    inference: Json | None
    scored: Sequence[LedgerEntry]

    @property
    def faults(self) -> list[str]:
        """What the broken rules say."""
        return [reason.text for reason in self.reasons if reason.passed is False]


@dataclass(frozen=True, kw_only=True)
class FlightLoop:
    """Months in, steps out.

    Attributes:
        airflow: A running Airflow whose DAGS_FOLDER is `dags/` and whose FLIGHTS_DATA is the folder of `flights`.
        flights: The data.
        progress: Told what is being waited for.
    """

    airflow: RunningAirflow
    flights: Flights
    progress: Progress
    _seen: set[str] = field(default_factory=set, init=False, repr=False)

    @property
    def client(self) -> AirflowClient:
        """Airflow's REST API."""
        return self.airflow.client

    @property
    def registry(self) -> ModelRegistry:
        """The registry that the DAGs use."""
        return self.airflow.registry()

    def begin(self, first: str) -> None:
        """Deliver all months before `first`, load the DAGs, and unpause the consumer before anything can be promoted."""
        for month in MONTHS[: MONTHS.index(first)]:
            self.flights.fly(month)
            self.flights.schedule(month)
        self.airflow.wait_for_dags(TRAINING, INFERENCE)
        for dag_id in (INFERENCE, TRAINING):
            self.client.unpause(dag_id)

    def step(self, month: str) -> Step:
        """Let a month's flights land, train, judge, and follow what the promotion starts.

        Raises:
            FlightLoopError: If a run fails, or a promotion rings nobody.
        """
        holdout = self.flights.fly(month)
        self.flights.schedule(month)
        run_id = self.client.trigger(TRAINING)
        self.ended(TRAINING, run_id)
        judged = self.client.xcom(TRAINING, run_id, "evaluate_model")
        decided = self.client.xcom(TRAINING, run_id, "promote_model")
        inference = self._rung(decided["version"]) if decided["approved"] else None
        return self._step(holdout, run_id, judged, decided, inference)

    def inference_runs(self) -> list[Json]:
        """Runs of the inference DAG that an asset event started, oldest first."""
        return [run for run in reversed(self.client.runs(INFERENCE)) if run["run_type"] == "asset_triggered"]

    def ended(self, dag_id: str, run_id: str) -> Json:
        """Wait for a run to end.

        Raises:
            FlightLoopError: If it fails; the message holds the logs of the tasks that did.
        """
        run = self.client.wait_for_run(dag_id, run_id, timeout_s=RUN_TIMEOUT_S, tick=lambda _: self.progress(self._doing(dag_id, run_id)))
        if run["state"] != "success":
            raise FlightLoopError(f"Run {run_id} of {dag_id} failed.\n{self._failures(dag_id, run_id)}")
        return run

    # -- parts -------------------------------------------------------------------------------------------------------------
    def _step(self, holdout: Delivery, run_id: str, judged: Json, decided: Json, inference: Json | None) -> Step:
        decision = next(one for one in self.registry.decisions(MODEL) if one.uid == decided["decision"])
        return Step(
            holdout=holdout,
            training_run=run_id,
            challenger=decided["version"],
            champion=decided["champion"],
            metrics=judged["metrics"],
            outcome=decided["outcome"],
            reasons=decision.reasons,
            promoted=decided["promotion"] is not None,
            inference=inference,
            scored=() if inference is None else self._written_by(inference),
        )

    def _doing(self, dag_id: str, run_id: str) -> str:
        running = [task["task_id"] for task in self.client.task_instances(dag_id, run_id) if task["state"] in {"queued", "running"}]
        return f"{dag_id}: {', '.join(sorted(set(running))) or 'waiting for the scheduler'}"

    def _failures(self, dag_id: str, run_id: str) -> str:
        failed = [task for task in self.client.task_instances(dag_id, run_id) if task["state"] == "failed"]
        logs = [
            self.client.log(dag_id, run_id, task["task_id"], try_number=task["try_number"], map_index=task["map_index"]) for task in failed
        ]
        return "\n".join(f"--- {task['task_id']}\n{log[-4000:]}" for task, log in zip(failed, logs, strict=True))

    def _rung(self, version: int) -> Json:
        """The run that a promotion started."""
        found = self._wait(
            f"the inference run that v{version} rings",
            lambda: next((run for run in self.inference_runs() if run["dag_run_id"] not in self._seen), None),
        )
        self._seen.add(found["dag_run_id"])
        return self.ended(INFERENCE, found["dag_run_id"])

    def _written_by(self, run: Json) -> list[LedgerEntry]:
        return [entry for entry in self.registry.predictions(MODEL) if entry.run_id == run["dag_run_id"] and entry.committed_at]

    def _wait(self, what: str, look: Callable[[], Any]) -> Any:  # noqa: ANN401  whatever was looked for
        deadline = time.monotonic() + RUN_TIMEOUT_S
        while not (found := look()):
            if time.monotonic() > deadline:
                raise FlightLoopError(f"Waited {RUN_TIMEOUT_S:.0f} s for {what}, and it did not come.\n{self.airflow.log_tail()}")
            self.progress(f"waiting for {what}")
            time.sleep(POLL_INTERVAL_S)
        return found
