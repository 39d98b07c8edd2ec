"""AUC and DeLong's test agree with the definition, tie by tie, on the whole and on slices."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from airflow_registry.domain.stats.auc import AucDifference, auc_differences
from airflow_registry.domain.stats.rows import Sections
from airflow_registry.domain.stats.student import upper_tail


def compared(labels, challenger, baseline, codes=None, n_slices=0, known=None):
    labels, challenger, baseline = np.asarray(labels), np.asarray(challenger, dtype=float), np.asarray(baseline, dtype=float)
    known = np.ones(len(labels), dtype=bool) if known is None else np.asarray(known)
    return auc_differences("roc_auc", labels == 1, (challenger, baseline), known, Sections.of(len(labels), codes, n_slices))


def by_definition(labels, challenger, baseline):
    """AUCs and the variance of their difference from every pair of a positive and a negative row."""
    labels = np.asarray(labels) == 1
    kernels = [
        (score[labels][:, None] > score[~labels]) + 0.5 * (score[labels][:, None] == score[~labels]) for score in (challenger, baseline)
    ]
    positive = np.cov([kernel.mean(axis=1) for kernel in kernels])
    negative = np.cov([kernel.mean(axis=0) for kernel in kernels])
    contrast = np.array([1, -1])
    parts = [contrast @ cov @ contrast / count for cov, count in ((positive, labels.sum()), (negative, (~labels).sum()))]
    return kernels[0].mean(), kernels[1].mean(), parts


@st.composite
def rows_with_ties(draw):
    count = draw(st.integers(4, 40))
    score = st.lists(st.integers(0, draw(st.integers(1, 30))), min_size=count, max_size=count)
    labels = draw(st.permutations([0, 0, 1, 1, *draw(st.lists(st.integers(0, 1), min_size=count - 4, max_size=count - 4))]))
    return np.array(labels), np.array(draw(score), dtype=float), np.array(draw(score), dtype=float)


@given(rows_with_ties())
def test_values_and_variance_are_those_of_the_definition(rows):
    labels, challenger, baseline = rows
    one = compared(*rows)[-1]
    first, second, parts = by_definition(labels, challenger, baseline)
    assert one.challenger == pytest.approx(first, abs=1e-12) == roc_auc_score(labels, challenger)
    assert one.baseline == pytest.approx(second, abs=1e-12)
    assert one.gain == pytest.approx(first - second, abs=1e-12)
    assert one.standard_error == pytest.approx(math.sqrt(max(0.0, sum(parts))), abs=1e-8)
    counts = [labels.sum(), len(labels) - labels.sum()]
    if one.standard_error:
        freedom = sum(parts) ** 2 / sum(part**2 / (count - 1) for part, count in zip(parts, counts, strict=True))
        assert one.freedom == pytest.approx(freedom, rel=1e-6)
        assert one.p_value(0.01) == pytest.approx(upper_tail((one.gain - 0.01) / one.standard_error, freedom), abs=1e-9)


@settings(max_examples=50)
@given(rows_with_ties(), st.integers(0, 1000), st.integers(1, 5))
def test_a_slice_is_compared_as_if_it_were_alone(rows, seed, n_slices):
    labels, challenger, baseline = rows
    codes = np.random.default_rng(seed).integers(-1, n_slices, len(labels))
    found = compared(*rows, codes=codes, n_slices=n_slices)
    assert list(found) == list(range(-1, n_slices))
    for at in range(n_slices):
        held = codes == at
        alone = compared(labels[held], challenger[held], baseline[held])[-1]
        assert (found[at] is None) == (alone is None)
        if alone is not None:
            assert found[at].rows == alone.rows
            assert found[at].positives == alone.positives
            assert found[at].identical == alone.identical
            for name in ("challenger", "baseline", "gain", "standard_error"):
                assert getattr(found[at], name) == pytest.approx(getattr(alone, name), abs=1e-9), name


@settings(max_examples=50)
@given(rows_with_ties(), st.floats(0.55, 0.999), st.floats(-0.9, 0.9))
def test_the_lower_limit_is_above_a_border_exactly_if_the_p_value_says_so(rows, confidence, border):
    one = compared(*rows)[-1]
    if abs(one.lower_limit(confidence) - border) > 1e-9:
        assert (one.lower_limit(confidence) > border) == (one.p_value(border) < 1 - confidence)


@settings(max_examples=50)
@given(rows_with_ties(), st.floats(0.51, 0.999), st.floats(0.51, 0.999))
def test_limits_are_ordered_and_swapped_roles_mirror_them(rows, first, second):
    labels, challenger, baseline = rows
    one, other = compared(*rows)[-1], compared(labels, baseline, challenger)[-1]
    low, high = sorted((first, second))
    assert one.lower_limit(high) <= one.lower_limit(low) <= one.gain <= one.upper_limit(low) <= one.upper_limit(high)
    assert one.upper_limit(high) == pytest.approx(-other.lower_limit(high), abs=1e-9)
    assert one.p_value(-0.1) <= one.p_value(0.0) <= one.p_value(0.1)
    assert 0 <= one.detectable(low, 0.8) <= one.detectable(high, 0.8)


@given(rows_with_ties())
def test_a_version_is_no_better_and_no_worse_than_itself(rows):
    labels, challenger, _ = rows
    one = compared(labels, challenger, challenger)[-1]
    assert (one.gain, one.standard_error, one.lower_limit(0.99), one.upper_limit(0.99), one.detectable(0.95)) == (0, 0, 0, 0, 0)
    assert one.p_value(0) == one.p_value(0.1) == 1.0
    assert one.p_value(-1e-9) == 0.0


def test_only_the_order_of_scores_counts():
    random = np.random.default_rng(2)
    labels, scores = random.integers(0, 2, 300), random.normal(size=(2, 300))
    plain, bent = compared(labels, *scores)[-1], compared(labels, np.exp(scores[0]), scores[1] * 1e-200)[-1]
    assert plain == bent


def test_two_perfect_versions_on_few_rows_prove_little():
    labels, challenger, baseline = [0, 0, 0, 1, 1, 1], [1, 2, 3, 4, 5, 6], [3, 2, 1, 6, 5, 4]
    one = compared(labels, challenger, baseline)[-1]
    assert (one.gain, one.standard_error, one.identical) == (0.0, 0.0, False)
    assert one.p_value(-0.01) == pytest.approx(0.99**3)
    assert one.p_value(-1) == 0.0
    assert one.p_value(-1.1) == 0.0
    assert one.p_value(0) == 1.0
    assert one.lower_limit(0.95) == pytest.approx(0.05 ** (1 / 3) - 1)
    assert one.detectable(0.95) == pytest.approx(1 - 0.05 ** (1 / 3))


def test_perfect_against_constant_on_two_rows_of_each_class_is_no_proof():
    one = compared([0, 0, 1, 1], [1, 2, 3, 4], [1, 1, 1, 1])[-1]
    assert (one.challenger, one.baseline, one.standard_error) == (1.0, 0.5, 0.0)
    assert one.p_value(0) == pytest.approx((1 / 1.5) ** 2)
    assert one.lower_limit(0.95) < 0


def test_a_gain_without_spread_is_not_taken_for_a_certain_one_because_of_rounding():
    labels = [1, 0, 1, 0, 1, 0]
    one = compared(labels, [2, 1, 4, 3, 6, 5], [1, 2, 3, 4, 5, 6])[-1]  # each row is on the right side of a third more
    assert one.gain == pytest.approx(1 / 3)
    assert one.standard_error == 0.0
    assert one.p_value(0) == pytest.approx((3 / 4) ** 3)
    assert one.lower_limit(0.95) < 0


@pytest.mark.parametrize("labels", [[], [1], [0], [0, 1], [1, 1, 1], [0, 0, 0], [0, 1, 1], [0, 0, 1]])
def test_fewer_than_two_rows_of_a_class_have_no_difference(labels):
    scores = np.arange(len(labels), dtype=float)
    assert compared(labels, scores, -scores) == {-1: None}
    codes = np.zeros(len(labels), dtype=int)
    assert compared(labels, scores, -scores, codes, 2) == {-1: None, 0: None, 1: None}


def test_an_unknown_score_spoils_its_sections_only():
    labels, scores = np.array([0, 1] * 6), np.arange(12.0)
    codes = np.array([0] * 6 + [1] * 6)
    found = compared(labels, scores, -scores, codes, 2, known=[True] * 11 + [False])
    assert found[-1] is found[1] is None
    assert found[0].rows == 6


def test_the_detectable_gain_is_that_of_the_normal_approximation_on_many_rows():
    one = AucDifference(
        metric="auc", rows=10_000, positives=5000, challenger=0.7, baseline=0.7, gain=0.0, standard_error=0.01, freedom=1e9, identical=False
    )
    assert one.detectable(0.95, 0.8) == pytest.approx((1.644854 + 0.841621) * 0.01, rel=1e-5)
    assert one.method_at(0.0) == one.method == "DeLong"
