"""Area under the ROC curve of two versions on the same rows, by DeLong's test.

The variance of the difference comes from *placements*: of a positive row the share of the negatives that score lower, of a negative
row the share of the positives that score higher, ties counted half. Their means are the AUC, and the spread of the differences of
two versions' placements is the whole covariance: no matrix is needed. Placements of all sections come from one global sort, which
a stable partition by slice then keeps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airflow_registry.domain.stats.student import upper_quantile, upper_tail

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from airflow_registry.domain.stats.rows import Sections

_NOISE = 1e-14  # a standard error that rounding alone may show; one pair of rows in another order shows more


@dataclass(frozen=True, slots=True, kw_only=True)
class AucDifference:
    """AUC of two versions on the same rows; a `PairedDifference`.

    The gain over its standard error is held against Student's t with Satterthwaite's degrees of freedom, not against the normal:
    with 20 positive rows the normal passes 5.6 % instead of 5 %. Where both versions order every pair of rows alike there is no
    spread to judge by. If their scores are the same, they are the same; otherwise a gain above the border is believed only as far as
    that many independent pairs of rows can show it: ((1 + border) / (1 + gain))**pairs.

    With an AUC near 1 and few rows of one class DeLong's interval is too short below 0 (border -0.02, AUC 0.98, 10 positive rows:
    17 % instead of 5 %). Ask for more rows there.

    Attributes:
        positives: Rows of class 1 (count).
        freedom: Degrees of freedom (> 0).
        identical: Whether both versions gave each row the same score.
    """

    metric: str
    method: str = "DeLong"
    rows: int
    positives: int
    challenger: float
    baseline: float
    gain: float
    standard_error: float
    freedom: float
    identical: bool

    def method_at(self, border: float) -> str:  # noqa: ARG002  McNemar's family tells borders apart
        """Which test `p_value` of that border is."""
        return self.method

    def p_value(self, border: float) -> float:
        """One-sided p-value of H0 "true gain <= border"."""
        if self.standard_error:
            return upper_tail((self.gain - border) / self.standard_error, self.freedom)
        if border >= self.gain:
            return 1.0
        return 0.0 if self.identical or border < -1 else ((1 + border) / (1 + self.gain)) ** self._pairs

    def lower_limit(self, confidence: float) -> float:
        """One-sided lower limit of the gain."""
        if self.standard_error:
            return self.gain - upper_quantile(1 - confidence, self.freedom) * self.standard_error
        return self.gain if self.identical else (1 + self.gain) * (1 - confidence) ** (1 / self._pairs) - 1

    def upper_limit(self, confidence: float) -> float:
        """One-sided upper limit of the gain."""
        return -replace(self, gain=-self.gain).lower_limit(confidence)

    def detectable(self, confidence: float, power: float = 0.8) -> float:
        """How far above the border the true gain must be to be seen with this power."""
        if not self.standard_error:
            return self.gain - self.lower_limit(confidence)
        return (upper_quantile(1 - confidence, self.freedom) + upper_quantile(1 - power, self.freedom)) * self.standard_error

    @property
    def _pairs(self) -> int:
        """Pairs of a positive and a negative row that share no row."""
        return min(self.positives, self.rows - self.positives)


def auc_differences(
    metric: str,
    positive: NDArray[np.bool_],
    scores: tuple[NDArray[np.float64], NDArray[np.float64]],
    known: NDArray[np.bool_],
    sections: Sections,
) -> dict[int, AucDifference | None]:
    """The difference in each section, by its number, -1 for the whole; None where it is not defined.

    It is not defined with fewer than two rows of either class, or where a label or a score is not a number.

    Args:
        metric: The name to report.
        positive: (rows,) whether the label is class 1.
        scores: (rows,) finite scores of the challenger and of the baseline.
        known: (rows,) whether label and scores of the row were numbers.
        sections: Which rows are in which section.

    Source:
        DeLong, DeLong, Clarke-Pearson (1988), Biometrics 44:837-845; Sun, Xu (2014), Fast implementation of DeLong's algorithm,
        IEEE Signal Processing Letters 21:1389-1393 (placements from ranks).
    """
    import numpy as np

    orders = [np.argsort(each) for each in scores]
    facts = _Facts.of(positive, scores, known, orders, None, 1)
    found = {-1: facts.difference(metric, 0)}
    if sections.codes is not None:
        shifted = sections.codes + 1  # part 0 is what no slice holds
        orders = [order[np.argsort(shifted[order].astype(np.int32), kind="stable")] for order in orders]
        facts = _Facts.of(positive, scores, known, orders, shifted, sections.n_slices + 1)
        found.update({at: facts.difference(metric, at + 1) for at in range(sections.n_slices)})
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """What the tests of all parts of the rows need; each a list with one element or pair (negative, positive) for each part."""

    counts: list[list[int]]
    challenger: list[float]
    baseline: list[float]
    variances: list[list[float]]
    unknown: list[int]
    different: list[int]

    @classmethod
    def of(
        cls,
        positive: NDArray[np.bool_],
        scores: tuple[NDArray[np.float64], NDArray[np.float64]],
        known: NDArray[np.bool_],
        orders: list[NDArray[np.int64]],
        part: NDArray[np.int64] | None,
        parts: int,
    ) -> _Facts:
        import numpy as np

        key = positive.astype(np.int64) if part is None else 2 * part + positive
        counts = np.bincount(key, minlength=2 * parts).reshape(parts, 2)
        challenger, baseline = (_placements(score, key, order, counts) for score, order in zip(scores, orders, strict=True))
        values = [_means(key, each, counts)[:, 1].tolist() for each in (challenger, baseline)]
        challenger -= baseline
        challenger -= _means(key, challenger, counts).ravel()[key]
        spread = _means(key, np.square(challenger, out=challenger), counts)
        rows = [np.bincount(key[mask] >> 1, minlength=parts).tolist() for mask in (~known, scores[0] != scores[1])]
        return cls(
            counts=counts.tolist(), challenger=values[0], baseline=values[1], variances=spread.tolist(), unknown=rows[0], different=rows[1]
        )

    def difference(self, metric: str, part: int) -> AucDifference | None:
        negatives, positives = self.counts[part]
        if self.unknown[part] or min(negatives, positives) < 2:
            return None
        shares = [variance / (count - 1) for variance, count in zip(self.variances[part], self.counts[part], strict=True)]
        variance = sum(shares)
        freedom = sum(share * share / (count - 1) for share, count in zip(shares, self.counts[part], strict=True))
        error = math.sqrt(variance)
        return AucDifference(
            metric=metric,
            rows=negatives + positives,
            positives=positives,
            challenger=self.challenger[part],
            baseline=self.baseline[part],
            gain=self.challenger[part] - self.baseline[part],
            standard_error=0.0 if error < _NOISE else error,
            freedom=variance * variance / freedom if freedom else math.inf,
            identical=not self.different[part],
        )


def _means(key: NDArray[np.int64], values: NDArray[np.float64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """(parts, 2) mean of the values over the negatives and the positives of each part."""
    import numpy as np

    sums = np.bincount(key, weights=values, minlength=counts.size).reshape(counts.shape)
    return sums / np.maximum(counts, 1)


def _placements(
    scores: NDArray[np.float64], key: NDArray[np.int64], order: NDArray[np.int64], counts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """(rows,) share of the other class's rows, of the same part, that the row is on the right side of.

    Args:
        scores: (rows,) finite scores.
        key: (rows,) twice the part, plus 1 if the label is class 1.
        order: (rows,) rows by part, then by score.
        counts: (parts, 2) negatives and positives of each part.
    """
    import numpy as np

    sorted_key = key[order]
    ends = _ends_of_ties(scores[order], np.cumsum(counts.sum(axis=1)))
    positives = np.cumsum(sorted_key & 1)[ends]
    middles = [_twice_middle(up_to, ends, len(order)) for up_to in (ends + 1 - positives, positives)]
    # A positive row is above the negatives before it, a negative row below the positives after it; sums count from the first part.
    before = np.cumsum(counts, axis=0) - counts
    shift = np.column_stack([2 * (before[:, 1] + counts[:, 1]), -2 * before[:, 0]]).ravel()
    twice_others = np.maximum(2 * counts[:, ::-1].ravel(), 1)
    share = np.empty(len(order))
    share[order] = (np.where(sorted_key & 1, middles[0], -middles[1]) + shift[sorted_key]) / twice_others[sorted_key]
    return share


def _ends_of_ties(score: NDArray[np.float64], ends_of_parts: NDArray[np.int64]) -> NDArray[np.int64]:
    """(ties,) positions of rows that are the last of their part and score; a row without equals is a tie of one."""
    import numpy as np

    last = np.ones(len(score), dtype=bool)
    np.not_equal(score[1:], score[:-1], out=last[:-1])
    last[ends_of_parts[ends_of_parts > 0] - 1] = True  # empty parts in front end nowhere
    return np.flatnonzero(last)


def _twice_middle(up_to: NDArray[np.int64], ends: NDArray[np.int64], rows: int) -> NDArray[np.int64]:
    """(rows,) for each row twice the number of rows before its tie, plus those inside: so ties count half."""
    import numpy as np

    middle = up_to.copy()
    middle[1:] += up_to[:-1]
    return middle if len(ends) == rows else np.repeat(middle, np.diff(ends, prepend=-1))
