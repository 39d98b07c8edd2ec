"""The audit chain: each entry's hash covers its own facts and the hash of the entry before it.

Free text (a reason, a change note) stands outside: the entry holds its digest only, so that the text can be erased later without
breaking the chain. What is hashed is JSON with sorted keys and no spaces, so that anyone can compute it again from an export.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.clock import utc
from airflow_registry.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

GENESIS = "sha256:" + "0" * 64
_HEAD = re.compile(r"\s*(\d{1,18})[:\s]\s*(sha256:[0-9a-f]{64})\s*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """What somebody did.

    Attributes:
        actor: Who: a person or a process's user.
        action: `register`, `decide`, `promote`, `move`, `rollback`, `repin`, `import`, `erase`.
        subject: What it was done to: `lead_scoring:7`.
        body: The facts, as JSON; no free text.
        text: Free text, kept outside the chain.
    """

    actor: str
    action: str
    subject: str
    body: Mapping[str, Any]
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditHead:
    """The newest entry of the chain at some moment: whoever knows it can tell whether anything before it was rewritten later.

    Attributes:
        seq: Place in the chain; 0 for an empty one.
        hash: Hash of that entry.
        at: When it was written (aware); None where only place and hash are known.
    """

    seq: int
    hash: str
    at: datetime | None = None

    def __str__(self) -> str:
        return f"{self.seq:012d} {self.hash}"

    @classmethod
    def parse(cls, text: str) -> AuditHead:
        """A head as a task's log shows it; the law is `parse(str(head)) == head`, but for its time.

        Raises:
            InvalidInputError: If it is no head.

        >>> AuditHead.parse("42:sha256:" + "0" * 64).seq
        42
        """
        found = _HEAD.fullmatch(text)
        if found is None:
            raise InvalidInputError(
                f"{text!r} is no head of an audit chain. Expected SEQ:sha256:… with 64 hex digits, for example 42:sha256:9f86d0…; "
                "the log of a promoting task says it after 'Audit head'."
            )
        return cls(seq=int(found[1]), hash=found[2])


def text_digest(text: str) -> str:
    """`sha256:…` of a free text."""
    return _sha256(text)


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
    names = {"deployment": deployment, "actor": entry.actor, "action": entry.action, "subject": entry.subject}
    return hash_of(**names, seq=seq, at=at, body=canonical(dict(entry.body)), digest=digest, previous=previous)


def hash_of(
    *, seq: int, at: datetime, deployment: str, actor: str, action: str, subject: str, body: str, digest: str | None, previous: str
) -> str:
    """The hash of an entry whose body is JSON text already; it counts as it stands, to the letter."""
    return _sha256(
        f'{{"action":{canonical(action)},"actor":{canonical(actor)},"at":"{utc(at).isoformat()}","body":{body},'
        f'"deployment":{canonical(deployment)},"previous":{canonical(previous)},"seq":{seq},"subject":{canonical(subject)},'
        f'"text_digest":{canonical(digest)}}}'
    )


_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode  # made once: chains are long


def canonical(value: object) -> str:
    """JSON of which there is one form only: sorted keys, no spaces, no NaN.

    >>> canonical({"b": 1, "a": "größer"})
    '{"a":"größer","b":1}'
    """
    return _encode(value)


def _sha256(text: str) -> str:
    # Half a character, which no database keeps, may stand in a file that somebody has edited: then the hash is another one, not an error.
    return f"sha256:{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"
