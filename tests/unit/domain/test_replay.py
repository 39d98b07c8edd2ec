"""What a policy would have decided, beside what was decided."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from airflow_registry.domain.gate.reasons import reason
from airflow_registry.domain.names import ModelName
from airflow_registry.domain.promotion import Decision, Outcome, Ruling, Verdict
from airflow_registry.domain.replay import Replayed

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PASSED, NOT_APPLICABLE, FAILED = (reason(str(one), one, f"It {one}.") for one in (Ruling.PASSED, Ruling.NOT_APPLICABLE, Ruling.FAILED))
DECISION = Decision(
    uid="d", model=ModelName("m"), number=8, outcome=Outcome.APPROVED, reasons=(PASSED,), champion=7, revision=3, policy_digest="x",
    decided_at=NOW,
)  # fmt: skip


def replayed(*reasons, outcome=Outcome.REFUSED, decision=DECISION):
    verdict = Verdict(outcome=outcome, reasons=reasons)
    return Replayed(model=ModelName("m"), number=8, at=NOW, champion=7, decision=decision, verdict=verdict)


def test_it_is_changed_where_the_outcome_is_another_one():
    assert replayed().is_changed
    assert not replayed(outcome=Outcome.APPROVED).is_changed
    assert not replayed(decision=None).is_changed
    assert (replayed().before, replayed(decision=None).before) == (Outcome.APPROVED, None)


@pytest.mark.parametrize(
    ("reasons", "first"),
    [((PASSED, NOT_APPLICABLE, FAILED), FAILED), ((NOT_APPLICABLE, PASSED), NOT_APPLICABLE), ((), None)],
)
def test_the_first_reason_is_the_first_that_did_not_pass(reasons, first):
    assert replayed(*reasons).first_reason is first


def test_it_is_told_to_machines():
    told = replayed(FAILED).to_json()
    assert json.loads(json.dumps(told | {"at": 0})) == {
        "model": "m", "version": 8, "ref": "m:8", "at": 0, "champion": 7, "decision": "d", "before": "APPROVED", "outcome": "REFUSED",
        "changed": True, "reasons": [{"rule": "failed", "ruling": "failed", "text": "It failed.", "observed": None}],
    }  # fmt: skip
    assert replace(replayed(), decision=None).to_json()["decision"] is None
