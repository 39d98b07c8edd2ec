"""What is counted of each feature, and what was counted when the version was registered; both never change afterwards."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow_registry.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

Counts: TypeAlias = tuple[int, ...]
"""Rows in each bin of one feature, in the order of `Bins.labels`."""

SCHEMA = 1
DECILES = 10
MOST_CATEGORIES = 100
"""Rarer ones are counted as `other`."""

OTHER = "other"
MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bins:
    """How the values of one feature are sorted into bins; the last bin is always `missing` (null or NaN).

    Attributes:
        edges: Of a number, ascending: a value v is in bin i if `edges[i - 1] <= v < edges[i]`, and the first and last are open.
            None for categories.
        categories: The known ones, each a bin of its own before `other`. None for a number.

    Raises:
        InvalidInputError: If it is neither or both, or something stands twice or out of order.
    """

    edges: tuple[float, ...] | None = None
    categories: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if (self.edges is None) == (self.categories is None):
            raise InvalidInputError("Bins have edges (of a number) or categories; found both or neither.")
        if any(not low < high for low, high in pairwise(self.edges or ())):
            raise InvalidInputError(f"The edges of bins must ascend; found {self.edges}.")
        if len(set(self.categories or ())) != len(self.categories or ()):
            raise InvalidInputError(f"Each category has one bin; found {self.categories}.")

    @property
    def size(self) -> int:
        """How many bins there are, `missing` included (count)."""
        return len(self.edges) + 2 if self.edges is not None else len(self.categories or ()) + 2

    def label(self, index: int) -> str:
        """A bin in words.

        >>> bins = Bins(edges=(1, 2.5))
        >>> [bins.label(index) for index in range(bins.size)]
        ['below 1', '1 to 2.5', '2.5 and above', 'missing']
        """
        if index == self.size - 1:
            return MISSING
        if self.edges is None:
            names = self.categories or ()
            return OTHER if index == len(names) else repr(names[index])
        if not self.edges:
            return "any number"
        if index == 0:
            return f"below {self.edges[0]:.6g}"
        low = f"{self.edges[index - 1]:.6g}"
        return f"{low} and above" if index == len(self.edges) else f"{low} to {self.edges[index]:.6g}"

    def to_json(self) -> dict[str, Any]:
        """The law is `Bins.from_json(bins.to_json()) == bins`."""
        return {"edges": list(self.edges)} if self.edges is not None else {"categories": list(self.categories or ())}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Bins:
        """What `to_json` wrote."""
        return cls(**{name: tuple(body[name]) for name in ("edges", "categories") if name in body})


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """A feature, its bins, and the rows that were counted in them at registration.

    Raises:
        InvalidInputError: If there is not one count for each bin.
    """

    bins: Bins
    counts: Counts

    def __post_init__(self) -> None:
        if len(self.counts) != self.bins.size:
            raise InvalidInputError(f"A feature of {self.bins.size} bins needs as many counts; found {len(self.counts)}.")

    @property
    def rows(self) -> int:
        """Rows that were counted (count)."""
        return sum(self.counts)


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Several features by name: the inputs of a model, or its predictions."""

    features: Mapping[str, Feature] = field(default_factory=dict)

    @cached_property
    def digest(self) -> str:
        """Of the bins, not of the counts: counts can be compared and merged where this is the same."""
        body = {name: feature.bins.to_json() for name, feature in self.features.items()}
        return "sha256:" + hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """The law is `Profile.from_json(profile.to_json()) == profile`."""
        return {name: {**feature.bins.to_json(), "counts": list(feature.counts)} for name, feature in self.features.items()}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Profile:
        """What `to_json` wrote."""
        found = {name: Feature(bins=Bins.from_json(entry), counts=tuple(entry["counts"])) for name, entry in body.items()}
        return cls(features=found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What a version is compared with as long as it lives, frozen when it was registered.

    Attributes:
        inputs: What goes into the model.
        predictions: What it said about these rows: `prediction` (a number or a class) and `probability_<class>`. Empty if nobody asked it.
        rows: How many rows the data had (count).
        sampled: How many of them were counted (count).
    """

    inputs: Profile = field(default_factory=Profile)
    predictions: Profile = field(default_factory=Profile)
    rows: int = 0
    sampled: int = 0

    @property
    def profiles(self) -> tuple[Profile, ...]:
        """What of it holds anything."""
        return tuple(profile for profile in (self.inputs, self.predictions) if profile.features)

    def to_json(self) -> dict[str, Any]:
        """The law is `Reference.from_json(reference.to_json()) == reference`."""
        known = {"inputs": self.inputs.to_json(), "predictions": self.predictions.to_json()}
        return {"schema": SCHEMA, "rows": self.rows, "sampled": self.sampled, **known}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Reference:
        """What `to_json` wrote.

        Raises:
            InvalidInputError: If it is of a later schema.
        """
        check_schema(body, "drift reference")
        profiles = {name: Profile.from_json(body[name]) for name in ("inputs", "predictions")}
        return cls(rows=body["rows"], sampled=body["sampled"], **profiles)


def check_schema(body: Mapping[str, Any], what: str) -> None:
    """Refuse what a later release wrote.

    Raises:
        InvalidInputError: If `schema` is not 1.
    """
    if body.get("schema") != SCHEMA:
        raise InvalidInputError(
            f"The {what} has schema {body.get('schema')!r}; this release reads {SCHEMA}. Upgrade airflow-registry where it is read."
        )
