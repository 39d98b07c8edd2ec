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
from airflow_registry.domain.audit_state import DECISIONS, EVALUATIONS, Claim
from airflow_registry.service.core import new_uid
from airflow_registry.sql import catalog, claimed, tables
from airflow_registry.sql.statements import audit as statements

pytestmark = [pytest.mark.soak, pytest.mark.postgres]

ENTRIES = 100_000
ANCHOR_EVERY = 100
BATCH = 1000
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
    """Many entries: of four, two registrations with metrics, an evaluation by slices and a decision; an anchor for each hundred."""
    uid, previous = registry.core.registry_uid, GENESIS
    with registry.core.store.write() as tx:
        model = catalog.make_model(tx, "lead", NOON)
        for first in range(1, entries + 1, BATCH):
            told = _told(tx, model.id, range(first, min(first + BATCH, entries + 1)))
            written = []
            for seq, entry in told:
                place = {"seq": seq, "at": NOON + timedelta(seconds=seq), "deployment": "prod", "previous": previous}
                digest = None if entry.text is None else text_digest(entry.text)
                previous = entry_hash(entry, **place, digest=digest)
                facts = {name: getattr(entry, name) for name in ("actor", "action", "subject", "body")}
                written.append({**place, **facts, "text_digest": digest, "hash": previous})
                if seq % ANCHOR_EVERY == 0:
                    registry.core.artifacts.write_anchor(uid, seq, {"hash": previous, "at": place["at"].isoformat()})
            tx.run_many(insert(tables.audit), written)
        tx.run(statements.skip_to(entries))
        tx.run(statements.set_head(previous))


def _told(tx, model_id, seqs):
    """Writes rows, and makes the entries that tell of them."""
    registered, evaluated, decided = [n for n in seqs if n % 2], [n for n in seqs if n % 4 != 0], [n for n in seqs if n % 4 == 0]
    versions = _add_versions(tx, model_id, registered)
    evaluations = _named(tx, EVALUATIONS, _add_evaluations(tx, model_id, evaluated))
    decisions = _named(tx, DECISIONS, _add_decisions(tx, model_id, decided))
    about = {"actor": "model_owner"}
    for seq in seqs:
        if seq % 2:
            body = {name: versions[seq][name] for name in ("uid", "digest", "remote_path", "metrics")} | {"evaluation": evaluations[seq]}
            yield seq, AuditEntry(**about, action="register", subject=f"lead:{seq}", body=body, text=versions[seq]["change_note"])
        elif seq % 4:
            body = {"data": None, "evaluation": evaluations[seq]}
            yield seq, AuditEntry(**about, action="evaluate", subject=f"lead:{seq - 1}", body=body)
        else:
            facts = {"outcome": "REFUSED", "champion": None, "revision": 0, "policy": text_digest("policy")}
            body = {"decision": decisions[seq]["uid"], **facts, "digests": decisions[seq]["digests"]}
            yield seq, AuditEntry(**about, action="decide", subject=f"lead:{seq - 1}", body=body)


def _add_versions(tx, model_id, seqs):
    version = {
        "model_id": model_id, "registered_at": NOON, "is_imported": False, "format": "file", "is_stored": True, "parameters": {},
        "tags": {}, "datasets": [], "deployment": "prod", "packages": {}, "published_by": "model_owner", "metrics": '{"auc": 0.9}',
    }  # fmt: skip
    rows = {
        n: {**version, "id": n, "uid": new_uid(), "number": n, "digest": text_digest(str(n)), "remote_path": f"s3://models/lead/{n}",
            "change_note": f"change {n}"}
        for n in seqs
    }  # fmt: skip
    tx.run_many(
        insert(tables.audit_texts), [{"digest": text_digest(row["change_note"]), "text": row["change_note"]} for row in rows.values()]
    )
    tx.run_many(insert(tables.versions), list(rows.values()))
    tx.run_many(insert(tables.version_stages), [{"version_id": n, "model_id": model_id, "stage": "DEVELOPMENT"} for n in rows])
    return rows


def _add_evaluations(tx, model_id, seqs):
    evaluation = {
        "model_id": model_id, "source": "evaluate", "data_name": "holdout", "data_digest": text_digest("data"), "data_rows": 1000,
        "slices": ["carrier"], "trivial": {"auc": 0.5}, "recorded_at": NOON, "recorded_by": "model_owner",
    }  # fmt: skip
    rows = [{**evaluation, "id": n, "uid": new_uid()} for n in seqs]
    lines = [
        {"evaluation_id": n, "version_id": n - (n % 2 == 0), "name": name, "slice": slice_, "value": 1 / (n + place), "rows": 1000}
        for n in seqs
        for slice_ in ([""] if n % 2 else ["", "carrier=AA", "carrier=UA", "carrier=DL"])
        for place, name in enumerate(("auc", "log_loss", "recall"))
    ]
    tx.run_many(insert(tables.evaluations), rows)
    tx.run_many(insert(tables.metrics), lines)
    return {row["id"]: row["uid"] for row in rows}


def _add_decisions(tx, model_id, seqs):
    reason = {"rule": "auc at least 0.95", "passed": False, "text": "auc is 0.9, and must be 0.95 at least; 1,000 rows.", "observed": 0.9}
    decision = {
        "model_id": model_id, "outcome": "REFUSED", "reasons": [reason] * 5, "revision": 0, "policy_digest": text_digest("policy"),
        "policy": {"schema": 1, "rules": [{"metric": "auc", "at_least": 0.95}] * 5}, "basis": {"stage": "DEVELOPMENT", "votes": []},
        "decided_at": NOON, "decided_by": "model_owner", "deployment": "prod",
    }  # fmt: skip
    rows = [{**decision, "id": n, "uid": new_uid(), "version_id": n - 1} for n in seqs]
    tx.run_many(insert(tables.decisions), rows)
    tx.run_many(insert(tables.decision_data), [{"decision_id": n, "data_digest": text_digest("data")} for n in seqs])
    return {row["id"]: row["uid"] for row in rows}


def _named(tx, table, uids):
    """What entries say of these rows, by their sequence."""
    found = claimed.rows_of(tx, table, [Claim(seq=0, subject="", table=table, uid=uid, facts={}) for uid in uids.values()])
    return {number: {"uid": uid, "digests": found[uid]["digests"]} for number, uid in uids.items()}


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
    assert (found["ok"], found["entries"], found["rows"], found["texts"]) == (True, ENTRIES, ENTRIES * 3 // 2, ENTRIES // 2)
    assert found["witnesses"] == ENTRIES // ANCHOR_EVERY
    assert found["grown_mb"] < 40
    with registry.core.store.write() as tx:
        tx.run(tables.audit.update().where(tables.audit.c.seq == ENTRIES - 1).values(actor="risk_lead"))
    faults = [(str(fault.kind), fault.seq) for fault in registry.verify_audit().faults]
    assert faults == [("changed", ENTRIES - 1), ("state", ENTRIES - 1), ("state", ENTRIES - 1)], "a version and its evaluation"
    started = time.perf_counter()
    assert registry.export_audit(str(tmp_path / "audit.jsonl")).entries == ENTRIES
    print(f"exported in {time.perf_counter() - started:.1f} s; peak of this process {_peak():.0f} MiB")


def _peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
