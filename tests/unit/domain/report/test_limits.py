"""What a reader must know: each limit is said where it applies, and nowhere else."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import pytest

from airflow_registry.domain.audit import AuditHead
from airflow_registry.domain.audit_report import AuditRecord
from airflow_registry.domain.ledger import UnrecordedUse
from airflow_registry.domain.model import Dataset, Lineage
from airflow_registry.domain.people import Standing, Waiver
from airflow_registry.domain.promotion import Outcome, Reason
from airflow_registry.domain.report import AuditTrail, ScoringRecord, limits
from airflow_registry.domain.stage import Stage
from airflow_registry.domain.stats.single import Interval
from tests.unit.domain.report.facts import HOLDOUT, LEAD, NOW, TRAINING, decided, evaluated, moved, report, version, with_artifact

INTERVAL = Interval(low=0.8, high=0.95, confidence=0.95, method="DeLong")
VALUES = {2: {"": {"auc": 0.9}, "c=A": {"auc": 0.8}}, 1: {"": {"auc": 0.85}}}
GOOD = evaluated(VALUES, interval=INTERVAL)


def said(**facts):
    return limits(report(**{"evaluations": (GOOD,), **facts}))


def test_nothing_is_said_of_a_version_with_nothing_to_say_of():
    assert said() == ()


@pytest.mark.parametrize(
    ("evaluations", "sentence"),
    [
        ((), "No evaluation is recorded: nothing is known of the quality of this version."),
        ((replace(GOOD, evaluation=replace(GOOD.evaluation, source="recorded")),), "Every metric was handed in by other code"),
        ((evaluated(VALUES, interval=INTERVAL, data=None),), "data that nobody named cannot be compared with others"),
        ((evaluated(VALUES, interval=INTERVAL, data=Dataset("x")),), "'x' cannot be compared with others: the digest"),
        ((evaluated(VALUES, interval=INTERVAL, data=TRAINING),), "'leads' used data that the version was trained on"),
        ((evaluated({2: VALUES[2]}, interval=INTERVAL),), "holds no other version"),
        ((evaluated(VALUES, interval=INTERVAL, uses=20),), "'holdout' have been used for 20 decisions"),
        ((evaluated({2: {"": {"auc": 0.9}}, 1: {"c=A": {"auc": 0.9}}}, interval=INTERVAL),), "has no slices"),
        (
            (evaluated(VALUES, interval=INTERVAL, rows=199),),
            "1 of 1 slices of 'holdout' have fewer than 200 rows, too few to judge them: c=A.",
        ),
        (
            (evaluated({2: {"": {"auc": math.nan}, "c=A": {"auc": 1}}, 1: {}}),),
            "Not a finite number on 'holdout', or on some of its slices: auc",
        ),
        (
            (evaluated(VALUES, problem="The rows are gone."),),
            "Without an interval on 'holdout', so that nobody knows how far off by luck: auc. The",
        ),
        ((evaluated(VALUES),), "how far off by luck: auc."),
    ],
)
def test_what_the_evaluation_lacks_is_said(evaluations, sentence):
    [limit] = said(evaluations=evaluations)
    assert sentence in limit


def test_data_that_were_used_seldom_are_no_limit():
    assert said(evaluations=(evaluated(VALUES, interval=INTERVAL, uses=19),)) == ()


def test_a_slice_with_just_enough_rows_is_no_limit():
    assert said(evaluations=(evaluated(VALUES, interval=INTERVAL, rows=200),)) == ()


def test_a_slice_is_small_by_the_policys_own_measure():
    policy = {"rules": [{"metric": "auc", "by": "c", "min_rows": 1001, "at_least": 0.5}, {"require": ["digest"]}]}
    [limit] = said(decisions=(decided(policy=policy),))
    assert "fewer than 1001 rows" in limit


def test_many_small_slices_are_counted_and_a_few_named():
    many = {2: {"": {"auc": 0.9}, **{f"c={at}": {"auc": 0.8} for at in range(10_000)}}, 1: {}}
    [limit] = said(evaluations=(evaluated(many, interval=INTERVAL, rows=5),))
    assert "10000 of 10000 slices" in limit
    assert limit.endswith("c=0, c=1, c=2, c=3, c=4 and 9,995 more.")


def test_an_evaluation_that_is_only_mentioned_has_no_limits():
    assert said(evaluations=(GOOD, evaluated({2: {}}, data=None, detailed=False))) == ()


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"decisions": ()}, "The gate has never judged this version."),
        ({"decisions": (decided(Outcome.INCONCLUSIVE),)}, "The newest decision of the gate is INCONCLUSIVE."),
        ({"decisions": (decided(expires_at=NOW),)}, "The approval expired at 2026-11-24 08:00 UTC."),
        ({"changes": (moved(decision=None, by="intruder"),)}, "It came into PRODUCTION without a decision of the gate (intruder)."),
        (
            {"decisions": (decided(reasons=[Reason(rule="r", passed=None, text="t")]),)},
            "Rules that compare with another version did not apply",
        ),
    ],
)
def test_what_the_gate_did_not_say_is_said(facts, sentence):
    [limit] = said(**facts)
    assert sentence in limit


def test_an_approval_that_holds_or_was_used_in_time_is_no_limit():
    assert said(decisions=(decided(expires_at=NOW + timedelta(seconds=1)),)) == ()
    assert said(decisions=(decided(expires_at=NOW),), version=version(stage=Stage.PRODUCTION)) == ()


def test_a_rollback_and_a_promotion_by_the_gate_are_no_overrides():
    assert said(changes=(moved(), moved(source=Stage.ARCHIVED, decision=None), moved(target=Stage.ARCHIVED, decision=None))) == ()


def test_waivers_are_named_as_long_as_they_hold():
    holds = Waiver(uid="w", rule="auc at least 0.9", number=2, person="intruder", reason="r", expires_at=NOW + timedelta(days=1))
    assert said(waivers=(holds,)) == ("Rules that a waiver lifts: auc at least 0.9 (by intruder).",)
    assert said(waivers=(replace(holds, expires_at=NOW),)) == ()
    assert said(waivers=(replace(holds, withdrawn_at=NOW),)) == ()


def test_a_freeze_is_named_as_long_as_it_holds():
    assert said(standing=Standing(frozen_until=NOW)) == ()
    [limit] = said(standing=Standing(frozen_until=NOW + timedelta(hours=1)))
    assert "no version is promoted automatically before 2026-11-24 09:00 UTC" in limit


@pytest.mark.parametrize(
    ("scoring", "sentence"),
    [
        ({"rows": 96, "quarantined": 4}, "4 of 100 rows (4 %) that it should have scored did not fit and were set aside."),
        ({"unfinished": 1}, "1 write was begun and never committed"),
        ({"unfinished": 2}, "2 writes were begun and never committed"),
        ({"unrecorded": (UnrecordedUse(model=LEAD, number=2, dag_id="d", run_id="r"),)}, "1 run was given this version"),
        ({"unrecorded": (UnrecordedUse(model=LEAD, number=2, dag_id="d", run_id="r"),) * 2}, "2 runs were given this version"),
    ],
)
def test_what_went_wrong_when_it_scored_is_said(scoring, sentence):
    [limit] = said(scoring=ScoringRecord(**scoring))
    assert sentence in limit


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"datasets": ()}, "What it was trained on is not recorded."),
        (
            {"datasets": (Dataset("a"), Dataset("b"), TRAINING)},
            "Training data without a digest, so that nobody can show that they are still the",
        ),
        ({"signature": None}, "It has no signature"),
        ({"lineage": Lineage()}, "Not recorded: git commit."),
        ({"origin": {"registry": "x"}}, "It was copied from another registry"),
    ],
)
def test_what_the_version_lacks_is_said(facts, sentence):
    [limit] = said(version=version(**facts))
    assert sentence in limit


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"remote_path": "", "is_stored": False}, "It has no artifact: only facts about it are registered."),
        ({"is_stored": False}, "Its bytes are kept elsewhere"),
        ({"format": "pickle"}, "Loading its format (pickle) runs code"),
    ],
)
def test_what_its_bytes_cannot_promise_is_said(facts, sentence):
    [limit] = limits(replace(with_artifact(**facts), evaluations=(GOOD,)))
    assert sentence in limit


def test_an_owner_that_nobody_named_is_said():
    bare = report(evaluations=(GOOD,))
    [limit] = limits(replace(bare, model=replace(bare.model, purpose=None, owner="", risk_tier=None)))
    assert limit == "Not recorded: purpose, owner, risk tier."


@pytest.mark.parametrize(("anchored", "count"), [(None, 0), (7, 0), (6, 1), (0, 1)])
def test_entries_about_the_version_behind_the_last_anchor_are_said(anchored, count):
    entry = AuditRecord(
        seq=7, at=NOW, deployment="d", actor="approver", action="decide", subject="lead:2", body={}, text=None, is_erased=False, hash="h"
    )
    trail = AuditTrail(entries=(entry,), earlier=0, head=AuditHead(seq=9, hash="h"), anchored_to=anchored)
    assert len([limit for limit in said(audit=trail) if "anchored" in limit]) == count


def test_the_gravest_comes_first():
    found = limits(report(evaluations=(), decisions=(), version=version(datasets=(), signature=None)))
    assert ["No evaluation" in found[0], "never judged" in found[1], "trained on" in found[2]] == [True, True, True]
    assert HOLDOUT.name not in " ".join(found)
