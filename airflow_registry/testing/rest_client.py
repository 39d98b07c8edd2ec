"""The few calls of Airflow's REST API that tests and the demo need, on the standard library alone."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

REQUEST_TIMEOUT_S = 60.0
POLL_INTERVAL_S = 0.5
FINISHED = frozenset({"success", "failed"})

Json = dict[str, Any]


class AirflowRequestError(RuntimeError):
    """Airflow answered with an error, or not at all; `status` is 0 in the second case."""

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


@dataclass(kw_only=True)
class AirflowClient:
    """A user's session with one API server; the token is fetched at the first call and again after it has expired.

    Attributes:
        port: Port of the API server on this machine.
        username: Who calls.
        password: Their password; None makes only the calls that need no user.
    """

    port: int
    username: str = "admin"
    password: str | None = field(default=None, repr=False)
    _token: str | None = field(default=None, init=False, repr=False)

    # -- requests ------------------------------------------------------------------------------------------------------
    def get(self, path: str, **query: object) -> Json:
        """GET `/api/v2/<path>`."""
        suffix = f"?{urlencode(query, doseq=True)}" if query else ""
        return self.request("GET", f"/api/v2/{path}{suffix}")

    def post(self, path: str, body: Mapping[str, object]) -> Json:
        """POST `/api/v2/<path>`."""
        return self.request("POST", f"/api/v2/{path}", body)

    def patch(self, path: str, body: Mapping[str, object]) -> Json:
        """PATCH `/api/v2/<path>`."""
        return self.request("PATCH", f"/api/v2/{path}", body)

    def request(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Json:
        """One authenticated call of any path of the server.

        Raises:
            AirflowRequestError: If the answer is not 2xx, or there is none.
        """
        status, text = self._send(method, path, body, token=self._bearer())
        if status == 401:
            self._token = None
            status, text = self._send(method, path, body, token=self._bearer())
        return _parsed(method, path, status, text)

    def token(self) -> str | None:
        """What a browser or another program shows to be let in; None without a password."""
        return self._bearer()

    def _bearer(self) -> str | None:
        if self._token is None and self.password is not None:
            body = {"username": self.username, "password": self.password}
            answer = _parsed("POST", "/auth/token", *self._send("POST", "/auth/token", body, token=None))
            self._token = str(answer["access_token"])
        return self._token

    def _send(self, method: str, path: str, body: Mapping[str, object] | None, *, token: str | None) -> tuple[int, str]:
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        connection = HTTPConnection("127.0.0.1", self.port, timeout=REQUEST_TIMEOUT_S)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            return response.status, response.read().decode()
        except (OSError, HTTPException) as error:
            raise AirflowRequestError(f"{method} {path}: Airflow does not answer on port {self.port} ({error!r}).") from error
        finally:
            connection.close()

    # -- DAGs ------------------------------------------------------------------------------------------------------------
    def health(self) -> dict[str, str]:
        """Status of each component, `healthy` or something else; empty while the server does not answer."""
        try:
            answer = self.get("monitor/health")
        except AirflowRequestError:
            return {}
        return {name: str(component.get("status")) for name, component in answer.items() if component}

    def dag_ids(self) -> set[str]:
        """The DAGs that Airflow has loaded."""
        return {dag["dag_id"] for dag in self.get("dags", limit=100)["dags"]}

    def import_errors(self) -> list[str]:
        """File name and stack trace of each DAG file that cannot be loaded."""
        return [f"{error['filename']}:\n{error['stack_trace']}" for error in self.get("importErrors")["import_errors"]]

    def unpause(self, dag_id: str) -> None:
        """Let the scheduler run the DAG."""
        self.patch(f"dags/{dag_id}", {"is_paused": False})

    def pause(self, dag_id: str) -> None:
        """Keep the scheduler from starting runs of the DAG."""
        self.patch(f"dags/{dag_id}", {"is_paused": True})

    # -- runs --------------------------------------------------------------------------------------------------------------
    def trigger(self, dag_id: str, *, conf: Mapping[str, object] | None = None, logical_date: str | None = None) -> str:
        """Start a run and return its id."""
        run = self.post(f"dags/{dag_id}/dagRuns", {"logical_date": logical_date, "conf": dict(conf or {})})
        return str(run["dag_run_id"])

    def runs(self, dag_id: str) -> list[Json]:
        """The DAG's runs, newest first (at most 100)."""
        runs: list[Json] = self.get(f"dags/{dag_id}/dagRuns", order_by="-run_after", limit=100)["dag_runs"]
        return runs

    def run(self, dag_id: str, run_id: str) -> Json:
        """One run."""
        return self.get(_run_path(dag_id, run_id))

    def wait_for_run(self, dag_id: str, run_id: str, *, timeout_s: float = 300.0, tick: Callable[[Json], None] | None = None) -> Json:
        """Wait until a run has ended, well or not; `tick` sees it at every look.

        Raises:
            TimeoutError: If it did not end in time; the message holds the states of its tasks.
        """
        deadline = time.monotonic() + timeout_s
        while (run := self.run(dag_id, run_id))["state"] not in FINISHED:
            if tick is not None:
                tick(run)
            if time.monotonic() > deadline:
                tasks = {task["task_id"]: task["state"] for task in self.task_instances(dag_id, run_id)}
                raise TimeoutError(f"Run {run_id} of {dag_id} is {run['state']} after {timeout_s:.0f} s; its tasks: {tasks}")
            time.sleep(POLL_INTERVAL_S)
        return run

    def clear(self, dag_id: str, run_id: str, task_ids: Sequence[object] = ()) -> None:
        """Run tasks of an ended run again: ids, or `[id, map_index]` for one mapped instance; all of them if none is named."""
        body: Json = {"dag_run_id": run_id, "dry_run": False, "only_failed": False, "reset_dag_runs": True}
        self.post(f"dags/{dag_id}/clearTaskInstances", body | ({"task_ids": list(task_ids)} if task_ids else {}))

    # -- tasks -------------------------------------------------------------------------------------------------------------
    def task_instances(self, dag_id: str, run_id: str) -> list[Json]:
        """The task instances of a run, one for each map index."""
        instances: list[Json] = self.get(f"{_run_path(dag_id, run_id)}/taskInstances", limit=1000)["task_instances"]
        return instances

    def xcom(self, dag_id: str, run_id: str, task_id: str, *, key: str = "return_value", map_index: int = -1) -> Any:  # noqa: ANN401  any JSON
        """What a task returned or pushed; None if it did not."""
        path = f"{_run_path(dag_id, run_id)}/taskInstances/{quote(task_id, safe='')}/xcomEntries/{quote(key, safe='')}"
        try:
            return self.get(path, map_index=map_index, deserialize=False, stringify=False)["value"]
        except AirflowRequestError as error:
            if error.status == 404:
                return None
            raise

    def log(self, dag_id: str, run_id: str, task_id: str, *, try_number: int = 1, map_index: int = -1) -> str:
        """The log of one try, a line for each event; of an exception its type and text."""
        path = f"{_run_path(dag_id, run_id)}/taskInstances/{quote(task_id, safe='')}/logs/{try_number}"
        content = self.get(path, map_index=map_index, full_content=True)["content"]
        return "\n".join(_log_line(line) for line in content)


def _run_path(dag_id: str, run_id: str) -> str:
    return f"dags/{dag_id}/dagRuns/{quote(run_id, safe='')}"


def _log_line(line: str | Json) -> str:
    if isinstance(line, str):
        return line
    faults = [f"{fault['exc_type']}: {fault['exc_value']}" for fault in line.get("error_detail") or []]
    return "\n    ".join([f"{line.get('level', '')}: {line.get('event', '')}", *faults])


def _parsed(method: str, path: str, status: int, text: str) -> Json:
    if not 200 <= status < 300:
        raise AirflowRequestError(f"{method} {path}: Airflow answered {status}: {text[:2000]}", status=status)
    answer: Json = json.loads(text) if text else {}
    return answer
