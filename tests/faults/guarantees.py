"""One function that checks what is guaranteed about a model, whatever happened to the processes that worked on it.

The numbers are those of the guarantees in the design: 1 one champion, 2 immutable versions with gapless use of one counter,
3 idempotent registration, 4 bytes before rows, 5 promotion as compare-and-set, 6 no pass by accident, 7 one run, one version,
8 one live writer for each output, 9 no promotion lost, 10 an unbroken audit. What a retry must bring about is asked by the caller.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from sqlalchemy import text

from airflow_registry.domain.audit import GENESIS
from airflow_registry.domain.promotion import production_changed
from airflow_registry.objects.dispatch import is_object_uri, open_bucket
from airflow_registry.scoring.writer import read_manifest, read_provenance
from airflow_registry.service.protocol import Subscription

REFUSES = {"schema": 1, "rules": [{"metric": "auc", "at_least": 0.999}]}


def check_guarantees(registry, engine, model, *, storage=None, outputs=()):
    """Raise unless guarantees 1 to 10 hold for a model, as far as they can be broken from outside.

    Args:
        registry: The registry, opened by a process that has seen nothing of what happened.
        engine: A way past it.
        model: The model; it has a champion.
        storage: How object stores are reached.
        outputs: The partitions' folders that it writes to.
    """
    champions_and_versions(registry, model)
    promotions(registry, model)
    a_refusal_stays_a_refusal(registry, model)
    for output in outputs:
        whole_output(registry, model, output, storage)
    audit_chain(engine)
    assert registry.verify_audit().faults == ()


def champions_and_versions(registry, model):
    """1, 2, 4."""
    versions = registry.versions(model)
    assert [version.number for version in versions] == list(range(1, len(versions) + 1))
    assert [version.stage for version in versions].count("PRODUCTION") == 1
    for version in versions[-5:]:
        version.load()  # raises unless its bytes are there and have the digest


def promotions(registry, model):
    """5, 9: revisions without gaps, the champion is who was promoted last, and a consumer that resolved nothing is waited for."""
    changes = [one for one in registry.history(model) if one.revision]
    assert [one.revision for one in changes] == list(range(1, len(changes) + 1))
    made = [one for one in changes if production_changed(one)]
    assert registry.production(model).number == made[-1].number
    assert registry.revisions()[model] == changes[-1].revision
    assert len({one.decision for one in made if one.decision}) == len([one for one in made if one.decision])
    registry.bells_due([Subscription(model=model, consumer=f"watch_{model}")])  # must be answerable


def a_refusal_stays_a_refusal(registry, model):
    """6."""
    newest = registry.versions(model)[-1]
    decision = registry.decide(model, newest.number, policy=REFUSES, dry_run=True)
    assert not decision.approved


def whole_output(registry, model, output, storage):
    """8: a reader sees the live writer's bytes, or whole bytes of a later intent that recall knows."""
    data = f"{output}/predictions.parquet"
    live = [entry for entry in registry.predictions(model) if entry.is_live and entry.output == output]
    assert len(live) <= 1
    body = _bytes(data, storage)
    if body is None:
        assert not live
        return
    read_provenance(data, storage)  # raises unless it is a whole parquet file
    if live and hashlib.sha256(body).hexdigest() == live[0].digest.removeprefix("sha256:"):
        return
    written_by = int(read_provenance(data, storage)["version"])
    assert output in {entry.output for entry in registry.recall(model, written_by).entries}
    manifest = read_manifest(output, storage)
    assert manifest is None or not live or manifest["generation"] >= live[0].generation


def _bytes(uri, storage):
    if is_object_uri(uri):
        client, key = open_bucket(uri, storage)
        return client.read(key) if client.head(key) else None
    try:
        return Path(uri).read_bytes()
    except FileNotFoundError:
        return None


def audit_chain(engine):
    """10: every entry follows the one before, and the head is the last."""
    with engine.connect() as connection:
        chain = list(connection.execute(text("SELECT seq, previous, hash FROM airflow_registry_audit ORDER BY seq")))
        head = connection.execute(text("SELECT seq, hash FROM airflow_registry_audit_head")).one()
    assert [row.seq for row in chain] == list(range(1, len(chain) + 1))
    assert [row.previous for row in chain] == [GENESIS, *(row.hash for row in chain[:-1])]
    assert tuple(head) == (chain[-1].seq, chain[-1].hash)
