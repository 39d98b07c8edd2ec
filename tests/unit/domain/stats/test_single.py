"""Intervals of one version's metrics: against other implementations, against enumeration, and against simulated truth."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score, root_mean_squared_error

from airflow_registry.domain.stats.rows import Scored
from airflow_registry.domain.stats.single import intervals, wilson
from airflow_registry.errors import InvalidInputError

COUNTS = st.integers(1, 3000).flatmap(lambda rows: st.tuples(st.integers(0, rows), st.just(rows)))


def binary(rows=400, seed=0, *, strength=1.0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, rows)
    second = 1 / (1 + np.exp(-(strength * (labels - 0.5) + rng.normal(size=rows))))
    return labels, Scored(predictions=(second > 0.5).astype(np.int64), probabilities=np.column_stack([1 - second, second]))


@given(COUNTS, st.sampled_from([0.8, 0.95, 0.999]))
def test_wilson_is_scipys(counts, confidence):
    successes, rows = counts
    theirs = scipy_stats.binomtest(successes, rows).proportion_ci(confidence, method="wilson")
    assert wilson(successes, rows, confidence) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


@given(COUNTS)
def test_wilson_holds_the_share_and_stays_between_0_and_1(counts):
    low, high = wilson(*counts)
    assert 0 <= low <= counts[0] / counts[1] <= high <= 1


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
def test_wilson_covers_the_true_share_about_as_often_as_it_says(share):
    rows, covered = 200, 0.0
    for successes in range(rows + 1):
        low, high = wilson(successes, rows)
        covered += scipy_stats.binom.pmf(successes, rows, share) * (low <= share <= high)
    assert 0.93 <= covered <= 0.98


@pytest.mark.parametrize(
    ("metric", "successes", "rows"),
    [
        ("accuracy", 5, 8),
        ("error_rate", 3, 8),
        ("zero_one_loss", 3, 8),
        ("recall", 3, 4),
        ("tpr", 3, 4),
        ("fnr", 1, 4),
        ("fpr", 2, 4),
        ("precision", 3, 5),
        ("selection_rate", 5, 8),
    ],
)
def test_each_share_counts_the_rows_that_it_is_a_share_of(metric, successes, rows):
    labels = np.array([1, 1, 1, 1, 0, 0, 0, 0])
    said = Scored(predictions=np.array([1, 1, 1, 0, 1, 1, 0, 0]))
    found = intervals(metric, labels, said, seed=1)[-1]
    assert (found.low, found.high) == wilson(successes, rows)
    assert (found.method, found.confidence) == ("Wilson", 0.95)


@pytest.mark.parametrize(("metric", "value"), [("roc_auc", roc_auc_score), ("auc", roc_auc_score)])
def test_the_interval_of_an_auc_holds_it_and_has_delongs_width(metric, value):
    labels, said = binary()
    found = intervals(metric, labels, said, seed=1)[-1]
    auc = value(labels, said.probabilities[:, 1])
    assert 0 < found.low < auc < found.high < 1
    assert found.method == "DeLong"
    positives, negatives = (said.probabilities[labels == one, 1] for one in (1, 0))
    above = (positives[:, None] > negatives).astype(float)
    variance = above.mean(axis=1).var(ddof=1) / len(positives) + above.mean(axis=0).var(ddof=1) / len(negatives)
    half = 1.96 * math.sqrt(variance) / (auc * (1 - auc))
    logit = math.log(auc / (1 - auc))
    theirs = [1 / (1 + math.exp(-(logit + sign * half))) for sign in (-1, 1)]
    assert [found.low, found.high] == pytest.approx(theirs, abs=5e-4)  # Student's t instead of the normal


@pytest.mark.parametrize(("scores", "low", "high"), [([0.9, 0.8, 0.2, 0.1], 0.158114, 1.0), ([0.1, 0.2, 0.8, 0.9], 0.0, 0.841886)])
def test_an_auc_of_1_or_0_is_believed_as_far_as_its_pairs_of_rows_go(scores, low, high):
    said = Scored(predictions=np.zeros(4, dtype=np.int64), scores=np.array(scores))
    found = intervals("roc_auc", [1, 1, 0, 0], said, seed=1)[-1]
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-5)


def test_constant_scores_have_an_interval_around_one_half():
    said = Scored(predictions=np.zeros(6, dtype=np.int64), scores=np.ones(6))
    found = intervals("roc_auc", [1, 1, 1, 0, 0, 0], said, seed=1)[-1]
    assert found.low < 0.5 < found.high


def test_an_auc_near_1_with_hardly_any_spread_stays_inside():
    rng = np.random.default_rng(3)
    labels = np.repeat([0, 1], 2000)
    scores = labels + rng.normal(scale=0.2, size=4000)
    found = intervals("roc_auc", labels, Scored(predictions=labels, scores=scores), seed=1)[-1]
    assert 0.99 < found.low < found.high <= 1


@pytest.mark.parametrize(
    ("metric", "value"),
    [("log_loss", log_loss), ("brier_score", lambda y, p: brier_score_loss(y, p[:, 1]))],
)
def test_the_interval_of_a_mean_loss_holds_it_and_is_as_wide_as_its_standard_error(metric, value):
    labels, said = binary(2000)
    found = intervals(metric, labels, said, seed=1)[-1]
    mean = value(labels, said.probabilities)
    true = said.probabilities[np.arange(len(labels)), labels]
    losses = -np.log(true) if metric == "log_loss" else (1 - true) ** 2
    error = losses.std(ddof=1) / math.sqrt(len(labels))
    assert found.low < mean < found.high
    assert (found.high - found.low) / (2 * 1.96 * error) == pytest.approx(1, abs=0.12)
    assert found.method == "bootstrap"


def test_the_interval_of_a_rooted_loss_is_in_its_own_unit():
    rng = np.random.default_rng(5)
    labels = rng.normal(size=1000)
    said = Scored(predictions=labels + rng.normal(scale=3, size=1000))
    found = intervals("rmse", labels, said, seed=1)[-1]
    assert 2.7 < found.low < root_mean_squared_error(labels, said.predictions) < found.high < 3.3


def test_a_perfect_loss_is_not_below_zero():
    labels = np.arange(50.0)
    found = intervals("mae", labels, Scored(predictions=labels), seed=1)[-1]
    assert (found.low, found.high) == (0.0, 0.0)


def test_the_intervals_cover_the_truth_as_often_as_they_say():
    hits = {"roc_auc": 0, "log_loss": 0}
    labels, said = binary(200_000, seed=99)
    truth = {"roc_auc": roc_auc_score(labels, said.probabilities[:, 1]), "log_loss": log_loss(labels, said.probabilities)}
    for seed in range(120):
        sample = binary(300, seed=seed)
        for metric in hits:
            found = intervals(metric, *sample, seed=1)[-1]
            hits[metric] += found.low <= truth[metric] <= found.high
    assert all(104 <= count <= 119 for count in hits.values()), hits  # 95 % of 120 is 114, give or take 3 standard errors


def test_each_slice_has_what_its_rows_alone_would_have():
    labels, said = binary(300)
    codes = np.arange(300) % 3 - 1  # a third of the rows is in no slice
    for metric in ("accuracy", "roc_auc", "log_loss"):
        found = intervals(metric, labels, said, codes=codes, n_slices=2, seed=1)
        assert set(found) == {-1, 0, 1}
        for at in (0, 1):
            rows = codes == at
            alone = Scored(predictions=said.predictions[rows], probabilities=said.probabilities[rows])
            own = intervals(metric, labels[rows], alone, seed=1)[-1]
            assert (found[at].low, found[at].high) == pytest.approx((own.low, own.high), rel=0.1)


@pytest.mark.parametrize("metric", ["f1", "average_precision", "costs:per_flight"])
def test_a_metric_without_a_method_has_no_interval(metric):
    assert intervals(metric, *binary(), codes=np.zeros(400, dtype=int), n_slices=1, seed=1) == {-1: None, 0: None}


@pytest.mark.parametrize("metric", ["roc_auc", "log_loss", "brier_score"])
def test_a_version_that_gave_no_scores_has_no_interval(metric):
    labels, said = binary()
    assert intervals(metric, labels, Scored(predictions=said.predictions), seed=1) == {-1: None}


@pytest.mark.parametrize("metric", ["accuracy", "roc_auc", "log_loss"])
def test_no_rows_have_no_interval(metric):
    empty = Scored(predictions=np.array([], dtype=np.int64), probabilities=np.zeros((0, 2)))
    assert intervals(metric, np.array([], dtype=np.int64), empty, seed=1) == {-1: None}


def test_one_class_has_no_auc_and_nothing_said_has_no_precision():
    said = Scored(predictions=np.zeros(4, dtype=np.int64), scores=np.arange(4.0))
    assert intervals("roc_auc", np.zeros(4, dtype=np.int64), said, seed=1) == {-1: None}
    assert intervals("precision", np.array([0, 1, 0, 1]), said, seed=1) == {-1: None}


def test_what_is_not_a_number_takes_the_interval_away():
    labels = np.array([0.0, 1.0, math.nan, 1.0])
    said = Scored(predictions=np.array([0, 1, 0, 1]), scores=np.array([0.1, 0.9, 0.3, math.nan]))
    assert intervals("accuracy", labels, said, seed=1) == {-1: None}
    assert intervals("roc_auc", labels, said, seed=1) == {-1: None}
    assert intervals("mae", labels, said, seed=1) == {-1: None}


def test_a_higher_confidence_is_a_wider_interval():
    labels, said = binary()
    for metric in ("accuracy", "roc_auc", "log_loss"):
        narrow, wide = (intervals(metric, labels, said, seed=1, confidence=confidence)[-1] for confidence in (0.8, 0.99))
        assert wide.low < narrow.low < narrow.high < wide.high
        assert (narrow.confidence, wide.confidence) == (0.8, 0.99)


def test_the_same_seed_gives_the_same_interval():
    labels, said = binary()
    one, two, other = (intervals("log_loss", labels, said, seed=seed)[-1] for seed in (1, 1, 2))
    assert one == two != other


def test_lengths_that_differ_are_refused():
    labels, said = binary()
    with pytest.raises(InvalidInputError, match="version's predictions"):
        intervals("accuracy", labels[:-1], said, seed=1)
    with pytest.raises(InvalidInputError, match="labels"):
        intervals("accuracy", 3, said, seed=1)


def test_wilson_is_symmetric():
    low, high = wilson(3, 10)
    assert (1 - high, 1 - low) == pytest.approx(wilson(7, 10))
    assert Fraction(low) < Fraction(3, 10) < Fraction(high)
