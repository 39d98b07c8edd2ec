"""`check`: champions too old, promotions not consumed, outputs left half-written."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_registry.domain.ledger import Written
from airflow_registry.domain.names import RunKey
from airflow_registry.errors import ModelNotFoundError
from airflow_registry.service.check import Limits, check
from airflow_registry.service.protocol import Subscription
from tests.contracts.registry_base import Clock

RUN = RunKey(dag_id="score", run_id="monday", task_id="score")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def clock(registry):
    registry.core.now = Clock()
    return registry.core.now


@pytest.fixture
def champion(registry, clock):
    registry.register("Lead")
    registry.promote("lead", 1, reason="first")


@pytest.fixture
def found(registry):
    def run(**limits):
        return [(one.topic, one.subject) for one in check(registry.core, Limits(**{"grace": HOUR, **limits}))]

    return run


def test_an_empty_registry_has_nothing_to_report(registry, found):
    assert found(max_age=DAY) == []


def test_a_champion_is_too_old_by_its_registration_not_by_its_promotion(registry, champion, clock, found):
    clock.advance(days=29)
    registry.register("lead")
    registry.promote("lead", 2, reason="newer")
    clock.advance(days=2)
    assert found(max_age=30 * DAY) == []
    registry.rollback("lead", reason="the old one again")
    assert found(max_age=30 * DAY) == [("champion too old", "Lead")]
    assert found(max_age=32 * DAY) == found() == []


def test_a_limit_of_one_model_goes_before_that_of_all(registry, champion, clock, found):
    registry.register("churn")
    registry.promote("churn", 1, reason="first")
    clock.advance(days=10)
    assert found(max_age_of={"lead": 7 * DAY}) == [("champion too old", "Lead")]
    assert found(max_age=7 * DAY, max_age_of={"lead": 30 * DAY}) == [("champion too old", "churn")]
    with pytest.raises(ModelNotFoundError, match="no model 'leed'"):
        found(max_age_of={"leed": DAY})


def test_a_model_without_champion_is_never_too_old(registry, clock, found):
    registry.register("lead")
    clock.advance(days=99)
    assert found(max_age=DAY) == []


def test_a_promotion_that_a_consumer_does_not_answer_is_told_after_the_grace(registry, champion, clock, found):
    registry.pin("lead", RUN, acknowledges=["score"])
    registry.register("lead")
    registry.promote("lead", 2, reason="newer")
    clock.advance(minutes=59)
    assert found() == []
    clock.advance(minutes=2)
    assert found() == [("promotion not consumed", "Lead")]
    assert found(ignored=frozenset({"score"})) == found(grace=2 * HOUR) == []
    registry.pin("lead", RunKey(dag_id="score", run_id="tuesday", task_id="score"), acknowledges=["score"])
    assert found() == []


def test_a_consumer_that_was_rung_and_never_came_is_told(registry, champion, clock, found):
    clock.advance(minutes=1)
    assert registry.bells_due([Subscription(model="lead", consumer="score")])
    clock.advance(hours=2)
    assert found() == [("promotion not consumed", "Lead")]


def test_an_output_left_half_written_is_told_until_somebody_finishes_it(registry, champion, clock, found):
    def opened():
        return registry.open_output("/out/1", partition="p", model="lead", version=1, run=RUN)

    registry.commit_output(opened(), Written(uri="/out/1/predictions.parquet"))
    registry.open_output("/out/1", partition="p", model="lead", version=1, run=RUN, force=True)
    registry.open_output("/out/2", partition="q", model="lead", version=1)
    clock.advance(minutes=59)
    assert found() == []
    clock.advance(minutes=2)
    assert found() == [("output left half-written", "/out/1"), ("output left half-written", "/out/2")]
    registry.commit_output(
        registry.open_output("/out/1", partition="p", model="lead", version=1, run=RUN, force=True), Written(uri="/out/1/x")
    )
    assert found() == [("output left half-written", "/out/2")]


def test_every_finding_says_what_to_do_and_who_did_it(registry, champion, clock):
    registry.open_output("/out/1", partition="p", model="lead", version=1, run=RUN)
    clock.advance(days=40)
    too_old, half = check(registry.core, Limits(grace=HOUR, max_age=30 * DAY))
    assert too_old.found == "the champion Lead:1 was registered 40 days ago; allowed are 30d"
    assert "airflow-registry history Lead" in too_old.remedy
    assert "(run monday of score, deployment default)" in half.found
    assert half.remedy
