"""The champion's age, loading and predicting, shadow runs."""

import math
from datetime import timedelta

import pytest

from airflow_registry.domain.promotion import Outcome, Ruling
from airflow_registry.domain.rules import Fresh, Shadow, Smoke
from airflow_registry.domain.smoke import SmokeResult
from tests.unit.domain.gate.cases import NOW, judge, only_reason, version

FRESH = Fresh(champion_not_older_than=timedelta(days=30))
SMOKE = Smoke(loads_within=timedelta(seconds=60), predicts_rows=10)


class TestFresh:
    @pytest.mark.parametrize(
        ("age", "ruling"),
        [
            (timedelta(days=30), Ruling.PASSED),
            (timedelta(days=30, microseconds=1), Ruling.INCONCLUSIVE),
            (timedelta(0), Ruling.PASSED),
            (-timedelta(days=1), Ruling.PASSED),
        ],
    )
    def test_an_old_champion_is_no_measure_and_a_person_decides(self, age, ruling):
        reason = only_reason(judge(FRESH, champion=version(7, registered_at=NOW - age)))
        assert (reason.ruling, reason.baseline_version) == (ruling, 7)

    def test_the_reason_says_how_old_and_what_to_do(self):
        reason = only_reason(judge(FRESH, champion=version(7, registered_at=NOW - timedelta(days=45))))
        assert reason.text == (
            "The champion v7 was registered 45 days ago, on 2025-11-17; needed at most 30d: too old to be the measure. To be no worse than "
            "an old champion may be too little: a person decides, by a waiver of this rule or by promoting with a reason."
        )
        assert "1 day ago" in only_reason(judge(FRESH, champion=version(7, registered_at=NOW - timedelta(days=1)))).text

    def test_without_a_champion_it_does_not_apply(self):
        assert judge(FRESH, champion=None).reasons[0].ruling is Ruling.NOT_APPLICABLE


class TestSmoke:
    @pytest.mark.parametrize(
        ("result", "ruling", "said"),
        [
            (
                SmokeResult(loaded_in_s=60.0, predicted_rows=10),
                Ruling.PASSED,
                "v8 loaded in 60 s (needed within 1m) and predicted 10 rows: ",
            ),
            (SmokeResult(loaded_in_s=60.1, predicted_rows=10), Ruling.FAILED, "too slow."),
            (SmokeResult(loaded_in_s=math.nan, predicted_rows=10), Ruling.FAILED, "too slow."),
            (SmokeResult(loaded_in_s=1.0, predicted_rows=9), Ruling.FAILED, "predicted 9 rows, needed 10: too few."),
            (SmokeResult(problem="It was killed."), Ruling.FAILED, "v8 does not load or predict: It was killed."),
            (SmokeResult(loaded_in_s=1.0, predicted_rows=10, problem="NaN"), Ruling.FAILED, "v8 does not load or predict: NaN."),
            (SmokeResult(), Ruling.FAILED, "v8 does not load or predict: it did not load."),
        ],
    )
    def test_it_loads_in_time_and_predicts(self, result, ruling, said):
        reason = only_reason(judge(SMOKE, smoke={SMOKE: result}))
        assert reason.ruling is ruling
        assert said in reason.text

    def test_what_was_not_tried_is_not_known(self):
        other = Smoke(loads_within=timedelta(seconds=59), predicts_rows=10)
        verdict = judge(SMOKE, smoke={other: SmokeResult(loaded_in_s=1.0, predicted_rows=10)})
        assert verdict.outcome is Outcome.INCONCLUSIVE
        assert only_reason(verdict).text == "Whether v8 loads and predicts was not tried. Decide again."

    def test_a_replay_leaves_it_out_unless_it_was_tried_then(self):
        assert judge(SMOKE, is_replay=True).reasons[0].ruling is Ruling.NOT_APPLICABLE
        tried = {SMOKE: SmokeResult(problem="It was killed.")}
        assert only_reason(judge(SMOKE, is_replay=True, smoke=tried)).ruling is Ruling.FAILED


def test_shadow_runs_wait_for_a_ledger_that_keeps_them():
    verdict = judge(Shadow(partitions=5, agreement=0.97))
    assert verdict.outcome is Outcome.PENDING
    assert only_reason(verdict).text == (
        "v8 needs 5 partitions scored in SHADOW with 0.97 agreement; the ledger of this release keeps no shadow results. "
        "Leave the rule out, or waive it."
    )
