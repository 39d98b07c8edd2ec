"""Metrics of predictions whose labels came later, by the functions that evaluations use, and of shadow against champion."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.outcomes import CONFIDENCE, Paired, PairedTest
from airflow_registry.errors import InvalidInputError
from airflow_registry.scoring.evaluation import MAX_CLASSES
from airflow_registry.scoring.judged import Judged, all_classes, distinct, encode
from airflow_registry.scoring.metrics import DEFAULTS, check_metric_names, compute

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from airflow_registry.domain.evaluation import Kind
    from airflow_registry.scoring.labels import Found, Labels


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Turned:
    """How the predictions of several versions for one partition turned out.

    Attributes:
        kind: What was predicted.
        metrics: By ledger entry.
        paired: Of the entries in SHADOW against the champion's.
    """

    kind: Kind
    metrics: Mapping[str, dict[str, float]]
    paired: Mapping[str, Paired] = field(default_factory=dict)


def judge_live(found: Mapping[str, Found], labels: Labels, *, champion: str, number: int, metrics: Sequence[str] = ()) -> Turned:
    """Metrics of each output of one partition, and paired tests of the others against the champion's.

    Args:
        found: The labelled rows, by ledger entry; the champion's has at least one.
        labels: What they are compared with.
        champion: Whose entry the others are compared with.
        number: The champion's version.
        metrics: By scikit-learn's names or `module:function`; empty for what suits the kind.

    Raises:
        InvalidInputError: If labels and predictions are not of one type, or a metric is unknown.
        MissingDependencyError: If scikit-learn is not installed.
    """
    sides = {entry: one for entry, one in found.items() if len(one.positions)}
    kind, classes = _kind(sides, labels)
    names = tuple(metrics) or DEFAULTS[kind]
    check_metric_names(names, kind)
    judged = {entry: _judged(one, labels, classes) for entry, one in sides.items()}
    pairs = {entry: _common(sides, judged, champion, entry) for entry in sides if entry != champion}
    return Turned(
        kind=kind,
        metrics={entry: compute(one, names, kind) for entry, one in judged.items()},
        paired={entry: _paired(*pair, number, names, seeds=(champion, entry)) for entry, pair in pairs.items() if len(pair[0].labels)},
    )


def _kind(sides: Mapping[str, Found], labels: Labels) -> tuple[Kind, tuple[Any, ...]]:
    predictions = [one.predictions for one in sides.values()]
    values = labels.values
    if not any(one.classes for one in sides.values()) and all(found.dtype.kind == "f" for found in predictions):
        _refuse_mixture(values, predictions, "numbers")
        if not all(math.isfinite(value) for value in values.astype(float).tolist()):
            raise InvalidInputError(f"Labels in {labels.column!r} are infinite. Expected finite numbers: remove these rows.")
        return "regression", ()
    _refuse_mixture(values, predictions, "classes")
    named = [_class(name, one.predictions) for one in sides.values() for name in one.classes]
    classes = all_classes(set(named).union(*map(distinct, predictions), distinct(values)))
    if len(classes) > MAX_CLASSES:
        raise InvalidInputError(
            f"Labels and predictions have {len(classes):,} different values, which are too many for classes (at most {MAX_CLASSES:,}). "
            f"Is {labels.column!r} the right column?"
        )
    return ("multiclass" if len(classes) > 2 else "binary"), classes


def _refuse_mixture(values: NDArray[Any], predictions: Sequence[NDArray[Any]], wanted: str) -> None:
    for found in (found for found in predictions if _is_text(found) != _is_text(values)):
        raise InvalidInputError(
            f"The predictions are {_spoken(found)} and the labels {_spoken(values)}, which cannot be compared. Expected {wanted} of one "
            "type: name another label column, or hand in the labels as the training had them."
        )


def _is_text(values: NDArray[Any]) -> bool:
    return values.dtype.kind in "OUST" and any(isinstance(value, str) for value in values.tolist())


def _spoken(values: NDArray[Any]) -> str:
    return f"{'text' if _is_text(values) else 'numbers'} (for example {values[0]!r})"


def _class(name: str, predictions: NDArray[Any]) -> Any:  # noqa: ANN401  whatever the classes are
    """The class that a column of probabilities is named after; names are text whatever the classes are."""
    if _is_text(predictions):
        return name
    if name in {"True", "False"}:
        return name == "True"
    number = float(name)
    return int(number) if number.is_integer() else number


def _judged(one: Found, labels: Labels, classes: tuple[Any, ...]) -> Judged:
    import numpy as np

    values = labels.values[one.positions]
    if not classes:
        return Judged(labels=np.asarray(values, dtype=np.float64), predictions=np.asarray(one.predictions, dtype=np.float64))
    table = _spread(one, classes)
    scores = table[:, 1] if table is not None and len(classes) == 2 else None
    predictions = encode(one.predictions, classes)
    return Judged(labels=encode(values, classes), predictions=predictions, classes=classes, scores=scores, probabilities=table)


def _spread(one: Found, classes: tuple[Any, ...]) -> NDArray[np.float64] | None:
    """One column for each class; a class that the version does not know has probability 0."""
    import numpy as np

    if one.probabilities is None:
        return None
    spread = np.zeros((len(one.positions), len(classes)))
    for column, name in enumerate(one.classes):
        spread[:, classes.index(_class(name, one.predictions))] = one.probabilities[:, column]
    return spread


def _common(sides: Mapping[str, Found], judged: Mapping[str, Judged], champion: str, entry: str) -> tuple[Judged, Judged]:
    """What both said about the labelled rows that both scored, in one order: the shadow's, the champion's."""
    import numpy as np

    _, mine, his = np.intersect1d(sides[entry].positions, sides[champion].positions, assume_unique=True, return_indices=True)
    return judged[entry].take(mine), judged[champion].take(his)


def _paired(shadow: Judged, champion: Judged, number: int, names: Sequence[str], *, seeds: tuple[str, str]) -> Paired:
    import numpy as np

    if shadow.classes:
        right = [one.predictions == one.labels for one in (shadow, champion)]
        wins, losses = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    else:
        errors = [np.nan_to_num(np.abs(one.predictions - one.labels), nan=np.inf) for one in (shadow, champion)]
        wins, losses = int((errors[0] < errors[1]).sum()), int((errors[1] < errors[0]).sum())
    tests = tuple(test for name in names if (test := _test(name, shadow, champion, seeds)) is not None)
    return Paired(baseline=number, rows=len(shadow.labels), wins=wins, losses=losses, tests=tests)


def _test(name: str, shadow: Judged, champion: Judged, seeds: tuple[str, str]) -> PairedTest | None:
    """The paired test of one metric; None where there is none, or it is not defined on these rows."""
    from airflow_registry.domain.stats.draws import seed_of
    from airflow_registry.domain.stats.paired import TESTED, paired_differences
    from airflow_registry.domain.stats.rows import Scored

    if name not in TESTED:
        return None
    said = [Scored(predictions=one.predictions, scores=one.scores, probabilities=one.probabilities) for one in (shadow, champion)]
    found = paired_differences(name, shadow.labels, *said, seed=seed_of(*seeds))[-1]
    if found is None or not all(map(math.isfinite, (found.challenger, found.baseline, found.gain))):
        return None
    lower = found.lower_limit(CONFIDENCE)
    return PairedTest(
        metric=name,
        challenger=found.challenger,
        baseline=found.baseline,
        gain=found.gain,
        lower=lower if math.isfinite(lower) else None,
        p_value=found.p_value(0.0),
        method=found.method_at(0.0),
        rows=found.rows,
    )
