from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from airflow_registry.domain.promotion import Holding, previous_holder
from airflow_registry.domain.stage import Stage


def promoted(number):
    return Holding(number=number, from_stage=Stage.DEVELOPMENT, to_stage=Stage.PRODUCTION)


def rolled_back(number):
    return Holding(number=number, from_stage=Stage.ARCHIVED, to_stage=Stage.PRODUCTION)


def archived(number):
    return Holding(number=number, from_stage=Stage.PRODUCTION, to_stage=Stage.ARCHIVED)


def test_before_anybody_else_held_production_nobody_did():
    assert previous_holder([]) is None
    assert previous_holder([promoted(1)]) is None


def test_it_is_the_holder_before_and_not_the_number_before():
    assert previous_holder([promoted(2), promoted(7)]) == 2


def test_an_archived_champion_comes_back_itself():
    assert previous_holder([promoted(1), promoted(2), archived(2)]) == 2


def test_who_comes_back_after_being_archived_is_still_above_the_one_before():
    assert previous_holder([promoted(1), promoted(2), archived(2), rolled_back(2)]) == 1


def test_a_promotion_after_a_rollback_stands_on_the_one_that_was_brought_back():
    assert previous_holder([promoted(1), promoted(2), rolled_back(1), promoted(3)]) == 1


def test_a_rollback_to_somebody_the_history_does_not_know_starts_anew():
    assert previous_holder([promoted(1), rolled_back(9)]) is None


@given(st.lists(st.integers(1, 50), min_size=1, unique=True))
def test_rolling_back_again_and_again_is_the_history_backwards(numbers):
    changes, seen = [promoted(number) for number in numbers], []
    while (found := previous_holder(changes)) is not None:
        changes.append(rolled_back(found))
        seen.append(found)
    assert seen == numbers[-2::-1]


def test_what_was_recalled_does_not_come_back():
    changes = [promoted(1), promoted(2), promoted(3)]
    assert previous_holder(changes, {2}) == 1
    assert previous_holder(changes, {3}) == 2
    assert previous_holder(changes, {1, 2}) is None
    assert previous_holder([*changes, archived(3)], {3}) == 2
