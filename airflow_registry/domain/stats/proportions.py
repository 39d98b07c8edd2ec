"""Two versions that are right or wrong on the same rows: exact McNemar test, and Tango's score test for any other border.

Only the rows count on which exactly one of the two is right: `wins` where it is the challenger, `losses` where it is the baseline.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_registry.domain.stats.limits import bisected
from airflow_registry.domain.stats.student import normal_quantile, normal_tail
from airflow_registry.errors import InvalidMetricError

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from airflow_registry.domain.stats.rows import Sections

# Half a row nearer to the border: with it the exact size, found by enumerating all tables, stays within alpha from 20 rows on;
# without it Tango's test passes up to 7 % instead of 5 % where few rows differ.
CONTINUITY = 0.5


def mcnemar(wins: int, losses: int) -> float:
    """One-sided exact McNemar test (sign test) that the challenger is right more often.

    Args:
        wins: Rows that only the challenger got right (count, >= 0).
        losses: Rows that only the baseline got right (count, >= 0).

    Returns:
        P(X >= wins) for X ~ Binomial(wins + losses, 1/2), in (0, 1]; 1.0 if both are 0.

    Raises:
        InvalidMetricError: If a count is negative.

    Source:
        McNemar (1947), Psychometrika 12:153-157, with the exact binomial tail.

    >>> round(mcnemar(wins=8, losses=2), 4)
    0.0547
    """
    _check(wins, losses)
    total = wins + losses
    if wins <= losses:  # the short tail is the other one
        return 1.0 - _upper_tail(losses + 1, total)
    return _upper_tail(wins, total)


def mcnemar_two_sided(wins: int, losses: int) -> float:
    """Two-sided exact McNemar test that one of the two is right more often: twice the smaller tail, at most 1.

    >>> round(mcnemar_two_sided(wins=8, losses=2), 4)
    0.1094
    """
    _check(wins, losses)
    return min(1.0, 2 * _upper_tail(max(wins, losses), wins + losses))


def tango(wins: int, losses: int, rows: int, border: float) -> float:
    """One-sided score test that the challenger's share of right rows exceeds the baseline's by more than the border.

    Args:
        wins: Rows that only the challenger got right (count).
        losses: Rows that only the baseline got right (count).
        rows: All rows (count, >= 1).
        border: H0 is "true gain <= border", inside (-1, 1).

    Returns:
        p-value in [0, 1], with a continuity correction of half a row.

    Source:
        Tango (1998), Equivalence test and confidence interval for the difference in proportions for the paired-sample design,
        Statistics in Medicine 17:891-908.

    >>> round(tango(wins=43, losses=40, rows=1000, border=-0.02), 4)
    0.008
    """
    distance = wins - losses - rows * border
    nearer = math.copysign(max(0.0, abs(distance) - CONTINUITY), distance)
    variance = rows * (2 * _losing_share(wins, losses, rows, border) + border * (1 - border))
    if variance <= 0:  # no row differs and none may: nothing speaks against the border
        return 1.0
    return normal_tail(nearer / math.sqrt(variance))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProportionDifference:
    """Accuracy, or error rate, of two versions on the same rows; a `PairedDifference`.

    The test is exact McNemar at border 0 and Tango's elsewhere, held together so that the p-value never falls when the border
    rises: below 0 it is the smaller of the two, above 0 the larger. Both stay valid, because a gain of at most a negative border
    is also one of at most 0, on which McNemar is exact.
    """

    metric: str
    method: str = "exact McNemar / Tango score"
    rows: int
    challenger: float
    baseline: float
    wins: int
    losses: int

    @property
    def gain(self) -> float:
        """Difference of the shares of right rows, in [-1, 1]; positive if the challenger is better."""
        return (self.wins - self.losses) / self.rows

    @property
    def standard_error(self) -> float:
        """Of the gain; 0.0 if no row differs."""
        return math.sqrt(self.wins + self.losses - (self.wins - self.losses) ** 2 / self.rows) / self.rows

    def method_at(self, border: float) -> str:
        """Which test `p_value` of that border is."""
        return "exact McNemar" if border == 0 else "Tango score"

    def p_value(self, border: float) -> float:
        """One-sided p-value of H0 "true gain <= border"."""
        if not -1 <= border < 1:
            return 0.0 if border < -1 else 1.0
        exact = mcnemar(self.wins, self.losses)
        if border == 0:
            return exact
        score = self._score(border)
        return min(score, exact) if border < 0 else max(score, exact)

    def lower_limit(self, confidence: float) -> float:
        """Every border below it has a p-value under 1 - confidence, no border above it has; in [-1, 1]."""
        alpha = 1 - confidence
        limit = bisected(lambda border: self._score(border) < alpha, -1.0, 1.0)
        if mcnemar(self.wins, self.losses) < alpha:
            return max(limit, math.ulp(0.0))  # above 0, as the exact test says
        return min(limit, 0.0)

    def upper_limit(self, confidence: float) -> float:
        """One-sided upper limit of the gain: the lower one with the roles swapped."""
        return -self._swapped().lower_limit(confidence)

    def detectable(self, confidence: float, power: float = 0.8) -> float:
        """How far above the border the true gain must be to be seen with this power, by the normal approximation."""
        spread = math.sqrt(self.wins + self.losses + 1) / self.rows  # one row more, so that no difference yet is not certainty
        return (normal_quantile(confidence) + normal_quantile(power)) * spread + CONTINUITY / self.rows

    def _score(self, border: float) -> float:
        if border == -1:
            return 0.0 if self.gain > -1 else 1.0
        return tango(self.wins, self.losses, self.rows, border)

    def _swapped(self) -> ProportionDifference:
        return ProportionDifference(
            metric=self.metric, rows=self.rows, challenger=self.baseline, baseline=self.challenger, wins=self.losses, losses=self.wins
        )


def proportion_differences(
    metric: str, challenger: NDArray[Any], baseline: NDArray[Any], known: NDArray[Any], sections: Sections
) -> dict[int, ProportionDifference | None]:
    """The difference in each section, by its number, -1 for the whole; None where there are no rows or a label is unknown.

    Args:
        metric: `accuracy`, or a name of its complement.
        challenger: (rows,) whether the challenger is right.
        baseline: (rows,) whether the baseline is right.
        known: (rows,) whether label and predictions are numbers.
        sections: Which rows are in which section.
    """
    rows, unknown = sections.counts().tolist(), sections.counts(~known).tolist()
    both, wins = sections.counts(challenger & baseline).tolist(), sections.counts(challenger & ~baseline).tolist()
    losses = sections.counts(baseline & ~challenger).tolist()

    def difference(at: int) -> ProportionDifference | None:
        if not rows[at] or unknown[at]:
            return None
        shares = [(both[at] + own) / rows[at] for own in (wins[at], losses[at])]
        values = shares if metric == "accuracy" else [1 - share for share in shares]
        return ProportionDifference(
            metric=metric, rows=rows[at], challenger=values[0], baseline=values[1], wins=wins[at], losses=losses[at]
        )

    return {at: difference(at) for at in range(-1, sections.n_slices)}


def _check(wins: int, losses: int) -> None:
    if wins < 0 or losses < 0:
        raise InvalidMetricError(f"A number of rows is at least 0; found {wins} and {losses}.")


def _upper_tail(successes: int, trials: int) -> float:
    """P(X >= successes) for X ~ Binomial(trials, 1/2) and successes > trials / 2, where the terms only fall."""
    if successes > trials:
        return 0.0
    logarithm = math.lgamma(trials + 1) - math.lgamma(successes + 1) - math.lgamma(trials - successes + 1) - trials * math.log(2)
    term = total = 1.0
    for count in range(successes, trials):
        term *= (trials - count) / (count + 1)
        total += term
        if term < total * 1e-17:
            break
    return min(1.0, math.exp(logarithm) * total)


def _losing_share(wins: int, losses: int, rows: int, border: float) -> float:
    """Most likely probability that only the baseline is right, if the true gain is the border."""
    linear = -wins - losses + (2 * rows - wins + losses) * border
    constant = -losses * border * (1 - border)
    root = math.sqrt(max(0.0, linear * linear - 8 * rows * constant))
    return (root - linear) / (4 * rows)
