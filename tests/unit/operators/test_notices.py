"""Airflow's notifiers are told of promotions, refusals and rollbacks, and can break nothing."""

from __future__ import annotations

import jinja2
import pytest
from airflow.sdk import BaseNotifier
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, TaskDeferred

from airflow_registry.errors import InvalidInputError
from airflow_registry.notifications import PendingNotifier, PromotionNotifier, RefusalNotifier, RollbackNotifier
from airflow_registry.operators import PromoteModelOperator, RollbackModelOperator


class Mail(BaseNotifier):
    """Writes down what its template says, as Airflow's own notifiers send it."""

    template_fields = ("text",)

    def __init__(self, sent, text="{{ model_event.kind }}: {{ model_event.text }} {{ model_event.url }}"):
        super().__init__()
        self.sent = sent
        self.text = text

    def notify(self, context):
        self.sent.append(self.text)


class Broken(BaseNotifier):
    def notify(self, context):
        raise ConnectionError("no route to the mail server")


@pytest.fixture
def sent():
    return []


@pytest.fixture
def noted(context):
    """A context whose DAG can render templates."""

    def make(*args, **kwargs):
        found = context(*args, **kwargs)
        found["dag"].get_template_env = lambda **_: jinja2.Environment()
        found["dag"].render_template_as_native_obj = False
        return found

    return make


def gate(floor, **arguments):
    return PromoteModelOperator(version="lead:1", thresholds={"accuracy": floor}, **arguments)


def test_a_promotion_is_told_with_the_version_and_its_page(register, noted, sent):
    register()
    gate(0.1, notifiers=[Mail(sent)]).execute(noted())
    assert sent == [
        "promotion: lead:1 was promoted to PRODUCTION, as the first champion. /registry/models/lead/versions/1",
    ]


@pytest.mark.parametrize(("on_refusal", "ends"), [("skip", AirflowSkipException), ("fail", AirflowFailException), ("continue", None)])
def test_a_refusal_is_told_with_its_reasons_in_all_three_forms(register, noted, sent, on_refusal, ends):
    register()
    operator = gate(0.99, on_refusal=on_refusal, notifiers=[Mail(sent)])
    if ends is None:
        operator.execute(noted())
    else:
        with pytest.raises(ends):
            operator.execute(noted())
    assert len(sent) == 1
    assert sent[0].startswith("refusal: lead:1 was not promoted, the gate says REFUSED: ")
    assert "accuracy" in sent[0]


def test_a_rollback_is_told_with_its_reason(registry, register, noted, sent):
    for number in (1, 2):
        register()
        registry.promote("lead", number, reason="by hand")
    RollbackModelOperator(model="lead", reason="worse in May", notifiers=Mail(sent)).execute(noted())
    assert sent == ["rollback: lead was rolled back from version 2 to version 1: worse in May /registry/models/lead/versions/1"]


def test_each_kind_can_be_asked_for_alone(registry, register, noted, sent):
    kinds = [kind(Mail(sent, kind.kind)) for kind in (PendingNotifier, PromotionNotifier, RefusalNotifier, RollbackNotifier)]
    for number in (1, 2):
        register()
        registry.promote("lead", number, reason="by hand") if number == 1 else None
    PromoteModelOperator(version="lead:2", thresholds={"accuracy": 0.1}, notifiers=kinds).execute(noted("promote"))
    assert sent == ["promotion"]
    with pytest.raises(AirflowSkipException):
        gate(0.99, notifiers=kinds).execute(noted("refuse"))
    RollbackModelOperator(model="lead", reason="worse", notifiers=kinds).execute(noted("rollback"))
    assert sent == ["promotion", "refusal", "rollback"]
    asks = {"rules": [{"metric": "accuracy", "at_least": 0.1}, {"approval": {"people": 1}}]}
    register()
    with pytest.raises(TaskDeferred):
        PromoteModelOperator(version="lead:3", policy=asks, notifiers=kinds).execute(noted("ask"))
    assert sent == ["promotion", "refusal", "rollback", "pending"]


def test_a_notifier_that_fails_is_a_warning_and_the_promotion_stands(registry, register, noted, sent, caplog, rung):
    register()
    task = noted()
    gate(0.1, notifiers=[Broken(), Mail(sent)]).execute(task)
    assert registry.production("lead").number == 1
    assert rung(task) == ["airflow-registry://lead/production"]
    assert len(sent) == 1
    assert "The notifier Broken failed" in caplog.text


def test_a_notifier_is_told_again_with_fresh_templates(registry, register, noted, sent):
    register()
    operator = gate(0.1, notifiers=[Mail(sent)])
    operator.execute(noted())
    register()
    operator.version = "lead:2"
    operator.execute(noted(run_id="manual__2"))
    assert [text.split(" was")[0] for text in sent] == ["promotion: lead:1", "promotion: lead:2"]


@pytest.mark.parametrize("wrong", ["mail", [Mail], [None]])
def test_what_cannot_be_called_with_a_context_is_refused_when_the_dag_is_written(wrong):
    with pytest.raises(InvalidInputError, match="model_event.text"):
        gate(0.1, notifiers=wrong)
