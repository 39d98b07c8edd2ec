"""A long audit chain: verified in bounded memory, and as fast as it can be read."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert

from airflow_registry import ModelRegistry
from airflow_registry.domain.audit import GENESIS, AuditEntry, entry_hash, text_digest
from airflow_registry.service.core import new_uid
from airflow_registry.sql import catalog, tables
from airflow_registry.sql.statements import audit as statements

pytestmark = [pytest.mark.soak, pytest.mark.postgres]

ENTRIES = 100_000
ANCHOR_EVERY = 100
NOON = datetime(2026, 1, 1, tzinfo=UTC)
VERIFY = """
import json, resource, sys, time
from airflow_registry import ModelRegistry
registry = ModelRegistry(sys.argv[1], artifacts=sys.argv[2])
registry.audit_entries(limit=1)
before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
report = registry.verify_audit()
seconds = time.perf_counter() - started
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"ok": report.ok, "entries": report.entries, "rows": report.rows, "witnesses": report.witnesses, "texts": report.texts,
                  "seconds": seconds, "grown_mb": (after - before) / 1024}))
"""


@pytest.fixture(params=["sqlite", "postgres"])
def url(request, tmp_path):
    return f"sqlite:///{tmp_path / 'registry.db'}" if request.param == "sqlite" else request.getfixturevalue("postgres_url")


def fill(registry, entries):
    """As many registrations as entries, each with its row, its stage and a change note of its own; an anchor for each hundred."""
    uid, previous, batch = registry.core.registry_uid, GENESIS, []
    with registry.core.store.write() as tx:
        model = catalog.make_model(tx, "lead", NOON)
        for seq in range(1, entries + 1):
            note, at = f"change {seq}", NOON + timedelta(seconds=seq)
            body = {"uid": new_uid(), "digest": text_digest(note), "remote_path": f"s3://models/lead/{seq}", "metrics": '{"auc": 0.9}'}
            entry = AuditEntry(actor="ann", action="register", subject=f"lead:{seq}", body=body, text=note)
            place = {"seq": seq, "at": at, "deployment": "prod", "previous": previous}
            hashed = entry_hash(entry, **place, digest=text_digest(note))
            batch.append((place | {"hash": hashed}, entry))
            previous = hashed
            if seq % ANCHOR_EVERY == 0:
                registry.core.artifacts.write_anchor(uid, seq, {"hash": hashed, "at": at.isoformat()})
            if len(batch) == 1000 or seq == entries:
                _write(tx, model.id, batch)
                batch = []
        tx.run(statements.skip_to(entries))
        tx.run(statements.set_head(previous))


def _write(tx, model_id, batch):
    version = {
        "model_id": model_id, "registered_at": NOON, "is_imported": False, "format": "file", "is_stored": True, "parameters": {},
        "tags": {}, "datasets": [], "deployment": "prod", "packages": {}, "published_by": "ann",
    }  # fmt: skip
    notes = [{"digest": text_digest(entry.text), "text": entry.text} for _, entry in batch]
    entries = [
        {**place, "actor": entry.actor, "action": entry.action, "subject": entry.subject, "body": entry.body, "text_digest": note["digest"]}
        for (place, entry), note in zip(batch, notes, strict=True)
    ]
    rows = [{**version, **entry.body, "id": place["seq"], "number": place["seq"], "change_note": entry.text} for place, entry in batch]
    tx.run_many(insert(tables.audit_texts), notes)
    tx.run_many(insert(tables.audit), entries)
    tx.run_many(insert(tables.versions), rows)
    stages = [{"version_id": row["id"], "model_id": model_id, "stage": "DEVELOPMENT"} for row in rows]
    tx.run_many(insert(tables.version_stages), stages)


def verified(url, artifacts):
    done = subprocess.run([sys.executable, "-W", "error", "-c", VERIFY, url, artifacts], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_a_hundred_thousand_entries_are_verified_in_bounded_memory(url, tmp_path):
    registry = ModelRegistry(url, artifacts=str(tmp_path / "artifacts"), create=True)
    started = time.perf_counter()
    fill(registry, ENTRIES)
    print(f"\n{url.split(':')[0]}: {ENTRIES} entries written in {time.perf_counter() - started:.1f} s")
    found = verified(url, str(tmp_path / "artifacts"))
    print(f"verified in {found['seconds']:.1f} s; memory grew by {found['grown_mb']:.0f} MiB")
    assert (found["ok"], found["entries"], found["rows"], found["texts"]) == (True, ENTRIES, ENTRIES, ENTRIES)
    assert found["witnesses"] == ENTRIES // ANCHOR_EVERY
    assert found["grown_mb"] < 40
    with registry.core.store.write() as tx:
        tx.run(tables.audit.update().where(tables.audit.c.seq == ENTRIES - 1).values(actor="bob"))
    faults = [(str(fault.kind), fault.seq) for fault in registry.verify_audit().faults]
    assert faults == [("changed", ENTRIES - 1), ("state", ENTRIES - 1)]
    started = time.perf_counter()
    assert registry.export_audit(str(tmp_path / "audit.jsonl")).entries == ENTRIES
    print(f"exported in {time.perf_counter() - started:.1f} s; peak of this process {_peak():.0f} MiB")


def _peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
