"""Metrics of every slice at once: one pass over the rows where a metric is a sum or a rank, scikit-learn slice by slice where it is not.

Law: each value is the one that `metrics.metric_of` gives for the rows of that slice, NaN included.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from airflow_registry.scoring import user_metrics
from airflow_registry.scoring.metrics import metric_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np

    from airflow_registry.domain.evaluation import Kind, SliceCodes
    from airflow_registry.scoring.judged import Judged

    Array = np.ndarray[Any, Any]
    Fast = Callable[["_Sliced"], Array]


class _Sliced:
    """Rows in slices, and sums over each slice; k slices."""

    def __init__(self, judged: Judged, slices: SliceCodes) -> None:
        self.judged = judged
        self.codes = slices.codes
        self.k = len(slices.names)
        self.rows = self.sums(None)

    def sums(self, values: Array | None) -> Array:
        """The sum of `values` (n,) over each slice, or the count of its rows; shape (k,)."""
        import numpy as np

        return np.bincount(self.codes, weights=values, minlength=self.k).astype(float)

    def mean(self, values: Array) -> Array:
        """Shape (k,); NaN for a slice that holds a NaN or no row."""
        return _ratio(self.sums(values), self.rows)

    def share(self, of: Array, among: Array) -> Array:
        """How many of the rows of one mask are in another, shape (k,); NaN where there are none, or the model was not understood."""
        return self.understood(_ratio(self.sums(of & among), self.sums(among)))

    def understood(self, values: Array) -> Array:
        """`values` (k,), NaN for slices in which the model did not name a class, or said a number that is not finite."""
        import numpy as np

        return np.where(self.sums(~self.judged.is_understood) > 0, math.nan, values)


def compute_slices(judged: Judged, slices: SliceCodes, names: Sequence[str], kind: Kind) -> dict[str, Array]:
    """The metrics of one model in each slice, by metric; shape (k,), in the order of the slices' names.

    Args:
        judged: All n rows.
        slices: Which slice each row is in.
        names: Metrics that were checked.
        kind: Of the models.
    """
    fast = {"binary": _BINARY, "multiclass": _MULTICLASS, "regression": _REGRESSION}[kind]
    sliced = _Sliced(judged, slices)
    found = {name: fast[name](sliced) for name in names if name in fast}
    found |= _one_by_one(sliced, [name for name in names if name not in fast], kind)
    return {name: found[name] for name in names}


def _one_by_one(sliced: _Sliced, names: Sequence[str], kind: Kind) -> dict[str, Array]:
    import numpy as np

    found = {name: np.full(sliced.k, math.nan) for name in names}
    if not names or not sliced.k:  # data without rows have no slices
        return found
    order = np.argsort(_narrow(sliced.codes), kind="stable")
    ends = np.cumsum(sliced.rows).astype(int)
    for position, (start, end) in enumerate(zip((0, *ends[:-1]), ends, strict=True)):
        part = sliced.judged.take(order[start:end])
        for name in names:
            found[name][position] = _of_part(part, name, kind)
    return found


def _of_part(part: Judged, name: str, kind: Kind) -> float:
    if user_metrics.is_user_metric(name):
        return user_metrics.load(name).value_of_part(part)
    return metric_of(part, name, kind)


def _narrow(codes: Array) -> Array:
    """Codes that numpy sorts by counting instead of comparing."""
    import numpy as np

    return codes.astype(np.int16) if not len(codes) or codes.max() < np.iinfo(np.int16).max else codes


def _ratio(sums: Array, totals: Array) -> Array:
    import numpy as np

    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(totals > 0, sums / totals, math.nan)


def _accuracy(sliced: _Sliced) -> Array:
    judged = sliced.judged
    return sliced.understood(sliced.mean(judged.labels == judged.predictions))


def _rate(of: Callable[[Judged], Array], among: Callable[[Judged], Array]) -> Fast:
    return lambda sliced: sliced.share(of(sliced.judged), among(sliced.judged))


def _f1(sliced: _Sliced) -> Array:
    positive, says = sliced.judged.is_positive, sliced.judged.says_positive
    return sliced.understood(_ratio(2 * sliced.sums(positive & says), sliced.sums(positive) + sliced.sums(says)))


def _log_loss(sliced: _Sliced) -> Array:
    """As scikit-learn has it: probabilities are kept away from 0 and 1 by the precision of their type."""
    import numpy as np

    chances = sliced.judged.probabilities
    if chances is None or not 2 <= len(sliced.judged.classes) == chances.shape[1]:
        return np.full(sliced.k, math.nan)
    least = np.finfo(chances.dtype).eps
    losses = -np.log(np.clip(chances[np.arange(len(chances)), sliced.judged.labels], least, 1 - least))
    is_chance = np.logical_and(chances >= 0, chances <= 1).all(axis=1)  # a NaN is none
    return sliced.mean(np.where(is_chance, losses, math.nan))


def _brier_score(sliced: _Sliced) -> Array:
    import numpy as np

    chances = sliced.judged.probabilities
    if chances is None or chances.shape[1] != 2:
        return np.full(sliced.k, math.nan)
    return sliced.mean((chances[:, 1] - sliced.judged.is_positive) ** 2)


def _roc_auc(sliced: _Sliced) -> Array:
    """The share of pairs of both classes that are in the right order, ties counting half.

    Source:
        Mann and Whitney (1947), Annals of Mathematical Statistics 18:50-60: the rank sum of the positive rows.
    """
    import numpy as np

    scores, positive = sliced.judged.scores, sliced.judged.is_positive
    if scores is None:
        return np.full(sliced.k, math.nan)
    ranks = _ranks_in_slices(scores, sliced.codes, sliced.rows)
    positives = sliced.sums(positive)
    pairs = positives * (sliced.rows - positives)
    area = _ratio(sliced.sums(np.where(positive, ranks, 0.0)) - positives * (positives + 1) / 2, pairs)
    return np.where(sliced.sums(~np.isfinite(scores)) > 0, math.nan, area)


def _ranks_in_slices(scores: Array, codes: Array, rows: Array) -> Array:
    """The rank of each row among those of its slice, from 1, ties sharing their mean; shape (n,)."""
    import numpy as np

    by_score = np.argsort(scores, kind="stable")
    order = by_score[np.argsort(_narrow(codes)[by_score], kind="stable")]
    sorted_scores, sorted_codes = scores[order], codes[order]
    is_new = np.ones(len(order), dtype=bool)
    is_new[1:] = (sorted_scores[1:] != sorted_scores[:-1]) | (sorted_codes[1:] != sorted_codes[:-1])
    firsts = np.flatnonzero(is_new)
    sizes = np.diff(firsts, append=len(order))
    starts = np.concatenate([[0], np.cumsum(rows)[:-1]])[sorted_codes[firsts]]
    ranks = np.empty(len(order))
    ranks[order] = np.repeat(firsts - starts + (sizes + 1) / 2, sizes)
    return ranks


def _mean_error(size: Callable[[Array], Array]) -> Fast:
    def mean(sliced: _Sliced) -> Array:
        import numpy as np

        with np.errstate(all="ignore"):
            return sliced.understood(sliced.mean(size(sliced.judged.predictions - sliced.judged.labels)))

    return mean


def _root(fast: Fast) -> Fast:
    return lambda sliced: fast(sliced) ** 0.5


_absolute, _squared = _mean_error(abs), _mean_error(lambda errors: errors**2)
_CLASSES: dict[str, Fast] = {"accuracy": _accuracy, "zero_one_loss": lambda sliced: 1 - _accuracy(sliced), "log_loss": _log_loss}
_MULTICLASS = _CLASSES
_BINARY: dict[str, Fast] = _CLASSES | {
    "brier_score": _brier_score,
    "f1": _f1,
    "fnr": _rate(lambda judged: ~judged.says_positive, lambda judged: judged.is_positive),
    "fpr": _rate(lambda judged: judged.says_positive, lambda judged: ~judged.is_positive),
    "jaccard": _rate(lambda judged: judged.is_positive & judged.says_positive, lambda judged: judged.is_positive | judged.says_positive),
    "precision": _rate(lambda judged: judged.is_positive, lambda judged: judged.says_positive),
    "recall": _rate(lambda judged: judged.says_positive, lambda judged: judged.is_positive),
    "roc_auc": _roc_auc,
    "selection_rate": _rate(lambda judged: judged.says_positive, lambda judged: judged.labels >= 0),
    "tpr": _rate(lambda judged: judged.says_positive, lambda judged: judged.is_positive),
}
_REGRESSION: dict[str, Fast] = {
    "mae": _absolute,
    "mean_absolute_error": _absolute,
    "mean_squared_error": _squared,
    "mse": _squared,
    "rmse": _root(_squared),
    "root_mean_squared_error": _root(_squared),
}
