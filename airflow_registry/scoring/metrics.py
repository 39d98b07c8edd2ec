"""Metrics of predictions against labels, by their scikit-learn names, or by a function of the user's.

A metric that is not defined on the rows at hand (one class only, no rows, non-finite predictions) is NaN, never an exception
and never a number that looks like a result. Where scikit-learn answers with a number by convention (R² of constant labels, a relative
error of a label that is zero), NaN is kept here too.
"""

from __future__ import annotations

import difflib
import math
import warnings
from typing import TYPE_CHECKING, Any

from airflow_registry.errors import InvalidInputError, MissingDependencyError
from airflow_registry.scoring import user_metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_registry.domain.evaluation import Kind
    from airflow_registry.scoring.judged import Judged

    Function = Callable[[Judged], float]

KINDS: tuple[Kind, ...] = ("binary", "multiclass", "regression")


def metric_functions(kind: Kind) -> Mapping[str, Function]:
    """All metrics of one kind of model, by name."""
    return {"binary": _BINARY, "multiclass": _MULTICLASS, "regression": _REGRESSION}[kind]


def is_computable(name: str, kind: Kind) -> bool:
    """Whether a metric can be computed for that kind of model."""
    return user_metrics.is_user_metric(name) or name in metric_functions(kind)


def check_metric_names(names: Sequence[str], kind: Kind | None = None) -> None:
    """Refuse names that nobody can compute, before any row is scored (`kind` unknown) or after.

    Raises:
        InvalidInputError: Names the metrics that are known, and the one that was probably meant; or says why the function of a user's
            metric cannot be used.
    """
    kinds = KINDS if kind is None else (kind,)
    known = sorted({name for each in kinds for name in metric_functions(each)})
    for name in filter(user_metrics.is_user_metric, names):
        user_metrics.load(name)
    unknown = [name for name in names if name not in known and not user_metrics.is_user_metric(name)]
    if unknown:
        what = "can be computed" if kind is None else f"can be computed for {kind} predictions"
        hints = "".join(f" Did you mean {near[0]!r}?" for name in unknown if (near := difflib.get_close_matches(str(name), known, n=1)))
        raise InvalidInputError(
            f"No metric named {', '.join(map(repr, unknown))} {what}.{hints} Known are: {', '.join(known)}; "
            "and functions of your own as 'module:function'."
        )


def compute(judged: Judged, names: Sequence[str], kind: Kind) -> dict[str, float]:
    """The metrics of one model, NaN where one is not defined.

    Raises:
        InvalidInputError: If a name is not a metric of that kind, or a function of the user's fails.
        MissingDependencyError: If scikit-learn is not installed.
    """
    check_metric_names(names, kind)
    return {name: metric_of(judged, name, kind) for name in names}


def metric_of(judged: Judged, name: str, kind: Kind) -> float:
    """One metric of one model on some rows."""
    if user_metrics.is_user_metric(name):
        return user_metrics.load(name).value(judged) if len(judged.labels) else math.nan
    return _defined(metric_functions(kind)[name], judged)


def _defined(function: Function, judged: Judged) -> float:
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


def _on_predictions(name: str, **options: object) -> Function:
    def compared(judged: Judged) -> float:
        if not judged.is_understood.all():
            return math.nan
        return float(_sklearn("metrics", name)(judged.labels, judged.predictions, **options))

    return compared


def _on_positive(name: str) -> Function:
    def compared(judged: Judged) -> float:
        if not judged.is_understood.all():
            return math.nan
        return float(_sklearn("metrics", name)(judged.is_positive, judged.says_positive, pos_label=True))

    return compared


def _rate(of: str, among: str) -> Function:
    """A share of the rows: how many that `among` names are also what `of` names."""

    def share(judged: Judged) -> float:
        masks = {
            "positive": judged.is_positive,
            "negative": ~judged.is_positive,
            "says positive": judged.says_positive,
            "says negative": ~judged.says_positive,
            "all": judged.labels == judged.labels,
        }
        total = int(masks[among].sum())
        return int((masks[of] & masks[among]).sum()) / total if total and judged.is_understood.all() else math.nan

    return share


def _with_several_labels(function: Function) -> Function:
    """With equal labels scikit-learn answers 0 or 1, warns or raises, depending on the metric and the release."""

    def checked(judged: Judged) -> float:
        return function(judged) if len(judged.labels) and (judged.labels != judged.labels[0]).any() else math.nan

    return checked


def _on_ranking(name: str) -> Function:
    def ranked(judged: Judged) -> float:
        return math.nan if judged.scores is None else float(_sklearn("metrics", name)(judged.is_positive, judged.scores))

    return _with_several_labels(ranked)


def _brier_score(judged: Judged) -> float:
    """Mean squared difference of probability and outcome. Source: Brier (1950), Monthly Weather Review 78:1-3."""
    if judged.probabilities is None or judged.probabilities.shape[1] != 2:
        return math.nan
    return float(((judged.probabilities[:, 1] - judged.is_positive) ** 2).mean())


def _log_loss(judged: Judged) -> float:
    if judged.probabilities is None:
        return math.nan
    numbers = range(len(judged.classes))
    return float(_sklearn("metrics", "log_loss")(judged.labels, judged.probabilities, labels=list(numbers)))


def _roc_auc_of_many(multi_class: str) -> Function:
    def ranked(judged: Judged) -> float:
        if judged.probabilities is None:
            return math.nan
        options = {"multi_class": multi_class, "labels": list(range(len(judged.classes)))}
        return float(_sklearn("metrics", "roc_auc_score")(judged.labels, judged.probabilities, **options))

    return ranked


def _relative(judged: Judged) -> float:
    """A label of zero makes any error infinitely large; scikit-learn would answer with 1e15 and the like."""
    return _on_predictions("mean_absolute_percentage_error")(judged) if judged.labels.all() else math.nan


def _averaged(score: str, *averages: str) -> dict[str, Function]:
    return {f"{score}_{average}": _on_predictions(f"{score}_score", average=average) for average in averages}


_CLASSES: dict[str, Function] = {
    "accuracy": _on_predictions("accuracy_score"),
    "balanced_accuracy": _with_several_labels(_on_predictions("balanced_accuracy_score")),
    "log_loss": _log_loss,
    "matthews_corrcoef": _with_several_labels(_on_predictions("matthews_corrcoef")),
    "zero_one_loss": _on_predictions("zero_one_loss"),
    **_averaged("f1", "macro", "micro", "weighted"),
    **_averaged("precision", "macro", "weighted"),
    **_averaged("recall", "macro", "weighted"),
}
_BINARY = _CLASSES | {
    "average_precision": _on_ranking("average_precision_score"),
    "brier_score": _brier_score,
    "f1": _on_positive("f1_score"),
    "fnr": _rate("says negative", "positive"),
    "fpr": _rate("says positive", "negative"),
    "jaccard": _on_positive("jaccard_score"),
    "precision": _on_positive("precision_score"),
    "recall": _on_positive("recall_score"),
    "roc_auc": _on_ranking("roc_auc_score"),
    "selection_rate": _rate("says positive", "all"),
    "tpr": _rate("says positive", "positive"),
}
_MULTICLASS = _CLASSES | {"roc_auc_ovo": _roc_auc_of_many("ovo"), "roc_auc_ovr": _roc_auc_of_many("ovr")}
_REGRESSION: dict[str, Function] = {
    "explained_variance": _with_several_labels(_on_predictions("explained_variance_score")),
    "mae": _on_predictions("mean_absolute_error"),
    "mape": _relative,
    "max_error": _on_predictions("max_error"),
    "mean_absolute_error": _on_predictions("mean_absolute_error"),
    "mean_absolute_percentage_error": _relative,
    "mean_squared_error": _on_predictions("mean_squared_error"),
    "median_absolute_error": _on_predictions("median_absolute_error"),
    "mse": _on_predictions("mean_squared_error"),
    "r2": _with_several_labels(_on_predictions("r2_score")),
    "rmse": _on_predictions("root_mean_squared_error"),
    "root_mean_squared_error": _on_predictions("root_mean_squared_error"),
}

DEFAULTS: dict[Kind, tuple[str, ...]] = {
    "binary": ("roc_auc", "log_loss", "accuracy", "average_precision", "brier_score"),
    "multiclass": ("accuracy", "log_loss", "f1_macro"),
    "regression": ("rmse", "mae", "r2"),
}
