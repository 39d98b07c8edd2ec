"""approve, reject, votes, waive, freeze, policy lock: what they do, and what they say."""

from __future__ import annotations

import json

import pytest
import yaml

from airflow_registry.domain.model import Lineage

RULES = [{"metric": "auc", "at_least": 0.5}]
ASKS = {"schema": 1, "model": "lead", "rules": [*RULES, {"approval": {"people": 2}}]}


@pytest.fixture
def policy(tmp_path):
    """Writes a policy file and returns its path."""

    def write(content, name="lead.yaml"):
        file = tmp_path / name
        file.write_text(yaml.safe_dump(content))
        return file

    return write


@pytest.fixture
def lead(registry):
    return registry.register("lead", metrics={"auc": 0.9}, lineage=Lineage(published_by="trainer"))


def test_two_people_approve_and_one_in_two_spellings_counts_once(registry, lead, policy, command, answer):
    file = policy(ASKS)
    assert command("approve", "lead:1", "--policy", file, "--by", "Approver", "--comment", "fine")[1].startswith(
        "Approver approved lead:1.\n"
    )
    assert (
        "Approver had approved lead:1 before; nothing was added." in command("approve", "lead:1", "--policy", file, "--by", "APPROVER")[1]
    )
    assert command("decide", "lead:1", "--policy", file)[0] == 1
    assert answer("approve", "lead:1", "--by", "checker")["policy_digest"] == registry.votes("lead", 1)[0].policy_digest
    assert command("decide", "lead:1", "--policy", file)[0] == 0
    found = answer("votes", "lead:1")["votes"]
    assert [(vote["person"], vote["choice"], vote["comment"], vote["counts"]) for vote in found] == [
        ("Approver", "approve", "fine", True),
        ("checker", "approve", None, True),
    ]


def test_a_reject_replaces_an_approval(registry, lead, policy, command, answer):
    file = policy(ASKS)
    for verb in ("approve", "reject"):
        command(verb, "lead:1", "--policy", file, "--by", "approver")
    assert [vote["counts"] for vote in answer("votes", "lead:1")["votes"]] == [False, True]
    out = command("votes", "lead:1")[1]
    assert "replaced" in out
    assert "reject" in out
    assert "Nobody has voted" in command("votes", "lead:1", "--database", fresh(command, registry))[1]


def fresh(command, registry):
    """Another registry with a version."""
    url = registry.core.store.address.replace("registry.db", "other.db")
    command("db", "upgrade", "--database", url)
    command("register", "lead", "--database", url)
    return url


def test_an_author_is_refused_with_the_reason(lead, policy, command):
    code, _, err = command("approve", "lead:1", "--policy", policy(ASKS), "--by", "TRAINER")
    assert code == 1
    assert "nobody approves or waives his own work" in err


def test_the_process_s_user_votes_by_default(registry, lead, policy, answer):
    anybody = {**ASKS, "rules": [*RULES, {"approval": {"not_the_author": False}}]}
    assert answer("reject", "lead:1", "--policy", policy(anybody))["person"] == registry.core.user


def test_a_rule_is_waived_listed_and_withdrawn(registry, lead, policy, command, answer):
    file = policy({"rules": [{"metric": "auc", "at_least": 0.95}, *RULES]})
    command("decide", "lead:1", "--policy", file)
    wanted = ("waive", "lead:1", "--rule", "auc at least 0.95", "--reason", "holidays", "--by", "approver")
    code, out, _ = command(*wanted, "--expires", "7d")
    assert (code, out.startswith("The rule 'auc at least 0.95' is waived for lead:1 until ")) == (0, True)
    assert command("decide", "lead:1", "--policy", file)[0] == 0
    (waiver,) = answer("waivers", "lead")["waivers"]
    assert (waiver["rule"], waiver["person"], waiver["reason"], waiver["withdrawn_at"]) == (
        "auc at least 0.95",
        "approver",
        "holidays",
        None,
    )
    assert answer("waivers", "lead:1")["waivers"] == [waiver]
    assert "holidays" in command("waivers", "lead")[1]
    assert command("unwaive", waiver["uid"], "--reason", "rows are here", "--by", "checker")[0] == 0
    assert command("decide", "lead:1", "--policy", file)[0] == 1
    assert answer("waivers", "lead")["waivers"][0]["withdrawn_at"] is not None
    for expires in ("91d", "2001-01-01", "soon"):
        assert command(*wanted, "--expires", expires)[0] == 1


def test_a_lock_holds_and_another_one_waits_for_a_second_person(registry, lead, policy, command, answer):
    first, second = policy(ASKS), policy({"rules": RULES}, "other.yaml")
    assert (
        "is promoted only by the policy sha256:" in command("policy", "lock", "lead", first, "--by", "approver", "--reason", "reviewed")[1]
    )
    assert "checker proposes that lead is promoted by the policy" in command("policy", "lock", "lead", second, "--by", "checker")[1]
    assert command("decide", "lead:1", "--policy", second)[0] == 1
    assert answer("policy", "lock", "lead", second, "--by", "cy")["is_effective"]
    assert command("decide", "lead:1", "--policy", second)[0] == 0
    assert "cy proposes that lead is unlocked" in command("policy", "unlock", "lead", "--by", "cy")[1]
    assert "may be promoted by any policy" in command("policy", "unlock", "lead", "--by", "dee", "--reason", "retired")[1]
    listed = answer("policy", "locks", "lead")
    assert [(lock["by"], lock["is_effective"]) for lock in listed["locks"]] == [
        ("approver", True), ("checker", False), ("cy", True), ("cy", False), ("dee", True),
    ]  # fmt: skip
    assert listed["locked_policy"] is None
    assert "reviewed" in command("policy", "locks", "lead")[1]


def test_a_frozen_model_is_not_promoted_until_it_is_unfrozen(lead, policy, command, answer):
    file = policy({"rules": RULES})
    assert (
        "is not promoted automatically until " in command("freeze", "lead", "--until", "7d", "--reason", "closing", "--by", "approver")[1]
    )
    assert answer("policy", "locks", "lead")["frozen_reason"] == "closing"
    assert command("decide", "lead:1", "--policy", file)[0] == 1
    assert command("unfreeze", "lead", "--reason", "done")[0] == 0
    assert command("decide", "lead:1", "--policy", file)[0] == 0


@pytest.mark.parametrize("arguments", [("freeze", "lead", "--until", "7d"), ("waive", "lead:1", "--rule", "x"), ("unfreeze", "lead")])
def test_what_needs_a_reason_says_so(lead, command, arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        command(*arguments)
    assert "--reason" in capsys.readouterr().err


def test_the_documents_are_json(lead, policy, command):
    command("approve", "lead:1", "--policy", policy(ASKS), "--by", "approver")
    for arguments in (("votes", "lead:1"), ("waivers", "lead"), ("policy", "locks", "lead")):
        assert json.loads(command(*arguments, "--json")[1])
