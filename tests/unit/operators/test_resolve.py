"""ResolveModelOperator: one run, one version."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from airflow_registry.operators import ResolveModelOperator
from airflow_registry.service.protocol import Subscription


def test_a_run_keeps_its_version_whatever_is_promoted_meanwhile(registry, register, champion, context):
    operator = ResolveModelOperator(model="lead")
    first = operator.execute(context("resolve"))
    assert first == {key: champion.to_json()[key] for key in ("model", "version", "ref", "remote_path", "digest")}
    register()
    registry.promote("lead", 2, reason="better")
    assert operator.execute(context("resolve", clear_number=1)) == first
    assert operator.execute(context("another_task", map_index=4)) == first
    assert operator.execute(context("resolve", run_id="manual__2"))["version"] == 2


def test_latest_looks_again_and_moves_the_run_with_it(registry, register, champion, context):
    ResolveModelOperator(model="lead").execute(context("resolve"))
    register()
    registry.promote("lead", 2, reason="better")
    assert ResolveModelOperator(model="lead", pin="latest").execute(context("resolve"))["version"] == 2
    assert ResolveModelOperator(model="lead").execute(context("resolve"))["version"] == 2


def test_another_stage_can_be_resolved_in_any_case(registry, register, champion, context):
    register()
    registry.move("lead", 2, "SHADOW", reason="try it")
    assert ResolveModelOperator(model="lead", stage="Shadow").execute(context("resolve"))["version"] == 2


@pytest.mark.parametrize("stage", ["production", "shadow"])
@pytest.mark.parametrize(("choice", "raised"), [("skip", AirflowSkipException), ("fail", AirflowFailException)])
def test_without_a_version_in_the_stage_it_skips_or_fails_and_pins_nothing(registry, register, context, stage, choice, raised):
    operator = ResolveModelOperator(model="lead", stage=stage, if_no_champion=choice)
    with pytest.raises(raised):  # not even a model
        operator.execute(context("resolve"))
    register()
    with pytest.raises(raised):
        operator.execute(context("resolve"))
    if stage == "production":
        registry.promote("lead", 1, reason="first")
        assert operator.execute(context("resolve"))["version"] == 1


def test_resolving_answers_the_bell_of_the_consumer_in_the_schedule(registry, champion, context, monkeypatch):
    from datetime import UTC, datetime, timedelta

    monkeypatch.setattr(registry.core, "now", lambda: datetime.now(UTC) + timedelta(hours=1))  # long past the bell's grace
    schedule = SimpleNamespace(objects=[SimpleNamespace(uri="airflow-registry://lead/production/scorer", objects=())])
    bell = [Subscription(model="lead", consumer="scorer"), Subscription(model="lead", consumer="another")]
    ResolveModelOperator(model="lead").execute(context("resolve", condition=schedule))
    assert [due.subscription.consumer for due in registry.bells_due(bell)] == ["another"]


@pytest.mark.parametrize(("field", "message"), [("model", "not rendered"), ("stage", "not a stage")])
def test_a_template_that_was_not_rendered_is_refused(registry, champion, context, field, message):
    with pytest.raises(AirflowFailException, match=message):
        ResolveModelOperator(**{"model": "lead", field: "{{ x }}"}).execute(context("resolve"))
