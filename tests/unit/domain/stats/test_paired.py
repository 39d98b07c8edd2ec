"""Any metric, two versions, the same rows: the gain, its limits and its p-value, and None where there is none."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from airflow_registry.domain.metrics import known_goal
from airflow_registry.domain.stats.paired import TESTED, PairedDifference, paired_differences
from airflow_registry.domain.stats.rows import Scored
from airflow_registry.errors import InvalidInputError

ROWS = 600


def scored(random, labels, skill):
    latent = skill * labels + random.normal(size=len(labels))
    probability = 1 / (1 + np.exp(-latent))
    return Scored(
        predictions=(latent > skill / 2).astype(np.int64), scores=latent, probabilities=np.column_stack([1 - probability, probability])
    )


@pytest.fixture(scope="module")
def data():
    random = np.random.default_rng(11)
    labels = random.integers(0, 2, ROWS)
    return labels, scored(random, labels, 1.5), scored(random, labels, 1.0), random.integers(-1, 3, ROWS)


EXPECTED = {
    "accuracy": lambda y, s: metrics.accuracy_score(y, s.predictions),
    "error_rate": lambda y, s: metrics.zero_one_loss(y, s.predictions),
    "zero_one_loss": lambda y, s: metrics.zero_one_loss(y, s.predictions),
    "auc": lambda y, s: metrics.roc_auc_score(y, s.scores),
    "roc_auc": lambda y, s: metrics.roc_auc_score(y, s.scores),
    "brier": lambda y, s: metrics.brier_score_loss(y, s.probabilities[:, 1]),
    "brier_score": lambda y, s: metrics.brier_score_loss(y, s.probabilities[:, 1]),
    "log_loss": lambda y, s: metrics.log_loss(y, s.probabilities),
    "mae": lambda y, s: metrics.mean_absolute_error(y, s.predictions),
    "mean_absolute_error": lambda y, s: metrics.mean_absolute_error(y, s.predictions),
    "mean_squared_error": lambda y, s: metrics.mean_squared_error(y, s.predictions),
    "mse": lambda y, s: metrics.mean_squared_error(y, s.predictions),
    "rmse": lambda y, s: metrics.root_mean_squared_error(y, s.predictions),
    "root_mean_squared_error": lambda y, s: metrics.root_mean_squared_error(y, s.predictions),
}


@pytest.mark.parametrize("metric", sorted(TESTED))
def test_values_are_those_of_scikit_learn_on_the_whole_and_on_slices(metric, data):
    labels, challenger, baseline, codes = data
    found = paired_differences(metric, labels, challenger, baseline, codes=codes, n_slices=3, seed=1)
    assert sorted(found) == [-1, 0, 1, 2]
    sign = 1 if known_goal(metric) == "maximize" else -1
    for at, one in found.items():
        held = codes == at if at >= 0 else np.ones(ROWS, dtype=bool)
        values = [
            EXPECTED[metric](
                labels[held], Scored(predictions=s.predictions[held], scores=s.scores[held], probabilities=s.probabilities[held])
            )
            for s in (challenger, baseline)
        ]
        assert (one.challenger, one.baseline) == pytest.approx(values)
        assert one.gain == pytest.approx(sign * (values[0] - values[1]))
        assert (one.metric, one.rows) == (metric, held.sum())
        assert one.method in {"exact McNemar / Tango score", "DeLong", "paired bootstrap"}
        assert one.lower_limit(0.95) < one.gain < one.upper_limit(0.95)
        assert 0 < one.standard_error < one.detectable(0.95) < 1


def test_every_metric_that_can_be_tested_has_a_known_direction():
    assert sorted(EXPECTED) == sorted(TESTED)
    assert all(known_goal(metric) for metric in TESTED)


@pytest.mark.parametrize("metric", sorted(TESTED))
def test_the_same_input_gives_the_same_result(metric, data):
    labels, challenger, baseline, _ = data
    first, second = (paired_differences(metric, labels, challenger, baseline, seed=5)[-1] for _ in range(2))
    assert (first.p_value(0), first.lower_limit(0.9)) == (second.p_value(0), second.lower_limit(0.9))


@pytest.mark.parametrize("metric", sorted(TESTED))
@pytest.mark.parametrize("rows", [0, 1])
def test_no_row_or_one_row_passes_nothing(metric, rows):
    labels = np.ones(rows, dtype=int)
    good = Scored(predictions=labels, scores=labels, probabilities=np.tile([0.0, 1.0], (rows, 1)))
    bad = Scored(predictions=labels - 1, scores=labels - 1, probabilities=np.tile([1.0, 0.0], (rows, 1)))
    found = paired_differences(metric, labels, good, bad, codes=np.zeros(rows, dtype=int), n_slices=2, seed=1)
    assert sorted(found) == [-1, 0, 1]
    assert found[1] is None
    for at in (-1, 0):
        one = found[at]
        assert one is None or (one.p_value(0) > 0.4 and one.lower_limit(0.95) <= 0)


@pytest.mark.parametrize("metric", sorted(TESTED))
def test_a_version_never_passes_as_better_than_itself(metric, data):
    labels, challenger, _, codes = data
    for one in paired_differences(metric, labels, challenger, challenger, codes=codes, n_slices=3, seed=1).values():
        assert one.gain == 0
        assert one.p_value(0) == 1.0
        assert one.lower_limit(0.95) <= 0 <= one.upper_limit(0.95)
        assert one.p_value(-0.5) < 0.001


@pytest.mark.parametrize("metric", sorted(TESTED))
def test_a_row_that_is_not_a_number_spoils_its_sections_only(metric, data):
    labels, challenger, baseline, codes = data
    at = int(np.flatnonzero(codes == 1)[0])
    spoilt = [array.astype(float) for array in (labels, challenger.predictions, challenger.scores, challenger.probabilities)]
    for array in spoilt:
        array[at] = math.nan
    wrong = Scored(predictions=spoilt[1], scores=spoilt[2], probabilities=spoilt[3])
    for answers in ((labels, wrong, baseline), (labels, baseline, wrong), (spoilt[0], challenger, baseline)):
        found = paired_differences(metric, *answers, codes=codes, n_slices=3, seed=1)
        assert found[-1] is found[1] is None
        assert found[0] is not None


def test_without_what_a_metric_needs_there_is_no_difference(data):
    labels, challenger, baseline, codes = data
    bare = Scored(predictions=challenger.predictions)
    nothing = dict.fromkeys(range(-1, 3))
    for metric in ("roc_auc", "log_loss", "brier"):
        assert paired_differences(metric, labels, bare, baseline, codes=codes, n_slices=3, seed=1) == nothing
        assert paired_differences(metric, labels, challenger, bare, codes=codes, n_slices=3, seed=1) == nothing


def test_an_area_of_more_than_two_classes_is_not_defined(data):
    labels, challenger, baseline, _ = data
    assert paired_differences("roc_auc", np.where(labels == 1, 2, 0), challenger, baseline, seed=1) == {-1: None}


def test_without_slices_a_column_of_codes_is_not_looked_at(data):
    labels, challenger, baseline, codes = data
    assert list(paired_differences("accuracy", labels, challenger, baseline, codes=codes, seed=1)) == [-1]
    assert list(paired_differences("accuracy", labels, challenger, baseline, n_slices=2, seed=1)) == [-1]


def test_a_metric_without_a_test_is_refused_and_those_with_one_are_named(data):
    with pytest.raises(InvalidInputError, match=r"no test for a difference in 'f1'.*accuracy, auc, .* or zero_one_loss"):
        paired_differences("f1", *data[:3], seed=1)


def test_answers_about_other_rows_are_refused(data):
    labels, challenger, baseline, _ = data
    for arguments in ((labels[1:], challenger, baseline), (labels, challenger, Scored(predictions=labels[1:]))):
        with pytest.raises(InvalidInputError, match="must be 599|must be 600"):
            paired_differences("accuracy", *arguments, seed=1)
    for labels in (np.array(3), np.array(["a"] * ROWS)):
        with pytest.raises(InvalidInputError, match="labels must be"):
            paired_differences("accuracy", labels, challenger, baseline, seed=1)


ANY = st.one_of(st.floats(allow_nan=True, allow_infinity=True), st.sampled_from([0.0, 1.0, 0.5]))


@st.composite
def anything(draw):
    rows = draw(st.integers(0, 12))
    column = st.lists(ANY, min_size=rows, max_size=rows).map(lambda values: np.array(values, dtype=float))
    versions = [
        Scored(predictions=draw(column), scores=draw(column), probabilities=np.column_stack([draw(column), draw(column)])) for _ in range(2)
    ]
    codes = np.array(draw(st.lists(st.integers(-1, 2), min_size=rows, max_size=rows)), dtype=int)
    return draw(st.sampled_from(sorted(TESTED))), draw(column), *versions, codes


@given(anything(), ANY.filter(math.isfinite))
@settings(max_examples=100)
def test_no_input_raises_or_warns_and_what_comes_out_are_probabilities(given_, border):
    metric, labels, challenger, baseline, codes = given_
    found = paired_differences(metric, labels, challenger, baseline, codes=codes, n_slices=3, seed=1)
    one: PairedDifference | None
    for one in found.values():
        if one is not None:
            assert math.isfinite(one.gain)
            assert math.isfinite(one.standard_error)
            assert 0 <= one.p_value(border) <= 1
            assert not math.isnan(one.lower_limit(0.95))
            assert not math.isnan(one.upper_limit(0.95))
            assert one.detectable(0.95) >= 0
            assert one.lower_limit(0.95) <= 0 or one.p_value(0) < 0.05


@given(anything())
@settings(max_examples=40)
def test_swapped_roles_mirror_the_gain_and_the_limits(given_):
    metric, labels, challenger, baseline, codes = given_
    found = paired_differences(metric, labels, challenger, baseline, codes=codes, n_slices=3, seed=1)
    mirrored = paired_differences(metric, labels, baseline, challenger, codes=codes, n_slices=3, seed=1)
    for at, one in found.items():
        other = mirrored[at]
        assert (one is None) == (other is None)
        if one is not None:
            assert one.gain == pytest.approx(-other.gain)
            assert one.lower_limit(0.8) == pytest.approx(-other.upper_limit(0.8), rel=1e-6, abs=1e-9)
