"""The counts of one partition, or of several: merging is adding.

Law: the merge of the sketches of parts is the sketch of the whole, in any order and any grouping.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.drift.bins import SCHEMA, Counts, check_schema
from airflow_registry.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_registry.domain.drift.bins import Profile

MOST_ROWS = 50_000
"""Rows that are counted of one partition at most: a PSI near the default floor is known to a tenth of it then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sketch:
    """Counts of features and predictions.

    Attributes:
        rows: Rows that were scored (count).
        sampled: Rows of them that were counted (count).
        counts: By the digest of the bins (`Profile.digest`), then by feature. Predictions may be counted by the bins of several versions.
    """

    rows: int = 0
    sampled: int = 0
    counts: Mapping[str, Mapping[str, Counts]] = field(default_factory=dict)

    def of(self, profile: Profile) -> Mapping[str, Counts]:
        """What was counted by these bins; empty if nothing was."""
        return self.counts.get(profile.digest, {})

    def __add__(self, other: Sketch) -> Sketch:
        """Both together.

        Raises:
            InvalidInputError: If the same bins were counted for other features, which only a damaged sketch says.
        """
        digests = sorted({*self.counts, *other.counts})
        together = {digest: _added(self.counts.get(digest), other.counts.get(digest)) for digest in digests}
        return Sketch(rows=self.rows + other.rows, sampled=self.sampled + other.sampled, counts=together)

    def to_json(self) -> dict[str, Any]:
        """The law is `Sketch.from_json(sketch.to_json()) == sketch`."""
        counts = {digest: {name: list(bins) for name, bins in found.items()} for digest, found in self.counts.items()}
        return {"schema": SCHEMA, "rows": self.rows, "sampled": self.sampled, "counts": counts}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Sketch:
        """What `to_json` wrote.

        Raises:
            InvalidInputError: If it is of a later schema.
        """
        check_schema(body, "drift sketch")
        counts = {digest: {name: tuple(bins) for name, bins in found.items()} for digest, found in body["counts"].items()}
        return cls(rows=body["rows"], sampled=body["sampled"], counts=counts)


def merge(sketches: Iterable[Sketch]) -> Sketch:
    """All of them together; of none, a sketch of no rows."""
    return sum(sketches, Sketch())


def _added(left: Mapping[str, Counts] | None, right: Mapping[str, Counts] | None) -> Mapping[str, Counts]:
    if left is None or right is None:
        return left or right or {}
    if _shape(left) != _shape(right):
        raise InvalidInputError(
            "Two sketches say that they were counted by the same bins, and their features differ. One of them is damaged: "
            "score its partition again with force=True."
        )
    return {name: tuple(map(sum, zip(left[name], right[name], strict=True))) for name in left}


def _shape(counts: Mapping[str, Counts]) -> dict[str, int]:
    return {name: len(bins) for name, bins in counts.items()}
