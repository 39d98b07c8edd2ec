"""Sections of rows, and what cannot be one version's answer."""

import numpy as np
import pytest

from airflow_registry.domain.stats.rows import Scored, Sections
from airflow_registry.errors import InvalidInputError

ANSWERS = np.array([0, 1, 1])


def test_sums_and_counts_are_by_slice_and_then_of_the_whole():
    sections = Sections.of(5, [0, 2, -1, 0, 2], 4)
    assert sections.counts().tolist() == [2, 0, 2, 0, 5]
    assert sections.counts(np.array([True, False, True, False, True])).tolist() == [1, 0, 1, 0, 3]
    assert sections.sums(np.array([1.0, 2.0, 4.0, 8.0, 16.0])).tolist() == [9, 0, 18, 0, 31]


def test_without_slices_there_is_the_whole_alone():
    for sections in (Sections.of(3), Sections.of(3, [-1, -1, -1], 0)):
        assert sections.counts().tolist() == [3]
        assert sections.counts(np.array([True, False, True])).tolist() == [2]
        assert sections.sums(np.array([1, 2, 3])).tolist() == [6]


@pytest.mark.parametrize("codes", [[0, 1], [0.0, 1.0, 1.0], [[0], [1], [1]], ["a", "b", "c"]])
def test_codes_that_are_not_one_integer_for_each_row_are_refused(codes):
    with pytest.raises(InvalidInputError, match="must be 3 integers"):
        Sections.of(3, codes, 2)


@pytest.mark.parametrize("codes", [[0, 1, 2], [-2, 0, 1]])
def test_codes_of_slices_that_do_not_exist_are_refused(codes):
    with pytest.raises(InvalidInputError, match=r"from -1 to 1; found -?\d to \d"):
        Sections.of(3, codes, 2)


def test_no_rows_are_in_no_slice():
    assert Sections.of(0, np.array([], dtype=int), 2).counts().tolist() == [0, 0, 0]


def test_how_sure_of_class_one_is_the_score_or_the_probability_of_the_second_class():
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]])
    assert Scored(predictions=ANSWERS, probabilities=probabilities).class_one().tolist() == [0.1, 0.8, 0.5]
    assert Scored(predictions=ANSWERS, scores=ANSWERS * 7, probabilities=probabilities).class_one().tolist() == [0, 7, 7]
    assert Scored(predictions=ANSWERS, probabilities=np.ones((3, 3)) / 3).class_one() is None
    assert Scored(predictions=ANSWERS).class_one() is None


@pytest.mark.parametrize(
    ("scored", "what"),
    [
        (Scored(predictions=ANSWERS[:2]), "champion's predictions must be 3 numbers"),
        (Scored(predictions=np.array(["a", "b", "c"])), "champion's predictions must be 3 numbers"),
        (Scored(predictions=ANSWERS, scores=np.ones((3, 1))), "champion's scores must be 3 numbers"),
        (Scored(predictions=ANSWERS, probabilities=np.ones(3)), "champion's probabilities must be 3 rows of numbers"),
        (Scored(predictions=ANSWERS, probabilities=np.ones((3, 0))), "champion's probabilities must be 3 rows of numbers"),
    ],
)
def test_arrays_that_are_no_answer_about_the_rows_are_refused(scored, what):
    with pytest.raises(InvalidInputError, match=what):
        scored.check(3, "champion's")


def test_answers_about_every_row_are_accepted():
    Scored(predictions=ANSWERS).check(3, "champion's")
    Scored(predictions=ANSWERS, scores=ANSWERS, probabilities=np.ones((3, 2))).check(3, "champion's")
    Scored(predictions=ANSWERS[:0], probabilities=np.ones((0, 2))).check(0, "champion's")
