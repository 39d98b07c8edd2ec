"""Paired bootstrap of a mean per-row gain: studentised, on the whole and on all slices at once.

Rows are put at random into at most 4,096 groups and the groups are resampled: centred sums of random groups have the variance and
the skewness of the rows (cross terms are zero on average), so that resampling them says the same about a mean, at a price that does
not grow with the rows. A section with fewer rows has a group for each row, which is the plain bootstrap of rows.

All sections are resampled by the same weights. Each section's interval is valid by itself; they are dependent, which Holm's
correction allows. Sections share the weights of the next power of two, so a small section's resample has about, not exactly, as
many rows as the section.

The studentised form, because losses are skewed: with 200 rows an overconfident challenger that is no better passes the percentile
interval in 8 % of tries and this one in 5 %.

Source:
    Efron, Tibshirani (1993), An introduction to the bootstrap, chapter 12 (bootstrap-t); Hall (1988), Theoretical comparison of
    bootstrap confidence intervals, Annals of Statistics 16:927-953 (why it keeps the level of skewed means); Wolter (2007),
    Introduction to variance estimation, chapter 2 (random groups); Knijnenburg, Wessels, Reinders, Shmulevich (2009), Fewer
    permutations, more accurate P-values, Bioinformatics 25:i161-i168 (a fitted tail beyond the replicates).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.stats.draws import below_power_of_two

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from airflow_registry.domain.stats.rows import Sections

REPLICATES = 2000
_MOST_BITS = 12  # 4,096 groups
_AT_A_TIME = 250  # replicates whose weights are floats at the same time: 8 MB
NO_SPREAD = 1e9  # a t-statistic beyond all others, yet finite, so that sums over it are
_ROWS_STREAM, _WEIGHTS_STREAM = 1, 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GroupSums:
    """Centred influence on an estimate, summed over the random groups of each section.

    Attributes:
        sums: (sections, 4096) sum in each group, 0 beyond a section's groups.
        rows: (sections,) rows of each section (count).
    """

    sums: NDArray[np.float64]
    rows: NDArray[np.int64]

    @classmethod
    def of(cls, whole: NDArray[np.float64], sliced: NDArray[np.float64] | None, sections: Sections, seed: int) -> GroupSums:
        """Sum the influences of rows on the whole and, where there are slices, on their slice; each (rows,), centred by section."""
        import numpy as np

        groups = 1 << _MOST_BITS
        at_random = below_power_of_two(_MOST_BITS, seed, _ROWS_STREAM, 0, sections.rows).astype(np.int64)
        own = np.arange(sections.rows) if sections.rows <= groups else at_random
        sums: NDArray[Any] = np.bincount(own, weights=whole, minlength=groups)[None, :].astype(np.float64)
        if sections.codes is not None and sliced is not None:
            keys = _groups_in_slices(sections.codes, sections.counts(), at_random)
            keys += (sections.codes + 1) * groups
            by_slice = np.bincount(keys, weights=sliced, minlength=(sections.n_slices + 1) * groups)
            sums = np.concatenate([by_slice.reshape(-1, groups)[1:], sums])
        return cls(sums=sums, rows=sections.counts())

    def resampled(self, seed: int) -> NDArray[np.float64]:
        """(sections, REPLICATES) sorted t-statistics of resamples; plus or minus 1e9 where a resample shows no spread."""
        import numpy as np

        bits = np.clip(np.ceil(np.log2(np.maximum(self.rows, 2))), 1, _MOST_BITS).astype(int)
        t = np.empty((len(self.rows), REPLICATES))
        for width in np.unique(bits):
            alike = np.flatnonzero(bits == width)
            t[alike] = _t_statistics(self.sums[alike, : 1 << width], self.rows[alike], weights(int(width), seed))
        t.sort(axis=1)
        return t


@lru_cache(maxsize=4)
def weights(bits: int, seed: int) -> NDArray[np.uint8]:
    """(REPLICATES, 2**bits) how often each group is in each resample, as whole numbers; each row sums to 2**bits.

    Kept for the next metric and the next baseline, which use the same seed. Read-only.
    """
    import numpy as np

    groups = 1 << bits
    drawn = np.empty((REPLICATES, groups), dtype=np.uint8)
    for start in range(0, REPLICATES, _AT_A_TIME):
        stop = min(start + _AT_A_TIME, REPLICATES)
        cells = (stop - start) * groups
        choice = below_power_of_two(bits, seed, _WEIGHTS_STREAM + bits, start * groups, cells).astype(np.int64)
        choice += np.repeat(np.arange(stop - start, dtype=np.int64) * groups, groups)
        drawn[start:stop] = np.bincount(choice, minlength=cells).reshape(stop - start, groups)
    drawn.setflags(write=False)
    return drawn


def _groups_in_slices(codes: NDArray[np.int64], counts: NDArray[np.int64], at_random: NDArray[np.int64]) -> NDArray[np.int64]:
    """(rows,) group of each row inside its slice: a group of its own in a small slice, a random one in a large one."""
    import numpy as np

    small = np.append(counts[:-1] <= 1 << _MOST_BITS, False)[codes]  # code -1 is the appended one
    groups = at_random.copy()
    rows = np.flatnonzero(small)
    rows = rows[np.argsort(codes[rows], kind="stable")]
    sorted_codes = codes[rows]
    groups[rows] = np.arange(len(rows)) - np.searchsorted(sorted_codes, sorted_codes)
    return groups


def _t_statistics(sums: NDArray[np.float64], rows: NDArray[np.int64], drawn: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(sections, REPLICATES) t-statistic of each resample against the sample's estimate."""
    import numpy as np

    groups = sums.shape[1]
    # Rows in each group: one in each of a small section's groups; in a large section the number hardly matters, so all are alike.
    sizes = np.where(rows[:, None] > groups, rows[:, None] / groups, np.arange(groups) < rows[:, None])
    columns = np.concatenate([sums, sums * sums, sizes]).T
    found = []
    for start in range(0, REPLICATES, _AT_A_TIME):
        total, squares, size = np.split(drawn[start : start + _AT_A_TIME].astype(np.float64) @ columns, 3, axis=1)
        occupied = size * np.minimum(1.0, groups / np.maximum(rows, 1))
        with np.errstate(divide="ignore", invalid="ignore"):
            spread = np.maximum(squares - total * total / occupied, 0.0) * occupied / (occupied - 1)
            found.append(total / np.sqrt(np.nan_to_num(spread, posinf=0.0)))
    t: NDArray[np.float64] = np.nan_to_num(np.concatenate(found).T, nan=0.0, posinf=NO_SPREAD, neginf=-NO_SPREAD)
    return t
