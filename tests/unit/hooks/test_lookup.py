from __future__ import annotations

import pytest

from airflow_registry.errors import InvalidInputError
from airflow_registry.hooks.lookup import Wanted


@pytest.fixture
def filled(registry):
    for number in range(1, 4):
        registry.register("m", metrics={"auc": 0.5 + number / 10}, idempotency_key=str(number))
    registry.promote("m", 2, reason="the second is the best")
    return registry


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"version": 3}, 3),
        ({"version": "v3"}, 3),
        ({"version": 4}, None),
        ({"stage": "production"}, 2),
        ({"stage": "PRODUCTION", "min_version": "2"}, 2),
        ({"stage": "production", "min_version": 3}, None),
        ({"version": 2, "stage": "production"}, 2),
        ({"version": 3, "stage": "production"}, None),
        ({"version": 2, "stage": "None", "min_version": "None"}, 2),
    ],
)
def test_what_is_wanted_is_found_or_not_there_yet(filled, wanted, expected):
    found = Wanted.parse(model="m", **wanted).find(filled)
    assert (None if found is None else found.number) == expected


def test_a_model_that_was_never_registered_is_not_there_yet(registry):
    assert Wanted.parse(model="nobody", stage="production").find(registry) is None
    assert Wanted.parse(model="nobody", version=1).find(registry) is None


def test_one_must_say_what_to_wait_for():
    with pytest.raises(InvalidInputError, match="give version= or stage="):
        Wanted.parse(model="m", min_version=3)


@pytest.mark.parametrize("wrong", [{"version": "new"}, {"stage": "prod"}, {"stage": "production", "min_version": "x"}])
def test_what_cannot_be_read_is_refused_at_once(wrong):
    with pytest.raises(InvalidInputError):
        Wanted.parse(model="m", **wrong)


@pytest.mark.parametrize("wanted", [{"version": 3}, {"stage": "shadow", "min_version": 2}, {"version": 2, "stage": "production"}])
def test_what_is_wanted_survives_the_way_to_the_triggerer(wanted):
    parsed = Wanted.parse(model="m", **wanted)
    assert Wanted.parse(**parsed.to_json()) == parsed
