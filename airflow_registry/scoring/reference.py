"""The reference of a version: what its inputs and its predictions look like in the data that it was registered with."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from airflow_registry.domain.drift.bins import Feature, Profile, Reference
from airflow_registry.errors import InvalidInputError
from airflow_registry.scoring.bins import category_bins, count_categories, count_numbers, decile_bins, is_category, is_number, numbers
from airflow_registry.scoring.checks import Inspector
from airflow_registry.scoring.predict import PREDICTION, PROBABILITY, Plan, check_model, plan, predict_batch
from airflow_registry.scoring.source import open_source
from airflow_registry.scoring.stride import Stride

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from airflow_registry.domain.signature import Signature
    from airflow_registry.objects.options import StorageOptions

MOST_PROBABILITIES = 20
"""Classes whose probabilities are watched: with more, each would need more rows to say anything."""

MOST_ROWS = 100_000
"""Rows that are looked at: all that is compared later is compared with these."""

_log = logging.getLogger(__name__)


def freeze(data: object, model: object, signature: Signature | None, *, storage: StorageOptions | None = None) -> Reference:
    """Make the bins of a version, and count its data in them.

    Args:
        data: Rows as they go into the model: a pandas frame, an Arrow table or batch, or the path or URI of parquet or CSV. More columns
            do no harm. At most 100,000 rows are looked at.
        model: What is asked for the predictions; None or anything that cannot predict: only inputs are kept.
        signature: Of the model; None: every column of the data is an input.
        storage: How object stores are reached.

    Raises:
        InvalidInputError: If it is none of these, has no rows, or the model cannot use them.
        SignatureMismatchError: If columns are missing or cannot hold what the model wants.
    """
    rows, batch, layout = _sample(data, signature, storage)
    inputs = _inputs(batch, signature, layout)
    if not inputs.num_rows:
        raise InvalidInputError("The reference has no row that fits the model, so there is nothing to compare with. Give more rows.")
    profile = Profile(features=_features(inputs))
    return Reference(inputs=profile, predictions=_predictions(model, layout, inputs), rows=rows, sampled=inputs.num_rows)


def rows_of(data: object) -> int | None:
    """How many rows a frame or Arrow table has (count); None for a path."""
    count = getattr(data, "num_rows", None)
    if count is None and hasattr(data, "columns"):
        count = len(data)  # type: ignore[arg-type]  # a frame
    return count


def _sample(data: object, signature: Signature | None, storage: StorageOptions | None) -> tuple[int, pa.RecordBatch, Plan]:
    """How many rows there are, those that are looked at, and which columns of them go into the model."""
    if isinstance(data, (str, os.PathLike)):
        source = open_source(data, storage).read_as(signature)
        layout = plan(signature, source.schema, ())
        return _thinned(source.batches(layout.inputs), source.rows, layout)
    table = _table(data, signature)
    layout = plan(signature, table.schema, ())
    _, batch, _ = _thinned(iter(table.select(list(layout.inputs)).to_batches()), table.num_rows, layout)
    return rows_of(data) or 0, batch, layout


def _thinned(batches: Iterator[pa.RecordBatch], rows: int | None, layout: Plan) -> tuple[int, pa.RecordBatch, Plan]:
    import pyarrow as pa

    stride, found = Stride(seed=0, rows=rows, most=MOST_ROWS), []
    for batch in batches:
        picks = stride.picks(batch.num_rows)
        found.append(batch if picks is None else batch.take(pa.array(picks)))
        while (stay := stride.thinned()) is not None:
            found = pa.Table.from_batches(found).take(pa.array(stay)).to_batches()
    if not stride.seen:
        raise InvalidInputError(
            "The reference has no rows, so there is nothing to compare with. Give the rows that the model was fitted on."
        )
    (whole,) = pa.Table.from_batches(found).unify_dictionaries().combine_chunks().to_batches()
    return stride.seen, whole, layout


def _table(data: object, signature: Signature | None) -> pa.Table:
    import pandas as pd
    import pyarrow as pa

    if isinstance(data, pa.RecordBatch):
        return pa.Table.from_batches([data])
    if isinstance(data, pa.Table):
        return data
    if not isinstance(data, pd.DataFrame):
        raise InvalidInputError(
            f"reference= is the rows that the model was fitted on, with the names of their columns: a pandas frame, an Arrow table, or the "
            f"path of parquet or CSV. Found {type(data).__name__}."
        )
    wanted = {column.name for column in signature.inputs} if signature is not None and signature.inputs else None
    chosen = data.loc[:, [wanted is None or str(name) in wanted for name in data.columns]]
    picks = Stride(seed=0, rows=len(data), most=MOST_ROWS).picks(len(data))
    chosen = chosen if picks is None else chosen.iloc[picks]
    try:
        return pa.Table.from_pandas(chosen.rename(columns=str), preserve_index=False)
    except pa.ArrowException as error:
        raise InvalidInputError(f"The reference cannot be read: {error}. Give each column values of one type.") from error


def _inputs(batch: pa.RecordBatch, signature: Signature | None, layout: Plan) -> pa.RecordBatch:
    """The rows as the model gets them when it scores, without those that it would not get."""
    looked = Inspector(signature, layout.inputs).inspect(batch)
    return looked.without(looked.bad).inputs


def _features(batch: pa.RecordBatch) -> dict[str, Feature]:
    found = {name: _feature(batch.column(name)) for name in batch.schema.names}
    return {name: feature for name, feature in found.items() if feature is not None}


def _feature(column: pa.Array) -> Feature | None:
    """A column in bins of its own; None if its type is not counted."""
    if is_number(column.type):
        values = numbers(column)
        bins = decile_bins(values)
        return Feature(bins=bins, counts=count_numbers(values, bins.edges or ()))
    return _category(column) if is_category(column.type) else None


def _category(column: pa.Array) -> Feature:
    bins = category_bins(column)
    return Feature(bins=bins, counts=count_categories(column, bins.categories or ()))


def _predictions(model: object, layout: Plan, inputs: pa.RecordBatch) -> Profile:
    """What the model says about these rows; nothing if it cannot predict, which is found out elsewhere."""
    try:
        check_model(model)
        said = predict_batch(model, layout, inputs, where="the reference")
    except Exception as error:  # noqa: BLE001  a model that can be registered is, whatever it does with these rows
        _log.warning("The reference is kept without predictions, so drift of predictions is not seen: %s", error)
        return Profile()
    features = _features(said.select(_watched(said)))
    if getattr(model, "classes_", None) is not None and PREDICTION in said.schema.names:
        features[PREDICTION] = _category(said.column(PREDICTION))
    return Profile(features=features)


def _watched(said: pa.RecordBatch) -> list[str]:
    """The prediction and the probabilities; of two classes one says what the other does."""
    chances = [name for name in said.schema.names if name.startswith(PROBABILITY)]
    others = [name for name in said.schema.names if not name.startswith(PROBABILITY)]
    return others + (chances[1:] if len(chances) == 2 else chances[:MOST_PROBABILITIES])
