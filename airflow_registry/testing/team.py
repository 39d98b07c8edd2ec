"""`docker-compose.yml` as processes: the same commands, variables, secrets and health checks, without containers.

PostgreSQL, the S3 server and Redis come from wheels, and Airflow runs in this interpreter. What only containers have is left out:
images and their entry points, restarts, users, and walls between file systems.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from airflow_registry.testing.compose import SECRETS_FOLDER, ComposeFile
from airflow_registry.testing.places import HOME, Places
from airflow_registry.testing.postgres import client_programs, postgres_server
from airflow_registry.testing.processes import ProcessFamily
from airflow_registry.testing.rest_client import POLL_INTERVAL_S, AirflowClient
from airflow_registry.testing.running import LOG_TAIL_LINES, RunningAirflow, RunningAirflowError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from airflow_registry.service.registry import ModelRegistry
    from airflow_registry.testing.compose import Service
    from airflow_registry.testing.postgres import PostgresServer

START_TIMEOUT_S = 240.0
CHECK_TIMEOUT_S = 60.0
DATABASE = "postgres"  # the service whose image sets itself up at its first start
ENTRY_POINTS = {"chrislusf/seaweedfs": ("weed", "-logtostderr=true")}
FOREIGN = ("AIRFLOW", "AWS_", "PG", "CELERY", "_AIRFLOW")
_AIRFLOW = ("airflow", "bash", "python")

# The S3 server's image has curl; a machine that has only Python and make does not.
_CURL = """#!{python}
import sys, urllib.request
try:
    print(urllib.request.urlopen(sys.argv[-1]).read().decode())
except OSError:
    raise SystemExit(22)
"""


class TeamError(RunningAirflowError):
    """A service did not start, or is not what the compose file says; the message ends with the tail of its log."""


class Team(RunningAirflow):
    """A deployment of the compose file, as a context manager.

    Args:
        compose: The compose file.
        secrets: Folder with the files of its secrets, as the deployment guide makes them.
        folder: Where everything goes: a file system for each service, the volumes, the logs.
        variables: What Compose would find in `.env`.
        progress: Called about once a second with a line that says what is being waited for.
    """

    error = TeamError

    def __init__(
        self,
        *,
        compose: Path,
        secrets: Path,
        folder: Path,
        variables: Mapping[str, str] | None = None,
        progress: Callable[[str], None] | None = None,
    ) -> None:
        self.file = ComposeFile.read(compose, variables)
        self.places = Places.found(self.file, compose.parent.resolve(), folder.resolve())
        self.client = AirflowClient(
            port=self.places.port("api-server"), password=json.loads((secrets / "airflow_users").read_text())["admin"]
        )
        self.progress = progress or (lambda _: None)
        self.families: dict[str, ProcessFamily] = {}
        self.postgres: PostgresServer
        self._secrets = secrets.resolve()
        self._healthy: set[str] = set()
        self._cleanup = ExitStack()

    def __enter__(self) -> Self:
        self._cleanup.callback(self.stop)
        try:
            self._install_curl()
            for service in self.file.services.values():
                self._start(service)
            self._wait_for_health()
        except BaseException:
            self._cleanup.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._cleanup.close()

    # -- questions -----------------------------------------------------------------------------------------------------------
    def registry(self) -> ModelRegistry:
        """The registry with the rights of the services; the artifact store is reached with their variables only."""
        from airflow_registry.service.registry import ModelRegistry

        found = self.environment("worker-1")
        return ModelRegistry(self.database_url("registry_app"), artifacts=found["AIRFLOW_REGISTRY_ARTIFACTS"], deployment="team")

    def database_url(self, role: str) -> str:
        """The registry's database as one of its roles sees it."""
        password = (self._secrets / f"{role}_password").read_text()
        return f"postgresql://{role}:{password}@127.0.0.1:{self.places.port(DATABASE)}/registry"

    def environment(self, service: str) -> dict[str, str]:
        """What the processes of a service get."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        programs = [str(self.places.folder / "bin"), str(Path(sys.executable).parent), str(client_programs())]
        path = os.pathsep.join([*programs, inherited.get("PATH", os.defpath)])
        found = self.file.services[service]
        own = {name: self.places.text(found, value) for name, value in found.environment.items()}
        # AIRFLOW_HOME also marks which processes belong to a service that does not ask for it.
        return inherited | {"PATH": path, "NO_PROXY": "127.0.0.1,localhost", "AIRFLOW_HOME": str(self._home(found))} | own

    def command(self, service: str) -> list[str]:
        """What a service runs."""
        found = self.file.services[service]
        entry_point = ENTRY_POINTS.get(found.image.partition(":")[0], ())
        return [*entry_point, *(self.places.text(found, word) for word in found.command)]

    def is_healthy(self, service: str) -> bool:
        """What the service's own health check says now."""
        found = self.file.services[service]
        command = [self.places.text(found, word) for word in found.healthcheck]
        try:
            return self.run(service, command, timeout_s=CHECK_TIMEOUT_S).returncode == 0
        except subprocess.TimeoutExpired:
            return False

    def run(self, service: str, command: list[str], *, timeout_s: float = CHECK_TIMEOUT_S) -> subprocess.CompletedProcess[str]:
        """Run a command beside a service, as `docker compose exec` would."""
        home = self._home(self.file.services[service])
        return subprocess.run(
            command,
            env=self.environment(service),
            cwd=home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
        )

    def log(self, service: str) -> str:
        """What a service has written so far."""
        file = self._log_file(service)
        return file.read_text(errors="replace") if file.exists() else ""

    def log_tail(self) -> str:
        """The last lines of Airflow's services; the stores' are long and seldom say anything."""
        names = [name for name in self.families if self.file.services[name].command[0] in _AIRFLOW]
        return "\n".join(f"--- {name}\n" + "\n".join(self.log(name).splitlines()[-LOG_TAIL_LINES:]) for name in names)

    # -- accidents ------------------------------------------------------------------------------------------------------------
    def freeze(self, service: str) -> None:
        """Stop the clock for a service: none of its processes does anything until `thaw`."""
        self.families[service].send(signal.SIGSTOP)

    def thaw(self, service: str) -> None:
        """Let a frozen service go on."""
        self.families[service].send(signal.SIGCONT)

    def kill(self, service: str) -> None:
        """End all processes of a service at once, as when its machine loses power."""
        self.freeze(service)  # a parent that dies later could otherwise see its child die and tell somebody
        if alive := self.families[service].end(signal.SIGKILL):
            raise TeamError(f"Processes of {service} that cannot be killed: {[process.pid for process in alive]}.")

    def restart(self, service: str, *, without: Sequence[str] = ()) -> None:
        """Start a service that was killed again, and wait until it is healthy.

        Args:
            service: Its name.
            without: Variables of the compose file that somebody forgot.
        """
        found = self.file.services[service]
        kept = {name: value for name, value in found.environment.items() if name not in without}
        changed = replace(found, environment=kept)
        self.file = replace(self.file, services={**self.file.services, service: changed})
        self._healthy.discard(service)
        self._start(changed)
        self._wait_for(changed, service, "service_healthy")

    def stop(self) -> None:
        """End every process that was started. Nothing of it is kept, so nobody is asked to come to an end.

        Raises:
            TeamError: If a process is still there after SIGKILL.
        """
        for family in self.families.values():  # all at once, or those who are left would wait for those who are gone
            family.send(signal.SIGKILL)
        alive = [process for family in self.families.values() for process in family.end(signal.SIGKILL)]
        if alive:
            raise TeamError(f"Processes that cannot be stopped: {[process.pid for process in alive]}.\n{self.log_tail()}")

    def processes(self) -> list[int]:
        """The process ids of all that belongs to it and lives."""
        return [process.pid for family in self.families.values() for process in family.members()]

    # -- parts -----------------------------------------------------------------------------------------------------------------
    def _start(self, service: Service) -> None:
        for other, condition in service.conditions.items():
            self._wait_for(service, other, condition)
        self.progress(f"starting {service.name}")
        self._prepare(service)
        if service.name == DATABASE:
            self._start_database(service)
            return
        home, log = self._home(service), self._log_file(service.name)
        self.families[service.name] = ProcessFamily.start(
            self.command(service.name), env=self.environment(service.name), home=home, log=log
        )

    def _wait_for(self, service: Service, other: str, condition: str) -> None:
        waiting = {"service_healthy": self._became_healthy, "service_completed_successfully": self._completed}[condition]
        deadline = time.monotonic() + START_TIMEOUT_S
        while not waiting(other):
            if time.monotonic() > deadline:
                raise TeamError(f"{service.name} waits for {other}: not {condition} after {START_TIMEOUT_S:.0f} s.\n{self.log_tail()}")
            self.progress(f"{service.name} waits for {other}")
            time.sleep(POLL_INTERVAL_S)

    def _became_healthy(self, service: str) -> bool:
        self._refuse_the_dead(service)
        if service not in self._healthy and self.is_healthy(service):
            self._healthy.add(service)
        return service in self._healthy

    def _completed(self, service: str) -> bool:
        self._refuse_the_dead(service)
        return self.families[service].leader.poll() == 0

    def _refuse_the_dead(self, service: str) -> None:
        family = self.families.get(service)
        status = family.leader.poll() if family else None
        if status or (status == 0 and not self.file.services[service].runs_once):
            raise TeamError(f"{service} ended with exit status {status}. What it wrote:\n{self.log(service)[-6000:]}")

    def _wait_for_health(self) -> None:
        started = time.monotonic()
        for service in self.file.services.values():
            while service.healthcheck and not self._became_healthy(service.name):
                if time.monotonic() - started > START_TIMEOUT_S:
                    raise TeamError(f"{service.name} is not healthy after {START_TIMEOUT_S:.0f} s.\n{self.log_tail()}")
                self.progress(f"waiting for {service.name}")
                time.sleep(POLL_INTERVAL_S)

    def _prepare(self, service: Service) -> None:
        """The service's folders, its volumes, its configs and its secrets."""
        self._home(service).mkdir(parents=True, exist_ok=True)
        for mount in service.mounts:
            self.places.path(service, mount.target).mkdir(parents=True, exist_ok=True)
        for target, name in service.configs.items():
            file = self.places.path(service, target)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(self.places.text(service, self.file.configs[name]))
        secrets = self.places.path(service, SECRETS_FOLDER)
        secrets.mkdir(parents=True, exist_ok=True)
        for name in service.secrets:
            text = (self._secrets / Path(self.file.secrets[name]).name).read_text()
            (secrets / name).write_text(self.places.addresses(text))

    def _start_database(self, service: Service) -> None:
        """What the image's entry point does at its first start: an empty database, then the scripts that it finds."""
        self.postgres = self._cleanup.enter_context(postgres_server(port=self.places.port(service.name)))
        self._sql(service, "postgres", f'CREATE DATABASE "{service.environment["POSTGRES_DB"]}"')
        for script in service.configs:
            self._sql(service, service.environment["POSTGRES_DB"], self.places.path(service, script).read_text())

    def _sql(self, service: Service, database: str, script: str) -> None:
        file = self.places.root(service.name) / "script.sql"
        file.write_text(script)
        place = [f"--host={self.postgres.socket_folder}", f"--port={self.postgres.port}", "--username=postgres", f"--dbname={database}"]
        done = self.run(service.name, ["psql", "--no-psqlrc", "--set=ON_ERROR_STOP=1", *place, f"--file={file}"])
        if done.returncode:
            raise TeamError(f"The script for the database failed:\n{done.stderr}")

    def _install_curl(self) -> None:
        file = self.places.folder / "bin" / "curl"
        shutil.rmtree(file.parent, ignore_errors=True)
        file.parent.mkdir(parents=True)
        file.write_text(_CURL.format(python=sys.executable))
        file.chmod(0o755)

    def _home(self, service: Service) -> Path:
        return self.places.root(service.name) / HOME.lstrip("/")

    def _log_file(self, service: str) -> Path:
        return self.places.root(service) / "log"
