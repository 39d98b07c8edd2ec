"""Metrics of several versions on the same rows, in one pass over the data.

Law: every version is judged on the same rows. One that does not fit the signature of any of them is left out for all of them, and the
evaluation then carries another digest than the whole data: what was judged on other rows is not comparable.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.evaluation import EvaluationRows
from airflow_registry.domain.model import Signature
from airflow_registry.domain.names import Digest
from airflow_registry.errors import InvalidInputError, SignatureMismatchError
from airflow_registry.scoring.answers import Answers, Excluded
from airflow_registry.scoring.engine import read_ahead
from airflow_registry.scoring.judged import Judged, all_classes, distinct, encode
from airflow_registry.scoring.metrics import DEFAULTS, check_metric_names, compute, is_computable
from airflow_registry.scoring.quarantine import Quarantine, summary
from airflow_registry.scoring.slice_metrics import compute_slices
from airflow_registry.scoring.slices import check_slices, slicer
from airflow_registry.scoring.trivial import trivial_metrics
from airflow_registry.scoring.user_metrics import is_user_metric

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy as np
    import pyarrow as pa

    from airflow_registry.domain.evaluation import Kind, SliceCodes
    from airflow_registry.scoring.quarantine import Reason
    from airflow_registry.scoring.slices import Slicer, SliceSpec
    from airflow_registry.scoring.source import Source

MAX_CLASSES = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What an evaluation shall find out.

    Attributes:
        target: The column that holds the labels.
        metrics: By scikit-learn's names or `module:function`; empty for what suits the kind of model (`DEFAULTS`).
        slices: How the rows are sliced.
        of_policy: Metrics that a policy looks at; one that suits another kind of model is left out.
    """

    target: str
    metrics: tuple[str, ...] = ()
    slices: tuple[SliceSpec, ...] = ()
    of_policy: tuple[str, ...] = ()

    def names(self, kind: Kind) -> tuple[str, ...]:
        """All metrics for one kind of model, each once."""
        own = self.metrics or DEFAULTS[kind]
        return tuple(dict.fromkeys((*own, *(name for name in self.of_policy if is_computable(name, kind)))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """Metrics of all versions on one data set.

    Attributes:
        table: Labels, answers and slices of every row that all versions were judged on.
        dataset_digest: SHA-256 of the input, or, where rows were left out, of its digest and their positions; evaluations of one
            digest are comparable.
        results: Metric values by version number; NaN where a metric is not defined on these rows.
        sliced: The same in each slice: by version number and the slice's name.
        slice_rows: Rows of each slice (count), by name.
        trivial: The metrics of the best constant.
        excluded: Rows that were left out (count).
        reasons: Why, the commonest first.
    """

    table: EvaluationRows
    dataset_digest: Digest
    results: dict[int, dict[str, float]]
    sliced: dict[int, dict[str, dict[str, float]]] = field(default_factory=dict)
    slice_rows: dict[str, int] = field(default_factory=dict)
    trivial: dict[str, float] = field(default_factory=dict)
    excluded: int = 0
    reasons: tuple[Reason, ...] = ()

    @property
    def rows(self) -> int:
        """Rows that all versions were judged on (count)."""
        return len(self.table.labels)


def evaluate(models: Mapping[int, object], signatures: Mapping[int, Signature | None], source: Source, asked: Asked) -> Evaluated:
    """Score all models on the same rows and compare them with the labels.

    Args:
        models: By version number; the first is the one that is judged, the others are what it is compared with.
        signatures: By version number; a model without one gets all columns but the target.
        source: From `open_source`.
        asked: What is looked for.

    Raises:
        SignatureMismatchError: If columns are missing, or more rows than a hundredth do not fit the judged model's signature.
        InvalidInputError: If the target is missing or has gaps, a metric is unknown, a slice column is missing or has too many values,
            or a model cannot use the rows.
        MissingDependencyError: If scikit-learn is not installed.
    """
    check_metric_names((*asked.metrics, *filter(is_user_metric, asked.of_policy)))
    typed = source.read_as(_together(signatures.values()))
    labels = _labels(typed, asked.target)
    check_slices(asked.slices, typed.schema, typed.path)
    answers = {number: Answers.of(number, model, signatures.get(number), typed, asked.target) for number, model in models.items()}
    slicers = {spec.key: slicer(spec, typed.path) for spec in asked.slices}
    excluded = _ask(answers, [(spec.column, slicers[spec.key]) for spec in asked.slices], typed)
    table = _table(answers, _without(labels, excluded), slicers, _digest(source.digest(), excluded))
    return _judge(table, asked.names(table.kind), excluded)


def _ask(answers: Mapping[int, Answers], slicers: list[tuple[str, Slicer]], source: Source) -> Excluded:
    """Ask every model about the rows that all of them can be asked about; returns the others."""
    where, remedy = f"The evaluation data {source.path}", "evaluate on data that holds fewer of them"
    excluded = Excluded(Quarantine(where, rows_known=source.rows, remedy=remedy), Quarantine(where, 1.0))
    columns = tuple(dict.fromkeys((*(name for each in answers.values() for name in each.layout.inputs), *(name for name, _ in slicers))))
    with read_ahead(source.chunks(columns)) as chunks:
        for chunk in chunks:
            looked = {number: each.inspector.inspect(chunk.batch) for number, each in answers.items()}
            bad = excluded.take(tuple(looked.values()))
            if bad is None or not bad.all():
                _slice(slicers, chunk.batch, bad)
                for number, each in answers.items():
                    each.hear(looked[number].without(bad).inputs, f"version {number}, batch {chunk.number} of {chunk.file}")
    excluded.own.check()
    return excluded


def _slice(slicers: list[tuple[str, Slicer]], batch: pa.RecordBatch, bad: np.ndarray[Any, Any] | None) -> None:
    import pyarrow as pa

    for column, each in slicers:
        values = batch.column(column)
        each.hear(values if bad is None else values.filter(pa.array(~bad)))


def _table(answers: Mapping[int, Answers], labels: np.ndarray[Any, Any], slicers: Mapping[str, Slicer], digest: Digest) -> EvaluationRows:
    import numpy as np

    kind, classes = _kind(answers, labels)
    return EvaluationRows(
        kind=kind,
        classes=classes,
        labels=encode(labels, classes) if classes else np.asarray(labels, dtype=np.float64),
        scored={number: each.scored(classes) for number, each in answers.items()},
        slices={by: each.codes() for by, each in slicers.items()},
        data_digest=digest,
    )


def _judge(table: EvaluationRows, names: tuple[str, ...], excluded: Excluded) -> Evaluated:
    check_metric_names(names, table.kind)
    judged = {number: judged_of(table, number) for number in table.scored}
    return Evaluated(
        table=table,
        dataset_digest=Digest(table.data_digest),
        results={number: compute(each, names, table.kind) for number, each in judged.items()},
        sliced={number: _in_slices(each, table, names) for number, each in judged.items()},
        slice_rows={name: count for codes in table.slices.values() for name, count in _counts(codes).items()},
        trivial=trivial_metrics(table.labels, table.classes, names, table.kind),
        excluded=len(excluded.rows),
        reasons=excluded.reasons,
    )


def judged_of(table: EvaluationRows, number: int) -> Judged:
    """What metrics are computed from, for one version."""
    scored = table.scored[number]
    return Judged(
        labels=table.labels,
        classes=table.classes,
        predictions=scored.predictions,
        scores=scored.scores,
        probabilities=scored.probabilities,
    )


def _in_slices(judged: Judged, table: EvaluationRows, names: tuple[str, ...]) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for codes in table.slices.values():
        metrics = compute_slices(judged, codes, names, table.kind)
        for position, name in enumerate(codes.names):
            found[name] = {metric: float(values[position]) for metric, values in metrics.items()}
    return found


def _counts(codes: SliceCodes) -> dict[str, int]:
    import numpy as np

    return dict(zip(codes.names, np.bincount(codes.codes, minlength=len(codes.names)).tolist(), strict=True))


def _without(labels: np.ndarray[Any, Any], excluded: Excluded) -> np.ndarray[Any, Any]:
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


def _digest(whole: Digest, excluded: Excluded) -> Digest:
    """Of the rows that were judged."""
    if not len(excluded.rows):
        return whole
    text = f"{whole} without the rows {','.join(map(str, excluded.rows.tolist()))}"
    return Digest(f"sha256:{hashlib.sha256(text.encode()).hexdigest()}")


def _together(signatures: Iterable[Signature | None]) -> Signature | None:
    """What CSV columns are read as: the first signature that names a column decides."""
    columns = {column.name: column for each in signatures if each is not None for column in reversed(each.inputs)}
    return Signature(inputs=tuple(columns.values())) if columns else None


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
    labels = np.concatenate([_values(column) for column in columns]) if columns else np.empty(0)
    if labels.dtype.kind == "f" and (infinite := int(np.isinf(labels).sum())):
        raise InvalidInputError(
            f"The target column {target!r} of {source.path!r} is infinite in {infinite} of {len(labels)} rows. Expected finite numbers: "
            "remove these rows, because no prediction can be compared with them."
        )
    return labels


def _values(column: pa.Array) -> np.ndarray[Any, Any]:
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    found: np.ndarray[Any, Any] = column.to_numpy(zero_copy_only=False)
    return found


def _kind(answers: Mapping[int, Answers], labels: np.ndarray[Any, Any]) -> tuple[Kind, tuple[Any, ...]]:
    """What the models do, and the classes that they and the labels know."""
    if not _are_classifiers(answers.values(), labels):
        _refuse_mixture(answers, labels, "numbers")
        return "regression", ()
    _refuse_mixture(answers, labels, "classes")
    classes = all_classes(distinct(labels).union(*(each.known_classes for each in answers.values())))
    if len(classes) > MAX_CLASSES:
        raise InvalidInputError(
            f"Labels and predictions have {len(classes):,} different values, which are too many for classes (at most {MAX_CLASSES:,}). "
            "Name another target column, or let the models predict numbers (floats)."
        )
    return ("multiclass" if len(classes) > 2 else "binary"), classes or (0, 1)


def _are_classifiers(answers: Iterable[Answers], labels: np.ndarray[Any, Any]) -> bool:
    told = list(answers)
    if any(each.classes or callable(getattr(each.model, "predict_proba", None)) for each in told):
        return True
    if any(_estimator_type(each.model) == "regressor" for each in told):
        return False
    return labels.dtype.kind != "f" and all(each.predictions.dtype.kind != "f" for each in told)


def _estimator_type(model: object) -> object:
    tags = getattr(model, "__sklearn_tags__", None)
    return getattr(tags() if callable(tags) else None, "estimator_type", None)


def _refuse_mixture(answers: Mapping[int, Answers], labels: np.ndarray[Any, Any], wanted: str) -> None:
    for number, each in answers.items():
        predictions = each.predictions
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
