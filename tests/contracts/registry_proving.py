"""Proving the audit: whatever somebody with the database's password does to it by SQL is found, and the first bad entry is named."""

from __future__ import annotations

import json
import logging
import shutil
from datetime import UTC, datetime, timedelta

import pytest

from airflow_registry.domain.audit import GENESIS, hash_of, text_digest
from airflow_registry.errors import CorruptionError, InvalidInputError, NotFoundError, StorageUnavailableError
from airflow_registry.service.audit.file import verify_file
from airflow_registry.service.restore import after_restore
from airflow_registry.sql.tables import metadata
from tests.contracts.registry_base import POLICY, RegistryBase, run
from tests.contracts.registry_people import ASKS
from tests.contracts.registry_restoring import Backup

NAMES = ("seq", "at", "deployment", "actor", "action", "subject", "body", "text_digest", "previous", "hash")
ENTRIES = 11
ANCHORED = (5, 7, 8, 10)  # the entries that changed a champion


CHANGED_ROWS = [
    ("UPDATE airflow_registry_versions SET digest = :other WHERE number = 1", 1, "digest is 'sha256:"),
    ("UPDATE airflow_registry_versions SET remote_path = 's3://evil/model' WHERE number = 1", 1, "remote_path is 's3://evil/model'"),
    ("UPDATE airflow_registry_versions SET metrics = '{\"auc\": 1.0}' WHERE number = 2", 2, "metrics is"),
    ("UPDATE airflow_registry_versions SET change_note = 'nice' WHERE number = 2", 2, "its free text is another one"),
    ("UPDATE airflow_registry_decisions SET outcome = 'REFUSED'", 4, "outcome is 'REFUSED', and was 'APPROVED'"),
    ("UPDATE airflow_registry_decisions SET policy_digest = :other", 4, "policy is 'sha256:"),
    ("UPDATE airflow_registry_promotions SET promoted_by = 'model_owner' WHERE reason = 'risk_lead wants it'", 7, "by is 'model_owner'"),
    ("UPDATE airflow_registry_promotions SET reason = 'the gate' WHERE reason = 'risk_lead wants it'", 7, "free text is another one"),
    ("UPDATE airflow_registry_promotions SET from_stage = 'SHADOW' WHERE revision = 2", 7, "from is 'SHADOW'"),
    ("UPDATE airflow_registry_promotions SET revision = 9 WHERE revision = 4", 10, "revision is 9, and was 4"),
    ("DELETE FROM airflow_registry_promotions WHERE revision = 4", 10, "promotion of lead:1 that entry 10 tells of is gone"),
    ("UPDATE airflow_registry_champions SET revision = 7", 10, "it is nobody (revision 7), and by the audit nobody (revision 4)"),
    ("UPDATE airflow_registry_version_stages SET stage = 'SHADOW' WHERE stage = 'DEVELOPMENT'", None, "it is SHADOW, and its last"),
    ("DELETE FROM airflow_registry_promotions WHERE reason = 'replaced by lead:2'", None, "lead:1 left PRODUCTION more or less"),
]  # fmt: skip


_VOTES = "uid, version_id, policy_digest, person, vote, at"
SAID_PAST_THE_REGISTRY = [
    ("UPDATE airflow_registry_approvals SET vote = 'approve' WHERE person = 'risk_lead'", "choice is 'approve', and was 'reject'"),
    ("UPDATE airflow_registry_approvals SET person = 'somebody_else' WHERE person = 'risk_lead'", "by is 'somebody_else'"),
    ("UPDATE airflow_registry_approvals SET text_digest = 'sha256:0' WHERE person = 'model_owner'", "free text is another one"),
    ("DELETE FROM airflow_registry_approvals WHERE person = 'risk_lead'", "The vote of lead:1 that entry 4 tells of is gone"),
    (f"INSERT INTO airflow_registry_approvals ({_VOTES}) SELECT 'forged', {_VOTES[5:]} FROM airflow_registry_approvals LIMIT 1",
     "No entry tells of the vote of lead:1 (forged)"),
    ("UPDATE airflow_registry_waivers SET expires_at = '2027-01-01 00:00:00.000000+00:00'", "expires_at is '2027-01-01T00:00:00+00:00'"),
    ("UPDATE airflow_registry_waivers SET rule = 'everything'", "rule is 'everything'"),
    ("DELETE FROM airflow_registry_waiver_withdrawals", "The withdrawal of lead:1 that entry 6 tells of is gone"),
    ("UPDATE airflow_registry_policy_locks SET is_effective = true", "is_effective is True, and was False"),
    ("UPDATE airflow_registry_models SET locked_policy = NULL", "The locked policy of lead was changed past the registry: it is None"),
    ("UPDATE airflow_registry_freezes SET frozen_until = NULL", "until is None, and was '2026-01-03T12:00:00+00:00'"),
]  # fmt: skip


class Chain:
    """The tables of the audit, for somebody who changes them past the registry."""

    def __init__(self, sql):
        self.sql = sql
        self.rows = self.read()
        self.head = sql("SELECT seq, hash FROM airflow_registry_audit_head")[0]

    def read(self):
        return [
            dict(zip(NAMES, row, strict=True)) for row in self.sql(f"SELECT {', '.join(NAMES)} FROM airflow_registry_audit ORDER BY seq")
        ]

    def write(self, rows, head=None):
        """Put these rows in the place of all rows, and this entry into the head."""
        self.sql("DELETE FROM airflow_registry_audit")
        for row in rows:
            self.sql(f"INSERT INTO airflow_registry_audit ({', '.join(NAMES)}) VALUES ({', '.join(f':{name}' for name in NAMES)})", **row)
        self.set_head(*(self.head if head is None else head))

    def set_head(self, seq, hashed):
        self.sql("UPDATE airflow_registry_audit_head SET seq = :seq, hash = :hash", seq=seq, hash=hashed)

    def rewritten(self, start, **change):
        """The rows with the entry `start` changed and all hashes from it on computed anew."""
        found = [dict(row) for row in self.rows]
        found[start - 1] |= change
        for position in range(start - 1, len(found)):
            found[position] = sealed(found[position], position + 1, found[position - 1]["hash"] if position else GENESIS)
        return found

    @staticmethod
    def head_of(rows):
        return (rows[-1]["seq"], rows[-1]["hash"]) if rows else (0, GENESIS)


def sealed(row, seq, previous):
    """The row in its place, with the hash that its facts have there."""
    facts = {name: row[name] for name in NAMES[2:7]}
    hashed = hash_of(**facts, seq=seq, at=moment(row["at"]), digest=row["text_digest"], previous=previous)
    return {**row, "seq": seq, "previous": previous, "hash": hashed}


def moment(value):
    return (value if isinstance(value, datetime) else datetime.fromisoformat(value)).astimezone(UTC)


def flipped(text):
    """The text with one byte of a digest or name changed."""
    place = len(text) // 2
    return text[:place] + ("x" if text[place] != "x" else "y") + text[place + 1 :]


def found(report):
    return [(str(fault.kind), fault.seq, fault.last) for fault in report.faults]


class Proving(RegistryBase):
    """Joined into `RegistryContract`."""

    __test__ = False

    @pytest.fixture
    def story(self, registry, tmp_path):
        """Eleven entries of every kind: two versions, a decision, a promotion, an override, a rollback, a pin that moved, an archive."""
        (tmp_path / "model.bin").write_bytes(b"weights")
        registry.register("lead", str(tmp_path / "model.bin"), metrics={"auc": 0.9}, change_note="the owner's first")
        registry.register("Lead", metrics={"auc": 0.8}, change_note="the owner's second")
        registry.describe_model("lead", owner="model_owner")
        decision = registry.decide("lead", 1, policy=POLICY)
        registry.promote("lead", 1, decision=decision)
        registry.pin("lead", run())
        registry.pin("lead", run(), repin=True)
        registry.promote("lead", 2, reason="risk_lead wants it")
        registry.rollback("lead", reason="risk_lead was wrong")
        registry.move("lead", 2, "DEVELOPMENT")
        registry.move("lead", 1, "ARCHIVED", reason="risk_lead was wrong")
        registry.record_metrics("lead", 2, {"auc": 0.7})
        return registry

    @pytest.fixture
    def tables(self, story, sql):
        return Chain(sql)

    # -- what is right -----------------------------------------------------------------------------------------------------
    def test_a_registry_that_nobody_touched_is_proven(self, story, tables, everything):
        before = everything()
        report = story.verify_audit()
        assert (report.ok, report.faults, report.unchecked) == (True, (), ())
        assert (report.entries, report.head.seq, report.head.hash) == (ENTRIES, *tables.head)
        assert (report.witnesses, report.anchored_to, report.unanchored) == (4, 10, 1)
        assert (report.texts, report.erased, report.rows) == (5, 0, 2 + 3 + 1 + 5)
        assert report.notes == ("Not anchored: the 1 entry behind 10, up to 11, could have been computed anew.",)
        assert report.registry_uid == story.describe()["registry_uid"]
        assert everything() == before

    def test_a_registry_that_is_new_is_proven(self, registry):
        report = registry.verify_audit()
        assert (report.ok, report.entries, report.head, report.notes) == (True, 0, None, ())
        with pytest.raises(InvalidInputError, match="empty"):
            registry.anchor_audit()

    # -- one entry ---------------------------------------------------------------------------------------------------------
    def test_a_flipped_byte_is_found_wherever_it_is(self, story, tables):
        for place in range(1, ENTRIES + 1):
            for name in ("body", "subject", "actor", "action", "deployment") if place == 5 else ("body",):
                changed = {**tables.rows[place - 1], name: flipped(tables.rows[place - 1][name])}
                tables.sql(f"UPDATE airflow_registry_audit SET {name} = :{name} WHERE seq = :seq", seq=place, **{name: changed[name]})
                report = story.verify_audit()
                assert found(report)[0] == ("changed", place, None), (place, name)
                assert not report.ok
                tables.sql(
                    f"UPDATE airflow_registry_audit SET {name} = :{name} WHERE seq = :seq",
                    seq=place,
                    **{name: tables.rows[place - 1][name]},
                )
        assert story.verify_audit().ok

    def test_a_time_that_was_moved_by_a_microsecond_is_found(self, story, tables):
        later = moment(tables.rows[4]["at"]).replace(microsecond=1)
        later = later if isinstance(tables.rows[4]["at"], datetime) else later.strftime("%Y-%m-%d %H:%M:%S.%f+00:00")
        tables.sql("UPDATE airflow_registry_audit SET at = :at WHERE seq = 5", at=later)
        assert found(story.verify_audit()) == [("changed", 5, None)]

    def test_an_entry_that_was_changed_with_its_hash_is_found_by_its_neighbour(self, story, tables):
        for place in range(1, ENTRIES + 1):
            rows = [dict(row) for row in tables.rows]
            rows[place - 1] = tables.rewritten(place, actor="somebody_else")[place - 1]
            tables.write(rows)
            assert found(story.verify_audit())[0] == ("changed" if place < ENTRIES else "head", place, None)

    # -- many entries ------------------------------------------------------------------------------------------------------
    def test_a_deleted_entry_is_found(self, story, tables):
        for place in range(1, ENTRIES + 1):
            tables.write([row for row in tables.rows if row["seq"] != place])
            kind = "dropped" if place < ENTRIES else "cut_off"
            assert found(story.verify_audit())[0] == (kind, place, place)

    def test_two_swapped_entries_are_found(self, story, tables):
        for first, second in [(1, 2), (5, 6), (10, 11), (2, 9), (1, 11)]:
            rows = [dict(row) for row in tables.rows]
            rows[first - 1], rows[second - 1] = {**rows[second - 1], "seq": first}, {**rows[first - 1], "seq": second}
            tables.write(rows)
            assert found(story.verify_audit())[0][:2] == ("reordered", first), (first, second)

    def test_an_inserted_entry_is_found(self, story, tables):
        forged = {**tables.rows[-1], "actor": "somebody_else", "action": "describe", "body": "{}"}
        tables.write([*tables.rows, sealed(forged, ENTRIES + 1, tables.head[1])])
        assert found(story.verify_audit()) == [("inserted", ENTRIES + 1, None)]
        for place in (1, 4, ENTRIES):
            shifted = [row if row["seq"] < place else {**row, "seq": row["seq"] + 1} for row in tables.rows]
            previous = tables.rows[place - 2]["hash"] if place > 1 else GENESIS
            tables.write([*shifted, sealed(forged, place, previous)])
            assert found(story.verify_audit())[0][:2] == ("inserted", place)

    # -- the end -----------------------------------------------------------------------------------------------------------
    def test_an_end_that_was_cut_off_is_found(self, story, tables):
        for length in range(ENTRIES):
            tables.write(tables.rows[:length])
            assert found(story.verify_audit())[0] == ("cut_off", length + 1, ENTRIES)

    def test_an_end_that_was_cut_off_together_with_its_head_is_known_by_the_anchors(self, story, tables):
        head = f"{ENTRIES}:{tables.head[1]}"
        for length in range(ENTRIES):
            rows = tables.rows[:length]
            tables.write(rows, tables.head_of(rows))
            report = story.verify_audit()
            is_anchored = length < ANCHORED[-1]
            assert (("cut_off", length + 1, ANCHORED[-1]) in found(report)) == is_anchored
            assert ("cut_off", length + 1, ENTRIES) in found(story.verify_audit(heads=[head])), "a task's log knows"

    # -- everything --------------------------------------------------------------------------------------------------------
    def test_a_chain_that_was_computed_anew_is_known_by_the_first_anchor_behind(self, story, tables):
        head = f"{ENTRIES}:{tables.head[1]}"
        for place in range(1, ENTRIES + 1):
            rows = tables.rewritten(place, deployment="elsewhere")
            tables.write(rows, tables.head_of(rows))
            behind = next((seq for seq in ANCHORED if seq >= place), None)
            good = max((seq for seq in ANCHORED if seq < place), default=0)
            report = story.verify_audit()
            assert found(report) == ([] if behind is None else [("recomputed", good + 1, behind)])
            assert report.anchored_to == good
            told = found(story.verify_audit(heads=[head]))
            assert told == [("recomputed", good + 1, behind or ENTRIES)]

    def test_a_head_row_that_is_gone_or_another_one_is_found(self, story, tables):
        tables.set_head(ENTRIES, text_digest("x"))
        assert found(story.verify_audit()) == [("head", ENTRIES, None)]
        tables.sql("DELETE FROM airflow_registry_audit_head")
        assert found(story.verify_audit()) == [("head", None, None)]
        with pytest.raises(CorruptionError, match="no head"):
            story.anchor_audit()

    # -- free text ---------------------------------------------------------------------------------------------------------
    def test_a_text_that_was_changed_is_found_and_one_that_is_gone_is_counted(self, story, sql):
        sql("UPDATE airflow_registry_audit_texts SET text = 'risk_lead hates it' WHERE text = 'risk_lead wants it'")
        assert found(story.verify_audit()) == [("text", 7, None)]
        sql("UPDATE airflow_registry_audit_texts SET text = NULL WHERE text = 'risk_lead hates it'")
        report = story.verify_audit()
        assert (report.ok, report.erased, report.texts) == (True, 1, 4)
        assert "1 free text was erased; the chain holds without." in report.notes
        sql("DELETE FROM airflow_registry_audit_texts")
        assert (story.verify_audit().ok, story.verify_audit().erased) == (True, 5)

    # -- the rows beside the chain -----------------------------------------------------------------------------------------
    def test_a_row_that_was_changed_past_the_registry_is_found(self, story, sql, url):
        backup = Backup(url)
        for statement, seq, said in CHANGED_ROWS:
            sql(statement.replace(":other", f"'{text_digest('x')}'"))
            report = story.verify_audit()
            assert {str(fault.kind) for fault in report.faults} == {"state"}, statement
            assert (report.faults[0].seq, said in report.faults[0].text) == (seq, True), (statement, report.faults[0])
            backup.restore()
        assert story.verify_audit().ok

    def test_a_champion_that_was_swapped_past_the_registry_is_found(self, story, sql):
        story.promote("lead", 2, reason="again")
        sql("UPDATE airflow_registry_champions SET version_id = (SELECT id FROM airflow_registry_versions WHERE number = 1)")
        sql("UPDATE airflow_registry_version_stages SET stage = 'DEVELOPMENT' WHERE stage = 'PRODUCTION'")
        sql("UPDATE airflow_registry_version_stages SET stage = 'PRODUCTION' WHERE stage = 'ARCHIVED'")
        champion, *stages = story.verify_audit().faults
        assert (
            "The champion of lead was changed past the registry: it is v1 (revision 5), and by the audit v2 (revision 5)" in champion.text
        )
        assert sorted(fault.text.split(" was ")[0] for fault in stages) == ["The stage of lead:1", "The stage of lead:2"]

    def test_a_row_that_was_added_past_the_registry_is_found(self, story, sql, url):
        backup = Backup(url)
        new = {"uid": "'forged'", "revision": "77", "number": "77", "decision_id": "NULL", "identity_key": "NULL"}
        for table, where in (("promotions", " WHERE revision = 4"), ("decisions", ""), ("versions", " WHERE number = 1")):
            columns = [name for column in metadata.tables[f"airflow_registry_{table}"].columns if (name := column.name) != "id"]
            wanted, quoted = ", ".join(new.get(name, f'"{name}"') for name in columns), ", ".join(f'"{name}"' for name in columns)
            sql(f"INSERT INTO airflow_registry_{table} ({quoted}) SELECT {wanted} FROM airflow_registry_{table}{where}")
            said = [fault.text for fault in story.verify_audit().faults]
            assert any(f"No entry tells of the {table[:-1]} of lead:" in text and "forged" in text for text in said), said
            backup.restore()

    def test_what_people_said_past_the_registry_is_found(self, registry, sql, url):
        registry.register("lead", metrics={"auc": 0.4})
        registry.decide("lead", 1, policy=POLICY)
        registry.vote("lead", 1, policy=ASKS, by="model_owner", comment="looks good")
        registry.vote("lead", 1, policy=ASKS, by="risk_lead", choice="reject")
        ended = registry.waive("lead", 1, rule="auc at least 0.5", reason="few rows", expires="7d", by="model_owner")
        registry.withdraw_waiver(ended.uid, "enough rows now", by="risk_lead")
        registry.waive(
            "lead", 1, rule="auc at least 0.5", reason="again", expires=registry.core.now() + timedelta(days=2), by="model_owner"
        )
        registry.lock_policy("lead", POLICY, by="model_owner", reason="audited")
        registry.lock_policy("lead", ASKS, by="model_owner")
        registry.freeze("lead", until="2d", reason="holidays", by="risk_lead")
        registry.unfreeze("lead", reason="over", by="model_owner")
        report = registry.verify_audit()
        assert (report.ok, report.rows, report.faults) == (True, 1 + 1 + 1 + 2 + 2 + 1 + 2 + 2, ())
        backup = Backup(url)
        for statement, said in SAID_PAST_THE_REGISTRY:
            sql(statement)
            faults = registry.verify_audit().faults
            assert any(said in fault.text for fault in faults), (statement, faults)
            backup.restore()
        assert registry.verify_audit().ok

    # -- anchors -----------------------------------------------------------------------------------------------------------
    def anchors(self, registry):
        return {one.seq: one.content for one in registry.core.artifacts.anchors(registry.core.registry_uid)}

    def test_every_change_of_a_champion_is_anchored_and_nothing_else_is(self, story, tables):
        kept = self.anchors(story)
        assert tuple(kept) == ANCHORED
        for seq, content in kept.items():
            row = tables.rows[seq - 1]
            assert (content["hash"], content["seq"], content["schema"]) == (row["hash"], seq, 1)
            assert datetime.fromisoformat(content["at"]) == moment(row["at"])
            assert content["registry_uid"] == story.describe()["registry_uid"]

    def test_a_promotion_says_its_head(self, story, sql):
        made = story.promote("lead", 2, reason="again")
        assert [(made.audit_head.seq, made.audit_head.hash)] == sql("SELECT seq, hash FROM airflow_registry_audit_head")
        moved = story.move("lead", 1, "DEVELOPMENT")
        assert moved.audit_head.seq == ENTRIES + 2
        assert max(self.anchors(story)) == ENTRIES + 1, "nobody's champion changed"
        assert story.history("lead")[-1].audit_head is None

    def test_a_retry_anchors_what_an_earlier_try_has_left_undone(self, registry, lead, tmp_path):
        decision = registry.decide("lead", 1, policy=POLICY)
        made = registry.promote("lead", 1, decision=decision, run=run())
        shutil.rmtree(tmp_path / "artifacts" / "audit")
        for _ in range(2):
            again = registry.promote("lead", 1, decision=decision, run=run())
            assert (again.created, again.audit_head) == (False, made.audit_head)
            assert tuple(self.anchors(registry)) == (made.audit_head.seq,)

    def test_an_anchor_that_cannot_be_written_is_a_warning_and_the_next_one_covers_it(self, registry, lead, tmp_path, caplog):
        (tmp_path / "artifacts").mkdir(exist_ok=True)
        (tmp_path / "artifacts" / "audit").write_text("in the way")
        with caplog.at_level(logging.WARNING):
            assert registry.promote("lead", 1, reason="x").number == 1
        assert "The audit was not anchored after the promotion of lead:1; it stands." in caplog.text
        (tmp_path / "artifacts" / "audit").unlink()
        report = registry.verify_audit()
        assert (report.ok, report.anchored_to) == (True, 0)
        assert "Not anchored: no head of this chain was found outside the database" in report.notes[0]
        registry.promote("lead", 2, reason="y")
        assert registry.verify_audit().anchored_to == 5

    def test_an_anchor_is_never_replaced(self, story, tables, caplog):
        story.core.artifacts.write_anchor(story.core.registry_uid, ENTRIES + 1, {"hash": text_digest("x"), "at": None})
        with caplog.at_level(logging.WARNING):
            made = story.promote("lead", 2, reason="again")
        assert "says something else than the audit chain" in caplog.text
        assert self.anchors(story)[ENTRIES + 1]["hash"] == text_digest("x") != made.audit_head.hash
        assert found(story.verify_audit()) == [("recomputed", 11, 12)]
        story.move("lead", 2, "ARCHIVED")
        assert found(story.verify_audit()) == [("anchor", 12, None)], "a later one proves the chain, so it is the anchor that lies"

    def test_the_head_can_be_anchored_at_any_time(self, story):
        head = story.anchor_audit()
        assert (head.seq, story.anchor_audit()) == (ENTRIES, head)
        report = story.verify_audit()
        assert (report.anchored_to, report.notes) == (ENTRIES, ())

    def test_a_damaged_anchor_is_a_fault_of_its_own(self, story, tmp_path):
        [folder] = (tmp_path / "artifacts" / "audit").iterdir()
        (folder / "notes.txt").write_text("somebody's")
        for damage in ("", "{", '{"hash": 3}', '{"hash": "sha256:0", "seq": 7, "registry_uid": "x"}', '{"seq": 8}'):
            (folder / "000000000007.json").unlink()
            (folder / "000000000007.json").write_text(damage)
            report = story.verify_audit()
            assert (found(report), report.anchored_to) == ([("anchor", 7, None)], 10), damage

    def test_a_store_that_does_not_answer_is_no_pass(self, story, tmp_path):
        (tmp_path / "artifacts").rename(tmp_path / "away")
        report = story.verify_audit()
        assert (report.ok, report.faults, report.anchored_to) == (False, (), 0)
        assert "The audit anchors could not be read, so whoever computed the whole chain anew was not looked for" in report.unchecked[0]

    def test_anchors_of_another_registry_say_nothing_unless_they_are_the_only_ones(self, story, sql):
        story.core.artifacts.write_anchor("another-one", 3, {"hash": "x"})
        report = story.verify_audit()
        assert report.ok
        assert "1 other registry (another-one); they say nothing about this one" in report.notes[-1]
        sql("UPDATE airflow_registry_meta SET value = 'mine-now' WHERE key = 'registry_uid'")
        del story.core.__dict__["registry_uid"]
        report = story.verify_audit()
        assert (report.ok, report.anchored_to) == (False, 0)
        assert "2 other registries" in report.unchecked[0]
        assert "its uid was changed past the registry" in report.unchecked[0]

    # -- a restored database -----------------------------------------------------------------------------------------------
    def test_after_a_restore_the_lost_entries_are_told_and_no_place_is_given_out_twice(self, registry, lead, url):
        registry.promote("lead", 1, reason="first")
        backup = Backup(url)
        registry.promote("lead", 2, reason="lost")
        registry.promote("lead", 3, reason="lost too")
        backup.restore()
        assert found(registry.verify_audit()) == [("cut_off", 5, 6)]
        after_restore(registry.core)
        report = registry.verify_audit()
        assert found(report) == [("restored", 5, 6)]
        assert "If you know of that restore, accept it by its number" in report.faults[0].text
        accepted = registry.verify_audit(accepted_restores=[7])
        assert (accepted.ok, accepted.head.seq) == (True, 7)
        assert registry.promote("lead", 2, reason="again").audit_head.seq == 8
        assert registry.verify_audit(accepted_restores=[7]).anchored_to == 8
        assert after_restore(registry.core).lifted == ()
        assert registry.audit_entries()[-1].seq == 8

    # -- erasing -----------------------------------------------------------------------------------------------------------
    def test_an_erased_text_is_gone_everywhere_and_the_chain_holds(self, story, sql, url):
        done = story.erase_text(8, reason="the person asked for it", by="dpo")
        assert (done.entries, done.rows, done.digest) == ((8, 10), 2, text_digest("risk_lead was wrong"))
        assert "risk_lead was wrong" not in repr(Backup(url).rows)
        report = story.verify_audit()
        assert (report.ok, report.erased) == (True, 2)
        last = story.audit_entries()[-1]
        assert (last.action, last.actor, last.text, last.seq) == ("erase", "dpo", "the person asked for it", done.head.seq)
        assert last.body == {"digest": done.digest, "entries": 2, "first_entry": 8, "rows": 2}
        story.move("lead", 2, "SHADOW", reason="risk_lead was wrong")
        assert "risk_lead was wrong" not in str(sql("SELECT text FROM airflow_registry_audit_texts")), "it does not come back"
        assert story.verify_audit().ok

    def test_a_change_note_is_erased_by_its_digest(self, story):
        done = story.erase_text(text_digest("the owner's first"), reason="asked for")
        assert (done.entries, done.rows) == ((1,), 1)
        assert [version.change_note for version in story.versions("lead")] == [None, "the owner's second"]
        assert story.verify_audit().ok

    def test_what_cannot_be_erased_changes_nothing(self, story, unchanged):
        unchanged()
        for entry, reason, error, said in [
            (99, "x", NotFoundError, "no entry 99"),
            (4, "x", NotFoundError, r"Entry 4 of the audit has no free text \(decide lead:1\)"),
            (text_digest("nobody said it"), "x", NotFoundError, "is not in this registry, or was erased before"),
            ("model_owner", "x", InvalidInputError, "sha256"),
            (1, " ", InvalidInputError, "reason="),
            (1, "the note was: the owner's first", InvalidInputError, "repeats the words"),
        ]:
            with pytest.raises(error, match=said):
                story.erase_text(entry, reason=reason)

    def test_erasing_twice_is_said(self, story):
        story.erase_text(1, reason="asked for")
        with pytest.raises(NotFoundError, match="erased before"):
            story.erase_text("1", reason="asked for")

    # -- reading -----------------------------------------------------------------------------------------------------------
    def test_the_audit_is_read_newest_last_and_by_model_time_and_number(self, story, clock):
        everything = story.audit_entries()
        assert [one.seq for one in everything] == list(range(1, ENTRIES + 1))
        assert [one.action for one in everything[:4]] == ["register", "register", "describe", "decide"]
        assert (everything[6].action, everything[6].text, everything[6].subject) == ("override", "risk_lead wants it", "lead:2")
        assert everything[6].body["replaced"] == 1
        assert [one.seq for one in story.audit_entries(limit=2)] == [10, 11]
        clock.advance(hours=1)
        story.register("lead_2")
        assert [one.subject for one in story.audit_entries(since=clock())] == ["lead_2:1"]
        assert [one.subject for one in story.audit_entries(model="LEAD_2")] == ["lead_2:1"]
        assert len(story.audit_entries(model="lead")) == ENTRIES
        assert story.audit_entries(model="lea") == ()
        with pytest.raises(InvalidInputError, match="limit"):
            story.audit_entries(limit=0)
        with pytest.raises(InvalidInputError, match="time zone"):
            story.audit_entries(since=datetime(2026, 1, 1))  # noqa: DTZ001

    def test_more_entries_than_a_page_are_read_and_proven(self, story, monkeypatch):
        from airflow_registry.sql import trail

        monkeypatch.setattr(trail, "PAGE_ROWS", 3)
        assert [one.seq for one in story.audit_entries()] == list(range(1, ENTRIES + 1))
        assert [one.seq for one in story.audit_entries(limit=7)] == list(range(5, ENTRIES + 1))
        report = story.verify_audit()
        assert (report.ok, report.entries, report.rows) == (True, ENTRIES, 11)

    # -- exporting ---------------------------------------------------------------------------------------------------------
    @pytest.fixture
    def exported(self, story, tmp_path):
        file = tmp_path / "audit.jsonl"
        done = story.export_audit(str(file))
        assert (done.path, done.entries, done.anchors) == (str(file), ENTRIES, 4)
        return file

    def test_an_export_holds_everything_and_is_proven_without_the_registry(self, story, exported, tables):
        header, *lines = map(json.loads, exported.read_text(encoding="utf-8").splitlines())
        assert (header["schema"], header["registry_uid"], header["head"]["hash"]) == (1, story.core.registry_uid, tables.head[1])
        assert [one["seq"] for one in header["anchors"]] == list(ANCHORED)
        assert [line["seq"] for line in lines] == list(range(1, ENTRIES + 1))
        assert (lines[6]["text"], lines[6]["body"]["replaced"], lines[6]["actor"]) == ("risk_lead wants it", 1, tables.rows[6]["actor"])
        report = verify_file(str(exported))
        assert (report.ok, report.entries, report.texts, report.anchored_to) == (True, ENTRIES, 5, 10)
        assert "A file holds no versions" in report.notes[-1]
        assert sorted(path.name for path in exported.parent.iterdir() if path.name.startswith((".tmp", "audit"))) == ["audit.jsonl"]

    def test_an_export_without_texts_holds_none_and_is_proven(self, story, tmp_path):
        story.export_audit(str(tmp_path / "a"), texts=False)
        assert "risk_lead" not in (tmp_path / "a").read_text()
        report = verify_file(str(tmp_path / "a"))
        assert (report.ok, report.texts, report.erased) == (True, 0, 0)

    def test_a_line_of_an_export_that_was_changed_dropped_or_moved_is_found(self, exported):
        header, *lines = exported.read_text(encoding="utf-8").splitlines()
        for place in range(1, ENTRIES + 1):
            others = lines[: place - 1], lines[place:]
            for damaged, kind in [
                ([*others[0], lines[place - 1].replace('"deployment":"', '"deployment":"x'), *others[1]], "changed"),
                ([*others[0], "", *others[1]], "reordered"),
                ([*others[0], "[1]", *others[1]], "reordered"),
                ([*others[0], *others[1]], "dropped" if place < ENTRIES else "cut_off"),
            ]:
                exported.write_text("\n".join([header, *damaged]) + "\n", encoding="utf-8")
                assert found(verify_file(str(exported)))[0][:2] == (kind, place)
        exported.write_text("\n".join([header, *lines]).replace("risk_lead wants it", "risk_lead hates it") + "\n", encoding="utf-8")
        assert found(verify_file(str(exported))) == [("text", 7, None)]

    def test_an_export_that_was_computed_anew_is_found_by_its_anchors_or_a_head(self, story, exported, tables):
        rows = tables.rewritten(3, deployment="x")
        head = f"{ENTRIES}:{tables.head[1]}"
        tables.write(rows, tables.head_of(rows))
        story.export_audit(str(exported))
        assert found(verify_file(str(exported))) == [("recomputed", 1, 5)]
        header, *lines = exported.read_text(encoding="utf-8").splitlines()
        bare = {**json.loads(header), "anchors": []}
        exported.write_text("\n".join([json.dumps(bare), *lines]) + "\n", encoding="utf-8")
        assert found(verify_file(str(exported))) == []
        assert found(verify_file(str(exported), heads=[head])) == [("recomputed", 1, ENTRIES)]

    def test_what_somebody_wrote_into_the_database_stands_in_the_export_as_it_is(self, story, sql, tmp_path):
        sql("UPDATE airflow_registry_audit SET body = 'no JSON' WHERE seq = 3")
        [folder] = (tmp_path / "artifacts" / "audit").iterdir()
        (folder / "000000000007.json").unlink()
        (folder / "000000000007.json").write_text("{")
        story.export_audit(str(tmp_path / "a"))
        assert '"body_text":"no JSON"' in (tmp_path / "a").read_text()
        assert found(verify_file(str(tmp_path / "a"))) == [("changed", 3, None), ("anchor", 7, None)]

    def test_an_export_without_the_store_says_that_it_has_no_anchors(self, story, tmp_path):
        (tmp_path / "artifacts").rename(tmp_path / "away")
        assert story.export_audit(str(tmp_path / "a")).anchors is None
        report = verify_file(str(tmp_path / "a"))
        assert (report.ok, report.faults) == (False, ())
        assert "did not answer when the file was written" in report.unchecked[0]

    def test_a_file_that_is_no_export_is_refused(self, tmp_path):
        for line in ("", "{}", "no JSON", '{"kind": "airflow-registry audit", "schema": 2}'):
            (tmp_path / "a").write_text(line + "\n")
            with pytest.raises(InvalidInputError, match="no exported audit"):
                verify_file(str(tmp_path / "a"))

    def test_an_export_that_cannot_be_written_says_so(self, story, tmp_path):
        with pytest.raises(StorageUnavailableError, match="Cannot write the audit to"):
            story.export_audit(str(tmp_path / "nowhere" / "a"))
