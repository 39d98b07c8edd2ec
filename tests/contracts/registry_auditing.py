"""The audit chain: one entry for every change, each holding the hash of the one before."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from airflow_registry.domain.audit import GENESIS, AuditEntry, entry_hash, text_digest
from airflow_registry.errors import IllegalTransitionError
from tests.contracts.registry_base import POLICY, RegistryBase, run


class Auditing(RegistryBase):
    @pytest.fixture
    def chain(self, sql):
        names = ("seq", "at", "deployment", "actor", "action", "subject", "body", "text_digest", "previous", "hash")
        statement = f"SELECT {', '.join(names)} FROM airflow_registry_audit ORDER BY seq"
        return lambda: [dict(zip(names, row, strict=True)) for row in sql(statement)]

    def test_every_change_is_one_entry_of_an_unbroken_chain(self, registry, lead, chain, sql, clock):
        clock.advance(microseconds=123456)
        registry.register("other", change_note="größer 🦉", metrics={"auc": 0.1 + 0.2})
        registry.record_metrics("lead", 1, {"auc": float("nan")})
        registry.promote("lead", 1, reason="secret words")
        registry.decide("lead", 2, policy=POLICY)
        registry.move("lead", 2, "SHADOW")
        registry.pin("lead", run())
        registry.pin("lead", run(), repin=True)
        entries = chain()
        assert [entry["action"] for entry in entries] == ["register"] * 4 + ["evaluate", "override", "decide", "move", "repin"]
        previous = GENESIS
        for seq, entry in enumerate(entries, 1):
            told = AuditEntry(actor=entry["actor"], action=entry["action"], subject=entry["subject"], body=json.loads(entry["body"]))
            at = entry["at"] if isinstance(entry["at"], datetime) else datetime.fromisoformat(entry["at"])
            assert (entry["seq"], entry["previous"]) == (seq, previous)
            previous = entry_hash(
                told, seq=seq, at=at.astimezone(UTC), deployment=entry["deployment"], digest=entry["text_digest"], previous=previous
            )
            assert previous == entry["hash"]
        assert sql("SELECT seq, hash FROM airflow_registry_audit_head") == [(len(entries), previous)]

    def test_free_text_stands_outside_the_chain_and_can_be_erased(self, registry, lead, chain, sql):
        registry.promote("lead", 1, reason="secret words")
        entry = chain()[-1]
        assert entry["text_digest"] == text_digest("secret words")
        assert "secret" not in entry["body"]
        assert sql("SELECT text FROM airflow_registry_audit_texts WHERE digest = :d", d=entry["text_digest"]) == [("secret words",)]

    def test_what_changes_nothing_leaves_no_entry(self, registry, lead, chain, champions):
        champions(1, "other")
        registry.pin("other", run())
        before = len(chain())
        registry.versions("lead")
        registry.pin("other", run())
        registry.decide("lead", 1, policy=POLICY, dry_run=True)
        with pytest.raises(IllegalTransitionError):
            registry.move("lead", 1, "DEVELOPMENT")
        assert len(chain()) == before
