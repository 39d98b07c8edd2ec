"""Asking people as a DAG wires it, on a real Airflow: required actions become votes, and the gate decides."""

from __future__ import annotations

import pytest

from airflow_registry.domain.model import Lineage
from airflow_registry.testing.closed_loop import ClosedLoopError

pytestmark = pytest.mark.airflow

DAGS = """
from airflow.sdk import DAG
from airflow_registry.operators import ApproveModelOperator, PromoteModelOperator

with DAG("ask_one", schedule=None, default_args={"retries": 0}):
    asked = ApproveModelOperator(version="lead@latest", policy="one.yaml")
    asked >> PromoteModelOperator(version=asked.output, policy="one.yaml", wait=False)

with DAG("ask_two", schedule=None):
    asked = ApproveModelOperator.partial(version="lead@latest", policy="two.yaml", retries=1)
    asked = asked.expand(assigned_users=["risk_lead", "model_owner"])
    asked >> PromoteModelOperator(version="lead@latest", policy="two.yaml", wait=False)

with DAG("ask_nobody", schedule=None):
    ApproveModelOperator(version="lead@latest", policy={"rules": [{"metric": "auc", "at_least": 0.5}]})
"""
RULES = "schema: 1\nrules:\n  - {metric: auc, at_least: 0.5}\n"


@pytest.fixture
def lead(registry):
    return registry.register("lead", metrics={"auc": 0.9}, lineage=Lineage(published_by="data_scientist"))


@pytest.fixture
def loop(closed_loop, tmp_path):
    folder = tmp_path / "dags"
    folder.mkdir()
    (folder / "ask.py").write_text(DAGS)
    (folder / "one.yaml").write_text(f"{RULES}  - {{approval: {{people: 1, within: 1h}}}}\n")
    (folder / "two.yaml").write_text(f"{RULES}  - {{approval: {{people: 2}}}}\n")
    closed_loop.load(folder)
    return closed_loop


def said(registry):
    return [(vote.person, str(vote.choice), vote.comment) for vote in registry.votes("lead", 1)]


def test_an_approval_becomes_a_vote_and_the_version_the_champion(registry, loop, lead):
    loop.answer("approve_model", "Approve", by="risk_lead", comment="looked at the slices")
    run = loop.start("ask_one")
    assert run.tasks == {"approve_model": "success", "promote_model": "success"}
    result = run.xcom("approve_model")
    assert (result["vote"], result["person"], result["comment"]) == ("approve", "risk_lead", "looked at the slices")
    assert (result["ref"], result["outcome"], run.xcom("approve_model", key="vote")) == ("lead:1", "PENDING", "approve")
    assert said(registry) == [("risk_lead", "approve", "looked at the slices")]
    assert registry.production("lead").number == 1
    first, *_ = registry.decisions("lead")
    assert registry.asked("lead", 1).opened_at == first.decided_at


def test_a_reject_is_an_answer_and_the_gate_refuses(registry, loop, lead):
    loop.answer("approve_model", "Reject", by="risk_lead")
    run = loop.start("ask_one")
    assert run.tasks == {"approve_model": "success", "promote_model": "skipped"}
    assert said(registry) == [("risk_lead", "reject", None)]
    assert run.xcom("promote_model")["outcome"] == "REFUSED"


def test_an_author_s_answer_is_refused_and_the_question_stands_again(registry, loop, lead):
    loop.answer("approve_model", "Approve", by="DATA_SCIENTIST")
    loop.answer("approve_model", "Approve", by="risk_lead")
    run = loop.start("ask_one")
    assert run.tasks == {"approve_model": "success", "promote_model": "success"}
    assert said(registry) == [("risk_lead", "approve", None)]


def test_a_question_without_an_answer_is_a_task_that_waits(registry, loop, lead):
    with pytest.raises(ClosedLoopError, match="awaiting_input"):
        loop.start("ask_one")
    assert said(registry) == []


def test_two_people_are_asked_and_one_person_is_not_two(registry, loop, lead):
    for person in ("risk_lead", "RISK_LEAD", "model_owner"):
        loop.answer("approve_model", "Approve", by=person)
    run = loop.start("ask_two")
    assert set(run.tasks.values()) == {"success"}
    assert [person for person, _, _ in said(registry)] == ["risk_lead", "model_owner"]


def test_nobody_is_bothered_about_a_version_that_is_refused_anyway(registry, loop):
    registry.register("lead", metrics={"auc": 0.4})
    run = loop.start("ask_one")
    assert run.tasks == {"approve_model": "success", "promote_model": "skipped"}
    assert (run.xcom("approve_model")["vote"], run.xcom("approve_model")["outcome"]) == (None, "REFUSED")


def test_nobody_is_asked_again_when_the_answer_is_known(registry, loop, lead, tmp_path):
    registry.vote("lead", 1, policy=str(tmp_path / "dags" / "one.yaml"), by="risk_lead")
    assert loop.start("ask_one").tasks == {"approve_model": "success", "promote_model": "success"}


def test_a_policy_that_asks_nobody_is_an_error_at_the_first_try(registry, loop, lead):
    assert loop.start("ask_nobody").tasks == {"approve_model": "failed"}


def test_an_answer_that_came_too_fast_for_airflow_is_found_by_the_retry(registry, loop, lead, monkeypatch):
    """Airflow may fail a try whose answer came within a fraction of a second; the answer is in its database then."""
    from airflow_registry.testing import closed_loop as module

    def lost(answer, session, task):
        answer.store(session, task)
        session.commit()
        task.prepare_db_for_next_try(session=session)
        task.state, task.next_method, task.next_kwargs = "up_for_retry", None, None
        session.commit()

    loop.answer("approve_model", "Reject", by="risk_lead", comment="quick")
    monkeypatch.setattr(module._Answer, "give", lost)
    run = loop.start("ask_one")
    assert run.tasks == {"approve_model": "success", "promote_model": "skipped"}
    assert said(registry) == [("risk_lead", "reject", "quick")]


def test_a_try_that_failed_before_anybody_answered_waits_on(registry, loop, lead, monkeypatch):
    from airflow_registry.testing import closed_loop as module

    given, tries = module._Answer.give, []

    def fails_first(answer, session, task):
        tries.append(answer)
        if len(tries) > 1:
            return given(answer, session, task)
        task.prepare_db_for_next_try(session=session)
        task.state, task.next_method, task.next_kwargs = "up_for_retry", None, None
        return session.commit()

    for _ in range(2):
        loop.answer("approve_model", "Approve", by="risk_lead", comment="slowly")
    monkeypatch.setattr(module._Answer, "give", fails_first)
    run = loop.start("ask_one")
    assert run.tasks == {"approve_model": "success", "promote_model": "success"}
    assert len(tries) == 2
    assert said(registry) == [("risk_lead", "approve", "slowly")]


def test_a_clear_asks_again(registry, loop, lead):
    loop.answer("approve_model", "Reject", by="risk_lead")
    run = loop.start("ask_one")
    loop.answer("approve_model", "Approve", by="risk_lead", comment="now it is right")
    again = loop.clear(run)
    assert again.tasks == {"approve_model": "success", "promote_model": "success"}
    assert said(registry) == [("risk_lead", "reject", None), ("risk_lead", "approve", "now it is right")]


def test_it_has_retries_of_its_own_unless_the_task_says_otherwise(loop):
    tasks = {dag_id: loop._dags[dag_id].task_dict["approve_model"] for dag_id in ("ask_one", "ask_two", "ask_nobody")}
    assert [tasks[dag_id].retries for dag_id in tasks] == [3, 1, 3]
