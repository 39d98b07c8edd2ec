"""Metrics of predictions against labels, by their scikit-learn names.

A metric that is not defined on the rows at hand (one class only, no rows, non-finite predictions) is NaN, never an exception
and never a number that looks like a result.
"""

from __future__ import annotations

import difflib
import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from airflow_registry.errors import InvalidInputError, MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np

Kind = Literal["binary", "multiclass", "regression"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Labels of n rows and what one model said about them.

    Attributes:
        labels: Shape (n,).
        predictions: Shape (n,).
        classes: All classes of labels and models, sorted; empty for regression.
        scores: How sure the model is of the second class, shape (n,); binary only, None if it cannot say.
        probabilities: One column for each of `classes`, shape (n, k); None if the model has none.
    """

    labels: np.ndarray[Any, Any]
    predictions: np.ndarray[Any, Any]
    classes: tuple[Any, ...] = ()
    scores: np.ndarray[Any, Any] | None = None
    probabilities: np.ndarray[Any, Any] | None = None

    @property
    def is_positive(self) -> np.ndarray[Any, Any]:
        """Which labels are the second class, as 0 and 1."""
        return _equals(self.labels, self._positive)

    @property
    def says_positive(self) -> np.ndarray[Any, Any]:
        """Which predictions are the second class, as 0 and 1."""
        return _equals(self.predictions, self._positive)

    @property
    def _positive(self) -> object:
        return self.classes[1] if len(self.classes) > 1 else 1


def metric_functions(kind: Kind) -> Mapping[str, Callable[[Judged], float]]:
    """All metrics of one kind of model, by name."""
    return {"binary": _BINARY, "multiclass": _MULTICLASS, "regression": _REGRESSION}[kind]


def check_metric_names(names: Sequence[str], kind: Kind | None = None) -> None:
    """Refuse names that nobody can compute, before any row is scored (`kind` unknown) or after.

    Raises:
        InvalidInputError: Names the metrics that are known, and the one that was probably meant.
    """
    kinds: tuple[Kind, ...] = ("binary", "multiclass", "regression") if kind is None else (kind,)
    known = sorted({name for each in kinds for name in metric_functions(each)})
    unknown = [name for name in names if name not in known]
    if unknown:
        what = "can be computed" if kind is None else f"can be computed for {kind} predictions"
        hints = "".join(f" Did you mean {near[0]!r}?" for name in unknown if (near := difflib.get_close_matches(str(name), known, n=1)))
        raise InvalidInputError(f"No metric named {', '.join(map(repr, unknown))} {what}.{hints} Known are: {', '.join(known)}.")


def compute(judged: Judged, names: Sequence[str], kind: Kind) -> dict[str, float]:
    """The metrics of one model, NaN where one is not defined.

    Raises:
        InvalidInputError: If a name is not a metric of that kind.
        MissingDependencyError: If scikit-learn is not installed.
    """
    check_metric_names(names, kind)
    functions = metric_functions(kind)
    return {name: _defined(functions[name], judged) for name in names}


def _defined(function: Callable[[Judged], float], judged: Judged) -> float:
    undefined = _sklearn("exceptions", "UndefinedMetricWarning")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", undefined)
        try:
            return float(function(judged)) if len(judged.labels) else math.nan
        except (ValueError, undefined):
            return math.nan


def _sklearn(module: str, name: str) -> Any:  # noqa: ANN401  a function or class of scikit-learn
    from importlib import import_module

    try:
        return getattr(import_module(f"sklearn.{module}"), name)
    except ImportError as error:
        raise MissingDependencyError.extra("scikit-learn", "sklearn", "Computing metrics") from error


def _equals(values: np.ndarray[Any, Any], value: object) -> np.ndarray[Any, Any]:
    import numpy as np

    return np.asarray(values == value, dtype=np.int64)


def _on_predictions(name: str, **options: object) -> Callable[[Judged], float]:
    return lambda judged: _sklearn("metrics", name)(judged.labels, judged.predictions, **options)


def _on_positive(name: str) -> Callable[[Judged], float]:
    return lambda judged: _sklearn("metrics", name)(judged.is_positive, judged.says_positive, pos_label=1)


def _on_ranking(name: str) -> Callable[[Judged], float]:
    def ranked(judged: Judged) -> float:
        if judged.scores is None or len(set(judged.is_positive.tolist())) < 2:
            return math.nan  # with one class scikit-learn answers 0 or 1, warns or raises, depending on the metric and the release
        return float(_sklearn("metrics", name)(judged.is_positive, judged.scores))

    return ranked


def _brier_score(judged: Judged) -> float:
    """Mean squared difference of probability and outcome. Source: Brier (1950), Monthly Weather Review 78:1-3."""
    if judged.probabilities is None or judged.probabilities.shape[1] != 2:
        return math.nan
    return float(((judged.probabilities[:, 1] - judged.is_positive) ** 2).mean())


def _log_loss(judged: Judged) -> float:
    if judged.probabilities is None:
        return math.nan
    numbers = range(len(judged.classes))
    return float(_sklearn("metrics", "log_loss")(_positions(judged), judged.probabilities, labels=list(numbers)))


def _roc_auc_of_many(multi_class: str) -> Callable[[Judged], float]:
    def ranked(judged: Judged) -> float:
        if judged.probabilities is None:
            return math.nan
        options = {"multi_class": multi_class, "labels": list(range(len(judged.classes)))}
        return float(_sklearn("metrics", "roc_auc_score")(_positions(judged), judged.probabilities, **options))

    return ranked


def _positions(judged: Judged) -> list[int]:
    positions = {value: index for index, value in enumerate(judged.classes)}
    return [positions[value] for value in judged.labels.tolist()]


def _averaged(score: str, *averages: str) -> dict[str, Callable[[Judged], float]]:
    return {f"{score}_{average}": _on_predictions(f"{score}_score", average=average) for average in averages}


_CLASSES: dict[str, Callable[[Judged], float]] = {
    "accuracy": _on_predictions("accuracy_score"),
    "balanced_accuracy": _on_predictions("balanced_accuracy_score"),
    "log_loss": _log_loss,
    "matthews_corrcoef": _on_predictions("matthews_corrcoef"),
    "zero_one_loss": _on_predictions("zero_one_loss"),
    **_averaged("f1", "macro", "micro", "weighted"),
    **_averaged("precision", "macro", "weighted"),
    **_averaged("recall", "macro", "weighted"),
}
_BINARY = _CLASSES | {
    "average_precision": _on_ranking("average_precision_score"),
    "brier_score": _brier_score,
    "f1": _on_positive("f1_score"),
    "jaccard": _on_positive("jaccard_score"),
    "precision": _on_positive("precision_score"),
    "recall": _on_positive("recall_score"),
    "roc_auc": _on_ranking("roc_auc_score"),
}
_MULTICLASS = _CLASSES | {"roc_auc_ovo": _roc_auc_of_many("ovo"), "roc_auc_ovr": _roc_auc_of_many("ovr")}
_REGRESSION: dict[str, Callable[[Judged], float]] = {
    "explained_variance": _on_predictions("explained_variance_score"),
    "mae": _on_predictions("mean_absolute_error"),
    "mape": _on_predictions("mean_absolute_percentage_error"),
    "max_error": _on_predictions("max_error"),
    "mean_absolute_error": _on_predictions("mean_absolute_error"),
    "mean_absolute_percentage_error": _on_predictions("mean_absolute_percentage_error"),
    "mean_squared_error": _on_predictions("mean_squared_error"),
    "median_absolute_error": _on_predictions("median_absolute_error"),
    "mse": _on_predictions("mean_squared_error"),
    "r2": _on_predictions("r2_score"),
    "rmse": _on_predictions("root_mean_squared_error"),
    "root_mean_squared_error": _on_predictions("root_mean_squared_error"),
}

DEFAULTS: dict[Kind, tuple[str, ...]] = {
    "binary": ("roc_auc", "log_loss", "accuracy", "average_precision", "brier_score"),
    "multiclass": ("accuracy", "log_loss", "f1_macro"),
    "regression": ("rmse", "mae", "r2"),
}
