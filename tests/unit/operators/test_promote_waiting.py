"""PromoteModelOperator while people are asked: it waits in the triggerer, judges again, and takes no other version."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, TaskDeferred

from airflow_registry.domain.model import Lineage
from airflow_registry.operators import PromoteModelOperator

POLICY = {"rules": [{"metric": "auc", "at_least": 0.5}, {"approval": {"people": 1, "within": "1h"}}]}


@pytest.fixture
def lead(registry):
    return registry.register("lead", metrics={"auc": 0.9}, lineage=Lineage(published_by="trainer"))


def gate(**arguments):
    return PromoteModelOperator(**{"version": "lead:1", "policy": POLICY, **arguments})


def deferred(call):
    with pytest.raises(TaskDeferred) as caught:
        call()
    return caught.value


def test_it_waits_for_people_and_promotes_when_they_have_spoken(registry, lead, context, rung):
    task, operator = context("promote"), gate()
    wait = deferred(lambda: operator.execute(task))
    (decision,) = registry.decisions("lead")
    assert (decision.outcome, wait.method_name, wait.timeout) == ("PENDING", "resume", None)
    _, arguments = wait.trigger.serialize()
    assert (arguments["model"], arguments["version"], arguments["poll_interval_s"]) == ("lead", 1, 10.0)
    assert arguments["mark"] == registry.circumstances("lead", 1).mark
    assert datetime.fromisoformat(arguments["until"]) == decision.decided_at + timedelta(hours=1)
    registry.vote("lead", 1, policy=POLICY, by="approver")
    result = operator.resume(task, {"because": "changed"}, **wait.kwargs)
    assert (result["outcome"], result["ref"], registry.production("lead").number) == ("APPROVED", "lead:1", 1)
    assert rung(task) == ["airflow-registry://lead/production"]


def test_a_vote_between_the_gate_and_the_wait_is_not_missed(registry, lead, context):
    class Between:
        def __getattr__(self, name):
            return getattr(registry, name)

        def decide(self, *args, **kwargs):
            decision = registry.decide(*args, **kwargs)
            registry.vote("lead", 1, policy=POLICY, by="approver")
            return decision

    operator = gate()
    operator._registry = Between
    wait = deferred(lambda: operator.execute(context("promote")))
    assert wait.trigger.mark != registry.circumstances("lead", 1).mark


def test_the_latest_version_is_the_one_that_was_asked_about(registry, lead, context):
    operator = gate(version="lead@latest")
    wait = deferred(lambda: operator.execute(context("promote")))
    registry.register("lead", metrics={"auc": 0.99})
    registry.vote("lead", 1, policy=POLICY, by="approver")
    assert operator.resume(context("promote"), {"because": "changed"}, **wait.kwargs)["ref"] == "lead:1"


@pytest.mark.parametrize(("on_refusal", "raised"), [("skip", AirflowSkipException), ("fail", AirflowFailException), ("continue", None)])
def test_a_reject_refuses(registry, lead, context, on_refusal, raised):
    task, operator = context("promote"), gate(on_refusal=on_refusal)
    wait = deferred(lambda: operator.execute(task))
    registry.vote("lead", 1, policy=POLICY, by="approver", choice="reject", comment="no")
    if raised is None:
        result = operator.resume(task, {"because": "changed"}, **wait.kwargs)
    else:
        with pytest.raises(raised, match="approver rejected v1"):
            operator.resume(task, {"because": "changed"}, **wait.kwargs)
        result = task["ti"].pushed["return_value"]
    assert (result["outcome"], result["promotion"]) == ("REFUSED", None)


def test_one_of_two_votes_waits_on(registry, lead, context):
    two = {"rules": [POLICY["rules"][0], {"approval": {"people": 2}}]}
    operator = gate(policy=two)
    first = deferred(lambda: operator.execute(context("promote")))
    assert first.trigger.until is None
    registry.vote("lead", 1, policy=two, by="approver")
    second = deferred(lambda: operator.resume(context("promote"), {"because": "changed"}, **first.kwargs))
    assert second.trigger.mark != first.trigger.mark


@pytest.mark.parametrize(("on_refusal", "raised"), [("skip", AirflowSkipException), ("fail", AirflowFailException)])
def test_without_waiting_pending_is_a_refusal(registry, lead, context, on_refusal, raised):
    with pytest.raises(raised, match="the gate says PENDING: .*Nobody has approved v1 yet"):
        gate(wait=False, on_refusal=on_refusal).execute(context("promote"))


def test_its_own_timeout_ends_the_wait_over_all_wake_ups(registry, lead, context):
    operator = gate(timeout="30m", on_refusal="continue")
    wait = deferred(lambda: operator.execute(context("promote")))
    gives_up_at = datetime.fromisoformat(wait.trigger.until)
    assert timedelta(minutes=29) < gives_up_at - datetime.now(UTC) <= timedelta(minutes=30)
    again = deferred(lambda: operator.resume(context("promote"), {"because": "changed"}, **wait.kwargs))
    assert again.kwargs == wait.kwargs
    past = {**wait.kwargs, "gives_up_at": (datetime.now(UTC) - timedelta(seconds=1)).isoformat()}
    assert operator.resume(context("promote"), {"because": "time"}, **past)["outcome"] == "PENDING"


def test_an_error_of_the_wait_fails_the_task_at_once(lead, context):
    with pytest.raises(AirflowFailException, match="no model 'gone'"):
        gate().resume(context("promote"), {"error": "There is no model 'gone'"}, ref="lead:1", gives_up_at=None)


def test_that_people_are_asked_is_told_once(registry, lead, context):
    told = []
    operator = gate(notifiers=[lambda found: told.append(found["model_event"])])
    wait = deferred(lambda: operator.execute(context("promote")))
    deferred(lambda: operator.resume(context("promote"), {"because": "time"}, **wait.kwargs))
    ((kind, text),) = [(notice["kind"], notice["text"]) for notice in told]
    assert (kind, text.startswith("lead:1 waits for people: ")) == ("pending", True)


def test_the_last_editor_of_a_policy_in_python_is_that_of_the_dag_file(registry, lead, context, tmp_path, monkeypatch):
    from airflow_registry.modeling import environment

    asked = []
    monkeypatch.setattr(environment, "last_editor", lambda file: asked.append(file) or "Intruder <intruder@example.org>")
    task = context("promote")
    deferred(lambda: gate().execute(task))
    assert asked == [task["dag"].fileloc]
    assert "intruder" in registry.asked("lead", 1).authors
