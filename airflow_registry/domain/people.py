"""What people say: votes and waivers about a version, locks and freezes of a model.

A vote is about a version and a policy; of one person the last vote counts. A waiver lifts one rule for one version until it expires,
and stays visible in every decision that used it. One person may be known by several names (a user name, an e-mail address, what git
knows): whoever shares a name with an author counts as that author, because the mistake in the other direction would let somebody
approve his own work.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from airflow_registry.domain.rules import Approval
from airflow_registry.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from airflow_registry.domain.policy import Policy

_GIT_AUTHOR = re.compile(r"(.*)<([^<>]*)>")


class Choice(StrEnum):
    """What a person may say."""

    APPROVE = "approve"
    REJECT = "reject"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """What one person said about a version under a policy.

    Attributes:
        person: Who, as the identity provider calls them; compared without regard to case.
        choice: Approve or reject.
        at: When.
        comment: In their words; None if there is none, or it was erased.
        policy_digest: The policy under which it counts.
        created: False if the same person had said the same before, and nothing was added.
    """

    person: str
    choice: Choice
    at: datetime
    comment: str | None = None
    policy_digest: str = ""
    created: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """One rule is lifted for one version.

    Attributes:
        uid: UUIDv7.
        rule: The rule in short, exactly as decisions show it.
        number: The version.
        person: Who lifted it.
        reason: Why.
        expires_at: From then on the rule holds again.
        withdrawn_at: Since then it lifts nothing any more; None if it was not withdrawn.
    """

    uid: str
    rule: str
    number: int
    person: str
    reason: str
    expires_at: datetime
    withdrawn_at: datetime | None = None

    def holds_at(self, moment: datetime) -> bool:
        """Whether it lifts its rule at that moment, as far as is known now."""
        return moment < self.expires_at and self.withdrawn_at is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How people stand to a version under a policy.

    Attributes:
        opened_at: When the gate first asked for votes, None if it did not yet.
        votes: All votes, oldest first.
        authors: Every name of those who made the version or the policy (publisher, trainer, git author, who triggered the run, last editor
            of the policy), as `aliases` writes names; ask `is_author`.
    """

    opened_at: datetime | None = None
    votes: tuple[Vote, ...] = ()
    authors: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """When the gate may come to another decision about a version by the same policy.

    Attributes:
        mark: A short text that is another one as soon as anything but time has changed: a vote, a waiver, a lock, the champion, ….
        change_at: When time alone changes something next: a deadline, the end of a waiver or a freeze; None if it does not.
    """

    mark: str
    change_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What people have laid down for a model.

    Attributes:
        locked_policy: Digest of the only policy by which it may be promoted; None if it is not locked.
        frozen_until: Until then nothing is promoted automatically; None if it was never frozen, or was unfrozen. May be in the past.
        frozen_reason: Why.
        frozen_by: By whom.
    """

    locked_policy: str | None = None
    frozen_until: datetime | None = None
    frozen_reason: str | None = None
    frozen_by: str | None = None

    def is_frozen_at(self, moment: datetime) -> bool:
        """Whether automatic promotion is refused at that moment."""
        return self.frozen_until is not None and moment < self.frozen_until


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyLock:
    """One person's word that a model is promoted by one policy only, or (without a digest) by any again.

    Attributes:
        uid: UUIDv7.
        digest: Digest of the policy; None to unlock.
        is_effective: Whether it holds since; else it waits for a second person to say the same.
        by: Who said it.
        at: When.
        reason: Why; None if nothing was said, or it was erased.
    """

    uid: str
    digest: str | None
    is_effective: bool
    by: str
    at: datetime
    reason: str | None = None


def checked_person(name: object) -> str:
    """A person's name without blanks around it.

    Raises:
        InvalidInputError: If it is not text, or says nothing.
    """
    if not isinstance(name, str) or not name.strip():
        raise InvalidInputError(f"Expected the name of a person, as the identity provider or git calls them; found {name!r}.")
    return " ".join(name.split())


def person_key(name: str) -> str:
    """What two spellings of one name have in common: case, blanks and compatibility forms do not count.

    >>> person_key(" Approver  ONE")
    'approver one'
    """
    return " ".join(unicodedata.normalize("NFKC", name).split()).casefold()


def aliases(name: str) -> frozenset[str]:
    """The names by which a person may also be known: of `Name <e-mail>` both parts, of an e-mail address what stands before the @.

    >>> sorted(aliases("Approver One <Approver.O+work@example.org>"))
    ['approver one', 'approver one <approver.o+work@example.org>', 'approver.o', 'approver.o+work', 'approver.o+work@example.org', 'work']
    """
    key = person_key(name)
    found = _GIT_AUTHOR.fullmatch(key)
    names = {key} if found is None else {key, found[1].strip(), found[2].strip()}
    local = {one.rpartition("@")[0] for one in names if "@" in one and " " not in one}
    tagged = {part for one in local for part in one.split("+")}  # approver+work@…, and 123+approver@… of a forge that hides addresses
    return frozenset((names | local | tagged) - {""})


def is_author(name: str, authors: frozenset[str]) -> bool:
    """Whether a person is one of those who made something; `authors` holds names as `aliases` writes them."""
    return not authors.isdisjoint(aliases(name))


def authors_of(names: Iterable[str | None]) -> frozenset[str]:
    """All names of these people; those that are not known are left out."""
    return frozenset(alias for name in names if name for alias in aliases(name))


def approvals_of(policy: Policy) -> tuple[Approval, ...]:
    """The rules of a policy that ask people; for a first model there may be one that is not written down."""
    written = tuple(rule for rule in policy.rules if isinstance(rule, Approval))
    return written or ((Approval(),) if policy.first_model == "approval" else ())


def vote_ends_at(rules: Iterable[Approval], opened_at: datetime | None) -> datetime | None:
    """From when on no vote counts any more; None if one may always come.

    Args:
        rules: Those that ask people; a vote is of use until the last of them has ended.
        opened_at: When the gate first asked, None if it did not yet.
    """
    lengths = [rule.within for rule in rules]
    known = [length for length in lengths if length is not None]
    return opened_at + max(known) if opened_at is not None and known and len(known) == len(lengths) else None


def last_votes(votes: Iterable[Vote]) -> tuple[Vote, ...]:
    """Of each person the last vote, which is the one that counts.

    Args:
        votes: Oldest first.
    """
    return tuple({person_key(vote.person): vote for vote in votes}.values())
