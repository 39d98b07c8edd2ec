"""The rule that asks people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.durations import checked_duration, print_duration
from airflow_registry.domain.faults import Faults
from airflow_registry.domain.rules.shared import count, normalize, switch

if TYPE_CHECKING:
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
    # A dict and no read-only view of one: Airflow copies operators, their policy included, and a view cannot be copied.
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    within: timedelta | None = None

    def __post_init__(self) -> None:
        faults = Faults()
        faults.attempt("people", lambda: object.__setattr__(self, "people", count(self.people)))
        faults.attempt("not_the_author", lambda: switch(self.not_the_author))
        object.__setattr__(self, "groups", _groups(self.groups, faults))
        normalize(self, "within", checked_duration, faults)
        faults.refuse("rule 'approval'")

    def __str__(self) -> str:
        people = f"approval by {self.people} {'person' if self.people == 1 else 'people'}"
        author = ", not_the_author" if self.not_the_author else ""
        groups = "".join(f", one of {name}" for name in self.groups)
        return f"{people}{author}{groups}{'' if self.within is None else f', within {print_duration(self.within)}'}"

    def to_mapping(self) -> dict[str, Any]:
        """As it stands in a policy file."""
        written: dict[str, Any] = {"people": self.people, "not_the_author": self.not_the_author}
        if self.groups:
            written["groups"] = {name: list(members) for name, members in self.groups.items()}
        if self.within is not None:
            written["within"] = print_duration(self.within)
        return {"approval": written}


def _groups(given: object, faults: Faults) -> dict[str, tuple[str, ...]]:
    if not isinstance(given, Mapping):
        faults.add("groups", f"expected a mapping such as {{risk: [first.person, second.person]}}; found {given!r}.")
        return {}
    return {str(name): _members(name, members, faults) for name, members in given.items()}


def _members(name: object, given: object, faults: Faults) -> tuple[str, ...]:
    path = f"groups.{name}"
    if not isinstance(name, str) or not name.strip():
        faults.add("groups", f"expected the name of a group as text; found {name!r}. Quote it.")
    if not isinstance(given, (list, tuple)) or not given:
        faults.add(path, f"expected a list of people, by the names under which they vote; found {given!r}.")
        return ()
    for position, member in enumerate(given):
        if not isinstance(member, str) or not member.strip():
            faults.add(f"{path}[{position}]", f"expected the name of a person as text; found {member!r}. Quote it.")
        elif member in given[:position]:
            faults.add(f"{path}[{position}]", f"{member!r} is given a second time. Keep one of the two.")
    return tuple(given)
