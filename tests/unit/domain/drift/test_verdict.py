"""Verdicts: drift is more than chance and more than the floor; too few rows are said to be too few."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_registry.domain.drift.bins import Bins, Feature, Profile
from airflow_registry.domain.drift.verdict import FeatureDrift, Limits, Verdict, excess, judge, judge_together, overall
from airflow_registry.errors import InvalidInputError

EDGES = tuple(range(1, 10))
EVEN = (1000,) * 10 + (0,)
SHIFTED = (400,) + (1000,) * 8 + (1600, 0)


def profile(**counts):
    return Profile(features={name: Feature(bins=Bins(edges=EDGES), counts=found) for name, found in counts.items()})


def only(counts, reference=EVEN, **limits):
    (found,) = judge(profile(x=reference), {"x": counts}, Limits(**limits))
    return found


def test_the_same_shares_are_stable():
    found = only(EVEN)
    assert found.verdict is Verdict.STABLE
    assert found.psi == pytest.approx(0)
    assert found.reason == f"x: PSI {found.psi:.3g}, within chance (up to {found.cutoff:.3g})."


def test_a_shift_is_drift_and_the_bin_that_changed_most_is_named():
    found = only(SHIFTED)
    assert found.verdict is Verdict.DRIFTED
    assert found.psi > 0.02 > found.cutoff
    assert found.reason.endswith("above 0.02. Most of it: below 1 is 4.0% of the rows, 10.0% in the reference.")


def test_what_is_sure_and_small_is_no_drift_unless_the_floor_is_lower():
    slightly = (1_050_000, 950_000) + (1_000_000,) * 8 + (0,)
    reference = (1_000_000,) * 10 + (0,)
    found = only(slightly, reference)
    assert found.verdict is Verdict.STABLE
    assert "too little to matter (up to 0.02)" in found.reason
    assert only(slightly, reference, floor=0).verdict is Verdict.DRIFTED


def test_what_is_large_and_not_sure_is_no_drift():
    found = only((9, 3, 5, 5, 8, 5, 2, 5, 5, 3, 0))
    assert found.verdict is Verdict.STABLE
    assert found.psi > 0.02
    assert "within chance" in found.reason


@pytest.mark.parametrize(
    ("counts", "verdict"),
    [((5,) * 10 + (0,), Verdict.STABLE), ((4,) + (5,) * 9 + (0,), Verdict.INSUFFICIENT), ((0,) * 11, Verdict.INSUFFICIENT)],
)
def test_five_rows_for_each_bin_are_needed(counts, verdict):
    assert only(counts).verdict is verdict


def test_too_few_rows_say_how_many_it_takes():
    found = only((1,) * 10 + (0,))
    assert (found.psi, found.cutoff) == (None, None)
    assert found.reason == (
        "x: too few rows to say. There are 10, against 10000 of the reference; 10 bins hold any, which takes 50 on both sides."
    )


def test_too_few_rows_of_the_reference_are_too_few():
    assert only(EVEN, reference=(1,) * 10 + (0,)).verdict is Verdict.INSUFFICIENT


def test_alpha_is_shared_by_the_features_that_have_enough_rows():
    reference = profile(a=EVEN, b=EVEN, c=EVEN)
    found = judge(reference, {"a": EVEN, "b": SHIFTED, "c": (1,) * 10 + (0,)}, Limits(alpha=0.05))
    assert [one.name for one in found] == ["b", "a", "c"]
    assert [one.features for one in found] == [2, 2, 2]
    assert found[1].cutoff > only(EVEN, alpha=0.05).cutoff
    assert found[1].cutoff == only(EVEN, alpha=0.025).cutoff


def test_a_feature_that_was_not_counted_is_not_judged():
    assert judge(profile(a=EVEN, b=EVEN), {"b": EVEN, "unknown": EVEN}, Limits())[0].name == "b"


def test_any_drift_is_drift_and_nothing_known_is_nothing_said():
    drifted, stable, few = only(SHIFTED), only(EVEN), only((0,) * 11)
    assert overall([stable, drifted, few]) is Verdict.DRIFTED
    assert overall([few, stable]) is Verdict.STABLE
    assert overall([few]) is overall([]) is Verdict.INSUFFICIENT


def test_excess_is_how_often_the_limit_fits_in():
    assert excess(only((0,) * 11)) == 0
    assert excess(only(SHIFTED)) == pytest.approx(only(SHIFTED).psi / 0.02)
    one_bin = only((0,) * 10 + (100,), (0,) * 10 + (100,), floor=0)
    assert (one_bin.verdict, excess(one_bin)) == (Verdict.STABLE, 0)


@given(st.lists(st.integers(0, 500), min_size=11, max_size=11), st.floats(0, 1))
def test_a_higher_floor_never_makes_drift(counts, floor):
    low, high = only(tuple(counts), floor=floor), only(tuple(counts), floor=2 * floor)
    assert (low.verdict, high.verdict) != (Verdict.STABLE, Verdict.DRIFTED)
    assert low.psi == high.psi


@pytest.mark.parametrize(
    "limits", [{"alpha": 0}, {"alpha": 1}, {"alpha": float("nan")}, {"floor": -0.1}, {"ignore": "month"}, {"floor": float("inf")}]
)
def test_limits_that_mean_nothing_are_refused(limits):
    with pytest.raises(InvalidInputError, match=next(iter(limits))):
        Limits(**limits)


def test_a_verdict_is_small_json():
    body = only(SHIFTED).to_json()
    assert body["verdict"] == "drifted"
    assert set(body) == set(FeatureDrift.__slots__)


def test_what_differs_by_its_nature_is_not_judged_and_takes_no_share_of_alpha():
    found = judge(profile(a=EVEN, month=EVEN), {"a": EVEN, "month": SHIFTED}, Limits(ignore=("month",)))
    assert [(one.name, one.features) for one in found] == [("a", 1)]


def test_several_references_share_one_alpha():
    found = judge_together([(profile(a=EVEN), {"a": EVEN}), (profile(b=EVEN), {"b": EVEN}), (Profile(), {})], Limits(alpha=0.02))
    assert [[(one.name, one.features) for one in each] for each in found] == [[("a", 2)], [("b", 2)], []]
    assert found[0][0].cutoff == only(EVEN, alpha=0.01).cutoff
