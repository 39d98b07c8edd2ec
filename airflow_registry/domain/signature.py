"""The signature: the schema of a model's inputs and output, what was seen of each input in training, and what to do with rows that differ.

Laws:
    * `Signature.from_json(signature.to_json()) == signature`.
    * What is not known is not in the JSON, so a signature of names and types reads as it always did; keys of a newer release are ignored.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow_registry.domain.faults import hint
from airflow_registry.errors import InvalidInputError, one_of

if TYPE_CHECKING:
    from collections.abc import Mapping

Value: TypeAlias = bool | int | float | str
"""What JSON can hold; times and decimals are text."""

MAX_CATEGORIES = 1_000
ACTIONS = ("error", "quarantine", "pass")

# What may be wrong with a column, and what is done about it unless the column says otherwise.
DEFAULT_ACTIONS: Mapping[str, str] = MappingProxyType(
    {"type": "error", "unrepresentable": "quarantine", "null": "quarantine", "unseen": "quarantine", "range": "pass"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One input column: its name, its Arrow type as text (`int64`, `string`, `double`), and what was seen of it in training.

    What is None is not known, and is not checked. A column of which only name and type are known is checked for its presence and
    kind of type, and goes into the model as it comes.

    Attributes:
        name: As the model knows it.
        type: Arrow type as text.
        nullable: Whether nulls or NaN were seen.
        categories: The distinct values of a text, dictionary or bool column, in the dictionary's order where it has one; at most 1,000.
        low: The smallest value; times as ISO 8601 text in UTC, decimals as text.
        high: The largest value.
        policy: What is done about a defect where it is not the default: `(("unseen", "pass"),)`. A mapping is taken too.

    Raises:
        InvalidInputError: If a policy names an unknown defect or action, or there are too many categories.
    """

    name: str
    type: str | None = None
    nullable: bool | None = None
    categories: tuple[Value, ...] | None = None
    low: Value | None = None
    high: Value | None = None
    policy: tuple[tuple[str, str], ...] | Mapping[str, str] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "policy", _checked_policy(self.name, dict(self.policy)))
        if self.categories is not None:
            object.__setattr__(self, "categories", _checked_categories(self.name, tuple(self.categories)))
        for bound in (self.low, self.high):
            if isinstance(bound, float) and not math.isfinite(bound):
                raise InvalidInputError(
                    f"Column {self.name!r}: {bound} is no bound of a range. Expected a finite number, or None for no bound."
                )

    @property
    def is_observed(self) -> bool:
        """Whether anything but name and type is known, so that rows are checked."""
        return any(fact is not None for fact in (self.nullable, self.categories, self.low, self.high))

    def action(self, defect: str) -> str:
        """`error`, `quarantine` or `pass`."""
        return dict(self.policy).get(defect, DEFAULT_ACTIONS[defect])

    def to_json(self) -> dict[str, Any]:
        """What is known."""
        known = {
            "nullable": self.nullable,
            "categories": None if self.categories is None else list(self.categories),
            "low": self.low,
            "high": self.high,
            "policy": dict(self.policy) or None,
        }
        return {"name": self.name, "type": self.type} | {name: fact for name, fact in known.items() if fact is not None}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Column:
        """The column again."""
        facts = {name: stored[name] for name in cls.__slots__ if name in stored}
        return cls(**facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """The schema of a model's inputs and outputs, in the order in which the model wants its inputs.

    Attributes:
        inputs: Columns that go into the model; empty if unknown.
        output: What comes out, as Arrow type text, or None if unknown.
    """

    inputs: tuple[Column, ...] = ()
    output: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The input columns' names, in model order."""
        return tuple(column.name for column in self.inputs)

    def with_policy(self, *columns: str, **actions: str) -> Signature:
        """The same with other actions: `with_policy("carrier", unseen="pass")`; without columns, for all of them.

        Args:
            columns: Names of input columns.
            actions: `error`, `quarantine` or `pass` for `type` (not quarantine), `unrepresentable`, `null`, `unseen` and `range`.

        Raises:
            InvalidInputError: If a column, defect or action is unknown.
        """
        unknown = [name for name in columns if name not in self.names]
        if unknown:
            raise InvalidInputError(
                f"The signature has no input column {', '.join(map(repr, unknown))}. It has {', '.join(self.names)}."
                f"{hint(unknown[0], self.names)}"
            )
        chosen = columns or self.names
        return replace(
            self,
            inputs=tuple(
                replace(column, policy={**dict(column.policy), **actions}) if column.name in chosen else column for column in self.inputs
            ),
        )

    def to_json(self) -> dict[str, Any]:
        """As it is stored."""
        return {"inputs": [column.to_json() for column in self.inputs], "output": self.output}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Signature:
        """The signature again."""
        return cls(inputs=tuple(Column.from_json(entry) for entry in stored.get("inputs", ())), output=stored.get("output"))


def _checked_policy(name: str, policy: dict[str, str]) -> tuple[tuple[str, str], ...]:
    for defect, action in policy.items():
        if defect not in DEFAULT_ACTIONS:
            raise InvalidInputError(
                f"Column {name!r}: {defect!r} is no defect that a policy can be about. Expected {one_of(DEFAULT_ACTIONS)}."
                f"{hint(defect, DEFAULT_ACTIONS)}"
            )
        allowed = ("error", "pass") if defect == "type" else ACTIONS  # a wrong type is that of all rows, known before the first one
        if action not in allowed:
            raise InvalidInputError(f"Column {name!r}: {action!r} is no action for the defect {defect!r}. Expected {one_of(allowed)}.")
    return tuple(sorted((defect, action) for defect, action in policy.items() if action != DEFAULT_ACTIONS[defect]))


def _checked_categories(name: str, categories: tuple[Value, ...]) -> tuple[Value, ...]:
    if len(categories) > MAX_CATEGORIES:
        raise InvalidInputError(
            f"Column {name!r} has {len(categories)} categories; at most {MAX_CATEGORIES} are kept. Leave them out: a free text has none."
        )
    return categories
