"""The signature as a model and its data know it: which columns go in, in which order, what they hold, and what comes out."""

from __future__ import annotations

import re
import sys
from typing import Any

from airflow_registry.domain.model import Column, Signature
from airflow_registry.errors import InvalidInputError
from airflow_registry.modeling.columns import as_in_frame, names_of_booster

_LAYOUTS = {"large_string": "string", "string_view": "string", "large_binary": "binary", "binary_view": "binary"}


def capture(model: object, example: Any = None, *, training_frame: Any = None) -> Signature | None:  # noqa: ANN401  frames or Arrow tables
    """What the model says about its inputs, with what its data say about them.

    Args:
        model: A fitted model. scikit-learn remembers the names of the frame that it was fitted on.
        example: A few rows as they go into the model (pandas DataFrame, Arrow table or record batch): names, types and order. Columns
            that the model does not know are left out where the model knows its columns.
        training_frame: All rows that the model was fitted on, instead of an example: besides, whether there were nulls, the
            categories of texts, and the ranges of numbers and times. Rows are checked against these when the model scores.

    Returns:
        The signature; None if nothing is known.

    Raises:
        InvalidInputError: If the example or the training frame has no named columns.
    """
    from airflow_registry.modeling.observe import observed

    data = example if training_frame is None else training_frame
    types = {} if data is None else _columns_of(data)
    names = as_in_frame(model, _fitted_names(model), tuple(types)) or tuple(types)
    inputs = tuple(Column(name=name, type=types.get(name)) for name in names)
    if training_frame is not None:
        inputs = tuple(observed(each, _values(training_frame, each.name)) if each.name in types else each for each in inputs)
    output = _output(model)
    return Signature(inputs=inputs, output=output) if inputs or output else None


def _values(frame: Any, name: str) -> Any:  # noqa: ANN401  a pandas Series, or an Arrow array of chunks
    """One column by the text of its name."""
    import pandas as pd

    if isinstance(frame, pd.DataFrame):
        return frame.iloc[:, [str(label) for label in frame.columns].index(name)]
    return frame.column(name)


def _columns_of(data: Any) -> dict[str, str | None]:  # noqa: ANN401  a pandas DataFrame or Arrow table
    """Names and Arrow types, in order. How Arrow lays texts out in memory is not part of the type."""
    import pyarrow as pa

    schema: Any = getattr(data, "schema", None)
    if not isinstance(schema, pa.Schema):
        schema = _schema_of_frame(data)
    return {str(field.name): _type_text(field.type) for field in schema}


def _schema_of_frame(data: Any) -> Any:  # noqa: ANN401  a pandas DataFrame
    import pandas as pd
    import pyarrow as pa

    if not isinstance(data, pd.DataFrame):
        raise InvalidInputError(
            f"An example for the signature must have named columns: expected a pandas DataFrame or an Arrow table, found "
            f"{type(data).__name__}."
        )
    try:
        return pa.Schema.from_pandas(data, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        return [pa.field(str(name), _type_of_series(data.iloc[:, index])) for index, name in enumerate(data.columns)]


def _type_of_series(series: Any) -> Any:  # noqa: ANN401  a pandas Series
    """The type of one column, null for one of mixed objects: its name is still known."""
    import pyarrow as pa

    try:
        return pa.Schema.from_pandas(series.to_frame("column"), preserve_index=False).field(0).type
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        return pa.null()


def _type_text(arrow_type: Any) -> str | None:  # noqa: ANN401  an Arrow type
    """The type as the signature has it; None if it is unknown."""
    text = re.sub(r"(?<=^dictionary<values=)\w+", lambda found: _LAYOUTS.get(found[0], found[0]), str(arrow_type))
    return None if text == "null" or "values=null" in text else _LAYOUTS.get(text, text)


def _fitted_names(model: object) -> tuple[str, ...]:
    """The names of the frame that the model was fitted on; of a pipeline, those that its first working step saw."""
    names = getattr(model, "feature_names_in_", None)
    if names is not None:
        return tuple(str(name) for name in names)
    for _, step in _steps(model):
        if not isinstance(step, (str, type(None))):
            return _fitted_names(step)
    return names_of_booster(model)


def _steps(model: object) -> list[tuple[str, object]]:
    steps = getattr(model, "steps", None)
    return steps if isinstance(steps, list) else []


def _output(model: object) -> str | None:
    classes = getattr(model, "classes_", None)
    if classes is not None:
        return _classes_type(classes)
    if not _is_regressor(model):
        return None
    return "float" if type(model).__module__.startswith("xgboost.") else "double"


def _is_regressor(model: object) -> bool:
    """A scikit-learn model has imported scikit-learn; nobody else's is asked."""
    base = sys.modules.get("sklearn.base")
    return base is not None and isinstance(model, base.BaseEstimator) and bool(base.is_regressor(model))


def _classes_type(classes: Any) -> str | None:  # noqa: ANN401  an array, or a list of arrays
    import pyarrow as pa

    if not hasattr(classes, "dtype"):
        return None  # several outputs, with classes each
    try:
        return _type_text(pa.array(classes.tolist()).type if classes.dtype == object else pa.from_numpy_dtype(classes.dtype))
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        return None
