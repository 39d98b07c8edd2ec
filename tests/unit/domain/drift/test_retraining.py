"""Retraining: k of the last n partitions, none that is too small, not too soon, and one at a time."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_registry.domain.drift.report import DriftReport, Judged, PartitionDrift
from airflow_registry.domain.drift.retraining import MonitorReport, Retraining, RetrainTerms, Wish, decide
from airflow_registry.domain.drift.verdict import FeatureDrift, Verdict
from airflow_registry.domain.names import ModelName
from airflow_registry.errors import InvalidInputError

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TERMS = RetrainTerms(k=2, n=3, min_rows=100, cool_down=timedelta(days=7), within=timedelta(days=1))
LAST = Retraining(
    uid="u",
    model=ModelName("leads"),
    number=1,
    newest_version=4,
    asked_at=NOW - timedelta(hours=1),
    expires_at=NOW + timedelta(hours=23),
    reasons=("x",),
    asked_by="somebody",
)


def partition(verdict, rows=1000, name="ds=1"):
    known = {"rows": rows, "reference_rows": rows, "psi": 0.5, "cutoff": 0.1, "floor": 0.02, "alpha": 0.01, "features": 1, "bins": 10}
    feature = FeatureDrift(name="x", verdict=verdict, reason="x: PSI 0.5, above 0.1.", **known)
    return PartitionDrift(output=f"/out/{name}", partition=name, committed_at=NOW, rows=rows, judged=Judged(inputs=(feature,)))


def wish(verdicts, last=None, newest_version=4, now=NOW, terms=TERMS):
    partitions = [partition(Verdict.DRIFTED if letter == "D" else Verdict.STABLE, 99 if letter == "s" else 1000) for letter in verdicts]
    return decide(partitions, terms, last, newest_version=newest_version, now=now)


@pytest.mark.parametrize(
    ("verdicts", "asks"), [("DD", True), ("DSD", True), ("SDD", True), ("DSS", False), ("DSSD", False), ("D", False), ("", False)]
)
def test_k_of_the_last_n_partitions_must_have_drifted(verdicts, asks):
    assert wish(verdicts).asks is asks


def test_partitions_that_are_too_small_do_not_count():
    assert wish("DssD").asks is True
    small = [partition(Verdict.DRIFTED, rows=99)] * 3
    found = decide(small, TERMS, None, newest_version=4, now=NOW)
    assert found == Wish(asks=False, note="0 of the last 0 partitions with at least 100 rows drifted; 2 of 3 would ask for a retraining.")


def test_the_wish_says_what_drifted_where():
    found = decide([partition(Verdict.DRIFTED, name=f"ds={day}") for day in (1, 2)], TERMS, None, newest_version=4, now=NOW)
    assert found.note == "2 of the last 2 partitions with at least 100 rows drifted: a retraining is asked for."
    assert found.reasons == ("ds=1: x: PSI 0.5, above 0.1.", "ds=2: x: PSI 0.5, above 0.1.")


def test_while_one_is_open_no_other_is_asked_for():
    found = wish("DD", LAST)
    assert found.asks is False
    assert found.note.endswith("a retraining was asked for at 2026-03-01 11:00 UTC: it may take until 2026-03-02 11:00 UTC.")


def test_a_newer_version_closes_it_and_the_cool_down_goes_on():
    assert LAST.is_open(newest_version=4, now=NOW)
    assert not LAST.is_open(newest_version=5, now=NOW)
    found = wish("DD", LAST, newest_version=5)
    assert found.asks is False
    assert found.note.endswith("none is before 2026-03-08 11:00 UTC.")
    assert wish("DD", LAST, newest_version=5, now=LAST.asked_at + timedelta(days=7)).asks is True
    assert wish("DD", LAST, newest_version=5, terms=replace(TERMS, cool_down=timedelta(0))).asks is True


def test_one_that_was_never_answered_is_given_up():
    late = LAST.expires_at
    assert not LAST.is_open(newest_version=4, now=late)
    assert wish("DD", LAST, now=late, terms=replace(TERMS, cool_down=timedelta(0))).asks is True


@given(st.text("DSs", max_size=8), st.integers(1, 4), st.integers(1, 4))
def test_asking_for_more_drift_never_asks_more_often(verdicts, k, n):
    if k < n:
        low, high = (wish(verdicts, terms=replace(TERMS, k=each, n=n)) for each in (k, k + 1))
        assert (low.asks, high.asks) != (False, True)


@pytest.mark.parametrize(
    ("terms", "says"),
    [
        ({"k": 0}, "1 <= k <= n"),
        ({"k": 4, "n": 3}, "1 <= k <= n"),
        ({"min_rows": -1}, "min_rows=-1"),
        ({"cool_down": timedelta(-1)}, "cool_down"),
        ({"within": timedelta(0)}, "within"),
    ],
)
def test_terms_that_mean_nothing_are_refused(terms, says):
    with pytest.raises(InvalidInputError, match=says):
        RetrainTerms(**terms)


def test_what_was_done_is_small_json():
    report = DriftReport(
        model=ModelName("leads"), number=3, note="", partitions=(partition(Verdict.DRIFTED),), together=partition(Verdict.DRIFTED).judged
    )
    asked = MonitorReport(report=report, wish=Wish(asks=True, note="because"), retraining=LAST)
    assert json.loads(json.dumps(asked.to_json())) == {
        "model": "leads",
        "version": 3,
        "ref": "leads:3",
        "verdict": "drifted",
        "drifted": ["x"],
        "partitions": 1,
        "note": "because",
        "asked": True,
        "retraining": "u",
    }
    assert replace(asked, retraining=None).to_json()["asked"] is False
    assert LAST.to_json() == {
        "model": "leads",
        "uid": "u",
        "number": 1,
        "newest_version": 4,
        "asked_by": "somebody",
        "dag_id": None,
        "run_id": None,
        "asked_at": "2026-03-01T11:00:00+00:00",
        "expires_at": "2026-03-02T11:00:00+00:00",
        "reasons": ["x"],
    }
