"""burn-in: the champion's first days, from a terminal."""

from __future__ import annotations

import json

import pytest

from airflow_registry.domain.ledger import Written

POLICY = {"rules": [{"metric": "auc", "at_least": 0.5}], "burn_in": {"for": "3d", "failed_partitions": 0, "quarantine_share": 0.05}}


@pytest.fixture
def watched(registry):
    """v2 is champion under a burn-in, after v1."""
    for number in (1, 2):
        registry.register("lead", metrics={"auc": 0.9})
        registry.promote("lead", number, decision=registry.decide("lead", number, policy=POLICY))
    return registry


@pytest.fixture
def broken(watched):
    intent = watched.open_output("/out/a", partition="a", model="lead", version=2)
    watched.commit_output(intent, Written(uri="/out/a", rows=900, quarantined=100))
    return watched


def test_a_champion_within_its_limits_is_shown_with_every_limit(watched, command, answer):
    code, out, err = command("burn-in", "lead")
    assert (code, err) == (0, "")
    assert "lead:2 is within its limits; its burn-in ends at" in out
    assert "quarantine_share at most 0.05" in out
    assert "inconclusive" in out
    found = answer("burn-in", "lead")
    assert list(found) == [
        "model", "version", "ref", "standing", "broken", "reasons", "promoted_at", "ends_at", "previous", "rolled_back", "promotion",
        "note",
    ]  # fmt: skip
    assert (found["standing"], found["broken"], found["promotion"]) == ("running", False, None)
    assert [reason["rule"] for reason in found["reasons"]] == ["failed_partitions at most 0", "quarantine_share at most 0.05"]


def test_a_broken_limit_is_exit_code_1_and_says_what_to_do_but_changes_nothing(broken, command):
    code, out, err = command("burn-in", "lead")
    assert (code, err) == (1, "")
    assert "100 of 1000 rows were set aside" in out
    assert "airflow-registry burn-in lead --apply" in out
    assert broken.production("lead").number == 2


def test_with_apply_the_previous_champion_comes_back(broken, command):
    code, out, err = command("burn-in", "lead", "--apply", "--json")
    found = json.loads(out)
    assert (code, found["rolled_back"], found["promotion"]["ref"], found["promotion"]["replaced"]) == (1, True, "lead:1", 2)
    assert err.startswith("Registry: ")
    assert broken.production("lead").number == 1
    assert command("burn-in", "lead", "--apply")[0] == 0


def test_with_apply_people_are_told_what_was_done(broken, command):
    code, out, _ = command("burn-in", "lead", "--apply")
    assert code == 1
    assert "lead was rolled back from v2 to v1." in out
    assert "--apply" not in out


def test_grace_and_enough_rows_can_be_said(watched, command):
    intent = watched.open_output("/out/a", partition="a", model="lead", version=2)
    assert command("burn-in", "lead")[0] == 0
    assert command("burn-in", "lead", "--grace", "0s")[0] == 1
    watched.commit_output(intent, Written(uri="/out/a", rows=10, quarantined=10))
    assert command("burn-in", "lead", "--min-rows", "21")[0] == 0
    assert command("burn-in", "lead", "--min-rows", "20")[0] == 1


def test_without_a_previous_champion_it_stays_exit_code_1_and_says_why(registry, command):
    registry.register("lead", metrics={"auc": 0.9})
    registry.promote("lead", 1, decision=registry.decide("lead", 1, policy=POLICY))
    registry.open_output("/out/a", partition="a", model="lead", version=1)
    code, out, _ = command("burn-in", "lead", "--grace", "0s", "--apply")
    assert code == 1
    assert "no other version held PRODUCTION before" in out
    assert registry.production("lead").number == 1


def test_a_champion_without_burn_in_has_nothing_to_show(registry, command):
    registry.register("lead")
    registry.promote("lead", 1, reason="x")
    code, out, _ = command("burn-in", "lead")
    assert (code, out) == (0, "lead:1 has no burn-in: it was not promoted by a policy with the key burn_in.\n")


def test_an_unknown_model_is_an_error(registry, command):
    code, _, err = command("burn-in", "churn")
    assert code == 1
    assert "There is no model 'churn'" in err
