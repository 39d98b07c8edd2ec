"""RollbackModelOperator and ArchiveModelOperator."""

from __future__ import annotations

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_registry.operators import ArchiveModelOperator, RollbackModelOperator


@pytest.fixture
def two_champions(registry, register):
    for number in (register().number, register().number):
        registry.promote("lead", number, reason="test")


def test_a_rollback_brings_the_previous_champion_back_and_rings(registry, two_champions, context, rung):
    task = context("rollback")
    result = RollbackModelOperator(model="lead", reason="scores look wrong").execute(task)
    assert registry.production("lead").ref == result["ref"] == "lead:1"
    assert (result["replaced"], result["revision"], result["created"]) == (2, 3, True)
    assert rung(task) == ["airflow-registry://lead/production"]
    assert registry.history("lead")[-1].reason == "scores look wrong"


def test_a_retry_of_a_rollback_rings_again_and_does_not_swing_back(registry, two_champions, context, rung):
    operator = RollbackModelOperator(model="lead", reason="scores look wrong")
    first = operator.execute(context("rollback"))
    again = context("rollback")
    assert operator.execute(again) == {**first, "created": False}
    assert registry.production("lead").ref == "lead:1"
    assert rung(again) == ["airflow-registry://lead/production"]


def test_rollback_and_archive_say_the_audits_head_in_their_log(registry, two_champions, context, capsys):
    for operator in (RollbackModelOperator(model="lead", reason="bad"), ArchiveModelOperator(version="lead:1", reason="bad")):
        operator.execute(context("task"))
        newest = registry.audit_entries()[-1]
        assert f"Audit head {newest.seq:012d} {newest.hash}" in capsys.readouterr().out


def test_without_a_previous_champion_nothing_is_rolled_back(registry, champion, context, rung):
    task = context("rollback")
    with pytest.raises(AirflowFailException, match="no other version held PRODUCTION before"):
        RollbackModelOperator(model="lead", reason="bad").execute(task)
    assert rung(task) == []


def test_archiving_needs_no_bell_and_a_retry_changes_nothing(registry, register, context, rung):
    register()
    task, operator = context("archive"), ArchiveModelOperator(version="lead:1", reason="never good")
    first = operator.execute(task)
    assert (first["from_stage"], first["to_stage"], first["created"]) == ("DEVELOPMENT", "ARCHIVED", True)
    again = operator.execute(task)
    assert again == {**first, "created": False}
    assert len(registry.history("lead")) == 1
    assert rung(task) == []


def test_archiving_the_champion_leaves_none(registry, champion, context):
    ArchiveModelOperator(version="lead@production", reason="unsafe").execute(context("archive"))
    assert registry.get("lead:1").stage == "ARCHIVED"
    assert registry.models()[0].champion is None


def test_a_retry_clears_the_pointer_that_the_try_before_it_did_not_live_to_clear(registry, champion, context, monkeypatch):
    operator = ArchiveModelOperator(version="lead:1", reason="unsafe")
    with monkeypatch.context() as dying:
        dying.setattr("airflow_registry.service.promote.announce", _die)
        with pytest.raises(KeyboardInterrupt):
            operator.execute(context("archive"))
    assert registry.core.artifacts.read_pointer("lead")["version"] == 1
    assert operator.execute(context("archive"))["created"] is False
    assert registry.core.artifacts.read_pointer("lead")["version"] is None


def test_a_version_that_somebody_else_archived_stays_archived(registry, register, context):
    register()
    first = ArchiveModelOperator(version="lead:1", reason="old").execute(context("one"))
    assert ArchiveModelOperator(version="lead:1", reason="old").execute(context("other")) == {**first, "created": False}


def _die(*_):
    raise KeyboardInterrupt
