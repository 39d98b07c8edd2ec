"""audit list, verify, anchor, export, erase: exit codes, documents, and what is printed."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing

import pytest

from airflow_registry.domain.audit import text_digest


@pytest.fixture
def lead(registry):
    """Two versions, the first promoted by a person: four entries."""
    registry.register("lead", change_note="more rows")
    registry.register("lead")
    registry.promote("lead", 1, reason="auditor asked for it")
    registry.register("churn")
    return registry


@pytest.fixture
def sql(tmp_path):
    def execute(statement):
        with closing(sqlite3.connect(tmp_path / "registry.db")) as database, database:
            return database.execute(statement).fetchall()

    return execute


def test_who_did_what_is_listed_newest_last(lead, command, answer):
    lines = command("audit", "list")[1].splitlines()
    assert [line.split()[0] for line in lines] == ["entry", "1", "2", "3", "4"]
    assert "OVERRIDE" in lines[3]
    assert "auditor asked for it" in lines[3]
    assert "to PRODUCTION" in lines[3]
    found = answer("audit", "list", "--model", "Lead", "--limit", 1)["entries"]
    assert [(one["seq"], one["action"], one["text"], one["body"]["to"]) for one in found] == [
        (3, "override", "auditor asked for it", "PRODUCTION")
    ]
    assert command("audit", "list", "--model", "nobody")[1] == "The audit has no such entry.\n"


@pytest.mark.parametrize(("since", "count"), [("1h", 4), ("2020-01-31", 4), ("2020-01-31T12:00+01:00", 4), ("2999-01-31", 0)])
def test_the_audit_is_listed_since_a_time(lead, answer, since, count):
    assert len(answer("audit", "list", "--since", since)["entries"]) == count


@pytest.mark.parametrize("since", ["2020-01-31T12:00", "yesterday", "-1d"])
def test_what_is_no_time_is_wrong_usage(lead, command, capsys, since):
    with pytest.raises(SystemExit) as left:
        command("audit", "list", f"--since={since}")
    assert left.value.code == 2


def test_an_audit_that_nobody_touched_is_exit_code_0(lead, command, answer):
    code, out, err = command("audit", "verify")
    assert (code, err) == (0, "")
    assert out.endswith("The audit is as it was written.\n")
    assert "Not anchored: the 1 entry behind 3, up to 4, could have been computed anew." in out
    told = answer("audit", "verify")
    assert (told["ok"], told["entries"], told["anchored_to"], told["first_bad_entry"]) == (True, 4, 3, None)


def test_an_audit_that_was_rewritten_is_exit_code_1_with_the_first_bad_entry(lead, command, sql):
    sql("UPDATE airflow_registry_audit SET actor = 'checker' WHERE seq = 3")
    code, out, _ = command("audit", "verify")
    assert code == 1
    assert out.endswith("The audit was rewritten. The first bad entry is 3.\n")
    assert "changed  3      Entry 3 was changed: its facts do not have the hash that was written with them." in out
    assert '"first_bad_entry": 3' in command("audit", "verify", "--json")[1]


def test_a_row_that_was_changed_is_exit_code_1_too(lead, command, sql):
    sql("UPDATE airflow_registry_version_stages SET stage = 'SHADOW' WHERE stage = 'DEVELOPMENT'")
    code, out, _ = command("audit", "verify")
    assert (code, out.endswith("The audit was rewritten.\n")) == (1, True)


def test_an_audit_of_which_a_part_could_not_be_looked_at_is_exit_code_1(lead, command, tmp_path):
    (tmp_path / "artifacts").rename(tmp_path / "away")
    code, out, _ = command("audit", "verify")
    assert code == 1
    assert "The audit anchors could not be read" in out
    assert out.endswith("The audit is not proven: part of it could not be looked at.\n")


def test_a_head_from_a_tasks_log_is_compared(lead, command, sql):
    good = lead.audit_entries()[-1]
    assert command("audit", "verify", "--head", f"{good.seq}:{good.hash}")[0] == 0
    assert command("audit", "verify", "--head", f"{good.seq:012d} {good.hash}")[0] == 0
    code, out, _ = command("audit", "verify", "--head", f"4:{text_digest('x')}")
    assert code == 1
    assert "entry 4 has another hash than the head that was handed in knows" in out
    code, _, err = command("audit", "verify", "--head", "4")
    assert code == 1
    assert "'4' is no head of an audit chain" in err


def test_an_anchor_is_written_on_demand(lead, command, answer):
    head = lead.audit_entries()[-1]
    code, out, err = command("audit", "anchor")
    assert (code, out) == (0, f"Audit head 000000000004 {head.hash} is anchored.\n")
    assert "Registry: sqlite:///" in err
    assert answer("audit", "anchor") | {"at": 0} == {"seq": 4, "hash": head.hash, "at": 0}
    assert answer("audit", "verify")["anchored_to"] == 4


def test_an_export_is_verified_without_a_database(lead, command, answer, tmp_path, monkeypatch):
    file = tmp_path / "audit.jsonl"
    assert answer("audit", "export", file) == {
        "path": str(file), "entries": 4, "head": {"seq": 4, "hash": lead.audit_entries()[-1].hash}, "anchors": 1,
    }  # fmt: skip
    monkeypatch.setenv("AIRFLOW_REGISTRY_DATABASE", "sqlite:////nowhere/at/all.db")
    assert command("audit", "verify", "--file", file)[0] == 0
    file.write_text(file.read_text().replace('"actor":"', '"actor":"x'))
    code, out, _ = command("audit", "verify", "--file", file)
    assert (code, "The first bad entry is 1" in out) == (1, True)
    assert command("audit", "verify", "--file", tmp_path / "nothing")[0] == 1


def test_an_export_may_leave_texts_out(lead, command, tmp_path):
    assert "entries: 4\nanchors: 1\n" in command("audit", "export", tmp_path / "a", "--no-texts")[1]
    assert "auditor asked" not in (tmp_path / "a").read_text()


def test_a_text_is_erased_and_the_audit_holds(lead, command, answer):
    code, out, err = command("audit", "erase", 3, "--reason", "auditor wants it gone")
    assert code == 0
    assert out.startswith("The free text of 1 entry (3) is erased, and in 1 row beside.\n")
    assert "Registry: sqlite:///" in err
    assert "(erased)" in command("audit", "list")[1]
    assert answer("audit", "verify")["erased"] == 1
    done = answer("audit", "erase", text_digest("more rows"), "--reason", "too")
    assert done == {"digest": text_digest("more rows"), "entries": [1], "rows": 1, "told_in_entry": 6}
    assert command("audit", "erase", 3, "--reason", "again")[0] == 1


def test_a_restore_is_a_fault_until_it_is_accepted(lead, command, answer, sql, tmp_path):
    lead.core.artifacts.write_anchor(lead.core.registry_uid, 9, {"hash": text_digest("lost")})
    assert command("audit", "verify")[0] == 1
    command("doctor", "--after-restore")
    code, out, _ = command("audit", "verify")
    assert (code, "Entry 10 by" in out) == (1, True)
    assert answer("audit", "verify", "--accept-restore", 10)["ok"]


def test_long_chains_say_how_far_they_are(lead, caplog, monkeypatch):
    from airflow_registry.service.audit import verify
    from airflow_registry.sql import trail

    monkeypatch.setattr(trail, "PAGE_ROWS", 1)
    monkeypatch.setattr(verify, "PROGRESS_PAGES", 2)
    with caplog.at_level(logging.INFO):
        lead.verify_audit()
    assert [record.getMessage() for record in caplog.records if "entries" in record.getMessage()] == ["2 entries", "4 entries"]
