"""Shadow runs: counts that add up, and what of them counts."""

import json
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from airflow_registry.domain.names import ModelName
from airflow_registry.domain.shadow import BINS, Agreement, ShadowComparison, Shadowed, ShadowReport
from airflow_registry.domain.stage import Stage

NOW = datetime(2026, 1, 1, tzinfo=UTC)
COUNTS = st.integers(0, 10**9)
SCORES = st.just(()) | st.lists(COUNTS, min_size=BINS, max_size=BINS).map(tuple)
AGREEMENTS = st.builds(
    Agreement, rows=COUNTS, agreeing=COUNTS, unmatched=COUNTS, scored=COUNTS, difference=COUNTS.map(float), champion_scores=SCORES,
    shadow_scores=SCORES,
)  # fmt: skip


def comparison(partition, *, champion=1, rows=10, agreeing=9, **counts):
    found = Agreement(rows=rows, agreeing=agreeing, **counts)
    return ShadowComparison(
        uid=f"{partition}{champion}", number=2, champion=champion, partition=partition, output=f"/out/.shadow/lead-v2/{partition}",
        kind="labels", agreement=found, at=NOW,
    )  # fmt: skip


def report(*comparisons, champion=1, failed=()):
    about = {"model": ModelName("lead"), "number": 2, "stage": Stage.SHADOW}
    return ShadowReport(**about, champion=champion, comparisons=comparisons, failed=failed)


@given(AGREEMENTS, AGREEMENTS, AGREEMENTS)
def test_counts_add_up_in_any_order(one, two, three):
    assert (one + two) + three == one + (two + three) == (three + one) + two
    assert one + Agreement() == one


def test_a_share_is_of_all_rows_that_one_of_the_two_scored():
    assert Agreement(rows=8, agreeing=8, unmatched=2).share == 0.8
    assert Agreement().share is None
    assert Agreement(scored=4, difference=1.0).mean_difference == 0.25
    assert Agreement(rows=4).mean_difference is None


def test_the_drift_of_scores_is_that_of_their_counts():
    even, odd = (50, 50, *[0] * (BINS - 2)), (90, 10, *[0] * (BINS - 2))
    assert Agreement(champion_scores=even, shadow_scores=even).score_drift == 0
    assert Agreement(champion_scores=even, shadow_scores=odd).score_drift > 0.5
    assert Agreement().score_drift is None
    assert Agreement(champion_scores=even, shadow_scores=(0,) * BINS).score_drift is None


def test_of_each_partition_the_newest_comparison_with_the_present_champion_counts():
    told = report(
        comparison("a", agreeing=1), comparison("b", champion=3), comparison("a", agreeing=8), comparison("c", rows=0, agreeing=0)
    )
    assert [one.partition for one in told.counting] == ["a", "c"]
    assert told.agreement == Agreement(rows=10, agreeing=8)
    assert told.shadowed == Shadowed(champion=1, partitions=1, rows=10, agreeing=8)


def test_without_a_champion_nothing_counts():
    assert report(comparison("a"), champion=None).shadowed == Shadowed()


def test_the_report_is_small_json():
    told = report(comparison("a", scored=10, difference=0.5), failed=("/out/.shadow/lead-v2/b",)).to_json()
    assert (told["ref"], told["partitions"], told["agreement"], told["mean_difference"]) == ("lead:2", 1, 0.9, 0.05)
    assert told["failed"] == ["/out/.shadow/lead-v2/b"]
    assert (told["comparisons"][0]["partition"], told["comparisons"][0]["at"]) == ("a", NOW)
    assert json.dumps(told, default=str)
