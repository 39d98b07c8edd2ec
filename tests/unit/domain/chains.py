"""Audit chains for tests: made right, then made wrong in every way that somebody with the database's password has."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from airflow_registry.domain.audit import GENESIS, canonical, hash_of
from airflow_registry.domain.chain import ChainCheck, ChainEntry, Witness

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def sealed(entry, *, seq=None, previous=None):
    """The entry with the hash that its facts have."""
    entry = replace(entry, seq=entry.seq if seq is None else seq, previous=entry.previous if previous is None else previous)
    names = ("seq", "at", "deployment", "actor", "action", "subject", "body", "previous")
    return replace(entry, hash=hash_of(**{name: getattr(entry, name) for name in names}, digest=entry.text_digest))


def entry(seq, previous=GENESIS, **facts):
    plain = {
        "seq": seq,
        "at": NOON + timedelta(minutes=seq),
        "deployment": "prod",
        "actor": "model_owner",
        "action": "register",
        "subject": f"lead:{seq}",
        "body": canonical({"uid": f"uid-{seq}", "digest": "sha256:é"}),
        "text_digest": None,
        "previous": previous,
        "hash": "",
    }
    return sealed(ChainEntry(**{**plain, **facts}))


def chain(length, **facts):
    """Entries 1 to `length`, as they are written."""
    found = []
    for seq in range(1, length + 1):
        found.append(entry(seq, found[-1].hash if found else GENESIS, **facts))
    return found


def rewritten(entries, start=0):
    """All hashes computed anew from a position on: the chain is right in itself."""
    found = list(entries[:start])
    for one in entries[start:]:
        found.append(sealed(one, previous=found[-1].hash if found else GENESIS))
    return found


def renumbered(entries):
    """The numbers follow on each other; all else stays."""
    return [replace(one, seq=seq) for seq, one in enumerate(entries, start=1)]


def checked(entries, head, anchors=(), accepted=()):
    """The check that has read these entries, and what it says."""
    check = ChainCheck(head, [Witness(head=one.head, source=f"anchor {one.seq}") for one in anchors], accepted)
    for one in entries:
        check.feed(one)
    return check, check.finish()


def faults(entries, head, anchors=(), accepted=()):
    return [(fault.kind.value, fault.seq, fault.last) for fault in checked(entries, head, anchors, accepted)[1]]
