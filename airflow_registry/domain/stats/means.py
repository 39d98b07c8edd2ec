"""Mean per-row losses of two versions on the same rows, by the paired bootstrap."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.stats.bootstrap import NO_SPREAD, REPLICATES, GroupSums
from airflow_registry.domain.stats.losses import ROOTED
from airflow_registry.domain.stats.student import normal_quantile, upper_quantile, upper_tail

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from airflow_registry.domain.stats.rows import Sections

# Replicates beyond which the tail is fitted: 40 of 2,000 make its slope known to 16 %.
_IN_THE_TAIL = 40
_EDGE = (1 + _IN_THE_TAIL) / (1 + REPLICATES)
_NOISE = 1e-12  # of the losses: what rounding alone may show


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LossDifference:
    """A mean loss, or the root of one, of two versions on the same rows; a `PairedDifference`.

    The p-value is the larger of two. That of the bootstrap is the share of resamples whose t-statistic reaches the observed one; it
    keeps its level where losses are skewed (an overconfident challenger passes Student's test in 8 % instead of 5 % of tries).
    Student's keeps it where they are heavy on both sides, which the bootstrap passes too often. Beyond the 40 largest of 2,000
    resamples the tail is taken as exponential with their mean excess, so that Holm's correction over many slices finds a
    resolution; a normal tail falls faster, so this errs to the safe side. No p-value is below 2**-rows: that is all that so many rows
    can show even if the challenger was better on each of them.

    Attributes:
        replicates: (REPLICATES,) sorted t-statistics of resamples.
    """

    metric: str
    method: str = "paired bootstrap"
    rows: int
    challenger: float
    baseline: float
    gain: float
    standard_error: float
    replicates: NDArray[np.float64]

    def method_at(self, border: float) -> str:  # noqa: ARG002  McNemar's family tells borders apart
        """Which test `p_value` of that border is."""
        return self.method

    def p_value(self, border: float) -> float:
        """One-sided p-value of H0 "true gain <= border"."""
        distance = float(self.gain - border)
        if self.standard_error == 0:
            return self._floor if distance > 0 else 1.0
        t = distance / self.standard_error
        return max(self._floor, self._tail(t), upper_tail(t, self.rows - 1))

    def lower_limit(self, confidence: float) -> float:
        """One-sided lower limit of the gain; -inf where the rows are too few to have one."""
        if self._floor >= 1 - confidence:
            return -math.inf
        return self.gain - self._quantile(1 - confidence) * self.standard_error if self.standard_error else self.gain

    def upper_limit(self, confidence: float) -> float:
        """One-sided upper limit of the gain; inf where the rows are too few to have one."""
        return -replace(self, gain=-self.gain, replicates=-self.replicates[::-1]).lower_limit(confidence)

    def detectable(self, confidence: float, power: float = 0.8) -> float:
        """How far above the border the true gain must be to be seen with this power; inf where the rows are too few to see any."""
        if self._floor >= 1 - confidence:
            return math.inf
        return (self._quantile(1 - confidence) + normal_quantile(power)) * self.standard_error if self.standard_error else 0.0

    @property
    def _floor(self) -> float:
        return 0.5 ** min(self.rows, 1000)

    @property
    def _excess(self) -> float:
        """Mean excess of the largest replicates over the smallest of them; where they are all the same, the tail does not fall."""
        return float((self.replicates[-_IN_THE_TAIL:] - self.replicates[-_IN_THE_TAIL]).mean()) or NO_SPREAD

    def _tail(self, t: float) -> float:
        """P(t-statistic of a resample >= t)."""
        reached = REPLICATES - int(self.replicates.searchsorted(t, side="left"))
        if reached >= _IN_THE_TAIL:
            return (1 + reached) / (1 + REPLICATES)
        return _EDGE * math.exp((float(self.replicates[-_IN_THE_TAIL]) - t) / self._excess)

    def _quantile(self, alpha: float) -> float:
        """The smallest t whose every larger one has a p-value under alpha."""
        if alpha <= _EDGE:
            resampled = float(self.replicates[-_IN_THE_TAIL]) + self._excess * math.log(_EDGE / alpha)
        else:
            resampled = float(self.replicates[REPLICATES - math.ceil(alpha * (1 + REPLICATES) - 1)])
        return max(resampled, upper_quantile(alpha, self.rows - 1))


def loss_differences(
    metric: str, challenger: NDArray[np.float64], baseline: NDArray[np.float64], sections: Sections, seed: int
) -> dict[int, LossDifference | None]:
    """The difference in each section, by its number, -1 for the whole; None where it is not defined.

    It is not defined with fewer than two rows, or where a loss is not finite.

    Args:
        metric: The name to report; of a rooted one the losses are squares.
        challenger: (rows,) loss of each row.
        baseline: (rows,) loss of each row.
        sections: Which rows are in which section.
        seed: Of the draws.
    """
    import numpy as np

    known = np.isfinite(challenger) & np.isfinite(baseline)
    losses = np.where(known, challenger, 0.0), np.where(known, baseline, 0.0)
    with np.errstate(over="ignore", invalid="ignore"):  # enormous losses become infinite, and their sections None
        facts = _Facts.of(metric, losses, known, sections, seed)
    return {at: facts.difference(metric, at) for at in range(-1, sections.n_slices)}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """What the tests of all sections need; each with one element for each section, the whole last."""

    rows: list[int]
    unknown: list[int]
    means: NDArray[np.float64]  # (2, sections) of challenger and baseline
    deviation: list[float]
    replicates: NDArray[np.float64]

    @classmethod
    def of(
        cls, metric: str, losses: tuple[NDArray[np.float64], NDArray[np.float64]], known: NDArray[np.bool_], sections: Sections, seed: int
    ) -> _Facts:
        import numpy as np

        rows = sections.counts()
        means = np.stack([sections.sums(loss) for loss in losses]) / np.maximum(rows, 1)
        rooted = metric in ROOTED
        whole = _influence(losses, means[:, -1], rooted=rooted)
        sliced = None if sections.codes is None else _influence(losses, means[:, sections.codes], rooted=rooted)
        squares = np.array([(whole * whole).sum()])
        if sliced is not None:
            squares = np.append(sections.sums(sliced * sliced)[:-1], squares)
        return cls(
            rows=rows.tolist(),
            unknown=sections.counts(~known).tolist(),
            means=np.sqrt(means) if rooted else means,
            deviation=np.sqrt(squares / np.maximum(rows - 1, 1)).tolist(),
            replicates=GroupSums.of(whole, sliced, sections, seed).resampled(seed),
        )

    def difference(self, metric: str, at: int) -> LossDifference | None:
        challenger, baseline = self.means[:, at].tolist()
        gain, deviation = baseline - challenger, self.deviation[at]
        if self.rows[at] < 2 or self.unknown[at] or not math.isfinite(gain + deviation):
            return None
        noise = _NOISE * (abs(challenger) + abs(baseline))
        return LossDifference(
            metric=metric,
            rows=self.rows[at],
            challenger=challenger,
            baseline=baseline,
            gain=0.0 if max(abs(gain), deviation) <= noise else gain,
            standard_error=0.0 if deviation <= noise else deviation / math.sqrt(self.rows[at]),
            replicates=self.replicates[at],
        )


def _influence(losses: tuple[NDArray[np.float64], NDArray[np.float64]], means: NDArray[Any], *, rooted: bool) -> NDArray[np.float64]:
    """(rows,) what each row adds to the gain, centred; of roots by their derivative at the means (the delta method)."""
    import numpy as np

    if not rooted:
        gain: NDArray[np.float64] = losses[1] - losses[0] - (means[1] - means[0])
        return gain
    # A mean of 0 means that all its losses are 0, so that there is nothing for the derivative to weigh.
    slopes = np.divide(0.5, np.sqrt(means), out=np.zeros_like(means), where=means > 0)
    weighed: NDArray[np.float64] = (losses[1] - means[1]) * slopes[1] - (losses[0] - means[0]) * slopes[0]
    return weighed
