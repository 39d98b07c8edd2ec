"""What people say about a version: votes and waivers.

A vote is about a version and a policy; of one person the last vote counts. A waiver lifts one rule for one version until it expires,
and stays visible in every decision that used it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


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
        comment: In their words.
    """

    person: str
    choice: Choice
    at: datetime
    comment: str | None = None


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
    """

    uid: str
    rule: str
    number: int
    person: str
    reason: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How people stand to a version under a policy.

    Attributes:
        opened_at: When the gate first asked for votes, None if it did not yet.
        votes: All votes, oldest first.
        authors: Everybody who made the version or the policy: git author, who triggered the run, publisher, last editor of the policy.
    """

    opened_at: datetime | None = None
    votes: tuple[Vote, ...] = ()
    authors: frozenset[str] = frozenset()
