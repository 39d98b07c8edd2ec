"""What entries of the audit claim about rows of other tables, and whether those rows agree.

A promotion that somebody inserts past the registry has no entry; a digest that somebody changes differs from what its registration says;
a metric that somebody improves gives its evaluation another digest; a champion that somebody swaps is not the one of the last promotion.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.audit import text_digest
from airflow_registry.domain.chain import RESTORE, AuditFault, ChainEntry, FaultKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

VERSIONS, EVALUATIONS, DECISIONS, PROMOTIONS = "versions", "evaluations", "decisions", "promotions"
VOTES, WAIVERS, WITHDRAWALS, LOCKS, FREEZES = "votes", "waivers", "withdrawals", "locks", "freezes"
TABLES = (VERSIONS, EVALUATIONS, DECISIONS, PROMOTIONS, VOTES, WAIVERS, WITHDRAWALS, LOCKS, FREEZES)
TAKEN_OVER = "imported from the original table"  # the reason of a promotion that has no entry of its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What one entry says about one row.

    Attributes:
        seq: The entry.
        subject: The version or model that the entry is about.
        table: What kind of row it is, one of `TABLES`.
        uid: The row.
        facts: What its columns must hold, by the names of the entry's body.
        digests: Digests of what is too long to be repeated in an entry, by the names of `_OTHER`.
        text_digest: Digest of the free text that the row repeats, None if it must have none.
    """

    seq: int
    subject: str
    table: str
    uid: str
    facts: Mapping[str, Any]
    digests: Mapping[str, Any] = field(default_factory=dict)
    text_digest: str | None = None


def claims_of(entry: ChainEntry) -> tuple[Claim, ...]:
    """What an entry says about rows; () if it is about no single row. A registration may tell of a version and of its evaluation.

    Older releases wrote fewer facts; what an entry does not hold is not compared.
    """
    body = entry.facts
    table, key, names = _KINDS.get(entry.action, _STAGE_CHANGE)
    about, found = partial(Claim, seq=entry.seq, subject=entry.subject), []
    if isinstance(uid := body.get(key), str):
        facts = {"ref": entry.subject, **{name: body[name] for name in names if name in body}, "by": entry.actor}
        digests = _mapping(body.get("digests"))
        found.append(about(table=table, uid=uid, facts=facts, digests=digests, text_digest=entry.text_digest))
    evaluation = _mapping(body.get("evaluation"))
    if isinstance(uid := evaluation.get("uid"), str):
        digests = _mapping(evaluation.get("digests"))
        found.append(about(table=EVALUATIONS, uid=uid, facts={"by": entry.actor}, digests=digests))
    return tuple(found)


def unnamed_evaluations(entry: ChainEntry) -> int:
    """How many evaluations (count) an entry of an older release tells of without saying which."""
    body = entry.facts if entry.action in _EVALUATED else {}
    if not body or "evaluation" in body:
        return 0
    is_registration = isinstance(body.get("uid"), str)
    return int(entry.action == "evaluate" or (is_registration and body.get("metrics", _NO_METRICS) != _NO_METRICS))


def _mapping(value: object) -> Mapping[str, Any]:
    """An entry that somebody has changed may hold anything."""
    return value if isinstance(value, dict) else {}


_EVALUATED = frozenset({"register", "import", "evaluate"})
_NO_METRICS = "{}"

_KINDS: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "register": (VERSIONS, "uid", ("digest", "remote_path", "metrics")),
    "import": (VERSIONS, "uid", ("digest", "remote_path", "metrics")),
    "decide": (DECISIONS, "decision", ("outcome", "champion", "revision", "policy")),
    "vote": (VOTES, "vote", ("choice", "policy")),
    "waive": (WAIVERS, "waiver", ("rule", "expires_at")),
    "withdraw_waiver": (WITHDRAWALS, "waiver", ("rule",)),
    "lock_policy": (LOCKS, "lock", ("policy", "is_effective")),
    "unlock_policy": (LOCKS, "lock", ("policy", "is_effective")),
    "freeze": (FREEZES, "freeze", ("until",)),
    "unfreeze": (FREEZES, "freeze", ("until",)),
}
_STAGE_CHANGE = (PROMOTIONS, "promotion", ("from", "to", "replaced", "revision", "decision"))  # whatever the action is called


# What has a digest. A release that keeps more of a row gives that a new name here: then each release compares what it knows.
_OTHER: Mapping[str, str] = {
    "metrics": "its metrics are other ones",
    "data": "its data are other ones",
    "reasons": "its reasons are other ones",
    "basis": "its basis is another one",
    "facts": "other facts of it are not what they were",
}


def contradiction(claim: Claim, row: Mapping[str, Any] | None) -> AuditFault | None:
    """Where a row differs from what the audit says of it.

    Args:
        claim: What the audit says.
        row: What the table says, by the same names, with its digests as `digests` and its free text as `text` or the digest of it as
            `text_digest`; None if there is no such row.
    """
    what = f"{claim.table[:-1]} of {claim.subject}"
    if row is None:
        return _state(claim.seq, f"The {what} that entry {claim.seq} tells of is gone from the database ({claim.uid}).")
    other = [f"{name} is {row[name]!r}, and was {said!r}" for name, said in claim.facts.items() if row[name] != said]
    other += [_OTHER[name] for name, found in row.get("digests", {}).items() if found != claim.digests.get(name, found)]
    text = row.get("text")
    digest = row.get("text_digest", claim.text_digest) if text is None else text_digest(text)
    if digest != claim.text_digest:
        other.append("its free text is another one")
    return _state(claim.seq, f"The {what} was changed past the registry: {'; '.join(other)} (entry {claim.seq}).") if other else None


@dataclass(slots=True)
class Champions:
    """Who is champion of each model by the audit.

    Attributes:
        by_model: Number (None for nobody), revision, and the entry that says so, by the model's name in lower case.
        promoted: The newest entry that changed a champion, 0 if none did.
        imported: Rows of an original table that were taken over (count): their versions and champions have no entries of their own.
    """

    by_model: dict[str, tuple[int | None, int, int]] = field(default_factory=dict)
    promoted: int = 0
    imported: int = 0

    def feed(self, entry: ChainEntry) -> None:
        """The next entry."""
        body = entry.facts
        if entry.action == RESTORE:
            self.by_model.update(_lifted(body, entry.seq))
        elif entry.action == "import" and isinstance(body.get("rows"), int):
            self.imported += body["rows"]
        elif "promotion" in body and isinstance(body.get("revision"), int):
            model, _, number = entry.subject.rpartition(":")
            champion = int(number) if body.get("to") == "PRODUCTION" and number.isdecimal() else None
            self.by_model[model.lower()] = (champion, body["revision"], entry.seq)
            self.promoted = entry.seq

    def contradictions(self, cells: Iterable[tuple[str, int | None, int]]) -> list[AuditFault]:
        """Where the champion's cell of a model (name, number, revision) is not what the audit says."""
        return [fault for model, number, revision in cells if (fault := self._of_cell(model, number, revision)) is not None]

    def _of_cell(self, model: str, number: int | None, revision: int) -> AuditFault | None:
        known = self.by_model.get(model.lower())
        if known is None and (revision == 0 or (revision == 1 and self.imported)):
            return None
        said, at, seq = known or (None, 0, None)
        if (said, at) == (number, revision):
            return None
        found, expected = (f"{_named(one)} (revision {count})" for one, count in ((number, revision), (said, at)))
        told = f" (entry {seq})" if seq else ""
        return _state(seq, f"The champion of {model} was changed past the registry: it is {found}, and by the audit {expected}{told}.")


def _lifted(body: Mapping[str, Any], seq: int) -> Iterator[tuple[str, tuple[int | None, int, int]]]:
    """The champions that a restore has left; an entry that somebody has changed may hold anything."""
    models = body.get("models")
    for one in models if isinstance(models, list) else ():
        if isinstance(one, dict) and isinstance(one.get("revision"), int):
            yield str(one.get("model")).lower(), (one.get("champion"), one["revision"], seq)


def _named(number: int | None) -> str:
    return "nobody" if number is None else f"v{number}"


def _state(seq: int | None, text: str) -> AuditFault:
    return AuditFault(kind=FaultKind.STATE, seq=seq, text=text)
