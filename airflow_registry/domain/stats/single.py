"""How far off one metric of one version may be by chance: intervals for the report.

The gate does not use them: two versions on the same rows are compared by `paired`, which sees much smaller differences than a look
at whether two intervals overlap.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.stats.auc import auc_differences
from airflow_registry.domain.stats.losses import row_losses
from airflow_registry.domain.stats.means import loss_differences
from airflow_registry.domain.stats.paired import TESTED
from airflow_registry.domain.stats.rows import Sections, check_rows, numbers
from airflow_registry.domain.stats.student import upper_quantile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from airflow_registry.domain.stats.auc import AucDifference
    from airflow_registry.domain.stats.rows import Scored

CONFIDENCE = 0.95
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Where the true value of a metric lies, had there been endlessly many rows like these.

    Attributes:
        low: Lower limit in the metric's unit; may be -inf where the rows are too few to have one.
        high: Upper limit; may be inf.
        confidence: Of both sides together, in (0, 1).
        method: How it was computed, in words.
    """

    low: float
    high: float
    confidence: float
    method: str


def intervals(
    metric: str, labels: object, scored: Scored, *, codes: object = None, n_slices: int = 0, seed: int, confidence: float = CONFIDENCE
) -> dict[int, Interval | None]:
    """The interval on the whole (key -1) and on each slice (keys 0 to n_slices - 1); None where there is none.

    Args:
        metric: Name of a metric; one without a method has no interval.
        labels: (n,) class codes or numbers; of a binary model 1 is the positive class.
        scored: What the version said about the rows.
        codes: (n,) slice of each row, -1 for none.
        n_slices: Number of slices (count).
        seed: Of the bootstrap; see `draws.seed_of`.
        confidence: Of both sides together, in (0, 1).

    Raises:
        InvalidInputError: If lengths differ.
    """
    import numpy as np

    truth = np.asarray(labels)
    check_rows(truth, len(truth) if truth.ndim else 0, "labels")
    scored.check(len(truth), "version's")
    sections = Sections.of(len(truth), codes, n_slices)
    found: dict[int, Interval | None] | None = None
    if metric in _SHARES:
        found = _shares(metric, truth, scored, sections, confidence)
    elif TESTED.get(metric) == "DeLong":
        found = _areas(metric, truth, scored, sections, confidence)
    elif TESTED.get(metric) == "paired bootstrap":
        found = _losses(metric, truth, scored, sections, seed, confidence)
    return dict.fromkeys(range(-1, sections.n_slices)) if found is None else found


def wilson(successes: int, rows: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Limits of a share, also where none or all of the rows are successes.

    Args:
        successes: Rows that count (count, <= rows).
        rows: All rows (count, >= 1).
        confidence: Of both sides together, in (0, 1).

    Source:
        Wilson (1927), Probable inference, the law of succession, and statistical inference, Journal of the American Statistical
        Association 22:209-212; Brown, Cai, DasGupta (2001), Interval estimation for a binomial proportion, Statistical Science
        16:101-133 (why not the textbook's p +- z * sqrt(p * (1 - p) / n)).

    >>> [round(limit, 4) for limit in wilson(9, 10)]
    [0.5958, 0.9821]
    """
    z2 = _NORMAL.inv_cdf((1 + confidence) / 2) ** 2
    middle = (successes + z2 / 2) / (rows + z2)
    half = math.sqrt(z2) / (rows + z2) * math.sqrt(successes * (rows - successes) / rows + z2 / 4)
    return (0.0 if successes == 0 else middle - half), (1.0 if successes == rows else middle + half)


# Metrics that are a share of rows: which rows count, and among which.
_SHARES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "accuracy": ("right", "all"),
        "error_rate": ("wrong", "all"),
        "zero_one_loss": ("wrong", "all"),
        "recall": ("says positive", "positive"),
        "tpr": ("says positive", "positive"),
        "fnr": ("says negative", "positive"),
        "fpr": ("says positive", "negative"),
        "precision": ("positive", "says positive"),
        "selection_rate": ("says positive", "all"),
    }
)


def _shares(metric: str, labels: NDArray[Any], scored: Scored, sections: Sections, confidence: float) -> dict[int, Interval | None]:
    counted, among = (_rows(which, labels, scored.predictions) for which in _SHARES[metric])
    unknown = sections.counts(~(numbers(labels) & numbers(scored.predictions)))
    totals, successes = sections.counts(among), sections.counts(among & counted)
    return {
        at: None if unknown[at] or not totals[at] else _share(int(successes[at]), int(totals[at]), confidence)
        for at in range(-1, sections.n_slices)
    }


def _rows(which: str, labels: NDArray[Any], said: NDArray[Any]) -> NDArray[Any]:
    """(n,) whether the row is one of those."""
    masks: dict[str, NDArray[Any]] = {
        "all": numbers(labels),
        "right": said == labels,
        "wrong": said != labels,
        "positive": labels == 1,
        "negative": labels != 1,
        "says positive": said == 1,
        "says negative": said != 1,
    }
    return masks[which]


def _share(successes: int, rows: int, confidence: float) -> Interval:
    low, high = wilson(successes, rows, confidence)
    return Interval(low=low, high=high, confidence=confidence, method="Wilson")


def _areas(metric: str, labels: NDArray[Any], scored: Scored, sections: Sections, confidence: float) -> dict[int, Interval | None] | None:
    """Against a version that gives every row the same score: its AUC is 1/2 without any variance, so that what remains is ours."""
    import numpy as np

    scores = scored.class_one()
    if scores is None:
        return None
    known = ((labels == 0) | (labels == 1)) & numbers(scores)
    filled = np.where(known, scores, 0.0).astype(np.float64, copy=False)
    found = auc_differences(metric, labels == 1, (filled, np.zeros(len(filled))), known, sections)
    return {at: None if area is None else _area(area, confidence) for at, area in found.items()}


def _area(area: AucDifference, confidence: float) -> Interval:
    """On the logit scale, so that no limit leaves [0, 1].

    Where every positive row is above every negative one (or below) there is no spread to judge by; then only so many independent
    pairs of rows speak, all alike: the one-sided limit is alpha**(1 / pairs).

    Source:
        DeLong, DeLong, Clarke-Pearson (1988), Biometrics 44:837-845; Pepe (2003), The statistical evaluation of medical tests for
        classification and prediction, section 5.2.5 (the logit).
    """
    alpha = (1 - confidence) / 2
    value, pairs = area.challenger, min(area.positives, area.rows - area.positives)
    if not 0 < value < 1 or not area.standard_error:
        spare = 1 - alpha ** (1 / pairs)
        low, high = max(0.0, value - spare), min(1.0, value + spare)
    else:
        logit = math.log(value / (1 - value))
        half = upper_quantile(alpha, area.freedom) * area.standard_error / (value * (1 - value))
        low, high = _expit(logit - half), _expit(logit + half)
    return Interval(low=low, high=high, confidence=confidence, method="DeLong")


def _expit(logit: float) -> float:
    return 1 / (1 + math.exp(-logit)) if logit > -700 else 0.0


def _losses(
    metric: str, labels: NDArray[Any], scored: Scored, sections: Sections, seed: int, confidence: float
) -> dict[int, Interval | None] | None:
    """Against a version without any loss: the gain over it is minus the mean loss."""
    import numpy as np

    losses = row_losses(metric, labels, scored)
    if losses is None or not sections.rows:
        return None
    one_sided = (1 + confidence) / 2
    found = loss_differences(metric, losses, np.zeros(len(losses)), sections, seed)
    return {
        at: None
        if mean is None
        else Interval(
            low=max(0.0, -mean.upper_limit(one_sided)),
            high=-mean.lower_limit(one_sided),
            confidence=confidence,
            method="bootstrap",
        )
        for at, mean in found.items()
    }
