"""Rows that were changed past the registry contradict the entries that tell of them."""

from __future__ import annotations

import pytest

from airflow_registry.domain.audit import canonical, text_digest
from airflow_registry.domain.audit_state import (
    DECISIONS,
    EVALUATIONS,
    FREEZES,
    LOCKS,
    PROMOTIONS,
    VERSIONS,
    VOTES,
    WAIVERS,
    WITHDRAWALS,
    Champions,
    claims_of,
    contradiction,
    unnamed_evaluations,
)
from tests.unit.domain.chains import entry

PROMOTION = {"promotion": "p-1", "from": "DEVELOPMENT", "to": "PRODUCTION", "replaced": 2, "revision": 3, "decision": None}


def of(action, body, **facts):
    return entry(5, action=action, body=canonical(body), **facts)


def claim_of(told):
    [claim] = claims_of(told)
    return claim


@pytest.mark.parametrize(
    ("action", "body", "table", "uid", "names"),
    [
        ("vote", {"vote": "x-1", "choice": "approve", "policy": "p", "entered_by": "model_owner"}, VOTES, "x-1", {"choice", "policy"}),
        ("waive", {"waiver": "x-1", "rule": "r", "expires_at": "t"}, WAIVERS, "x-1", {"rule", "expires_at"}),
        ("withdraw_waiver", {"waiver": "x-1", "rule": "r"}, WITHDRAWALS, "x-1", {"rule"}),
        ("lock_policy", {"lock": "x-1", "policy": "p", "is_effective": True}, LOCKS, "x-1", {"policy", "is_effective"}),
        ("unlock_policy", {"lock": "x-1", "policy": None, "is_effective": True}, LOCKS, "x-1", {"policy", "is_effective"}),
        ("freeze", {"freeze": "x-1", "until": "t"}, FREEZES, "x-1", {"until"}),
        ("unfreeze", {"freeze": "x-1", "until": None}, FREEZES, "x-1", {"until"}),
        ("register", {"uid": "v-1", "digest": None, "remote_path": "", "metrics": "{}"}, VERSIONS, "v-1",
         {"digest", "remote_path", "metrics"}),
        ("import", {"uid": "v-1", "digest": None, "origin": {}}, VERSIONS, "v-1", {"digest"}),
        ("decide", {"decision": "d-1", "outcome": "REFUSED", "champion": None, "revision": 0}, DECISIONS, "d-1",
         {"outcome", "champion", "revision"}),
        ("promote", PROMOTION, PROMOTIONS, "p-1", set(PROMOTION) - {"promotion"}),
        ("automatic_rollback", PROMOTION, PROMOTIONS, "p-1", set(PROMOTION) - {"promotion"}),
        ("move", {"promotion": "p-1", "from": "SHADOW", "to": "ARCHIVED", "revision": None}, PROMOTIONS, "p-1", {"from", "to", "revision"}),
    ],
)  # fmt: skip
def test_an_entry_claims_what_its_body_says(action, body, table, uid, names):
    claim = claim_of(of(action, body))
    assert (claim.seq, claim.subject, claim.table, claim.uid, claim.digests) == (5, "lead:5", table, uid, {})
    assert claim.facts == {"ref": "lead:5", "by": "model_owner", **{name: body[name] for name in names}}


@pytest.mark.parametrize(
    ("action", "body"), [("evaluate", {"data": None}), ("import", {"rows": 3}), ("decide", {"uid": "x"}), ("move", {"promotion": 3})]
)
def test_an_entry_about_no_single_row_claims_nothing(action, body):
    assert claims_of(of(action, body)) == ()


# -- what has a digest ---------------------------------------------------------------------------------------------------------------
MEASURED = {"uid": "e-1", "digests": {"metrics": "sha256:1", "data": "sha256:2"}}


def test_a_registration_tells_of_a_version_and_of_its_evaluation():
    body = {"uid": "v-1", "digest": None, "metrics": '{"auc": 0.9}', "evaluation": MEASURED}
    version, evaluation = claims_of(of("register", body, text_digest=text_digest("because")))
    assert (version.table, version.digests, version.text_digest) == (VERSIONS, {}, text_digest("because"))
    assert (evaluation.seq, evaluation.subject, evaluation.table, evaluation.uid) == (5, "lead:5", EVALUATIONS, "e-1")
    assert (evaluation.facts, evaluation.digests, evaluation.text_digest) == ({"by": "model_owner"}, MEASURED["digests"], None)
    assert len(claims_of(of("register", {**body, "evaluation": None}))) == 1


def test_an_evaluation_of_its_own_entry_is_told():
    claim = claim_of(of("evaluate", {"data": None, "evaluation": MEASURED}))
    assert (claim.table, claim.uid, claim.digests) == (EVALUATIONS, "e-1", MEASURED["digests"])


@pytest.mark.parametrize("damage", ["x", 3, [], {"uid": 3}, {}])
def test_an_evaluation_that_somebody_has_damaged_in_its_entry_is_no_error(damage):
    assert claims_of(of("evaluate", {"evaluation": damage})) == ()
    assert claim_of(of("decide", {"decision": "d-1", "digests": damage})).uid == "d-1"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"reasons": "x"}, "its reasons are other ones (entry 5)"),
        ({"basis": "x"}, "its basis is another one (entry 5)"),
        ({"data": "x"}, "its data are other ones (entry 5)"),
        ({"facts": "x"}, "other facts of it are not what they were (entry 5)"),
        ({"reasons": "x", "basis": "x"}, "its reasons are other ones; its basis is another one (entry 5)"),
    ],
)
def test_a_row_with_another_digest_is_a_contradiction(changed, said):
    digests = {name: f"sha256:{name}" for name in ("reasons", "basis", "data", "facts")}
    claim = claim_of(of("decide", {"decision": "d-1", "outcome": "REFUSED", "digests": digests}))
    row = {"ref": "lead:5", "by": "model_owner", "outcome": "REFUSED"}
    assert contradiction(claim, {**row, "digests": digests}) is None
    fault = contradiction(claim, {**row, "digests": {**digests, **changed}})
    assert (fault.seq, fault.text) == (5, f"The decision of lead:5 was changed past the registry: {said}.")


def test_metrics_that_are_other_ones_are_a_contradiction():
    claim = claim_of(of("evaluate", {"evaluation": MEASURED}))
    row = {"ref": "lead", "by": "model_owner", "digests": MEASURED["digests"]}
    assert contradiction(claim, row) is None
    other = {**row, "digests": {**MEASURED["digests"], "metrics": "x"}}
    assert "evaluation of lead:5 was changed past the registry: its metrics are other ones (entry 5)" in contradiction(claim, other).text
    assert "The evaluation of lead:5 that entry 5 tells of is gone" in contradiction(claim, None).text


@pytest.mark.parametrize("held", [{}, {"metrics": "sha256:1"}, {"metrics": "sha256:1", "of a later release": "x"}])
def test_what_only_one_of_entry_and_row_has_a_digest_of_is_not_compared(held):
    claim = claim_of(of("evaluate", {"evaluation": {"uid": "e-1", "digests": held}}))
    assert contradiction(claim, {"by": "model_owner", "digests": MEASURED["digests"]}) is None


@pytest.mark.parametrize(
    ("action", "body", "count"),
    [
        ("evaluate", {"data": None}, 1),
        ("evaluate", {"data": None, "evaluation": MEASURED}, 0),
        ("register", {"uid": "v-1", "metrics": '{"auc": 0.9}'}, 1),
        ("register", {"uid": "v-1", "metrics": '{"auc": 0.9}', "evaluation": MEASURED}, 0),
        ("register", {"uid": "v-1", "metrics": "{}"}, 0),
        ("register", {"uid": "v-1", "metrics": "{}", "evaluation": None}, 0),
        ("register", {"uid": "v-1"}, 0),
        ("import", {"uid": "v-1", "metrics": "{}"}, 0),
        ("import", {"rows": 3, "metrics": '{"auc": 0.9}'}, 0),
        ("promote", PROMOTION, 0),
        ("evaluate", {}, 0),
    ],
)
def test_entries_of_an_older_release_do_not_say_which_evaluation_they_tell_of(action, body, count):
    assert unnamed_evaluations(of(action, body)) == count


def row(**changes):
    return {"ref": "lead:5", "by": "model_owner", **PROMOTION, "text": None, **changes}


def test_a_row_that_says_the_same_is_no_contradiction():
    assert contradiction(claim_of(of("promote", PROMOTION)), row()) is None
    claim = claim_of(of("promote", PROMOTION, text_digest=text_digest("because")))
    assert contradiction(claim, row(text="because")) is None
    assert contradiction(claim, row(text=None)) is None, "it was erased"


@pytest.mark.parametrize(
    "change",
    [
        {"ref": "lead:6"},
        {"by": "risk_lead"},
        {"from": "ARCHIVED"},
        {"to": "SHADOW"},
        {"replaced": None},
        {"revision": 4},
        {"decision": "d"},
    ],
)
def test_every_fact_of_a_row_is_compared(change):
    fault = contradiction(claim_of(of("promote", PROMOTION)), row(**change))
    [(name, value)] = change.items()
    assert (fault.kind, fault.seq) == ("state", 5)
    assert f"{name} is {value!r}, and was" in fault.text


@pytest.mark.parametrize("digest", [None, text_digest("other")])
def test_a_free_text_that_is_another_one_is_a_contradiction(digest):
    assert "free text" in contradiction(claim_of(of("promote", PROMOTION, text_digest=digest)), row(text="because")).text


def test_a_row_may_hold_the_digest_of_its_text_only():
    body = {"vote": "v-1", "choice": "approve", "policy": "p"}
    claim = claim_of(of("vote", body, text_digest=text_digest("because")))
    row = {"ref": "lead:5", "by": "model_owner", **body}
    assert contradiction(claim, {**row, "text_digest": text_digest("because")}) is None
    for other in (text_digest("other"), None):
        assert "free text" in contradiction(claim, {**row, "text_digest": other}).text


def test_a_row_that_is_gone_is_a_contradiction():
    fault = contradiction(claim_of(of("promote", PROMOTION)), None)
    assert "The promotion of lead:5 that entry 5 tells of is gone" in fault.text


# -- champions -----------------------------------------------------------------------------------------------------------------------
def champions(*entries):
    found = Champions()
    for one in entries:
        found.feed(one)
    return found


def promoted(seq, number, revision, to="PRODUCTION"):
    body = canonical({"promotion": f"p-{seq}", "to": to, "revision": revision})
    return entry(seq, action="promote", subject=f"Lead:{number}", body=body)


def test_the_champion_is_the_one_of_the_last_change():
    found = champions(promoted(1, 1, 1), promoted(2, 2, 2), promoted(3, 3, None, to="SHADOW"), entry(4))
    assert (found.by_model, found.promoted) == ({"lead": (2, 2, 2)}, 2)
    assert found.contradictions([("LEAD", 2, 2), ("other", None, 0)]) == []
    for cell in (("Lead", 1, 2), ("Lead", 2, 1), ("Lead", None, 2), ("Lead", 2, 3)):
        [fault] = found.contradictions([cell])
        assert (fault.seq, fault.kind) == (2, "state")
        assert "by the audit v2 (revision 2) (entry 2)" in fault.text


def test_nobody_is_champion_after_the_champion_was_archived():
    found = champions(promoted(1, 1, 1), promoted(2, 1, 2, to="ARCHIVED"))
    assert found.contradictions([("lead", None, 2)]) == []
    assert "it is v1 (revision 2), and by the audit nobody (revision 2)" in found.contradictions([("lead", 1, 2)])[0].text


def test_a_champion_of_whom_the_audit_knows_nothing_is_a_contradiction_unless_a_table_was_taken_over():
    [fault] = champions().contradictions([("lead", 1, 1)])
    assert fault.seq is None
    assert "by the audit nobody (revision 0)." in fault.text
    imported = champions(of("import", {"rows": 3, "kept_as": "x"}), of("import", {"uid": "v"}))
    assert imported.imported == 3
    assert imported.contradictions([("lead", 1, 1), ("other", None, 0)]) == []
    assert len(imported.contradictions([("lead", 1, 2)])) == 1


def test_a_restore_has_lifted_revisions():
    models = [
        {"model": "Lead", "champion": 1, "revision": 9},
        {"model": "x", "champion": None},
        "damaged",
        {"revision": True, "model": None},
    ]
    found = champions(promoted(1, 1, 1), of("after_restore", {"models": models}), of("after_restore", {"models": "damaged"}))
    assert found.contradictions([("lead", 1, 9)]) == []
    assert len(found.contradictions([("lead", 1, 1)])) == 1


def test_an_entry_that_somebody_has_changed_is_no_error():
    strange = entry(1, action="promote", subject="x", body=canonical({"promotion": "p", "to": "PRODUCTION", "revision": 1}))
    assert champions(strange).by_model == {"": (None, 1, 1)}
