"""A fact about an installation, and what to do where it is not well."""

import pytest

from airflow_registry.domain.diagnosis import Diagnosis, Severity
from airflow_registry.errors import InvalidInputError


def test_only_a_problem_makes_a_command_fail():
    assert not Diagnosis.ok("clock", "It agrees.").is_problem
    assert not Diagnosis.warning("clock", "It is late.", "Wait.").is_problem
    assert Diagnosis.problem("clock", "It is an hour off.", "Set it.").is_problem


@pytest.mark.parametrize("remedy", [None, ""])
@pytest.mark.parametrize("severity", [Severity.WARNING, Severity.PROBLEM])
def test_what_is_not_well_says_what_to_do(severity, remedy):
    with pytest.raises(InvalidInputError, match="nothing about what to do"):
        Diagnosis(topic="clock", severity=severity, found="It is off.", remedy=remedy)


def test_machines_read_the_same_facts():
    assert Diagnosis.problem("check", "Its champion is old.", "Retrain.", subject="eta").to_json() == {
        "topic": "check",
        "subject": "eta",
        "severity": "problem",
        "found": "Its champion is old.",
        "remedy": "Retrain.",
    }
