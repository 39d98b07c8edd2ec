"""One real Airflow for all tests of this folder: LocalExecutor, SQLite, and a registry that nobody configured.

What can run side by side is started here, once; each test then waits for what it asks about. The bells come first and the twenty
mapped tasks last: a consumer that has to queue for a minute would rightly be rung again, and the tests count the runs.
"""

from __future__ import annotations

import importlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_registry.service.registry import ModelRegistry
from airflow_registry.testing import Standalone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from airflow_registry.testing import AirflowClient

DAGS = Path(__file__).parent / "dags"
MANY = 20
CONSUMERS = ("bell_a", "bystander", "hear_twins", "hear_refused", "killed_scoring", "uses_ds")
STARTED_AT_ONCE = ("promote_twins", "refuse", "killed_training", "score_block")
STARTED_LATER = ("promote_bell", "score_many")


@dataclass(frozen=True, kw_only=True)
class World:
    """The Airflow of the session and its registry, as a person on the same machine sees them.

    Attributes:
        runs: Ids of the runs that were started by hand, by DAG.
    """

    airflow: Standalone
    registry: ModelRegistry
    runs: Mapping[str, str]

    @property
    def client(self) -> AirflowClient:
        return self.airflow.client

    @property
    def scene(self) -> Path:
        """Where the DAGs read and write."""
        return self.airflow.home / "faults"

    def ended(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """The run once it has ended, and its task instances: `task_id`, or `task_id[map_index]`."""
        run = self.client.wait_for_run(dag_id, run_id)
        tasks = self.client.task_instances(dag_id, run_id)
        return run | {"tasks": {_name(task): task for task in tasks}}

    def started_by_hand(self, dag_id: str) -> dict[str, Any]:
        return self.ended(dag_id, self.runs[dag_id])

    def rung(self, dag_id: str, *, count: int, timeout_s: float = 120.0) -> list[dict[str, Any]]:
        """At least so many runs of a consumer, oldest first, all ended."""
        runs = eventually(lambda: _at_least(count, self.client.runs(dag_id)), f"{count} runs of {dag_id}", timeout_s)
        return [self.ended(dag_id, run["dag_run_id"]) for run in reversed(runs)]


def eventually(look: Callable[[], Any], what: str, timeout_s: float = 120.0) -> Any:
    """What `look` sees, once it sees something."""
    deadline = time.monotonic() + timeout_s
    while not (seen := look()):
        if time.monotonic() > deadline:
            pytest.fail(f"Not seen after {timeout_s:.0f} s: {what}")
        time.sleep(0.2)
    return seen


@pytest.fixture(scope="package")
def world(tmp_path_factory) -> Iterator[World]:
    home = tmp_path_factory.mktemp("airflow").resolve()
    registry = ModelRegistry(f"sqlite:///{home / 'airflow_registry.db'}", artifacts=str(home / "airflow_registry_artifacts"), create=True)
    _write_inputs(home / "faults" / "in")
    _register(registry)
    with Standalone(dags=DAGS, home=home) as airflow:
        airflow.wait_for_dags("bell_b", *CONSUMERS, *STARTED_AT_ONCE, *STARTED_LATER)
        runs = {"promote_bell": _ring_bell(airflow.client)} | _start_the_rest(airflow)
        yield World(airflow=airflow, registry=registry, runs=runs)


def _ring_bell(client: AirflowClient) -> str:
    for dag_id in (*CONSUMERS, *STARTED_AT_ONCE, *STARTED_LATER):
        client.unpause(dag_id)
    run_id = client.trigger("promote_bell")
    eventually(lambda: [run for run in client.runs("bell_a") if run["state"] == "success"], "bell_a rung by the promotion")
    return run_id


def _start_the_rest(airflow: Standalone) -> dict[str, str]:
    airflow.client.unpause("bell_b")
    (airflow.home / "faults" / "fail_b").touch()  # until the test clears it, one instance of `score_block` fails
    return {dag_id: airflow.client.trigger(dag_id) for dag_id in STARTED_AT_ONCE}


def _write_inputs(folder: Path) -> None:
    _write_parquet(folder / "short.parquet", rows=3)
    _write_parquet(folder / "long.parquet", rows=300_000)  # five batches, of which the first two fill a row group
    for number in range(MANY):
        _write_parquet(folder / "many" / f"part={number:02}" / "rows.parquet", rows=number + 1)


def _write_parquet(path: Path, *, rows: int) -> None:
    import numpy as np
    import pandas as pd

    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame({"x": np.linspace(-1.0, 1.0, rows)}).to_parquet(path, index=False)


def _register(registry: ModelRegistry) -> None:
    for number in (1, 2):
        for model in ("bell", "twin", "block"):
            registry.register(model, _fitted(number), metrics={"accuracy": 0.9}, idempotency_key=str(number))
        registry.register("many", _line(number), idempotency_key=str(number))
    registry.register("refused", _fitted(1), metrics={"accuracy": 0.4})
    for model in ("many", "block"):
        registry.promote(model, 1, reason="the first")


def _fitted(number: int) -> object:
    """A model whose second version is not the first one."""
    import pandas as pd
    from sklearn.linear_model import LogisticRegression

    rows = pd.DataFrame({"x": [-2.0, -1.0, 1.0, 2.0]})
    return LogisticRegression(C=float(number)).fit(rows, rows["x"] > 0)


def _line(number: int) -> object:
    """The model of the twenty tasks, by the same module name that the workers find it under."""
    with pytest.MonkeyPatch.context() as path:
        path.syspath_prepend(DAGS)
        return importlib.import_module("light").Line(float(number))


def _at_least(count: int, runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return runs if len(runs) >= count else []


def _name(task: dict[str, Any]) -> str:
    return task["task_id"] if task["map_index"] < 0 else f"{task['task_id']}[{task['map_index']}]"


@pytest.fixture(scope="session", name="eventually")
def _eventually():
    return eventually
