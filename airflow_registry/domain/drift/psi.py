"""The population stability index of two counts, and the value that chance alone exceeds with a given probability."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from airflow_registry.domain.stats.chi_squared import upper_quantile

if TYPE_CHECKING:
    from airflow_registry.domain.drift.bins import Counts

SMALLEST_EXPECTED = 5.0
"""Rows a bin must be expected to hold on the smaller side; with fewer the cutoff would not be what it says."""
SMOOTHING = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """How two counts of the same bins differ.

    Attributes:
        value: The PSI (>= 0); 0 if they have the same shares.
        groups: Bins that were compared, rare ones merged (count).
        rows: Rows on the one side (count).
        reference_rows: Rows on the other (count).
        parts: What each bin contributes to `value`; of merged bins 0 but for the first of them.
    """

    value: float
    groups: int
    rows: int
    reference_rows: int
    parts: tuple[float, ...]

    def cutoff(self, alpha: float) -> float:
        """What chance alone exceeds with probability `alpha` (in (0, 1)), if both sides are samples of the same.

        Source:
            The PSI is twice a symmetric Kullback-Leibler divergence, so under no drift it is distributed as
            (1 / rows + 1 / reference_rows) times chi-squared with `groups` - 1 degrees of freedom, for many rows.
        """
        if self.groups < 2:
            return 0.0
        return (1 / self.rows + 1 / self.reference_rows) * _quantile(alpha, self.groups - 1)


def compare(counts: Counts, reference: Counts) -> Index:
    """The PSI of two counts of the same bins, with rare bins merged and half a row added to each.

    Args:
        counts: Rows in each bin (counts >= 0), at least one row.
        reference: The same of what they are compared with.

    >>> round(compare((100, 200, 0), (200, 100, 0)).value, 4)
    0.4589
    """
    rows, reference_rows = sum(counts), sum(reference)
    groups = _grouped(counts, reference)
    parts = [0.0] * len(counts)
    for group in groups:
        here = _share(sum(counts[index] for index in group), rows, len(groups))
        there = _share(sum(reference[index] for index in group), reference_rows, len(groups))
        parts[group[0]] = (here - there) * math.log(here / there)
    return Index(value=math.fsum(parts), groups=len(groups), rows=rows, reference_rows=reference_rows, parts=tuple(parts))


def filled(counts: Counts, reference: Counts) -> int:
    """Bins in which either side has a row (count)."""
    return sum(1 for here, there in zip(counts, reference, strict=True) if here or there)


def _share(rows: int, all_rows: int, groups: int) -> float:
    return (rows + SMOOTHING) / (all_rows + SMOOTHING * groups)


def _grouped(counts: Counts, reference: Counts) -> list[list[int]]:
    """The bins that are compared, rare ones together; the largest of a group stands first.

    What is expected comes from both sides together: a bin that the reference never saw and that a tenth of the new rows is in
    is not rare. If the rare ones together are still rare, they go to the smallest of the others.
    """
    together = [here + there for here, there in zip(counts, reference, strict=True)]
    enough = SMALLEST_EXPECTED * sum(together) / min(sum(counts), sum(reference))
    order = sorted((index for index, rows in enumerate(together) if rows), key=lambda index: -together[index])
    groups = [[index] for index in order if together[index] >= enough]
    rare = [index for index in order if together[index] < enough]
    if groups and sum(together[index] for index in rare) < enough:
        groups[-1] += rare
    else:
        groups.append(rare)
    return groups


@lru_cache(maxsize=1024)
def _quantile(alpha: float, freedom: int) -> float:
    return upper_quantile(alpha, freedom)
