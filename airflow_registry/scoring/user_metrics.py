"""Metrics of the user's own: `module:function`, called with labels and predictions, and with scores or probabilities if it wants them.

What a parameter gets is said by its name, as scikit-learn's functions have them; a function with other names gets labels, predictions
and, as a third, probabilities or scores, in this order.
"""

from __future__ import annotations

import inspect
import logging
import math
import re
import warnings
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.metrics import metric
from airflow_registry.errors import InvalidInputError, InvalidMetricError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from airflow_registry.scoring.judged import Judged

_log = logging.getLogger(__name__)
_NAME = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_MEANINGS = {
    "labels": ("y_true", "labels", "truth"),
    "predictions": ("y_pred", "predictions", "predicted"),
    "scores": ("y_score", "y_prob", "y_proba", "scores", "score"),
    "probabilities": ("probabilities", "proba"),
    "classes": ("classes",),
}
_MEANING_OF = {name: meaning for meaning, names in _MEANINGS.items() for name in names}
_IN_ORDER = ("labels", "predictions", "scores")
_EXPECTED = "Expected for example def cost(y_true, y_pred), or with y_score as a third parameter"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserMetric:
    """A function that is a metric.

    Attributes:
        name: `module:function`.
        function: The function itself.
        by_name: Parameters that are given by their names, and what each gets.
        in_order: What the positional arguments get, if not by name.
        required: What must be there: without it the metric is not defined.
    """

    name: str
    function: Callable[..., object]
    by_name: tuple[tuple[str, str], ...] = ()
    in_order: tuple[str, ...] = ()
    required: frozenset[str] = frozenset()

    def value(self, judged: Judged) -> float:
        """What the function says of all rows; NaN if it wants scores of a model that has none.

        Raises:
            InvalidInputError: If it fails.
            InvalidMetricError: If it returns no number.
        """
        facts = _facts(judged)
        if missing := [meaning for meaning in sorted(self.required) if facts[meaning] is None]:
            _log.warning("The metric %s is not defined: it wants %s, and the model has none.", self.name, " and ".join(missing))
            return math.nan
        found = self._number(self._asked(facts))
        if not math.isfinite(found):
            _log.warning("The metric %s is %s on %d rows, which satisfies no rule.", self.name, found, len(judged.labels))
        return found

    def value_of_part(self, judged: Judged) -> float:
        """The same of some of the rows, where a function that fails is not defined: a slice may hold one class only."""
        facts = _facts(judged)
        if any(facts[meaning] is None for meaning in self.required):
            return math.nan
        try:
            return self._number(self._asked(facts))
        except InvalidInputError as error:
            _log.debug("%s", error, exc_info=True)
            return math.nan

    def _number(self, answer: object) -> float:
        try:
            return metric(self.name, answer).as_float
        except InvalidMetricError as error:
            raise InvalidMetricError(f"{error} Let the function return one number for all rows.") from error

    def _asked(self, facts: dict[str, Any]) -> object:
        """What the function returns; NaN where scikit-learn warns in it that the number it gives is a convention."""
        given = {name: facts[meaning] for name, meaning in self.by_name if facts[meaning] is not None}
        undefined = _undefined_warnings()
        try:
            with warnings.catch_warnings():
                for category in undefined:
                    warnings.simplefilter("error", category)
                return self.function(*[facts[meaning] for meaning in self.in_order], **given)
        except undefined:
            return math.nan
        except Exception as error:
            raise InvalidInputError(
                f"The metric {self.name} failed: {type(error).__name__}: {error}. It was called with "
                f"{', '.join(self.in_order or [meaning for _, meaning in self.by_name])} of {len(facts['labels'])} rows. "
                "Correct the function, or return NaN where it is not defined."
            ) from error


def _undefined_warnings() -> tuple[type[Warning], ...]:
    """How scikit-learn warns of a metric that is not defined; nothing where it is not installed."""
    try:
        from sklearn.exceptions import UndefinedMetricWarning
    except ImportError:
        return ()
    return (UndefinedMetricWarning,)


def is_user_metric(name: object) -> bool:
    """Whether a metric's name is that of a function, `module:function`."""
    return isinstance(name, str) and ":" in name


@lru_cache(maxsize=256)
def load(name: str) -> UserMetric:
    """Find the function and see what it wants.

    Raises:
        InvalidInputError: If it is not there, or cannot be called with what there is.
    """
    if not _NAME.fullmatch(name):
        raise InvalidInputError(f"{name!r} names no metric. Expected the function's module and name, as 'costs:per_flight'.")
    module, _, path = name.partition(":")
    function: Any = None
    try:
        function = import_module(module)
        for part in path.split("."):
            function = getattr(function, part)
    except (ImportError, AttributeError) as error:
        raise InvalidInputError(
            f"The metric {name} is not there: {error}. Put the module where Python finds it (the DAGs folder, plugins, or a package)."
        ) from error
    if not callable(function):
        raise InvalidInputError(f"The metric {name} is no function: found {function!r}. {_EXPECTED}.")
    return _understood(name, function)


def _understood(name: str, function: Callable[..., object]) -> UserMetric:
    parameters = _parameters(function)
    wanted = [one for one in parameters if one.default is one.empty]
    named = {one.name: _MEANING_OF[one.name] for one in parameters if one.name in _MEANING_OF and one.kind is not one.POSITIONAL_ONLY}
    required = frozenset(named[one.name] for one in wanted if one.name in named)
    if "labels" in required and len(required) == len(wanted):
        return UserMetric(name=name, function=function, by_name=tuple(named.items()), required=required)
    if any(one.kind is one.KEYWORD_ONLY for one in wanted) or (parameters and not 2 <= len(wanted) <= 3):
        raise InvalidInputError(
            f"The metric {name} takes ({', '.join(one.name for one in wanted)}), and nobody knows what to give it. {_EXPECTED}."
        )
    order = _IN_ORDER[: len(wanted) or 2]
    return UserMetric(name=name, function=function, in_order=order, required=frozenset(order))


def _parameters(function: Callable[..., object]) -> list[inspect.Parameter]:
    """What it takes; nothing for a function that cannot say, and is called with labels and predictions."""
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    return [one for one in found if one.kind not in {one.VAR_POSITIONAL, one.VAR_KEYWORD}]


def _facts(judged: Judged) -> dict[str, Any]:
    return {
        "labels": judged.named(judged.labels),
        "predictions": judged.named(judged.predictions),
        "scores": _scores(judged),
        "probabilities": judged.probabilities,
        "classes": judged.classes,
    }


def _scores(judged: Judged) -> np.ndarray[Any, Any] | None:
    """Of the second class where there are two; else one column for each class."""
    return judged.scores if judged.scores is not None else judged.probabilities
