"""Fifty slices: what the gate says by chance alone, in the short form of docs/decisions/0007-slices-and-holm.md."""

import random
from collections import Counter

import pytest

from airflow_registry.domain.promotion import Ruling
from airflow_registry.domain.rules import Comparison
from tests.unit.domain.gate.cases import Normal, evidence, judge, only_reason

SLICES, ROWS, REPETITIONS = 50, 1000, 250
ERROR = (0.1 / ROWS) ** 0.5  # of the gain in accuracy, where two versions disagree on a tenth of the rows


def rulings(margin, *, one_slice=0.0, seed=1):
    """How often each ruling comes out; all slices are equal but one."""
    chance = random.Random(seed)
    rule = Comparison("accuracy", **margin, confidence=0.95, by="carrier")
    found = Counter()
    for _ in range(REPETITIONS):
        truth = [one_slice, *([0.0] * (SLICES - 1))]
        gains = {f"{at:02}": Normal(chance.gauss(gain, ERROR), ERROR, metric="accuracy") for at, gain in enumerate(truth)}
        found[only_reason(judge(rule, evidence=evidence(gains, by="carrier", metric_="accuracy"))).ruling] += 1
    return found


@pytest.mark.parametrize("margin", [{"no_worse_than": 0}, {"improve_by": 0}])
def test_an_equal_challenger_is_refused_at_most_five_percent_of_the_time(margin):
    assert rulings(margin)[Ruling.FAILED] <= 27  # the 99.9 % limit of a binomial with 250 tries and 5 %


def test_a_challenger_at_the_border_in_one_slice_is_approved_at_most_five_percent_of_the_time():
    assert rulings({"no_worse_than": 0.05}, one_slice=-0.05)[Ruling.PASSED] <= 27


def test_an_equal_challenger_passes_where_the_margin_leaves_room():
    assert rulings({"no_worse_than": 0.05})[Ruling.PASSED] >= 0.9 * REPETITIONS


def test_a_challenger_that_is_bad_for_one_slice_is_refused_where_rows_can_show_it():
    found = rulings({"no_worse_than": 0.05}, one_slice=-0.1)
    assert found[Ruling.FAILED] >= 0.9 * REPETITIONS
    assert not found[Ruling.PASSED]
