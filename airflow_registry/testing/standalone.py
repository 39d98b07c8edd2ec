"""A real `airflow standalone` for tests and the demo: own home, free ports, generated password, and no process left behind.

`airflow standalone` orphans its children when it gets SIGTERM, and does not hear SIGINT where a shell started it in the
background. So it is started by a small program that listens to SIGINT again, stopped by SIGINT, and afterwards every
process that carries this home in its environment must be gone.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Self

from airflow_registry.testing.processes import ProcessFamily, free_ports
from airflow_registry.testing.rest_client import POLL_INTERVAL_S, AirflowClient
from airflow_registry.testing.running import LOG_TAIL_LINES, RunningAirflow, RunningAirflowError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    import psutil  # type: ignore[import-untyped]

    from airflow_registry.service.registry import ModelRegistry

START_TIMEOUT_S = 300.0
STOP_TIMEOUT_S = 30.0
COMPONENTS = ("metadatabase", "scheduler", "triggerer", "dag_processor")
ADMIN = "admin"

_LISTEN_TO_SIGINT = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from airflow.__main__ import main; main()"


class StandaloneError(RunningAirflowError):
    """Airflow did not start, or did not stop; the message ends with the tail of its log."""


class Standalone(RunningAirflow):
    """`airflow standalone` with all its components, as a context manager.

    Args:
        dags: Folder with the DAG files, used as it is.
        home: AIRFLOW_HOME; None makes a temporary one, which is removed afterwards.
        env: Further environment variables. Those of this process are passed on, except everything that starts with
            `AIRFLOW`, so that no setting of the caller leaks in.
        parallelism: How many tasks may run at once.
        progress: Called about once a second with a line that says what is being waited for.

    >>> with Standalone(dags=Path("dags")) as airflow:  # doctest: +SKIP
    ...     airflow.wait_for_dags("batch_inference")
    ...     airflow.client.trigger("batch_inference")
    """

    error = StandaloneError

    def __init__(
        self,
        *,
        dags: Path,
        home: Path | None = None,
        env: Mapping[str, str] | None = None,
        parallelism: int = 4,
        progress: Callable[[str], None] | None = None,
    ) -> None:
        self.dags = dags.resolve()
        self.port, *self._side_ports = free_ports(3)
        self.client = AirflowClient(port=self.port, username=ADMIN)
        self._jwt_secret = secrets.token_urlsafe(64)  # the one that Airflow makes is too short for its own taste
        self._given_home = home
        self._extra_env = dict(env or {})
        self._parallelism = parallelism
        self.progress = progress or (lambda _: None)
        self._cleanup = ExitStack()

    @property
    def log_file(self) -> Path:
        """The output of all components."""
        return self.home / "standalone.log"

    def __enter__(self) -> Self:
        self.home = self._prepared_home()
        try:
            self._family = self._launch()
            self._cleanup.callback(self.stop)
            self._wait_until_healthy()
            self.client.password = self._password()
        except BaseException:
            self._cleanup.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._cleanup.close()

    def registry(self) -> ModelRegistry:
        """The registry that the DAGs use without being told: the default one in AIRFLOW_HOME."""
        from airflow_registry.service.registry import ModelRegistry

        return ModelRegistry(f"sqlite:///{self.home / 'airflow_registry.db'}", artifacts=str(self.home / "airflow_registry_artifacts"))

    def log_tail(self) -> str:
        """The last lines of all components' output."""
        lines = self.log_file.read_text(errors="replace").splitlines() if self.log_file.exists() else []
        return "\n".join([f"Last lines of {self.log_file}:", *lines[-LOG_TAIL_LINES:]])

    def stop(self) -> None:
        """Stop every process that was started, also those that a component left behind.

        Raises:
            StandaloneError: If a process is still there after SIGKILL.
        """
        self._family.leader.send_signal(signal.SIGINT)
        self._wait_for_the_end()
        if alive := self._family.end(signal.SIGTERM, signal.SIGKILL):  # about one stop in ten hangs in a component
            raise StandaloneError(f"Processes that cannot be stopped: {[process.pid for process in alive]}.\n{self.log_tail()}")

    def processes(self) -> list[psutil.Process]:
        """Every process that belongs to this Airflow, those included that a task or a component detached from its parent."""
        return self._family.members()

    # -- parts -------------------------------------------------------------------------------------------------------------
    def _prepared_home(self) -> Path:
        if self._given_home is not None:
            self._given_home.mkdir(parents=True, exist_ok=True)
            return self._given_home.resolve()
        home = Path(tempfile.mkdtemp(prefix="airflow-")).resolve()
        self._cleanup.callback(shutil.rmtree, home, ignore_errors=True)
        return home

    def _launch(self) -> ProcessFamily:
        command = [sys.executable, "-c", _LISTEN_TO_SIGINT, "standalone"]
        self.log_file.unlink(missing_ok=True)
        return ProcessFamily.start(command, env=self.environment(), home=self.home, log=self.log_file)

    def environment(self) -> dict[str, str]:
        """What Airflow's processes get; also right for a command line tool that is to see the same Airflow."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
        # `standalone` starts its components by the name `airflow`, which must be the one of this interpreter.
        path = os.pathsep.join([str(Path(sys.executable).parent), inherited.get("PATH", os.defpath)])
        return inherited | {"PATH": path, "NO_PROXY": "127.0.0.1,localhost"} | self._airflow_settings() | self._extra_env

    def _airflow_settings(self) -> dict[str, str]:
        log_port, trigger_log_port = self._side_ports
        return {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": str(self._parallelism),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__WORKERS": "1",
            # The first task's first request makes the server build its schemas: seconds of CPU, and a busy machine has few of them.
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
            "AIRFLOW__API_AUTH__JWT_SECRET": self._jwt_secret,
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(log_port),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(trigger_log_port),
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "5",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        }

    def _wait_until_healthy(self) -> None:
        started = time.monotonic()
        while missing := self._unhealthy():
            waited = time.monotonic() - started
            if (status := self._family.leader.poll()) is not None:
                raise StandaloneError(f"Airflow ended with exit status {status} while starting.\n{self.log_tail()}")
            if waited > START_TIMEOUT_S:
                raise StandaloneError(f"Not healthy after {START_TIMEOUT_S:.0f} s: {', '.join(missing)}.\n{self.log_tail()}")
            self.progress(f"starting Airflow, waiting for {', '.join(missing)}")
            time.sleep(POLL_INTERVAL_S)

    def _unhealthy(self) -> list[str]:
        health = self.client.health()
        return [name for name in COMPONENTS if health.get(name) != "healthy"] if health else ["api_server"]

    def _password(self) -> str:
        passwords = json.loads((self.home / "simple_auth_manager_passwords.json.generated").read_text())
        return str(passwords[ADMIN])

    def _wait_for_the_end(self) -> None:
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while self._family.leader.poll() is None and time.monotonic() < deadline:
            self.progress("waiting for Airflow to stop")
            time.sleep(POLL_INTERVAL_S)
