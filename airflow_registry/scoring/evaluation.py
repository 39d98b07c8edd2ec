"""Metrics of several versions on the same rows, in one pass over the data.

Law: every version is judged on the same rows. One that does not fit the signature of any of them is left out for all of them, and the
evaluation then carries another digest than the whole data: what was judged on other rows is not comparable.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.model import Signature
from airflow_registry.domain.names import Digest
from airflow_registry.errors import InvalidInputError, SignatureMismatchError
from airflow_registry.scoring.checks import Inspector
from airflow_registry.scoring.engine import read_ahead
from airflow_registry.scoring.metrics import DEFAULTS, Judged, check_metric_names, compute
from airflow_registry.scoring.predict import check_model, decision_scores, plan, predict_arrays
from airflow_registry.scoring.quarantine import Quarantine, summary

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np
    import pyarrow as pa

    from airflow_registry.scoring.checks import Inspected
    from airflow_registry.scoring.metrics import Kind
    from airflow_registry.scoring.predict import Plan
    from airflow_registry.scoring.quarantine import Reason
    from airflow_registry.scoring.source import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """Metrics of all versions on one data set.

    Attributes:
        rows: Rows that all versions were judged on (count).
        dataset_digest: SHA-256 of the input, or, where rows were left out, of its digest and their positions; evaluations of one
            digest are comparable.
        results: Metric values by version number; NaN where a metric is not defined on these rows.
        excluded: Rows that were left out (count).
        reasons: Why, the commonest first.
    """

    rows: int
    dataset_digest: Digest
    results: dict[int, dict[str, float]]
    excluded: int = 0
    reasons: tuple[Reason, ...] = ()


@dataclass(slots=True)
class _Answers:
    """What one model said, batch by batch."""

    model: object
    layout: Plan
    inspector: Inspector
    values: list[np.ndarray[Any, Any]] = field(default_factory=list)
    probabilities: list[np.ndarray[Any, Any]] = field(default_factory=list)
    decisions: list[np.ndarray[Any, Any]] = field(default_factory=list)

    def hear(self, inputs: pa.RecordBatch, where: str) -> None:
        said = predict_arrays(self.model, self.layout, inputs, where=where)
        self.values.append(said.values)
        if said.probabilities is not None:
            self.probabilities.append(said.probabilities)
        elif (scores := decision_scores(self.model, self.layout, inputs, where=where)) is not None:
            self.decisions.append(scores)

    @property
    def classes(self) -> tuple[Any, ...]:
        """The model's own classes, () if it names none."""
        import numpy as np

        found = getattr(self.model, "classes_", None)
        return () if found is None else tuple(np.asarray(found).tolist())


@dataclass(slots=True)
class _Excluded:
    """The rows that not every version can be asked about.

    Attributes:
        own: Those of the version that is judged; too many are an error.
        others: Those of the versions it is compared with. They have no limit: a champion that knows today's data less and less must
            not stand in the way of the one that would replace it.
    """

    own: Quarantine
    others: Quarantine
    positions: list[np.ndarray[Any, Any]] = field(default_factory=list)

    def take(self, looked: Sequence[Inspected]) -> np.ndarray[Any, Any] | None:
        """Which rows of a batch are left out, shape (n,); None if none is. The first of `looked` is the judged version's."""
        import numpy as np

        first_row, rows = self.own.rows, looked[0].batch.num_rows
        self.own.count(rows, looked[0].findings, looked[0].bad)
        theirs = [replace(finding, action="quarantine") for each in looked[1:] for finding in each.findings]
        masks = [each.bad for each in looked if each.bad is not None]
        bad = np.logical_or.reduce(masks) if masks else None
        self.others.count(rows, theirs, bad)
        if bad is not None:
            self.positions.append(np.flatnonzero(bad) + first_row)
        return bad

    @property
    def rows(self) -> np.ndarray[Any, Any]:
        """Their positions in the data, from 0, in order."""
        import numpy as np

        return np.concatenate(self.positions) if self.positions else np.empty(0, dtype=np.int64)

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Those of the judged version first."""
        told = {reason.says: reason for reason in (*self.others.reasons, *self.own.reasons)}
        return tuple(sorted(told.values(), key=lambda reason: (-reason.rows, reason.says)))


def evaluate(
    models: Mapping[int, object],
    signatures: Mapping[int, Signature | None],
    source: Source,
    target: str,
    metric_names: Sequence[str] = (),
) -> Evaluated:
    """Score all models on the same rows and compare them with the labels.

    Args:
        models: By version number; the first is the one that is judged, the others are what it is compared with.
        signatures: By version number; a model without one gets all columns but the target.
        source: From `open_source`.
        target: The column that holds the labels.
        metric_names: By scikit-learn's names; empty for what suits the kind of model (`DEFAULTS`).

    Raises:
        SignatureMismatchError: If columns are missing, or more rows than a hundredth do not fit the judged model's signature.
        InvalidInputError: If the target is missing or has gaps, a metric is unknown, or a model cannot use the rows.
        MissingDependencyError: If scikit-learn is not installed.
    """
    check_metric_names(metric_names)
    typed = source.read_as(_together(signatures.values()))
    labels = _labels(typed, target)
    answers = {number: _answers(number, model, signatures.get(number), typed, target) for number, model in models.items()}
    excluded = _ask(answers, typed)
    labels = _without(labels, excluded)
    kind, classes = _kind(answers, labels)
    names = tuple(metric_names) or DEFAULTS[kind]
    results = {number: compute(_judged(each, labels, classes), names, kind) for number, each in answers.items()}
    digest, left_out = _digest(source.digest(), excluded), len(excluded.rows)
    return Evaluated(rows=len(labels), dataset_digest=digest, results=results, excluded=left_out, reasons=excluded.reasons)


def _ask(answers: Mapping[int, _Answers], source: Source) -> _Excluded:
    """Ask every model about the rows that all of them can be asked about; returns the others."""
    where, remedy = f"The evaluation data {source.path}", "evaluate on data that holds fewer of them"
    excluded = _Excluded(Quarantine(where, rows_known=source.rows, remedy=remedy), Quarantine(where, 1.0))
    columns = tuple(dict.fromkeys(name for each in answers.values() for name in each.layout.inputs))
    with read_ahead(source.chunks(columns)) as chunks:
        for chunk in chunks:
            looked = {number: each.inspector.inspect(chunk.batch) for number, each in answers.items()}
            bad = excluded.take(tuple(looked.values()))
            if bad is None or not bad.all():
                for number, each in answers.items():
                    each.hear(looked[number].without(bad).inputs, f"version {number}, batch {chunk.number} of {chunk.file}")
    excluded.own.check()
    return excluded


def _without(labels: np.ndarray[Any, Any], excluded: _Excluded) -> np.ndarray[Any, Any]:
    """The labels of the rows that were asked about.

    Raises:
        SignatureMismatchError: If none is left.
    """
    import numpy as np

    left = np.delete(labels, excluded.rows)
    if len(labels) and not len(left):
        raise SignatureMismatchError(
            f"No row is left of the {len(labels)} of the evaluation data that all versions can score:\n{summary(excluded.reasons)}\n"
            "Evaluate on data that fit both, or promote by a reason of your own."
        )
    return left


def _digest(whole: Digest, excluded: _Excluded) -> Digest:
    """Of the rows that were judged."""
    if not len(excluded.rows):
        return whole
    text = f"{whole} without the rows {','.join(map(str, excluded.rows.tolist()))}"
    return Digest(f"sha256:{hashlib.sha256(text.encode()).hexdigest()}")


def _together(signatures: Iterable[Signature | None]) -> Signature | None:
    """What CSV columns are read as: the first signature that names a column decides."""
    columns = {column.name: column for each in signatures if each is not None for column in reversed(each.inputs)}
    return Signature(inputs=tuple(columns.values())) if columns else None


def _answers(number: int, model: object, signature: Signature | None, source: Source, target: str) -> _Answers:
    try:
        check_model(model)
        layout = plan(signature, source.schema, (target,))
        return _Answers(model, layout, Inspector(signature, layout.inputs))
    except InvalidInputError as error:
        error.add_note(f"This is about version {number}.")
        raise


def _labels(source: Source, target: str) -> np.ndarray[Any, Any]:
    """The target column, read before any model is asked: an answer without a label is wasted."""
    import numpy as np

    if target not in source.schema.names:
        raise InvalidInputError(
            f"The evaluation data {source.path!r} has no target column {target!r}. "
            f"It has {', '.join(source.schema.names)}. Name one of these with target=…."
        )
    columns = [batch.column(0) for batch in source.batches([target])]
    gaps = sum(column.is_null(nan_is_null=True).true_count for column in columns)
    if gaps:
        raise InvalidInputError(
            f"The target column {target!r} of {source.path!r} has no value in {gaps} of {sum(map(len, columns))} rows. "
            "Expected a label in each: remove or fill these rows, because nobody here knows what they mean."
        )
    return np.concatenate([_values(column) for column in columns]) if columns else np.empty(0)


def _values(column: pa.Array) -> np.ndarray[Any, Any]:
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    found: np.ndarray[Any, Any] = column.to_numpy(zero_copy_only=False)
    return found


def _joined(parts: list[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any] | None:
    import numpy as np

    return np.concatenate(parts) if parts else None


def _predictions(answers: _Answers) -> np.ndarray[Any, Any]:
    import numpy as np

    found = _joined(answers.values)
    return np.empty(0) if found is None else found


def _kind(answers: Mapping[int, _Answers], labels: np.ndarray[Any, Any]) -> tuple[Kind, tuple[Any, ...]]:
    """What the models do, and the classes that they and the labels know."""
    if not _are_classifiers(answers.values(), labels):
        _refuse_mixture(answers, labels, "numbers")
        return "regression", ()
    _refuse_mixture(answers, labels, "classes")
    known = [set(each.classes or _distinct(_predictions(each))) for each in answers.values()]
    classes = tuple(sorted(set(_distinct(labels)).union(*known)))
    return ("multiclass" if len(classes) > 2 else "binary"), classes


def _are_classifiers(answers: Iterable[_Answers], labels: np.ndarray[Any, Any]) -> bool:
    told = list(answers)
    if any(each.classes or callable(getattr(each.model, "predict_proba", None)) for each in told):
        return True
    if any(_estimator_type(each.model) == "regressor" for each in told):
        return False
    return labels.dtype.kind != "f" and all(_predictions(each).dtype.kind != "f" for each in told)


def _estimator_type(model: object) -> object:
    tags = getattr(model, "__sklearn_tags__", None)
    return getattr(tags() if callable(tags) else None, "estimator_type", None)


def _refuse_mixture(answers: Mapping[int, _Answers], labels: np.ndarray[Any, Any], wanted: str) -> None:
    for number, each in answers.items():
        predictions = _predictions(each)
        is_text = _is_text(predictions) or any(isinstance(name, str) for name in each.classes)
        if len(predictions) and is_text != _is_text(labels):
            raise InvalidInputError(
                f"Version {number} predicts {_spoken(predictions)} and the target column holds {_spoken(labels)}, which cannot be "
                f"compared. Expected {wanted} of one type: name another target column, or evaluate on data with the labels of the training."
            )


def _is_text(values: np.ndarray[Any, Any]) -> bool:
    return values.dtype.kind in "OUST"


def _spoken(values: np.ndarray[Any, Any]) -> str:
    return f"{'text' if _is_text(values) else 'numbers'} (for example {values[0]!r})" if len(values) else "nothing"


def _distinct(values: np.ndarray[Any, Any]) -> list[Any]:
    return [value for value in set(values.tolist()) if value == value and value is not None]  # noqa: PLR0124  NaN differs from itself


def _judged(answers: _Answers, labels: np.ndarray[Any, Any], classes: tuple[Any, ...]) -> Judged:
    probabilities = _spread(_joined(answers.probabilities), answers.classes, classes)
    scores = None
    if len(classes) == 2:
        scores = probabilities[:, 1] if probabilities is not None else _joined(answers.decisions)
    return Judged(labels=labels, predictions=_predictions(answers), classes=classes, scores=scores, probabilities=probabilities)


def _spread(found: np.ndarray[Any, Any] | None, own: tuple[Any, ...], classes: tuple[Any, ...]) -> np.ndarray[Any, Any] | None:
    """One column for each class; a class that the model never saw has probability 0."""
    import numpy as np

    if found is None or not classes:
        return None
    if not own:
        return found if found.shape[1] == len(classes) else None
    spread = np.zeros((len(found), len(classes)))
    for index, name in enumerate(own):
        spread[:, classes.index(name)] = found[:, index]
    return spread
