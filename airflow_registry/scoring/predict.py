"""Predictions for one batch: the signature's columns in the model's order in, checked predictions out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow_registry.errors import InvalidInputError, RegistryError, SignatureMismatchError
from airflow_registry.scoring.arrow_types import decoded, value_type
from airflow_registry.scoring.checks import mismatch
from airflow_registry.scoring.likeliest import likeliest, names_likeliest
from airflow_registry.scoring.several import joined, output_names

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    import numpy as np
    import pandas as pd
    import pyarrow as pa

    from airflow_registry.domain.model import Column, Signature

_Rows: TypeAlias = "pd.DataFrame | np.ndarray[Any, Any]"
_Ask: TypeAlias = "Callable[[Any], object]"

PREDICTION = "prediction"
PROBABILITY = "probability_"

# What a model raises when it cannot use the rows. Anything else (memory, network, a broken library) is not the input's fault,
# and must not become an error that no retry may mend.
_DATA_FAULTS = (TypeError, ValueError, LookupError, ArithmeticError, AttributeError, AssertionError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Which columns go where, decided once for a source.

    Attributes:
        inputs: Columns that go into the model, in its order.
        keys: Columns that are copied to the output.
        ignored: Columns that are neither, and are not read.
    """

    inputs: tuple[str, ...]
    keys: tuple[str, ...]
    ignored: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """What must be read."""
        return tuple(dict.fromkeys((*self.inputs, *self.keys)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """What a model said about n rows.

    Attributes:
        values: Predictions, shape (n,); of a model with several outputs (n, m).
        probabilities: Shape (n, k), None if the model has none or nobody asked.
        classes: Names of the k columns.
        outputs: Names of the m outputs; () for one prediction a row.
    """

    values: np.ndarray[Any, Any]
    probabilities: np.ndarray[Any, Any] | None = None
    classes: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()

    @property
    def predictions(self) -> dict[str, np.ndarray[Any, Any]]:
        """The columns of predictions."""
        several = {f"{PREDICTION}_{name}": self.values[:, index] for index, name in enumerate(self.outputs)}
        return several or {PREDICTION: self.values}


def plan(signature: Signature | None, schema: pa.Schema, keys: Sequence[str] | None = None) -> Plan:
    """Find the model's columns in an input, and all that is wrong with it before the first row is read.

    Args:
        signature: The model's; None or without inputs: all columns but the keys go in.
        schema: Of the source.
        keys: Columns to copy to the output; None for those that are not in the signature.

    Raises:
        SignatureMismatchError: If columns are missing or cannot hold what the model wants; all are named.
        InvalidInputError: If no column is left for the model.
    """
    wanted = () if signature is None else signature.inputs
    given = (keys,) if isinstance(keys, str) else tuple(keys or ())
    faults = [*_missing(wanted, given, schema), *_wrong_types(wanted, schema)]
    if faults:
        raise SignatureMismatchError(_mismatch(faults, schema))
    inputs = tuple(column.name for column in wanted) or tuple(name for name in schema.names if name not in given)
    if not inputs:
        raise InvalidInputError(f"No column is left for the model: all of {', '.join(schema.names)} are keys. Name fewer keys.")
    chosen = given if keys is not None else tuple(name for name in schema.names if name not in inputs)
    ignored = tuple(name for name in schema.names if name not in {*inputs, *chosen})
    return Plan(inputs=inputs, keys=tuple(dict.fromkeys(chosen)), ignored=ignored)


def check_output_names(layout: Plan) -> None:
    """Refuse keys that would stand twice in the output.

    Raises:
        InvalidInputError: If there are any; all are named.
    """
    taken = [key for key in layout.keys if key == PREDICTION or key.startswith(PROBABILITY)]
    if taken:
        raise InvalidInputError(
            f"The key columns {', '.join(taken)} have the names of the output's own columns. "
            f"Expected other names: choose the keys with keys=…, without these, or rename them in the input (is it an output already?)."
        )


def check_model(model: object) -> None:
    """Refuse an object that cannot predict.

    Raises:
        InvalidInputError: If it has neither `predict_batch` nor `predict`.
    """
    if not any(callable(getattr(model, name, None)) for name in ("predict_batch", "predict")):
        raise InvalidInputError(
            f"A {type(model).__name__} cannot score rows: it has no method predict(rows) or predict_batch(rows). "
            "Register the fitted model itself, not its parameters or a path."
        )


def predict_batch(
    model: object,
    layout: Plan,
    batch: pa.RecordBatch,
    *,
    inputs: pa.RecordBatch | None = None,
    proba: bool = True,
    where: str = "the batch",
) -> pa.RecordBatch:
    """The output rows of one batch: key columns, `prediction`, and `probability_<class>` where the model has them.

    A model with several outputs has `prediction_<output>` and `probability_<output>_<class>`.

    Args:
        model: Anything with `predict_batch` (preferred) or `predict`.
        layout: From `plan`.
        batch: Holds at least the layout's columns; n rows, n >= 1.
        inputs: What the model gets instead of the columns as they came: `Inspected.inputs`, n rows.
        proba: Whether to ask for probabilities.
        where: What the batch is called in messages.

    Raises:
        InvalidInputError: If the model cannot use the rows, or returns something else than one prediction a row.
    """
    import pyarrow as pa

    predicted = predict_arrays(model, layout, batch if inputs is None else inputs, proba=proba, where=where, several=True)
    columns = {name: _arrow(values, where) for name, values in predicted.predictions.items()}
    for index, name in enumerate(predicted.classes):
        columns[PROBABILITY + name] = pa.array(predicted.probabilities[:, index])  # type: ignore[index]  # classes come with them
    _refuse_taken(columns, layout)
    return pa.RecordBatch.from_pydict({key: decoded(batch.column(key)) for key in layout.keys} | columns)


def predict_arrays(
    model: object, layout: Plan, batch: pa.RecordBatch, *, proba: bool = True, where: str = "the batch", several: bool = False
) -> Predicted:
    """The same as arrays, without keys. Arguments and errors as for `predict_batch`; only with `several` may there be several outputs."""
    check_model(model)
    rows = _model_rows(model, batch.select(list(layout.inputs)))
    ask_proba = getattr(model, "predict_proba", None) if proba else None
    if callable(ask_proba) and names_likeliest(model):
        return _likeliest(model, ask_proba, rows, batch, layout, where)
    values, outputs = _predictions(model, rows, batch, layout, where, several=several)
    if not callable(ask_proba):
        return Predicted(values=values, outputs=outputs)
    said = _asked(ask_proba, rows, batch, layout, where)
    if outputs:
        return _of_several(model, values, outputs, said, where)
    probabilities = _matrix(said, batch.num_rows, where)
    return Predicted(values=values, probabilities=probabilities, classes=_classes(model, probabilities.shape[1], where))


def _likeliest(model: object, ask_proba: _Ask, rows: _Rows, batch: pa.RecordBatch, layout: Plan, where: str) -> Predicted:
    """What `predict` would say, out of the probabilities; it is asked about the rows where they cannot tell."""
    probabilities = _matrix(_asked(ask_proba, rows, batch, layout, where), len(rows), where)
    classes = _classes(model, probabilities.shape[1], where)
    values, close = likeliest(model, probabilities)
    if close.any():
        values[close], _ = _predictions(model, rows[close], batch, layout, where)
    return Predicted(values=values, probabilities=probabilities, classes=classes)


def _predictions(
    model: object, rows: _Rows, batch: pa.RecordBatch, layout: Plan, where: str, *, several: bool = False
) -> tuple[np.ndarray[Any, Any], tuple[str, ...]]:
    """What the model says, and the names of its outputs if it has several and may."""
    ask = getattr(model, "predict_batch", None) or getattr(model, "predict", None)
    said = _asked(ask, rows, batch, layout, where)
    names = output_names(said, len(rows)) if several else ()
    return (_array(said), names) if names else (_one_each(said, len(rows), where), ())


def _of_several(model: object, values: np.ndarray[Any, Any], outputs: tuple[str, ...], said: object, where: str) -> Predicted:
    """Several outputs and what is said of their classes: a matrix for each of them."""
    classes = getattr(model, "classes_", None)
    found = joined(said, classes, outputs) if isinstance(said, (list, tuple)) and isinstance(classes, (list, tuple)) else None
    if found is None:
        raise InvalidInputError(
            f"The model has {len(outputs)} outputs and returned no matrix of probabilities for each of them at {where}. Expected lists of "
            "as many in predict_proba and classes_: score without probabilities, or correct predict_proba."
        )
    return Predicted(values=values, probabilities=found[0], classes=found[1], outputs=outputs)


def _refuse_taken(columns: Mapping[str, object], layout: Plan) -> None:
    taken = [key for key in layout.keys if key in columns]
    if taken:
        raise InvalidInputError(
            f"The key columns {', '.join(taken)} have the names of outputs of the model. Expected other names: choose the keys with "
            "keys=…, without these, or rename them in the input."
        )


def decision_scores(model: object, layout: Plan, batch: pa.RecordBatch, *, where: str = "the batch") -> np.ndarray[Any, Any] | None:
    """What `decision_function` says, shape (n,); None for a model without one, or with one column for each of many classes."""
    ask = getattr(model, "decision_function", None)
    if not callable(ask):
        return None
    scores = _array(_asked(ask, _model_rows(model, batch.select(list(layout.inputs))), batch, layout, where))
    return scores if scores.shape == (batch.num_rows,) else None


def output_schema(model: object, signature: Signature | None, schema: pa.Schema, layout: Plan, *, proba: bool = True) -> pa.Schema:
    """The output's schema where there is no row to ask the model about."""
    import pyarrow as pa

    fields = [(key, value_type(schema.field(key).type)) for key in layout.keys]
    classes = getattr(model, "classes_", None)
    if isinstance(several := getattr(model, "n_outputs_", 1), int) and several > 1:
        return pa.schema([*fields, *((f"{PREDICTION}_{index}", _declared(signature)) for index in range(several))])
    fields.append((PREDICTION, _declared(signature) if classes is None else pa.array(_array(classes)).type))
    if classes is not None and proba and callable(getattr(model, "predict_proba", None)):
        fields += [(PROBABILITY + str(name), pa.float64()) for name in _array(classes)]
    return pa.schema(fields)


def count_non_finite(predictions: pa.RecordBatch, keys: Collection[str] = ()) -> int:
    """Rows whose prediction, or any of whose probabilities, is NaN, infinite or absent (count)."""
    import numpy as np
    import pyarrow as pa

    bad = np.zeros(predictions.num_rows, dtype=bool)
    for name in predictions.schema.names:
        if name.startswith((PREDICTION, PROBABILITY)) and name not in keys:
            column = predictions.column(name)
            is_float = pa.types.is_floating(column.type)
            # an absent float becomes NaN here
            bad |= ~(np.isfinite(_array(column)) if is_float else _array(column.is_valid()))
    return int(bad.sum())


def _missing(wanted: Iterable[Column], keys: Iterable[str], schema: pa.Schema) -> list[str]:
    faults = [f"missing column {column.name!r} ({column.type or 'any type'})" for column in wanted if column.name not in schema.names]
    return faults + [f"missing key column {key!r}" for key in keys if key not in schema.names]


def _wrong_types(wanted: Iterable[Column], schema: pa.Schema) -> list[str]:
    checked = [column for column in wanted if column.name in schema.names and column.action("type") != "pass"]
    faults = [mismatch(column, schema.field(column.name).type) for column in checked]
    return [fault for fault in faults if fault is not None]


def _mismatch(faults: list[str], schema: pa.Schema) -> str:
    lines = "\n".join(f"  - {fault}" for fault in faults)
    return (
        f"The input does not fit the model, so no row was scored:\n{lines}\n"
        f"The input has the columns {', '.join(schema.names)}. Correct the input, or register a model that was trained on its columns."
    )


def _declared(signature: Signature | None) -> pa.DataType:
    import pyarrow as pa

    try:
        return pa.type_for_alias(signature.output) if signature is not None and signature.output else pa.float64()
    except ValueError:
        return pa.float64()


def _model_rows(model: object, batch: pa.RecordBatch) -> _Rows:
    """A frame, so that scikit-learn checks the names; an array for an estimator that was fitted without names."""
    frame: pd.DataFrame = batch.replace_schema_metadata(None).to_pandas(use_threads=False)
    nameless = hasattr(model, "n_features_in_") and not hasattr(model, "feature_names_in_")
    return frame.to_numpy() if nameless else frame


def _asked(ask: Callable[[Any], object] | None, rows: object, batch: pa.RecordBatch, layout: Plan, where: str) -> object:
    try:
        return ask(rows)  # type: ignore[misc]  # check_model has seen that it can be called
    except RegistryError:
        raise
    except _DATA_FAULTS as error:
        raise InvalidInputError(_refusal(error, batch, layout, where)) from error
    except Exception as error:
        error.add_note(f"Raised by the model at {where}.")
        raise


def _refusal(error: Exception, batch: pa.RecordBatch, layout: Plan, where: str) -> str:
    columns = [(name, batch.column(name)) for name in layout.inputs]
    types = ", ".join(f"{name} {column.type}" for name, column in columns)
    nulls = ", ".join(f"{name} ({column.null_count})" for name, column in columns if column.null_count)
    return (
        f"The model failed at {where} ({batch.num_rows} rows): {type(error).__name__}: {error}. "
        f"It was given {types}; columns with nulls: {nulls or 'none'}. Nothing was written. "
        "Correct these rows, or register a model that can use them."
    )


def _array(values: object) -> np.ndarray[Any, Any]:
    import numpy as np

    return np.asarray(values)


def _one_each(found: object, rows: int, where: str) -> np.ndarray[Any, Any]:
    values = _array(found)
    if values.shape == (rows, 1):
        values = values[:, 0]
    if values.shape != (rows,):
        raise InvalidInputError(
            f"The model returned predictions of shape {values.shape} at {where}. "
            f"Expected one for each row, shape ({rows},) or ({rows}, 1). Nothing was written: correct its predict method."
        )
    return values


def _matrix(found: object, rows: int, where: str) -> np.ndarray[Any, Any]:
    values = _array(found)
    if values.ndim != 2 or values.shape[0] != rows:
        raise InvalidInputError(
            f"The model returned probabilities of shape {values.shape} at {where}. "
            f"Expected one row for each input row, shape ({rows}, classes). Score without probabilities, or correct predict_proba."
        )
    return values


def _classes(model: object, count: int, where: str) -> tuple[str, ...]:
    found = getattr(model, "classes_", None)
    names = tuple(str(name) for name in (range(count) if found is None else _array(found)))
    if len(names) != count:
        raise InvalidInputError(
            f"The model has {len(names)} classes and returned {count} probabilities a row at {where}. "
            "Expected as many: score without probabilities, or correct predict_proba."
        )
    return names


def _arrow(values: np.ndarray[Any, Any], where: str) -> pa.Array:
    import pyarrow as pa

    try:
        return pa.array(values, from_pandas=values.dtype == object)
    except pa.ArrowException as error:
        raise InvalidInputError(
            f"The predictions at {where} cannot be stored: {error}. Expected numbers, text or booleans, all of one type."
        ) from error
