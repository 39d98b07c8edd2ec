"""Verdicts, decisions and promotions say whether something may happen, and whether it did."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from airflow_registry.domain.audit import AuditHead
from airflow_registry.domain.names import ModelName
from airflow_registry.domain.promotion import Decision, Outcome, Promotion, Reason, Verdict, production_changed
from airflow_registry.domain.stage import Stage

NOW = datetime(2026, 1, 1, tzinfo=UTC)
REASON = Reason(rule="auc at least 0.5", passed=True, text="auc is 0.6.", observed=0.6)


def decision(outcome):
    return Decision(
        uid="d",
        model=ModelName("m"),
        number=8,
        outcome=outcome,
        reasons=(REASON,),
        champion=7,
        revision=3,
        policy_digest="sha256:x",
        decided_at=NOW,
    )


def promotion(to_stage=Stage.PRODUCTION, revision=4):
    return Promotion(
        uid="p",
        model=ModelName("m"),
        number=8,
        from_stage=Stage.DEVELOPMENT,
        to_stage=to_stage,
        revision=revision,
        replaced=7,
        decision="d",
        reason=None,
        by="auditor",
        at=NOW,
    )


@pytest.mark.parametrize("outcome", Outcome)
def test_only_approved_is_approved(outcome):
    assert decision(outcome).approved is Verdict(outcome=outcome, reasons=()).approved is (outcome is Outcome.APPROVED)


def test_a_decision_hands_on_its_reasons():
    assert json.loads(json.dumps(decision(Outcome.REFUSED).to_json())) == {
        "decision": "d",
        "outcome": "REFUSED",
        "approved": False,
        "model": "m",
        "version": 8,
        "champion": 7,
        "revision": 3,
        "reasons": ["auc is 0.6."],
    }


@pytest.mark.parametrize(
    ("changes", "is_override"),
    [
        ({}, False),
        ({"decision": None}, True),
        ({"decision": None, "from_stage": Stage.SHADOW}, True),
        ({"decision": None, "from_stage": Stage.ARCHIVED}, False),
        ({"decision": None, "to_stage": Stage.SHADOW}, False),
    ],
)
def test_a_promotion_without_the_gate_is_an_override_and_a_rollback_is_none(changes, is_override):
    assert replace(promotion(), **changes).is_override is is_override


def test_the_head_of_the_audit_says_nothing_about_what_was_promoted():
    assert replace(promotion(), audit_head=AuditHead(seq=1, hash="x")) == promotion()


def test_a_promotion_hands_on_what_it_replaced():
    assert json.loads(json.dumps(promotion().to_json())) == {
        "promotion": "p",
        "model": "m",
        "version": 8,
        "ref": "m:8",
        "from_stage": "DEVELOPMENT",
        "to_stage": "PRODUCTION",
        "replaced": 7,
        "revision": 4,
        "created": True,
    }


@pytest.mark.parametrize(
    ("to_stage", "revision", "is_change", "rings"),
    [
        (Stage.PRODUCTION, 4, True, True),
        (Stage.ARCHIVED, 4, True, False),
        (Stage.SHADOW, None, False, False),
        (Stage.ARCHIVED, None, False, False),
    ],
)
def test_only_a_new_champion_rings_consumers(to_stage, revision, is_change, rings):
    made = promotion(to_stage, revision)
    assert made.is_champion_change is is_change
    assert production_changed(made) is rings


def test_every_outcome_says_what_to_do_next():
    assert all(outcome.advice.endswith(".") for outcome in Outcome)
    assert len({outcome.advice for outcome in Outcome}) == len(Outcome)
