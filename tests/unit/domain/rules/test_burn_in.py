"""The limits of a new champion."""

from datetime import timedelta

import pytest

from airflow_registry.domain.rules import BurnIn
from airflow_registry.errors import InvalidPolicyError


def test_it_prints_and_writes_itself():
    burn_in = BurnIn(lasts="3d", failed_partitions=0, null_share=0.01, quarantine_share=0.05, cool_down=timedelta(days=7))
    assert str(burn_in) == "burn-in for 3d: failed_partitions 0, null_share 0.01, quarantine_share 0.05, cool_down 1w"
    assert burn_in.to_mapping() == {
        "for": "3d",
        "failed_partitions": 0,
        "null_share": 0.01,
        "quarantine_share": 0.05,
        "cool_down": "1w",
    }
    assert burn_in.lasts == timedelta(days=3)


@pytest.mark.parametrize("limit", [{"failed_partitions": 0}, {"null_share": 0}, {"quarantine_share": 1}])
def test_one_limit_is_enough(limit):
    assert BurnIn(lasts="1h", **limit).to_mapping() == {"for": "1h", **limit}


def test_without_a_limit_it_would_watch_for_nothing():
    with pytest.raises(InvalidPolicyError) as caught:
        BurnIn(lasts="3d", cool_down="1d")
    [fault] = caught.value.faults
    assert fault == "failed_partitions: missing. Give at least one limit: failed_partitions, null_share, quarantine_share."


@pytest.mark.parametrize(
    ("arguments", "path", "said"),
    [
        ({"lasts": None}, "for", "missing. Say how long the new champion is watched, for example for: 3d."),
        ({"lasts": 3}, "for", "expected a duration such as 12h or 7d; found 3"),
        ({"lasts": "3 days"}, "for", "found '3 days'"),
        ({"failed_partitions": -1}, "failed_partitions", "expected a whole number from 0; found -1"),
        ({"failed_partitions": 0.5}, "failed_partitions", "expected a whole number"),
        ({"null_share": 1.01}, "null_share", "expected a share from 0 to 1; found 1.01"),
        ({"null_share": float("nan")}, "null_share", "expected a finite number"),
        ({"quarantine_share": True}, "quarantine_share", "expected a number; found True"),
        ({"cool_down": "soon"}, "cool_down", "expected a duration"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_path(arguments, path, said):
    with pytest.raises(InvalidPolicyError) as caught:
        BurnIn(**{"lasts": "3d", "failed_partitions": 0, **arguments})
    [fault] = caught.value.faults
    assert fault.startswith(f"{path}: ")
    assert said in fault
