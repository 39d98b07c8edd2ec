"""Rules about what a version did, and about the champion's age."""

from datetime import timedelta

import pytest

from airflow_registry.domain.rules import Fresh, Shadow, Smoke
from airflow_registry.errors import InvalidPolicyError


def faults_of(kind, **arguments):
    with pytest.raises(InvalidPolicyError) as caught:
        kind(**arguments)
    return list(caught.value.faults)


@pytest.mark.parametrize(
    ("rule", "shown", "written"),
    [
        (Fresh(champion_not_older_than="30d"), "champion not older than 30d", {"champion_not_older_than": "30d"}),
        (Fresh(champion_not_older_than=timedelta(weeks=2)), "champion not older than 2w", {"champion_not_older_than": "2w"}),
        (
            Smoke(loads_within="60s", predicts_rows=10),
            "loads within 1m, predicts_rows 10",
            {"loads_within": "1m", "predicts_rows": 10},
        ),
        (
            Smoke(loads_within=timedelta(seconds=90)),
            "loads within 90s, predicts_rows 1",
            {"loads_within": "90s", "predicts_rows": 1},
        ),
        (
            Shadow(partitions=5, agreement=0.97),
            "shadow of 5 partitions, agreement 0.97",
            {"shadow": {"partitions": 5, "agreement": 0.97}},
        ),
        (
            Shadow(partitions=5, agreement=0.5, within="14d"),
            "shadow of 5 partitions, agreement 0.5, within 2w",
            {"shadow": {"partitions": 5, "agreement": 0.5, "within": "2w"}},
        ),
        (Shadow(partitions=1, agreement=1), "shadow of 1 partitions, agreement 1.0", {"shadow": {"partitions": 1, "agreement": 1.0}}),
    ],
    ids=["fresh", "fresh-weeks", "smoke", "smoke-one-row", "shadow", "shadow-within", "shadow-all"],
)
def test_they_print_and_write_themselves(rule, shown, written):
    assert str(rule) == shown
    assert rule.to_mapping() == written


@pytest.mark.parametrize(
    ("kind", "arguments", "path", "said"),
    [
        (Fresh, {"champion_not_older_than": None}, "champion_not_older_than", "missing. Write champion_not_older_than: 30d."),
        (Fresh, {"champion_not_older_than": 30}, "champion_not_older_than", "expected a duration such as 12h or 7d; found 30"),
        (Fresh, {"champion_not_older_than": "0d"}, "champion_not_older_than", "from 1s to 3650d"),
        (Fresh, {"champion_not_older_than": "a month"}, "champion_not_older_than", "found 'a month'"),
        (Smoke, {"loads_within": None}, "loads_within", "missing. Write loads_within: 60s."),
        (Smoke, {"loads_within": 60}, "loads_within", "expected a duration"),
        (Smoke, {"loads_within": "60s", "predicts_rows": 0}, "predicts_rows", "expected a whole number from 1; found 0"),
        (Smoke, {"loads_within": "60s", "predicts_rows": None}, "predicts_rows", "expected a whole number from 1; found None"),
        (Shadow, {"partitions": None, "agreement": 1}, "partitions", "missing. Write partitions: 5."),
        (Shadow, {"partitions": 0, "agreement": 1}, "partitions", "expected a whole number from 1"),
        (Shadow, {"partitions": 5, "agreement": 1, "within": 3}, "within", "expected a duration"),
        (Shadow, {"partitions": 5, "agreement": None}, "agreement", "missing. Write agreement: 0.97."),
        (Shadow, {"partitions": 5, "agreement": 97}, "agreement", "expected a share from 0 to 1; found 97"),
        (Shadow, {"partitions": 5, "agreement": -0.1}, "agreement", "expected a share from 0 to 1"),
        (Shadow, {"partitions": 5, "agreement": "97%"}, "agreement", "expected a number; found '97%'"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_path(kind, arguments, path, said):
    [fault] = faults_of(kind, **arguments)
    assert fault.startswith(f"{path}: ")
    assert said in fault


def test_all_faults_are_named_at_once():
    assert len(faults_of(Shadow, partitions=0, agreement=2)) == 2
    assert len(faults_of(Smoke, loads_within="x", predicts_rows="y")) == 2
