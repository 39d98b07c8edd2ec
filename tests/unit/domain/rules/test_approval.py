"""The rule that asks people."""

from datetime import timedelta

import pytest

from airflow_registry.domain.rules import Approval
from airflow_registry.errors import InvalidPolicyError


def test_one_person_who_is_no_author_is_what_it_asks_for_by_itself():
    rule = Approval()
    assert str(rule) == "approval by 1 person, not_the_author"
    assert rule.to_mapping() == {"approval": {"people": 1, "not_the_author": True}}


def test_it_prints_and_writes_itself():
    rule = Approval(people=2, not_the_author=False, groups={"risk": ["a.person", "b.person"], "law": ["c.person"]}, within="3d")
    assert str(rule) == "approval by 2 people, one of risk, one of law, within 3d"
    assert rule.to_mapping() == {
        "approval": {
            "people": 2,
            "not_the_author": False,
            "groups": {"risk": ["a.person", "b.person"], "law": ["c.person"]},
            "within": "3d",
        }
    }
    assert rule.groups == {"risk": ("a.person", "b.person"), "law": ("c.person",)}
    assert rule.within == timedelta(days=3)


def test_what_it_was_given_may_change_afterwards():
    members = ["a.person"]
    groups = {"risk": members}
    rule = Approval(groups=groups)
    members.append("b.person")
    groups["law"] = ["c.person"]
    assert rule.groups == {"risk": ("a.person",)}


@pytest.mark.parametrize(
    ("arguments", "path", "said"),
    [
        ({"people": 0}, "people", "expected a whole number from 1; found 0"),
        ({"people": None}, "people", "expected a whole number"),
        ({"people": "two"}, "people", "expected a whole number"),
        ({"not_the_author": "yes"}, "not_the_author", "expected true or false; found 'yes'"),
        ({"not_the_author": 1}, "not_the_author", "expected true or false"),
        ({"groups": ["risk"]}, "groups", "expected a mapping such as {risk: [first.person, second.person]}; found ['risk']"),
        ({"groups": None}, "groups", "expected a mapping"),
        ({"groups": {"risk": "a.person"}}, "groups.risk", "expected a list of people"),
        ({"groups": {"risk": []}}, "groups.risk", "expected a list of people"),
        ({"groups": {"risk": ["a.person", 7]}}, "groups.risk[1]", "name of a person as text; found 7. Quote it."),
        ({"groups": {"risk": ["a.person", " "]}}, "groups.risk[1]", "name of a person as text"),
        ({"groups": {"risk": ["a.person", "a.person"]}}, "groups.risk[1]", "'a.person' is given a second time"),
        ({"groups": {7: ["a.person"]}}, "groups", "name of a group as text; found 7"),
        ({"groups": {" ": ["a.person"]}}, "groups", "name of a group as text"),
        ({"within": 3}, "within", "expected a duration such as 12h or 7d; found 3"),
        ({"within": timedelta(0)}, "within", "from 1s to 3650d"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_path(arguments, path, said):
    with pytest.raises(InvalidPolicyError) as caught:
        Approval(**arguments)
    [fault] = caught.value.faults
    assert fault.startswith(f"{path}: ")
    assert said in fault


def test_all_faults_are_named_at_once():
    with pytest.raises(InvalidPolicyError) as caught:
        Approval(people=0, not_the_author=0, groups={"risk": [1, ""]}, within="x")
    assert [fault.partition(":")[0] for fault in caught.value.faults] == [
        "people",
        "not_the_author",
        "groups.risk[0]",
        "groups.risk[1]",
        "within",
    ]
