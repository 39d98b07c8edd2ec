"""The audit chain: each entry's hash covers its own facts and the hash of the entry before it.

Free text (a reason, a change note) stands outside: the entry holds its digest only, so that the text can be erased later without
breaking the chain.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.clock import utc

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

GENESIS = "sha256:" + "0" * 64


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """What somebody did.

    Attributes:
        actor: Who: a person or a process's user.
        action: `register`, `decide`, `promote`, `move`, `rollback`, `repin`, `import`.
        subject: What it was done to: `lead_scoring:7`.
        body: The facts, as JSON; no free text.
        text: Free text, kept outside the chain.
    """

    actor: str
    action: str
    subject: str
    body: Mapping[str, Any]
    text: str | None = None


def text_digest(text: str) -> str:
    """`sha256:…` of a free text."""
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def entry_hash(entry: AuditEntry, *, seq: int, at: datetime, deployment: str, digest: str | None, previous: str) -> str:
    """The hash of one entry in its place.

    Args:
        entry: The facts; its text is covered by `digest`.
        seq: Place in the chain, from 1.
        at: Aware time.
        deployment: The Airflow installation that wrote it.
        digest: Digest of the free text, None if there is none.
        previous: Hash of the entry before, `GENESIS` for the first.
    """
    facts = {
        "seq": seq,
        "at": utc(at).isoformat(),
        "deployment": deployment,
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "body": dict(entry.body),
        "text_digest": digest,
        "previous": previous,
    }
    canonical = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"
