"""The limits of a new champion."""

from datetime import timedelta

import pytest

from airflow_registry.domain.rules import BurnIn, DriftLimit, LiveLimit
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


def test_limits_of_live_metrics_and_of_drift_print_and_write_themselves():
    burn_in = BurnIn(lasts="3d", live=LiveLimit(metric="accuracy", at_least=0.8), prediction_drift=DriftLimit(at_most=0.2))
    assert str(burn_in) == "burn-in for 3d: live accuracy at least 0.8, prediction_drift at most 0.2"
    assert burn_in.to_mapping() == {
        "for": "3d",
        "live": {"metric": "accuracy", "at_least": 0.8, "min_rows": 200},
        "prediction_drift": {"at_most": 0.2},
    }
    assert str(LiveLimit(metric="rmse", at_least=1, at_most=2, min_rows=1)) == "live rmse at least 1.0 and at most 2.0"


@pytest.mark.parametrize(
    ("kind", "arguments", "said"),
    [
        (LiveLimit, {"metric": "auc"}, "at_least: missing. Give at_least, at_most or both."),
        (LiveLimit, {"metric": "auc", "at_least": 2, "at_most": 1}, "at_least: 2.0 is above at_most: 1.0. No value can satisfy both."),
        (LiveLimit, {"metric": " ", "at_least": 2}, "metric: expected the name of a metric"),
        (LiveLimit, {"metric": "auc", "at_least": "x"}, "at_least: expected a number"),
        (LiveLimit, {"metric": "auc", "at_least": 1, "min_rows": 0}, "min_rows: expected a whole number from 1"),
        (DriftLimit, {"at_most": None}, "at_most: missing. Write at_most: 0.2."),
        (DriftLimit, {"at_most": -1}, "at_most: expected a number from 0"),
        (BurnIn, {"lasts": "3d", "live": {"metric": "auc"}}, "live: expected a LiveLimit"),
        (BurnIn, {"lasts": "3d", "prediction_drift": 0.2}, "prediction_drift: expected a DriftLimit"),
    ],
)
def test_a_limit_that_cannot_be_meant_is_refused(kind, arguments, said):
    with pytest.raises(InvalidPolicyError) as caught:
        kind(**arguments)
    assert caught.value.faults[0].startswith(said)


@pytest.mark.parametrize("limit", [{"failed_partitions": 0}, {"null_share": 0}, {"quarantine_share": 1}])
def test_one_limit_is_enough(limit):
    assert BurnIn(lasts="1h", **limit).to_mapping() == {"for": "1h", **limit}


def test_without_a_limit_it_would_watch_for_nothing():
    with pytest.raises(InvalidPolicyError) as caught:
        BurnIn(lasts="3d", cool_down="1d")
    [fault] = caught.value.faults
    assert (
        fault
        == "failed_partitions: missing. Give at least one limit: failed_partitions, null_share, quarantine_share, live, prediction_drift."
    )


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
