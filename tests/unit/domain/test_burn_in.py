"""The pure judgement of a burn-in, and what a cool-down says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_registry.domain.burn_in import CHECKS, BurnInReport, CoolDown, LedgerFacts, Standing, Terms, broken, judge
from airflow_registry.domain.drift.verdict import FeatureDrift, Verdict
from airflow_registry.domain.names import ModelName
from airflow_registry.domain.promotion import Promotion, Ruling
from airflow_registry.domain.rules import BurnIn, DriftLimit, LiveLimit
from airflow_registry.domain.stage import Stage
from airflow_registry.errors import InvalidInputError

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
COUNTS = st.integers(0, 10_000)
SHARES = st.none() | st.floats(0, 1)
LIVE = LiveLimit(metric="accuracy", at_least=0.8, at_most=0.99, min_rows=200)
DRIFT = DriftLimit(at_most=0.2)
LIMITS = st.builds(
    lambda most, nulls, quarantine, live, drift: BurnIn(
        lasts=DAY, failed_partitions=most, null_share=nulls, quarantine_share=quarantine, live=live, prediction_drift=drift
    ),
    st.integers(0, 5), SHARES, SHARES, st.sampled_from([None, LIVE]), st.sampled_from([None, DRIFT]),
)  # fmt: skip


@st.composite
def facts(draw):
    """What a ledger can hold: nulls are among the counted rows, and those among all."""
    rows = draw(COUNTS)
    counted = draw(st.integers(0, rows))
    return LedgerFacts(
        finished=draw(st.integers(0, 50)),
        failed=tuple(f"/out/{number}" for number in range(draw(st.integers(0, 8)))),
        rows=rows,
        quarantined=draw(COUNTS),
        counted=counted,
        nulls=draw(st.integers(0, counted)),
        live=draw(st.floats(0, 1)),
        labelled=draw(COUNTS),
        prediction_drift=draw(st.none() | st.floats(0, 1).map(drifted)),
    )


def drifted(psi, *, cutoff=0.01):
    verdict = Verdict.INSUFFICIENT if psi is None else Verdict.DRIFTED
    known = {"rows": 900, "reference_rows": 900, "floor": 0.2, "alpha": 0.01, "features": 1, "bins": 10}
    return FeatureDrift(name="prediction", verdict=verdict, reason=f"prediction: PSI {psi}.", psi=psi, cutoff=cutoff, **known)


def limits(**given):
    return BurnIn(lasts=DAY, **given)


def ruling(given, found, **terms):
    (reason,) = judge(given, found, Terms(**terms))
    return reason.ruling


# -- laws ----------------------------------------------------------------------------------------------------------------------
@given(LIMITS)
def test_without_any_data_nothing_is_broken(given_limits):
    assert broken(judge(given_limits, LedgerFacts())) == ()


@given(LIMITS, facts(), st.integers(1, 5))
def test_one_more_failure_never_mends_what_is_broken(given_limits, found, more):
    worse = replace(found, failed=(*found.failed, *(f"/more/{number}" for number in range(more))))
    before = {reason.rule for reason in broken(judge(given_limits, found))}
    assert before <= {reason.rule for reason in broken(judge(given_limits, worse))}


@given(LIMITS, facts(), st.integers(1, 1000))
def test_more_nulls_or_more_quarantined_rows_never_mend_what_is_broken(given_limits, found, more):
    worse = replace(found, rows=found.rows + more, counted=found.counted + more, nulls=found.nulls + more)
    before = {reason.rule for reason in broken(judge(given_limits, found)) if reason.rule.startswith("null")}
    assert before <= {reason.rule for reason in broken(judge(given_limits, worse))}
    worse = replace(found, quarantined=found.quarantined + more)
    before = {reason.rule for reason in broken(judge(given_limits, found))}
    assert before <= {reason.rule for reason in broken(judge(given_limits, worse))}


@given(LIMITS, facts(), st.integers(1, 200))
def test_every_limit_that_is_set_has_one_reason_and_nothing_else_has(given_limits, found, min_rows):
    told = judge(given_limits, found, Terms(min_rows=min_rows))
    names = ("failed_partitions", "null_share", "quarantine_share", "live", "prediction_drift")
    assert [reason.rule.split()[0] for reason in told] == [name for name in names if getattr(given_limits, name) is not None]
    assert all(reason.text.endswith(".") for reason in told)


# -- labels and drift ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("found", "rows", "expected"),
    [
        (0.8, 200, Ruling.PASSED), (0.99, 200, Ruling.PASSED), (0.79, 200, Ruling.FAILED), (1.0, 200, Ruling.FAILED),
        (0.1, 199, Ruling.INCONCLUSIVE), (float("nan"), 500, Ruling.INCONCLUSIVE),
    ],
)  # fmt: skip
def test_a_live_metric_is_judged_from_enough_labels_on(found, rows, expected):
    assert ruling(limits(live=LIVE), LedgerFacts(live=found, labelled=rows)) is expected


def test_a_live_metric_has_one_bound_or_two():
    assert ruling(limits(live=LiveLimit(metric="rmse", at_most=2)), LedgerFacts(live=-5.0, labelled=200)) is Ruling.PASSED
    assert ruling(limits(live=LiveLimit(metric="auc", at_least=2)), LedgerFacts(live=5.0, labelled=200)) is Ruling.PASSED


def test_the_reason_of_a_live_metric_tells_the_numbers():
    [reason] = judge(limits(live=LIVE), LedgerFacts(live=0.75, labelled=300))
    assert (reason.rule, reason.observed, reason.rows) == ("live accuracy at least 0.8 and at most 0.99", 0.75, 300)
    assert reason.text == (
        "accuracy is 0.75 on 300 predictions whose labels have arrived; needed is live accuracy at least 0.8 and at most 0.99."
    )


@pytest.mark.parametrize(
    ("psi", "cutoff", "expected"),
    [
        (0.2, 0.01, Ruling.PASSED), (0.21, 0.01, Ruling.FAILED), (0.3, 0.35, Ruling.PASSED), (0.3, None, Ruling.FAILED),
        (None, None, Ruling.INCONCLUSIVE),
    ],
)  # fmt: skip
def test_predictions_may_drift_up_to_the_limit_and_as_far_as_chance_explains(psi, cutoff, expected):
    assert ruling(limits(prediction_drift=DRIFT), LedgerFacts(prediction_drift=drifted(psi, cutoff=cutoff))) is expected


def test_what_nobody_counted_has_not_drifted():
    [reason] = judge(limits(prediction_drift=DRIFT), LedgerFacts())
    assert (reason.ruling, reason.text) == (Ruling.INCONCLUSIVE, "No predictions were counted that could be compared with those before.")


# -- limits --------------------------------------------------------------------------------------------------------------------
def test_the_limit_itself_is_allowed():
    assert ruling(limits(failed_partitions=2), LedgerFacts(failed=("a", "b"))) is Ruling.PASSED
    assert ruling(limits(failed_partitions=2), LedgerFacts(failed=("a", "b", "c"))) is Ruling.FAILED
    assert ruling(limits(null_share=0.01), LedgerFacts(rows=100, counted=100, nulls=1)) is Ruling.PASSED
    assert ruling(limits(null_share=0.01), LedgerFacts(rows=100, counted=100, nulls=2)) is Ruling.FAILED
    assert ruling(limits(quarantine_share=0.05), LedgerFacts(rows=95, quarantined=5)) is Ruling.PASSED
    assert ruling(limits(quarantine_share=0.05), LedgerFacts(rows=94, quarantined=6)) is Ruling.FAILED


def test_too_few_rows_break_nothing_and_say_how_many_are_needed():
    found = LedgerFacts(rows=99, counted=99, nulls=99)
    (reason,) = judge(limits(null_share=0), found)
    assert (reason.ruling, reason.passed, reason.rows) == (Ruling.INCONCLUSIVE, None, 99)
    assert reason.text.startswith("99 rows were counted; 100 are needed")
    assert ruling(limits(null_share=0), found, min_rows=99) is Ruling.FAILED
    assert ruling(limits(quarantine_share=0), LedgerFacts(rows=50, quarantined=49)) is Ruling.INCONCLUSIVE
    assert ruling(limits(quarantine_share=0), LedgerFacts(rows=51, quarantined=49)) is Ruling.FAILED


def test_rows_whose_nulls_nobody_counted_are_no_evidence_against_a_model():
    assert ruling(limits(null_share=0.5), LedgerFacts(rows=10_000, counted=0)) is Ruling.INCONCLUSIVE
    assert ruling(limits(null_share=0.5), LedgerFacts(rows=10_000, counted=100, nulls=60)) is Ruling.FAILED


def test_a_reason_names_observed_needed_and_the_first_of_what_is_unfinished():
    (reason,) = judge(limits(failed_partitions=0), LedgerFacts(finished=3, failed=("/o/a", "/o/b", "/o/c", "/o/d")))
    assert reason.text == ("4 partitions were begun and not finished, 3 were written; at most 0 may be unfinished: /o/a, /o/b, /o/c, ….")
    assert (reason.observed, reason.rule) == (4.0, "failed_partitions at most 0")
    (reason,) = judge(limits(failed_partitions=0), LedgerFacts(finished=3))
    assert reason.text == "0 partitions were begun and not finished, 3 were written; at most 0 may be unfinished."
    (reason,) = judge(limits(null_share=0.01), LedgerFacts(rows=1000, counted=1000, nulls=25))
    assert reason.text == "25 of 1000 predictions are missing or no finite number, a share of 0.025; at most 0.01 may be."
    assert (reason.observed, reason.rows) == (0.025, 1000)


def test_a_further_check_is_a_function_that_says_nothing_where_its_limit_is_not_set():
    silent = limits(failed_partitions=0)
    assert [check(silent, LedgerFacts(), Terms()) is None for check in CHECKS] == [False, True, True, True, True]
    assert CHECKS[0](limits(null_share=0.1), LedgerFacts(), Terms()) is None


# -- terms ---------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"grace": timedelta(seconds=-1)}, "grace= is how long"),
        ({"grace": 3600}, "grace= is how long"),
        ({"min_rows": 0}, "min_rows= is how many"),
        ({"min_rows": True}, "min_rows= is how many"),
        ({"min_rows": 1.5}, "min_rows= is how many"),
    ],
)
def test_terms_that_make_no_sense_are_refused(wrong, told):
    with pytest.raises(InvalidInputError, match=told):
        Terms(**wrong)


def test_no_grace_at_all_can_be_asked_for():
    assert Terms(grace=timedelta(0)).grace == timedelta(0)


# -- reports -------------------------------------------------------------------------------------------------------------------
def test_a_report_is_broken_by_its_standing_and_names_the_broken_limits():
    given_limits = limits(failed_partitions=0, null_share=0.1)
    reasons = judge(given_limits, LedgerFacts(failed=("/o/a",)))
    report = BurnInReport(
        model=ModelName("lead"), number=2, revision=2, standing=Standing.BROKEN, note="broken.", reasons=reasons, limits=given_limits
    )
    assert report.is_broken
    assert [reason.rule for reason in report.broken] == ["failed_partitions at most 0"]
    assert not replace(report, standing=Standing.OVER).is_broken


def test_a_report_in_short_is_small_json():
    report = BurnInReport(model=ModelName("lead"), number=None, revision=0, standing=Standing.NONE, note="no champion.")
    assert report.to_json() == {
        "model": "lead", "version": None, "ref": None, "standing": "none", "broken": False, "reasons": [], "promoted_at": None,
        "ends_at": None, "previous": None, "rolled_back": False, "promotion": None, "note": "no champion.",
    }  # fmt: skip
    made = Promotion(
        uid="u", model=ModelName("lead"), number=1, from_stage=Stage.ARCHIVED, to_stage=Stage.PRODUCTION, revision=3, replaced=2,
        decision=None, reason="x", by="approver", at=NOON,
    )  # fmt: skip
    told = replace(report, number=2, standing=Standing.BROKEN, rolled_back=made, promoted_at=NOON, ends_at=NOON + DAY, previous=1).to_json()
    assert (told["ref"], told["broken"], told["rolled_back"], told["promotion"], told["previous"]) == ("lead:2", True, True, "u", 1)
    assert (told["promoted_at"], told["ends_at"]) == ("2026-01-01T12:00:00+00:00", "2026-01-02T12:00:00+00:00")


# -- cool-downs ----------------------------------------------------------------------------------------------------------------
def test_a_cool_down_holds_until_the_moment_it_ends_or_for_ever():
    cooling = CoolDown(number=2, since=NOON, until=NOON + DAY, because="x")
    assert cooling.holds_at(NOON)
    assert not cooling.holds_at(NOON - timedelta(microseconds=1)), "a replay of what was decided before it"
    assert cooling.holds_at(NOON + DAY - timedelta(microseconds=1))
    assert not cooling.holds_at(NOON + DAY)
    assert replace(cooling, until=None).holds_at(NOON + 10_000 * DAY)
    with pytest.raises(InvalidInputError, match="no time zone"):
        cooling.holds_at(datetime(2026, 1, 1))  # noqa: DTZ001  what the test is about


def test_a_cool_down_says_why_and_until_when():
    cooling = CoolDown(number=2, since=NOON, until=NOON + DAY, because="scores are null.")
    assert cooling.text == "v2 was rolled back at 2026-01-01 12:00 UTC because scores are null; it cools down until 2026-01-02 12:00 UTC."
    assert replace(cooling, until=None).text.endswith("it cools down until a person promotes it with a reason.")
    reason = cooling.reason(2)
    assert (reason.passed, reason.ruling, reason.text, reason.baseline_version) == (False, Ruling.FAILED, cooling.text, 2)
    assert cooling.reason(3).text == f"v3 has the same bytes as v2: {cooling.text}"
