"""People answer under "Required Actions", as different users; Airflow is stopped and started again while the tasks wait."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_registry.testing import AirflowClient, AirflowRequestError, Standalone

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

pytestmark = pytest.mark.e2e

DAGS = Path(__file__).parent / "dags"
MODELS = ("two_people", "one_rejects", "too_late")
USERS = ("data_scientist", "risk_lead", "model_owner")
WORKERS = 2  # fewer than there are tasks that wait


@dataclass(frozen=True, kw_only=True)
class Office:
    """An Airflow and the people who work with it.

    Attributes:
        airflow: The Airflow that runs now.
        runs: The run of each DAG.
    """

    airflow: Standalone
    runs: Mapping[str, str]

    def client(self, user: str) -> AirflowClient:
        passwords = json.loads((self.airflow.home / "simple_auth_manager_passwords.json.generated").read_text())
        return AirflowClient(port=self.airflow.port, username=user, password=passwords[user])

    def task(self, model: str, task_id: str, map_index: int = -1) -> dict[str, Any]:
        tasks = self.airflow.client.task_instances(model, self.runs[model])
        return next((task for task in tasks if (task["task_id"], task["map_index"]) == (task_id, map_index)), {"state": None})

    def waits(self, model: str) -> bool:
        """Whether all three tasks of the run wait for people, and the questions stand without an answer."""
        asked = [self.task(model, "approve_model", index)["state"] for index in (0, 1)]
        return [*asked, self.task(model, "promote_model")["state"]] == ["awaiting_input", "awaiting_input", "deferred"]

    def question(self, model: str, index: int) -> str:
        return f"dags/{model}/dagRuns/{self.runs[model]}/taskInstances/approve_model/{index}/hitlDetails"

    def answer(self, model: str, index: int, option: str, *, by: str, comment: str = "") -> None:
        """What a click does; Airflow's own database is a SQLite file here, which now and then is busy for too long."""
        client, body = self.client(by), {"chosen_options": [option], "params_input": {"comment": comment}}
        eventually(lambda: _accepted(client, self.question(model, index), body), f"the answer of {by}")

    def stands_again(self, model: str, index: int) -> bool:
        detail = self.airflow.client.get(self.question(model, index))
        return not detail["response_received"] and self.task(model, "approve_model", index)["state"] == "awaiting_input"


def _accepted(client: AirflowClient, path: str, body: Mapping[str, object]) -> bool:
    try:
        client.patch(path, body)
    except AirflowRequestError as error:
        if error.status != 500:
            raise
        return False
    return True


def eventually(look: Callable[[], Any], what: str, timeout_s: float = 120.0) -> Any:
    deadline = time.monotonic() + timeout_s
    while not (seen := look()):
        if time.monotonic() > deadline:
            pytest.fail(f"Not seen after {timeout_s:.0f} s: {what}")
        time.sleep(0.2)
    return seen


def start(home: Path) -> Standalone:
    users = ",".join(f"{name}:admin" for name in ("admin", *USERS))
    return Standalone(dags=DAGS, home=home, env={"AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": users}, parallelism=WORKERS)


def ask(airflow: Standalone) -> Office:
    """A data scientist starts a run of each DAG; all of them wait for people then."""
    airflow.wait_for_dags(*MODELS)
    office = Office(airflow=airflow, runs={})
    author = office.client("data_scientist")
    for model in MODELS:
        airflow.client.unpause(model)
    office = Office(airflow=airflow, runs={model: author.trigger(model) for model in MODELS})
    for model in ("two_people", "one_rejects"):
        eventually(lambda model=model: office.waits(model), f"{model} waits for people")
    return office


@pytest.fixture(scope="module")
def office(tmp_path_factory):
    """After a stop and a start in the middle: the author and the risk lead have answered before it, the model owner answers after it."""
    home = tmp_path_factory.mktemp("approvals").resolve() / "airflow"
    with start(home) as airflow:
        before = ask(airflow)
        before.answer("two_people", 0, "Approve", by="data_scientist")
        eventually(lambda: before.stands_again("two_people", 0), "the question stands again after an author's answer")
        before.answer("two_people", 0, "Approve", by="risk_lead", comment="looked at the slices")
        eventually(lambda: before.task("two_people", "approve_model", 0)["state"] == "success", "the risk lead's vote")
        eventually(lambda: before.task("two_people", "promote_model")["state"] == "deferred", "the promotion waits for one more")
    with start(home) as airflow:
        after = Office(airflow=airflow, runs=before.runs)
        after.answer("two_people", 1, "Approve", by="model_owner")
        after.answer("one_rejects", 0, "Reject", by="risk_lead", comment="the holdout is last year's")
        yield after


def ended(office: Office, model: str) -> dict[str, Any]:
    """The promotion once it has ended."""
    return eventually(lambda: (task := office.task(model, "promote_model"))["end_date"] and task, f"the end of the promotion of {model}")


def said(office: Office, model: str) -> list[tuple[str, str, str | None]]:
    return [(vote.person, str(vote.choice), vote.comment) for vote in office.airflow.registry().votes(model, 1)]


def test_a_promotion_waits_for_two_people_and_a_restart_changes_nothing(office):
    assert ended(office, "two_people")["state"] == "success"
    registry = office.airflow.registry()
    assert office.airflow.client.wait_for_run("two_people", office.runs["two_people"])["state"] == "success"
    assert registry.production("two_people").number == 1
    assert said(office, "two_people") == [("risk_lead", "approve", "looked at the slices"), ("model_owner", "approve", None)]
    outcomes = [str(decision.outcome) for decision in registry.decisions("two_people")]
    assert (outcomes[0], outcomes[-1]) == ("PENDING", "APPROVED")


def test_who_started_the_run_is_an_author_and_that_answer_no_vote(office):
    version = office.airflow.registry().get("two_people:1")
    assert version.lineage.triggered_by == "data_scientist"
    assert "data_scientist" not in {person for person, _, _ in said(office, "two_people")}


def test_a_reject_refuses(office):
    assert ended(office, "one_rejects")["state"] == "skipped"
    assert said(office, "one_rejects") == [("risk_lead", "reject", "the holdout is last year's")]
    result = office.airflow.client.xcom("one_rejects", office.runs["one_rejects"], "promote_model")
    assert (result["outcome"], result["promotion"]) == ("REFUSED", None)
    assert "risk_lead rejected v1" in " ".join(result["reasons"])


def test_the_deadline_refuses(office):
    assert ended(office, "too_late")["state"] == "skipped"
    result = office.airflow.client.xcom("too_late", office.runs["too_late"], "promote_model")
    assert (result["outcome"], result["promotion"]) == ("REFUSED", None)
    assert "The deadline was" in " ".join(result["reasons"])
    assert said(office, "too_late") == []
    run = office.airflow.client.wait_for_run("too_late", office.runs["too_late"])
    assert run["state"] == "success"  # also the questions have ended


def test_those_who_wait_take_no_worker_s_place(office):
    """Nine tasks waited and two may run: each of them would have waited for the others for ever."""
    asked = [office.task(model, "approve_model", index) for model in MODELS for index in (0, 1)]
    assert len(asked) > WORKERS
    assert all(task["start_date"] is not None for task in asked)
