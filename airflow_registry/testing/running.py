"""What an Airflow that tests started can be asked, however it runs."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from airflow_registry.testing.rest_client import POLL_INTERVAL_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_registry.service.registry import ModelRegistry
    from airflow_registry.testing.rest_client import AirflowClient

DAGS_TIMEOUT_S = 120.0
LOG_TAIL_LINES = 40


class RunningAirflowError(RuntimeError):
    """Airflow did not start, did not load a DAG, or did not stop; the message ends with the tail of its log."""


class RunningAirflow(ABC):
    """An Airflow with its registry.

    Attributes:
        client: Its REST API.
        progress: Called about once a second with a line that says what is being waited for.
    """

    error: ClassVar[type[RunningAirflowError]] = RunningAirflowError
    client: AirflowClient
    progress: Callable[[str], None]

    @property
    def url(self) -> str:
        """Where a browser finds it."""
        return f"http://127.0.0.1:{self.client.port}"

    @abstractmethod
    def registry(self) -> ModelRegistry:
        """The registry that its tasks use."""

    @abstractmethod
    def log_tail(self) -> str:
        """The last lines that its components wrote."""

    def wait_for_dags(self, *dag_ids: str, timeout_s: float = DAGS_TIMEOUT_S) -> None:
        """Wait until these DAGs are loaded.

        Raises:
            RunningAirflowError: If a DAG file cannot be loaded, or a DAG is still missing after the time-out.
        """
        deadline = time.monotonic() + timeout_s
        while missing := set(dag_ids) - self.client.dag_ids():
            self._refuse_broken_dags()
            if time.monotonic() > deadline:
                raise self.error(f"DAGs not loaded after {timeout_s:.0f} s: {sorted(missing)}.\n{self.log_tail()}")
            self.progress(f"waiting for Airflow to load {', '.join(sorted(missing))}")
            time.sleep(POLL_INTERVAL_S)
        self._refuse_broken_dags()

    def _refuse_broken_dags(self) -> None:
        if faults := self.client.import_errors():
            raise self.error("DAG files that cannot be loaded:\n" + "\n".join(faults))
