"""The best trivial model: a constant that needs no features. What does not beat it is worth nothing, whatever its numbers look like.

For each metric it is the constant that is best for it on the very rows of the evaluation:

* classes: the class that is best for that metric (for accuracy the commonest), the shares of the classes as probabilities, one score for
  all rows (ROC AUC 0.5);
* numbers: the mean (squared errors, R² 0), the median (absolute errors), the weighted median (relative errors), the middle (largest error).
"""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.metrics import known_goal
from airflow_registry.domain.stats.rows import Scored
from airflow_registry.errors import InvalidInputError
from airflow_registry.scoring.judged import Judged
from airflow_registry.scoring.metrics import metric_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from airflow_registry.domain.evaluation import EvaluationRows, Kind

    Array = np.ndarray[Any, Any]

_log = logging.getLogger(__name__)
_OF_SCORES = frozenset({"average_precision", "brier_score", "log_loss", "roc_auc"})
_OF_MEDIAN = frozenset({"mae", "mean_absolute_error", "median_absolute_error"})
_RELATIVE = frozenset({"mape", "mean_absolute_percentage_error"})


def trivial_metrics(labels: Array, classes: tuple[Any, ...], names: Sequence[str], kind: Kind) -> dict[str, float]:
    """What the best constant reaches in each metric; NaN where one is not defined.

    Args:
        labels: Positions in `classes`, or numbers; shape (n,).
        classes: Of labels and models; () for regression.
        names: Metrics.
        kind: Of the models.
    """
    return {name: _value(trivial_judged(labels, classes, name, kind), name, kind) for name in names}


def trivial_scored(rows: EvaluationRows, metric: str) -> Scored:
    """What the best constant for a metric says of every row, for paired comparisons."""
    judged = trivial_judged(rows.labels, rows.classes, metric, rows.kind)
    return Scored(predictions=judged.predictions, scores=judged.scores, probabilities=judged.probabilities)


def trivial_judged(labels: Array, classes: tuple[Any, ...], metric: str, kind: Kind) -> Judged:
    """The best constant for a metric beside the labels."""
    import numpy as np

    n = len(labels)
    if kind == "regression":
        return Judged(labels=labels, predictions=np.full(n, _best_number(labels, metric)))
    counts = np.bincount(labels, minlength=len(classes)) if n else np.zeros(len(classes))
    shares = counts / max(n, 1)
    judged = Judged(
        labels=labels,
        predictions=np.full(n, int(counts.argmax()) if len(classes) else 0),
        classes=classes,
        scores=np.full(n, shares[1]) if kind == "binary" and len(classes) == 2 else None,
        probabilities=np.broadcast_to(shares, (n, len(classes))) if len(classes) > 1 else None,
    )
    return _best_class(judged, metric, kind) if kind == "binary" else judged


def _best_class(judged: Judged, metric: str, kind: Kind) -> Judged:
    """Of the two classes the one that is better for the metric; the commoner one where that is not known, or makes no difference."""
    goal = known_goal(metric)
    if goal is None or len(judged.classes) < 2 or metric in _OF_SCORES:
        return judged
    other = replace(judged, predictions=1 - judged.predictions)
    gain = _value(other, metric, kind) - _value(judged, metric, kind)
    is_better = gain > 0 if goal == "maximize" else gain < 0
    return other if is_better else judged


def _value(judged: Judged, metric: str, kind: Kind) -> float:
    try:
        return metric_of(judged, metric, kind)
    except InvalidInputError as error:  # a function of the user's that cannot take a constant is no reason to refuse a model
        _log.warning("What a constant reaches in %s is not known: %s", metric, error)
        return math.nan


def _best_number(labels: Array, metric: str) -> float:
    import numpy as np

    if not len(labels):
        return math.nan
    if metric in _OF_MEDIAN:
        return float(np.median(labels))
    if metric in _RELATIVE:
        return _weighted_median(labels)
    if metric == "max_error":
        return float((labels.min() + labels.max()) / 2)
    return float(labels.mean())


def _weighted_median(labels: Array) -> float:
    """The constant of the smallest relative error: the median, a label weighing the less the larger it is."""
    import numpy as np

    if not labels.all():
        return math.nan
    order = np.argsort(labels)
    weights = np.cumsum(1 / np.abs(labels[order]))
    return float(labels[order][np.searchsorted(weights, weights[-1] / 2)])
