"""Who is whom, and whose vote counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_registry.domain.people import (
    Choice,
    Standing,
    Vote,
    Waiver,
    aliases,
    approvals_of,
    authors_of,
    checked_person,
    is_author,
    last_votes,
    person_key,
    vote_ends_at,
)
from airflow_registry.domain.policy import Policy
from airflow_registry.domain.rules import Approval, Threshold
from airflow_registry.errors import InvalidInputError

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def vote(person, choice=Choice.APPROVE, minute=0):
    return Vote(person=person, choice=choice, at=NOON + timedelta(minutes=minute))


def test_of_one_person_the_last_vote_counts_whatever_the_case_and_the_blanks():
    votes = [vote("approver"), vote("checker"), vote(" APPROVER ", Choice.REJECT, 1)]
    assert [(last.person, last.choice) for last in last_votes(votes)] == [(" APPROVER ", "reject"), ("checker", "approve")]


@pytest.mark.parametrize("name", ["Approver One", "APPROVER@example.org", " approver ", "approver@elsewhere.example", "Approver One <x@y>"])
def test_an_author_is_known_by_each_name_that_git_knows(name):
    assert is_author(name, authors_of(["Approver One <approver@example.org>", None]))


@pytest.mark.parametrize("name", ["checker", "approver l", "example.org", "one", "<>"])
def test_somebody_else_is_no_author(name):
    assert not is_author(name, authors_of(["Approver One <approver@example.org>", "airflow", ""]))


def test_a_user_name_of_an_author_is_found_in_an_address():
    assert is_author("grace@example.org", authors_of(["grace"]))
    assert is_author("12345+grace@users.noreply.example", authors_of(["grace"]))


@given(st.text())
def test_no_name_is_lost_and_none_is_empty(name):
    found = aliases(name)
    assert (person_key(name) in found) == bool(person_key(name))
    assert "" not in found


@pytest.mark.parametrize("name", ["", " \t", None, 7, b"approver"])
def test_a_name_that_says_nothing_is_refused(name):
    with pytest.raises(InvalidInputError, match="name of a person"):
        checked_person(name)


def test_a_name_loses_the_blanks_around_it():
    assert checked_person("  Approver\tOne ") == "Approver One"


def test_a_waiver_holds_until_it_expires_or_is_withdrawn():
    waiver = Waiver(uid="w", rule="auc at least 0.7", number=1, person="approver", reason="few rows", expires_at=NOON)
    assert waiver.holds_at(NOON - timedelta(seconds=1))
    assert not waiver.holds_at(NOON)
    withdrawn = Waiver(uid="w", rule="r", number=1, person="approver", reason="x", expires_at=NOON, withdrawn_at=NOON - timedelta(days=1))
    assert not withdrawn.holds_at(NOON - timedelta(seconds=1))


def test_a_freeze_ends_by_itself():
    frozen = Standing(frozen_until=NOON)
    assert frozen.is_frozen_at(NOON - timedelta(seconds=1))
    assert not frozen.is_frozen_at(NOON)
    assert not Standing().is_frozen_at(NOON)


PLAIN = Threshold("auc", at_least=0.5)


def test_a_policy_asks_by_its_rules_or_for_a_first_model_without_one():
    two = Approval(people=2, within=timedelta(days=1))
    assert approvals_of(Policy(rules=(PLAIN,))) == ()
    assert approvals_of(Policy(rules=(PLAIN,), first_model="approval")) == (Approval(),)
    assert approvals_of(Policy(rules=(PLAIN, two), first_model="approval")) == (two,)


def test_a_vote_is_of_use_until_the_last_rule_has_ended():
    short, long = (Approval(within=timedelta(days=days)) for days in (1, 3))
    assert vote_ends_at([short, long], NOON) == NOON + timedelta(days=3)
    assert vote_ends_at([short, Approval()], NOON) is None
    assert vote_ends_at([short], None) is None
    assert vote_ends_at([], NOON) is None
