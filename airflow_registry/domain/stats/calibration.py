"""How the scores of a binary model are spread, and how often the positive class comes where the model says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.stats.rows import numbers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from airflow_registry.domain.stats.rows import Scored

BINS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Rows whose score lies in one part of [0, 1].

    Attributes:
        low: Lower end of the part, which belongs to it.
        high: Upper end, which belongs to the next part; 1 to the last one.
        rows: How many (count).
        positives: How many of them are of the positive class (count).
        mean_score: Mean score of the rows; None if there are none.
    """

    low: float
    high: float
    rows: int
    positives: int
    mean_score: float | None


def score_bins(labels: NDArray[Any], scored: Scored, bins: int = BINS) -> tuple[Bin, ...]:
    """The rows by equal parts of [0, 1]; () where the scores are no probabilities.

    Args:
        labels: (n,) class codes; 1 is the positive class.
        scored: What a binary model said.
        bins: How many parts (count, >= 1).
    """
    import numpy as np

    scores = scored.class_one()
    if scores is None or not len(scores) or not numbers(scores).all() or scores.min() < 0 or scores.max() > 1:
        return ()
    place = np.minimum((scores * bins).astype(np.int64), bins - 1)
    rows, sums = np.bincount(place, minlength=bins), np.bincount(place, weights=scores, minlength=bins)
    positives = np.bincount(place[labels == 1], minlength=bins)
    return tuple(
        Bin(
            low=at / bins,
            high=(at + 1) / bins,
            rows=int(rows[at]),
            positives=int(positives[at]),
            mean_score=float(sums[at] / rows[at]) if rows[at] else None,
        )
        for at in range(bins)
    )
