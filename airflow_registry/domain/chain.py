"""Reading an audit chain that somebody may have rewritten: entry by entry, in memory that does not grow with it.

`ChainCheck` is fed with the entries in the order in which they are stored, and names the first one that is not as it was written. The
chain proves itself up to its newest entry. Whoever recomputes all hashes from some entry on, or cuts the end off and corrects the head,
leaves a chain that is right in itself: only a head that was kept elsewhere (an audit anchor in the artifact store, a line in a task's
log) shows that it is another one.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.audit import GENESIS, AuditHead, hash_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime

RESTORE = "after_restore"  # the one action whose entry may stand behind a gap, because it says so
_PLACES = 100_000  # how far around its place the true one of a displaced entry is looked for; each try is one hash
_COPIES = 1000  # how many hashes are kept to recognise an entry that stands there twice
_BEYOND = 100  # and how far behind the newest one: the end may have been cut off too


class FaultKind(StrEnum):
    """What was done to the chain, as far as it shows."""

    CHANGED = "changed"
    DROPPED = "dropped"
    REORDERED = "reordered"
    INSERTED = "inserted"
    CUT_OFF = "cut_off"
    RECOMPUTED = "recomputed"
    HEAD = "head"
    RESTORED = "restored"
    ANCHOR = "anchor"
    TEXT = "text"
    STATE = "state"


_SHORTER = (FaultKind.CUT_OFF, FaultKind.DROPPED)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFault:
    """Something that is not as it was written.

    Attributes:
        kind: What was done, as far as it shows.
        seq: The first bad entry; None if it is about no entry.
        last: The last entry of a range that is bad as a whole, or within which the first bad entry lies; else None.
        text: One sentence for people: expected and found.
    """

    kind: FaultKind
    seq: int | None
    last: int | None = None
    text: str

    def to_json(self) -> dict[str, Any]:
        """For machines."""
        return {"kind": str(self.kind), "seq": self.seq, "last": self.last, "text": self.text}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainEntry:
    """One entry as it is stored: what it says of itself is still to be checked.

    Attributes:
        at: None if what stands there is no time.
        body: JSON text, to the letter.
    """

    seq: int
    at: datetime | None
    deployment: str
    actor: str
    action: str
    subject: str
    body: str
    text_digest: str | None
    previous: str
    hash: str

    @property
    def facts(self) -> Mapping[str, Any]:
        """The body; {} if it is no JSON object."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def head(self) -> AuditHead:
        """This entry as the chain's newest."""
        return AuditHead(seq=self.seq, hash=self.hash, at=self.at)

    def stands_at(self, seq: int) -> bool:
        """Whether it was written as entry `seq`."""
        return self.at is not None and self.hash == hash_of(
            seq=seq,
            at=self.at,
            deployment=self.deployment,
            actor=self.actor,
            action=self.action,
            subject=self.subject,
            body=self.body,
            digest=self.text_digest,
            previous=self.previous,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """A head that was kept outside the database.

    Attributes:
        head: What the newest entry was.
        source: Where that stands, for people.
    """

    head: AuditHead
    source: str


class ChainCheck:
    """Feed it every entry in stored order, then ask for the faults.

    Args:
        head: The head row beside the chain; None if there is none.
        witnesses: Heads that were kept elsewhere.
        accepted: Entries of restores that somebody knows of.
    """

    def __init__(self, head: AuditHead | None, witnesses: Iterable[Witness] = (), accepted: Collection[int] = ()) -> None:
        self.entries = 0
        self.last: ChainEntry | None = None
        self.compared = 0
        self.vouched_to = 0
        self._head = head
        self._witnesses = sorted(witnesses, key=lambda one: one.head.seq, reverse=True)  # the next one is popped from the end
        self._accepted = accepted
        self._fault: AuditFault | None = None
        self._suspect: tuple[ChainEntry, ChainEntry | None] | None = None
        self._recent: deque[str] = deque(maxlen=_COPIES)
        self._other: Witness | None = None
        self._good = 0
        self._restores: list[AuditFault] = []

    def feed(self, entry: ChainEntry) -> None:
        """The next entry."""
        self.entries += 1
        if self._suspect is not None:
            self._settle(entry)
        elif self._fault is None and not self._follows(entry) and not self._is_restore(entry):
            self._suspect = (entry, self.last)
        self._compare(entry)
        self._recent.append(entry.hash)
        self.last = entry

    def finish(self) -> tuple[AuditFault, ...]:
        """What is wrong, first what is wrong first; () if nothing is."""
        self._settle(None)
        end = self._fault or _end_fault(self.last, self._head)
        faults = [*self._restores, *([] if end is None else [end]), *self._witness_faults(end)]
        return tuple(sorted(faults, key=lambda fault: fault.kind is FaultKind.RESTORED))

    def _settle(self, following: ChainEntry | None) -> None:
        """Say what was done where an entry did not follow; the one behind it often tells."""
        if self._suspect is None:
            return
        entry, before = self._suspect
        is_copy = entry.hash in list(self._recent)[:-1]
        self._fault, self._suspect = _classified(entry, before, following, self._head, is_copy=is_copy), None

    def _follows(self, entry: ChainEntry) -> bool:
        seq, previous = _after(self.last)
        return entry.seq == seq and entry.previous == previous and entry.stands_at(seq)

    def _is_restore(self, entry: ChainEntry) -> bool:
        """Whether it says that the entries before it were lost in a restore; that is no secret, and nothing to pass over either."""
        seq, previous = _after(self.last)
        said = entry.facts.get("lost_entries")
        is_said = entry.action == RESTORE and said == [seq, entry.seq - 1] and seq < entry.seq
        if not is_said or entry.previous != previous or not entry.stands_at(entry.seq):
            return False
        if entry.seq not in self._accepted:
            self._restores.append(_restored(seq, entry))
        return True

    def _compare(self, entry: ChainEntry) -> None:
        """With every witness up to here; one of an entry that is not there is the chain's own fault, or was lost in a restore."""
        while self._witnesses and self._witnesses[-1].head.seq <= entry.seq:
            witness = self._witnesses.pop()
            if witness.head.seq < entry.seq:
                continue
            self.compared += 1
            if witness.head.hash == entry.hash:
                self.vouched_to = entry.seq
            elif self._other is None:
                self._other, self._good = witness, self.vouched_to

    def _witness_faults(self, end: AuditFault | None) -> list[AuditFault]:
        """What only the witnesses know; what the chain's own fault explains is not said twice."""
        faults = []
        explained = end is not None and end.seq is not None and self._other is not None and end.seq <= self._other.head.seq
        if self._other is not None and not explained:
            is_vouched = self.vouched_to > self._other.head.seq
            faults.append(_wrong(self._other, self.vouched_to) if is_vouched else _recomputed(self._good, self._other))
        if self._witnesses and (end is None or end.kind not in _SHORTER):
            faults.append(_ahead(0 if self.last is None else self.last.seq, self._witnesses[0]))
        return faults


def _after(last: ChainEntry | None) -> tuple[int, str]:
    """Place of the next entry, and what it must name as the hash before it."""
    return (1, GENESIS) if last is None else (last.seq + 1, last.hash)


def _classified(
    entry: ChainEntry, before: ChainEntry | None, following: ChainEntry | None, head: AuditHead | None, *, is_copy: bool
) -> AuditFault:
    """What was done where `entry` does not follow on `before`."""
    seq, _ = _after(before)
    newest = seq if head is None else head.seq
    true = None if entry.seq != seq or entry.stands_at(seq) else _true_place(entry, seq, max(seq, newest))
    if is_copy:
        return _fault(FaultKind.INSERTED, seq, "was inserted: it is a copy of an earlier one")
    if seq > newest and (true is None or true > seq):
        return _fault(FaultKind.INSERTED, max(entry.seq, seq), "stands behind the newest one that the head names")
    if entry.seq != seq:
        return _displaced(entry, seq, following)
    return _unlinked(entry, before, following) if entry.stands_at(seq) else _untrue(true, before, following)


def _displaced(entry: ChainEntry, seq: int, following: ChainEntry | None) -> AuditFault:
    """Its number is not the next one."""
    if entry.seq < seq or (following is not None and seq <= following.seq < entry.seq):
        return _fault(FaultKind.REORDERED, seq, f"was expected, and entry {entry.seq} stands in its place")
    return _dropped(seq, entry.seq - 1, "")


def _unlinked(entry: ChainEntry, before: ChainEntry | None, following: ChainEntry | None) -> AuditFault:
    """It is true in itself, and names another hash before it. Who is wrong, the one after it says."""
    if before is None or (following is not None and following.previous != entry.hash):
        named = "the beginning" if before is None else f"entry {before.seq}"
        return _fault(FaultKind.CHANGED, entry.seq, f"was changed and its hash computed again: it does not follow on {named}")
    return _fault(FaultKind.CHANGED, before.seq, f"was changed and its hash computed again: entry {entry.seq} names another one")


def _untrue(true: int | None, before: ChainEntry | None, following: ChainEntry | None) -> AuditFault:
    """The facts of the entry behind `before` do not have its hash at that place; at place `true` they do, if at any."""
    seq, previous = _after(before)
    if true is None:
        if following is not None and following.previous == previous and following.stands_at(seq):
            return _fault(FaultKind.INSERTED, seq, f"was inserted: the one behind it was written as entry {seq}")
        return _fault(FaultKind.CHANGED, seq, "was changed: its facts do not have the hash that was written with them")
    if true < seq:
        return _fault(FaultKind.INSERTED, true, f"was inserted: what was written as entry {true} stands at place {seq}", last=seq - 1)
    if following is None or following.stands_at(true + 1):
        return _dropped(seq, true - 1, f", and the ones behind were numbered anew: entry {true} stands at place {seq}")
    return _fault(FaultKind.REORDERED, seq, f"was moved: what was written as entry {true} stands in its place")


def _true_place(entry: ChainEntry, seq: int, newest: int) -> int | None:
    """Where it was written, looked for from near to far; None if nowhere."""
    for distance in range(1, min(_PLACES, newest + _BEYOND)):
        for place in (seq - distance, seq + distance):
            if 0 < place <= newest + _BEYOND and entry.stands_at(place):
                return place
    return None


def _end_fault(last: ChainEntry | None, head: AuditHead | None) -> AuditFault | None:
    """Whether chain and head row end alike."""
    seq = 0 if last is None else last.seq
    if head is None:
        return AuditFault(kind=FaultKind.HEAD, seq=None, text=f"The head row of the audit chain is gone; the chain ends at entry {seq}.")
    if seq < head.seq:
        return AuditFault(kind=FaultKind.CUT_OFF, seq=seq + 1, last=head.seq, text=_cut_off(seq, f"its head is entry {head.seq}"))
    if seq > head.seq:
        return _fault(FaultKind.INSERTED, head.seq + 1, "stands behind the newest one that the head names", last=seq)
    if (GENESIS if last is None else last.hash) != head.hash:
        return _fault(FaultKind.HEAD, seq, f"was changed and its hash computed again, or the head row was: the head is {head.hash}")
    return None


def _dropped(first: int, last: int, more: str) -> AuditFault:
    told = "is" if first == last else f"to {last} are"
    return AuditFault(kind=FaultKind.DROPPED, seq=first, last=last, text=f"Entry {first} {told} missing{more}.")


def _cut_off(seq: int, expected: str) -> str:
    return f"The audit chain was cut off: it ends at entry {seq}, and {expected}."


def _ahead(last: int, witness: Witness) -> AuditFault:
    text = _cut_off(last, f"{witness.source} knows entry {witness.head.seq}")
    return AuditFault(kind=FaultKind.CUT_OFF, seq=last + 1, last=witness.head.seq, text=text)


def _recomputed(good: int, witness: Witness) -> AuditFault:
    seq = witness.head.seq
    first = f"The first one that was rewritten is one of {good + 1} to {seq}" if good + 1 < seq else f"Entry {seq} was rewritten"
    vouched = f"entry {good} is still as it was" if good else "no earlier head is known"
    text = f"The audit chain was computed anew: entry {seq} has another hash than {witness.source} knows. {first}; {vouched}."
    return AuditFault(kind=FaultKind.RECOMPUTED, seq=good + 1, last=seq, text=text)


def _wrong(witness: Witness, later: int) -> AuditFault:
    """Each hash covers all entries before it, so a later head that fits proves the earlier entries."""
    seq = witness.head.seq
    text = (
        f"Entry {seq} has another hash than {witness.source} knows, and a later head proves all entries up to {later}: the former is wrong."
    )
    return AuditFault(kind=FaultKind.ANCHOR, seq=seq, text=text)


def _restored(first: int, entry: ChainEntry) -> AuditFault:
    lost = f"entry {first} was" if first == entry.seq - 1 else f"entries {first} to {entry.seq - 1} were"
    text = (
        f"Entry {entry.seq} by {entry.actor} says that the database was restored from a backup, and that {lost} lost with it. "
        "If you know of that restore, accept it by its number; if not, the chain was cut off there."
    )
    return AuditFault(kind=FaultKind.RESTORED, seq=first, last=entry.seq - 1, text=text)


def _fault(kind: FaultKind, seq: int, text: str, last: int | None = None) -> AuditFault:
    return AuditFault(kind=kind, seq=seq, last=last if last != seq else None, text=f"Entry {seq} {text}.")
