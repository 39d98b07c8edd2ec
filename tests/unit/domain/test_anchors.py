"""Anchors: a fixed version, or the champion some promotions ago."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_registry.domain.anchors import anchor_number, read_anchor
from airflow_registry.domain.names import Reference
from airflow_registry.domain.promotion import Holding
from airflow_registry.domain.rules import Anchor
from airflow_registry.domain.stage import Stage
from airflow_registry.errors import InvalidInputError

AGO = [Anchor(promotions_ago=count) for count in range(5)]


def change(number, before, after):
    return Holding(number=number, from_stage=Stage(before), to_stage=Stage(after))


def promoted(number):
    return change(number, "DEVELOPMENT", "PRODUCTION")


@given(st.lists(st.integers(1, 50), min_size=1, unique=True), st.integers(1, 60))
def test_so_many_promotions_ago_is_counted_back_from_the_champion(numbers, ago):
    history = [promoted(number) for number in numbers]
    expected = numbers[-1 - ago] if ago < len(numbers) else numbers[0]
    assert anchor_number(history, Anchor(promotions_ago=ago)) == expected


def test_a_version_is_itself_whatever_happened():
    assert anchor_number([], Anchor(version=12)) == 12


def test_a_promotion_that_was_rolled_back_is_nobodys_measure():
    history = [promoted(1), promoted(2), promoted(3), change(2, "ARCHIVED", "PRODUCTION")]
    assert anchor_number(history, AGO[1]) == 1
    assert anchor_number(history, AGO[2]) == 1


def test_a_model_that_never_had_a_champion_has_no_anchor_counted_in_promotions():
    assert anchor_number([], AGO[1]) is None


def test_changes_that_do_not_touch_production_do_not_count():
    history = [promoted(1), change(9, "DEVELOPMENT", "SHADOW"), promoted(2), change(9, "SHADOW", "ARCHIVED")]
    assert anchor_number(history, AGO[1]) == 1


def test_a_champion_that_was_archived_still_counts():
    assert anchor_number([promoted(1), promoted(2), change(2, "PRODUCTION", "ARCHIVED")], AGO[1]) == 1


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (12, Anchor(version=12)),
        ("12", Anchor(version=12)),
        ("v12", Anchor(version=12)),
        ("1 promotion ago", AGO[1]),
        (" 3 promotions ago ", AGO[3]),
        ({"version": 12}, Anchor(version=12)),
        ({"promotions_ago": "3"}, AGO[3]),
        ("lead:12", Reference.parse("lead:12")),
        ("lead@production", Reference.parse("lead@production")),
        (AGO[2], AGO[2]),
        (Reference.parse("lead:12"), Reference.parse("lead:12")),
    ],
)
def test_it_can_be_written_in_many_ways(given, expected):
    assert read_anchor(given) == expected


@pytest.mark.parametrize(
    "given", ["", "0 promotions ago", "yesterday", 0, True, None, 1.5, {}, {"version": 1, "promotions_ago": 2}, {"ago": 1}]
)
def test_what_is_no_anchor_is_refused_with_what_would_be_one(given):
    with pytest.raises(InvalidInputError, match="is no anchor. Expected"):
        read_anchor(given)


@pytest.mark.parametrize("given", ["{{ anchor }}", "lead:0", "no name!:3", "lead@nowhere"])
def test_what_is_nearly_one_is_refused(given):
    with pytest.raises(InvalidInputError):
        read_anchor(given)
