"""The rule that asks people."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """Distinct people approve; one who rejects blocks, and of one person the last vote counts.

    Attributes:
        people: How many must approve (count, >= 1).
        not_the_author: Votes of those who made the version or the policy do not count.
        groups: Who belongs to a group, by its name; of each group at least one person must approve.
        within: Deadline after the gate first asked; None for none.
    """

    people: int = 1
    not_the_author: bool = True
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    within: timedelta | None = None
