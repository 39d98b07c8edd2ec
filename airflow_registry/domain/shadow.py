"""Shadow runs: versions that score beside the champion, and how far they say the same.

Law: counts of several partitions add up in any order, so a share over all of them is exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from airflow_registry.domain.drift.psi import compare

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_registry.domain.names import ModelName
    from airflow_registry.domain.stage import Stage

Kind = Literal["labels", "numbers"]

NEWEST = 3
"""So many versions in SHADOW score beside the champion: each costs as much as it does."""
TOLERANCE = 0.01
"""Predicted numbers count as the same if they differ by at most this share of the champion's."""
BINS = 20
"""Scores in [0, 1] are counted in so many bins of equal width."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far two versions said the same about rows of one input.

    Attributes:
        rows: Rows that both scored (count).
        agreeing: Of these, rows with the same label, or with numbers within the tolerance (count).
        unmatched: Rows that only one of the two could score; they count as disagreement (count).
        scored: Rows of which both said how sure they are, or a finite number (count).
        difference: Sum over these rows: of half the absolute differences of all probabilities, or of the absolute differences of numbers.
        champion_scores: The champion's highest or second probability in `BINS` bins (counts); () where there are none.
        shadow_scores: The same of the version in SHADOW.
    """

    rows: int = 0
    agreeing: int = 0
    unmatched: int = 0
    scored: int = 0
    difference: float = 0.0
    champion_scores: tuple[int, ...] = ()
    shadow_scores: tuple[int, ...] = ()

    def __add__(self, other: Agreement) -> Agreement:
        return Agreement(
            rows=self.rows + other.rows,
            agreeing=self.agreeing + other.agreeing,
            unmatched=self.unmatched + other.unmatched,
            scored=self.scored + other.scored,
            difference=self.difference + other.difference,
            champion_scores=_added(self.champion_scores, other.champion_scores),
            shadow_scores=_added(self.shadow_scores, other.shadow_scores),
        )

    @property
    def all_rows(self) -> int:
        """Rows that at least one of the two scored (count)."""
        return self.rows + self.unmatched

    @property
    def share(self) -> float | None:
        """Of the rows that at least one scored, how many they agree on, in [0, 1]; None without rows."""
        return self.agreeing / self.all_rows if self.all_rows else None

    @property
    def mean_difference(self) -> float | None:
        """Mean absolute difference of what they said; None where it cannot be told."""
        return self.difference / self.scored if self.scored else None

    @property
    def score_drift(self) -> float | None:
        """Population stability index of both score distributions, >= 0; None where there are no scores in [0, 1]."""
        if not any(self.champion_scores) or not any(self.shadow_scores):
            return None
        return compare(self.shadow_scores, self.champion_scores).value


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadowed:
    """What a gate reads of shadow runs against one champion.

    Attributes:
        champion: The version that was compared with, None if there was none.
        partitions: Partitions that were compared, without empty ones; of each the newest comparison counts (count).
        rows: Rows that at least one of the two scored in these (count).
        agreeing: Rows on which they said the same (count).
    """

    champion: int | None = None
    partitions: int = 0
    rows: int = 0
    agreeing: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowComparison:
    """One partition that a version in SHADOW scored beside the champion.

    Attributes:
        number: The version in SHADOW.
        champion: The version it was compared with.
        kind: Whether labels or numbers were compared.
        output: Where the shadow's predictions are.
        seconds: What the shadow's scoring took, None if unknown.
        champion_seconds: What the champion's took, None if unknown.
    """

    uid: str
    number: int
    champion: int
    partition: str
    output: str
    kind: Kind
    agreement: Agreement
    at: datetime
    seconds: float | None = None
    champion_seconds: float | None = None

    def to_json(self) -> dict[str, Any]:
        """For tables and `--json`."""
        found = self.agreement
        return {
            "partition": self.partition,
            "champion": self.champion,
            "kind": self.kind,
            "rows": found.rows,
            "agreeing": found.agreeing,
            "unmatched": found.unmatched,
            "agreement": found.share,
            "mean_difference": found.mean_difference,
            "score_drift": found.score_drift,
            "seconds": self.seconds,
            "champion_seconds": self.champion_seconds,
            "output": self.output,
            "at": self.at,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowReport:
    """What a version did in SHADOW.

    Attributes:
        stage: Where it is now.
        champion: The present champion, None if there is none.
        comparisons: All of them, oldest first; also those with earlier champions.
        failed: Outputs of shadow runs that were begun and did not end: the version failed, or ran out of its time.
    """

    model: ModelName
    number: int
    stage: Stage
    champion: int | None
    comparisons: tuple[ShadowComparison, ...] = ()
    failed: tuple[str, ...] = ()

    @property
    def counting(self) -> tuple[ShadowComparison, ...]:
        """The comparisons with the present champion, of each partition the newest; what a gate looks at."""
        newest = {one.output: one for one in self.comparisons if one.champion == self.champion}
        return tuple(newest.values())

    @property
    def agreement(self) -> Agreement:
        """With the present champion, over all partitions that count."""
        return sum((one.agreement for one in self.counting), Agreement())

    @property
    def shadowed(self) -> Shadowed:
        """The same as a gate reads it."""
        filled = [one.agreement for one in self.counting if one.agreement.all_rows]
        total = sum(filled, Agreement())
        return Shadowed(champion=self.champion, partitions=len(filled), rows=total.all_rows, agreeing=total.agreeing)

    def to_json(self) -> dict[str, Any]:
        """For `--json`."""
        total = self.agreement
        return {
            "model": str(self.model),
            "version": self.number,
            "ref": f"{self.model}:{self.number}",
            "stage": str(self.stage),
            "champion": self.champion,
            "partitions": self.shadowed.partitions,
            "rows": total.all_rows,
            "agreement": total.share,
            "mean_difference": total.mean_difference,
            "score_drift": total.score_drift,
            "comparisons": [one.to_json() for one in self.comparisons],
            "failed": list(self.failed),
        }


def _added(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    if not one or not other:
        return one or other
    return tuple(mine + theirs for mine, theirs in zip(one, other, strict=True))
