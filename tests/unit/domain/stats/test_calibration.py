"""Scores by equal parts of [0, 1]."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from airflow_registry.domain.stats.calibration import score_bins
from airflow_registry.domain.stats.rows import Scored


def said(scores):
    scores = np.array(scores)
    return Scored(predictions=(scores > 0.5).astype(np.int64), scores=scores)


def test_every_row_is_in_one_part_and_the_curve_is_scikit_learns():
    rng = np.random.default_rng(0)
    scores = rng.random(500)
    labels = (rng.random(500) < scores).astype(np.int64)
    found = score_bins(labels, said(scores))
    assert len(found) == 10
    assert sum(part.rows for part in found) == 500
    assert sum(part.positives for part in found) == labels.sum()
    shares, means = calibration_curve(labels, scores, n_bins=10)
    assert [part.positives / part.rows for part in found] == pytest.approx(list(shares))
    assert [part.mean_score for part in found] == pytest.approx(list(means))


def test_a_score_at_a_border_belongs_to_the_part_that_begins_there_and_1_to_the_last():
    found = score_bins(np.array([0, 1, 1]), said([0.0, 0.5, 1.0]), bins=2)
    assert [(part.low, part.high, part.rows, part.positives, part.mean_score) for part in found] == [
        (0.0, 0.5, 1, 0, 0.0),
        (0.5, 1.0, 2, 2, 0.75),
    ]


def test_an_empty_part_has_no_mean():
    assert [part.mean_score for part in score_bins(np.array([0]), said([0.9]), bins=2)] == [None, 0.9]


@pytest.mark.parametrize("scores", [[-0.1, 0.5], [0.5, 1.1], [0.5, np.nan], []])
def test_what_is_no_probability_has_no_parts(scores):
    assert score_bins(np.zeros(len(scores), dtype=np.int64), said(scores)) == ()


def test_a_version_without_scores_has_no_parts():
    assert score_bins(np.array([0]), Scored(predictions=np.array([0]))) == ()
