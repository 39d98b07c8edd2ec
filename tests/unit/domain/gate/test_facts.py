"""The champion's age, loading and predicting, shadow runs."""

import math
from datetime import timedelta

import pytest

from airflow_registry.domain.people import Asked
from airflow_registry.domain.promotion import Outcome, Ruling
from airflow_registry.domain.rules import Fresh, Shadow, Smoke
from airflow_registry.domain.shadow import Shadowed
from airflow_registry.domain.smoke import SmokeResult
from airflow_registry.domain.stage import Stage
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


class TestShadow:
    RULE = Shadow(partitions=5, agreement=0.97)

    def reason(self, *, partitions=5, rows=1000, agreeing=970, champion=7, **known):
        shadowed = Shadowed(champion=champion, partitions=partitions, rows=rows, agreeing=agreeing)
        return only_reason(judge(self.RULE, shadowed=shadowed, **known))

    @pytest.mark.parametrize(
        ("agreeing", "ruling"), [(970, Ruling.PASSED), (969, Ruling.FAILED), (0, Ruling.FAILED), (1000, Ruling.PASSED)]
    )
    def test_enough_rows_on_which_both_said_the_same_pass(self, agreeing, ruling):
        reason = self.reason(agreeing=agreeing)
        assert (reason.ruling, reason.observed, reason.rows, reason.baseline_version) == (ruling, agreeing / 1000, 1000, 7)

    def test_the_reason_tells_the_numbers(self):
        assert self.reason(rows=100_000, agreeing=96_999).text == (
            "v8 says what champion v7 says on 96,999 of 100,000 rows in 5 partitions, a share of 0.96999; needed at least 0.97: not enough."
        )
        assert self.reason().text.endswith("on 970 of 1,000 rows in 5 partitions, a share of 0.97; needed at least 0.97: satisfied.")

    def test_too_few_partitions_are_waited_for_whatever_they_say(self):
        told = self.reason(partitions=4, agreeing=1000, challenger=version(8, stage=Stage.SHADOW))
        assert told.ruling is Ruling.PENDING
        assert told.text == (
            "v8 was compared with champion v7 on 4 of 5 partitions; so far they agree on 1,000 of 1,000 rows. It scores beside the "
            "champion whenever the batch inference runs; wait for more."
        )
        assert judge(self.RULE).outcome is Outcome.PENDING

    def test_a_version_that_is_not_in_shadow_is_told_to_go_there(self):
        assert self.reason(partitions=0, rows=0, agreeing=0).text == (
            "v8 was compared with champion v7 on 0 of 5 partitions. It is in DEVELOPMENT: move it to SHADOW, so that it scores beside the "
            "champion."
        )

    @pytest.mark.parametrize(
        ("opened_at", "ruling", "said"),
        [
            (None, Ruling.PENDING, "so that it scores beside the champion."),
            (NOW - timedelta(days=2, microseconds=-1), Ruling.PENDING, "The deadline is 2026-01-01 00:00 UTC."),
            (NOW - timedelta(days=2), Ruling.FAILED, "partitions. The deadline was 2026-01-01 00:00 UTC."),
        ],
    )
    def test_after_its_deadline_it_waits_no_longer(self, opened_at, ruling, said):
        rule = Shadow(partitions=5, agreement=0.97, within=timedelta(days=2))
        reason = only_reason(judge(rule, asked=Asked(opened_at=opened_at)))
        assert (reason.ruling, reason.text.endswith(said)) == (ruling, True)

    def test_comparisons_with_another_champion_do_not_count(self):
        reason = self.reason(champion=6)
        assert (reason.ruling, reason.text[:59]) == (Ruling.PENDING, "v8 was compared with champion v7 on 0 of 5 partitions. It i")

    def test_partitions_without_rows_say_nothing(self):
        assert self.reason(rows=0, agreeing=0).ruling is Ruling.PENDING

    def test_without_a_champion_it_does_not_apply_and_approves_nothing(self):
        verdict = judge(self.RULE, champion=None)
        assert verdict.outcome is Outcome.REFUSED
        assert verdict.reasons[0].ruling is Ruling.NOT_APPLICABLE
