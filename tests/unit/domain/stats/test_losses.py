"""Losses of rows average to scikit-learn's metrics."""

import numpy as np
import pytest
from sklearn import metrics

from airflow_registry.domain.stats.losses import row_losses
from airflow_registry.domain.stats.rows import Scored

RANDOM = np.random.default_rng(3)
ROWS = 400


def classified(classes, kind=np.float64):
    labels = RANDOM.integers(0, classes, ROWS)
    probabilities = RANDOM.dirichlet(np.full(classes, 0.3), ROWS).astype(kind)
    return labels, Scored(predictions=probabilities.argmax(axis=1), probabilities=probabilities)


@pytest.mark.parametrize("kind", [np.float64, np.float32])
@pytest.mark.parametrize("classes", [2, 3, 7])
def test_log_loss_is_that_of_scikit_learn(classes, kind):
    labels, scored = classified(classes, kind)
    probabilities = scored.probabilities.copy()
    probabilities[0] = np.eye(classes)[(labels[0] + 1) % classes]  # certain, and wrong
    losses = row_losses("log_loss", labels, Scored(predictions=scored.predictions, probabilities=probabilities))
    expected = metrics.log_loss(labels, probabilities, labels=range(classes))
    assert losses.mean() == pytest.approx(expected, rel=1e-5 if kind is np.float32 else 1e-12)
    assert np.isfinite(losses).all()


@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("name", ["brier", "brier_score"])
def test_brier_score_is_that_of_scikit_learn(name, classes):
    labels, scored = classified(classes)
    probabilities = scored.probabilities[:, 1] if classes == 2 else scored.probabilities
    expected = metrics.brier_score_loss(labels, probabilities, labels=list(range(classes)))
    assert row_losses(name, labels, scored).mean() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mae", metrics.mean_absolute_error),
        ("mean_absolute_error", metrics.mean_absolute_error),
        ("mse", metrics.mean_squared_error),
        ("mean_squared_error", metrics.mean_squared_error),
        ("rmse", metrics.mean_squared_error),
        ("root_mean_squared_error", metrics.mean_squared_error),
    ],
)
def test_losses_of_numbers_are_those_of_scikit_learn(name, expected):
    labels, predictions = RANDOM.normal(size=(2, ROWS))
    assert row_losses(name, labels, Scored(predictions=predictions)).mean() == pytest.approx(expected(labels, predictions), rel=1e-12)


def test_losses_of_whole_numbers_do_not_wrap_around():
    labels, scored = np.array([0, 200], dtype=np.uint8), Scored(predictions=np.array([100, 0], dtype=np.uint8))
    assert row_losses("mae", labels, scored).tolist() == [100.0, 200.0]


@pytest.mark.parametrize("name", ["log_loss", "brier"])
def test_without_probabilities_there_is_no_loss(name):
    assert row_losses(name, np.array([0, 1]), Scored(predictions=np.array([0, 1]), scores=np.array([0.1, 0.9]))) is None


@pytest.mark.parametrize("name", ["log_loss", "brier"])
@pytest.mark.parametrize(
    ("label", "row"),
    [(1.0, [0.5, np.nan]), (0.0, [0.5, np.nan]), (2.0, [0.5, 0.5]), (-1.0, [0.5, 0.5]), (0.5, [0.5, 0.5]), (np.nan, [0.5, 0.5]),
     (1.0, [-0.5, 1.5]), (0.0, [1.0, np.inf]), (np.inf, [0.5, 0.5])],
)  # fmt: skip
def test_a_row_without_a_class_or_a_probability_has_no_loss(name, label, row):
    scored = Scored(predictions=np.array([0, 1]), probabilities=np.array([row, [0.2, 0.8]]))
    losses = row_losses(name, np.array([label, 1.0]), scored)
    assert np.isnan(losses[0])
    assert np.isfinite(losses[1])


def test_probabilities_that_are_whole_numbers_have_finite_losses():
    scored = Scored(predictions=np.array([0, 1]), probabilities=np.array([[1, 0], [1, 0]]))
    losses = row_losses("log_loss", np.array([0, 1]), scored)
    assert losses == pytest.approx([0, -np.log(np.finfo(float).eps)], abs=1e-12)
