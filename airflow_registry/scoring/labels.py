"""Labels that arrive after the predictions: read, checked, and found again among the rows of an output by their keys.

Law: every label is of at most one row of an output, and every row has at most one label; anything else is an error, never a guess.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_registry.errors import InvalidInputError
from airflow_registry.scoring.output import DATA_NAME
from airflow_registry.scoring.predict import PREDICTION, PROBABILITY
from airflow_registry.scoring.source import open_source

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

    from airflow_registry.objects.options import StorageOptions
    from airflow_registry.scoring.source import Source


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Labels:
    """Labels by key; each key once.

    Attributes:
        keys: The key columns.
        kinds: What each of them holds: `number`, `text`, and so on.
        column: The column that held the labels.
        index: The keys, in the order of `values`.
        values: The labels, shape (n,).
        given: Rows that were handed in (count).
        without_value: Of these, rows whose label is missing (count).
        without_key: Rows with a missing key (count).
        repeated: Rows that said again what another one said (count).
    """

    keys: tuple[str, ...]
    kinds: tuple[str, ...]
    column: str
    index: pd.Index
    values: NDArray[Any]
    given: int
    without_value: int
    without_key: int
    repeated: int

    def key(self, position: int) -> str:
        """How people call a key: `id=7, day='mon'`."""
        values = self.index[position]
        return _named(self.keys, values if len(self.keys) > 1 else (values,))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """The labelled rows of one output.

    Attributes:
        positions: Of their labels in `Labels.values`, shape (n,), each once.
        predictions: Shape (n,).
        probabilities: Shape (n, k); None if the output has none.
        classes: Names of the k columns.
        unlabelled: Rows of the output without a label (count).
    """

    positions: NDArray[np.int64]
    predictions: NDArray[Any]
    probabilities: NDArray[np.float64] | None
    classes: tuple[str, ...]
    unlabelled: int


class NotJoinableError(InvalidInputError):
    """An output that has no predictions or not the key columns."""


def read_labels(given: object, keys: Sequence[str] | str, column: str, storage: StorageOptions | None = None) -> Labels:
    """Labels from a pandas frame, an Arrow table, or a parquet or CSV file, folder or glob.

    Args:
        given: The rows; they must fit in memory.
        keys: The columns that say which row a label is of.
        column: The column that holds the labels.
        storage: How object stores are reached.

    Raises:
        InvalidInputError: If columns are missing, one key has two labels, or no label is left.
        InputNotReadyError: If the file is not there.
    """
    names = (keys,) if isinstance(keys, str) else tuple(keys)
    table = _table(given, storage)
    _check_columns(table.schema, names, column)
    kinds = tuple(_kind(table.schema.field(name).type) for name in names)
    frame = table.select([*names, column]).to_pandas()
    has_value, has_key = frame[column].notna(), frame[list(names)].notna().all(axis=1)
    kept = frame[has_value & has_key].drop_duplicates()
    _refuse_contradictions(kept, names, column)
    counts = {"without_value": int((~has_value).sum()), "without_key": int((has_value & ~has_key).sum())}
    if kept.empty:
        raise InvalidInputError(f"There is no label in {column!r}: {len(frame)} rows, {counts['without_value']} of them without a value.")
    return Labels(
        keys=names,
        kinds=kinds,
        column=column,
        index=_index(kept, names),
        values=kept[column].to_numpy(),
        given=len(frame),
        repeated=int((has_value & has_key).sum()) - len(kept),
        **counts,
    )


def find_labelled(folder: str, labels: Labels, storage: StorageOptions | None = None) -> Found:
    """The rows of an output that have a label, batch by batch; memory grows with the labels and not with the output.

    Raises:
        NotJoinableError: If the output has no predictions, or not the key columns, or keys of another kind.
        InvalidInputError: If the keys name several rows of it.
        StorageUnavailableError: If the storage is out of reach.
    """
    source = open_source(f"{folder.rstrip('/')}/{DATA_NAME}", storage)
    _check_output(source, labels)
    classes = tuple(name for name in source.schema.names if name.startswith(PROBABILITY))
    parts, rows = [], 0
    for batch in source.batches(list(dict.fromkeys([*labels.keys, PREDICTION, *classes]))):
        rows += batch.num_rows
        parts.append(_matched(batch, labels, classes))
    positions, predictions, probabilities = _joined(parts, source, len(classes))
    _refuse_ambiguous(folder, labels, positions)
    return Found(
        positions=positions,
        predictions=predictions,
        probabilities=probabilities if classes else None,
        classes=tuple(name.removeprefix(PROBABILITY) for name in classes),
        unlabelled=rows - len(positions),
    )


def _named(keys: Sequence[str], values: Sequence[Any]) -> str:
    plain = [value.item() if callable(getattr(value, "item", None)) else value for value in values]
    return ", ".join(f"{key}={value!r}" for key, value in zip(keys, plain, strict=True))


def _table(given: object, storage: StorageOptions | None) -> pa.Table:
    import pandas as pd
    import pyarrow as pa

    if isinstance(given, pa.Table):
        return given
    if isinstance(given, pd.DataFrame):
        return pa.Table.from_pandas(given, preserve_index=False)
    if isinstance(given, (str, os.PathLike)):
        source = open_source(given, storage)
        return pa.Table.from_batches(source.batches(), source.schema)
    raise InvalidInputError(
        f"Labels are a pandas frame, an Arrow table, or the path of a parquet or CSV file; found {type(given).__name__}."
    )


def _check_columns(schema: pa.Schema, keys: tuple[str, ...], column: str) -> None:
    if not keys:
        raise InvalidInputError("keys= names no column. Name those that say which row a label is of, for example keys=['id'].")
    if column in keys:
        raise InvalidInputError(f"The column {column!r} cannot be a key and the label. Name the column that holds what really happened.")
    missing = [name for name in (*keys, column) if name not in schema.names]
    if missing:
        raise InvalidInputError(f"The labels have no column {', '.join(map(repr, missing))}. They have {', '.join(schema.names)}.")


def _refuse_contradictions(kept: pd.DataFrame, keys: tuple[str, ...], column: str) -> None:
    twice = kept[kept.duplicated(list(keys), keep=False)]
    if not twice.empty:
        first = twice.iloc[0]
        others = twice[(twice[list(keys)] == first[list(keys)]).all(axis=1)][column].tolist()
        named = _named(keys, [first[key] for key in keys])
        raise InvalidInputError(
            f"{len(twice)} labels contradict each other: {named} has the labels {', '.join(map(repr, others[:3]))}. "
            "Expected one for each row: name more keys, or hand in the valid one."
        )


def _check_output(source: Source, labels: Labels) -> None:
    absent = [name for name in (PREDICTION, *labels.keys) if name not in source.schema.names]
    if absent:
        raise NotJoinableError(
            f"{source.path} has no column {', '.join(map(repr, absent))}; it has {', '.join(source.schema.names)}. "
            "Name keys that stand in the output: BatchInferenceOperator copies those of its keys=."
        )
    for name, kind in zip(labels.keys, labels.kinds, strict=True):
        found = _kind(source.schema.field(name).type)
        if found != kind:
            raise NotJoinableError(
                f"The key {name!r} is {kind} in the labels and {found} in {source.path}. Give it the type of the output."
            )


def _kind(type_: pa.DataType) -> str:
    import pyarrow as pa

    value = type_.value_type if pa.types.is_dictionary(type_) else type_
    are_numbers = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
    if any(is_one(value) for is_one in are_numbers):
        return "number"
    if pa.types.is_string(value) or pa.types.is_large_string(value) or pa.types.is_string_view(value):
        return "text"
    return "timestamp" if pa.types.is_timestamp(value) else str(value)


def _index(frame: pd.DataFrame, keys: tuple[str, ...]) -> pd.Index:
    import pandas as pd

    return pd.Index(frame[keys[0]]) if len(keys) == 1 else pd.MultiIndex.from_frame(frame[list(keys)])


def _matched(batch: pa.RecordBatch, labels: Labels, classes: tuple[str, ...]) -> tuple[NDArray[np.int64], pa.Array, NDArray[np.float64]]:
    import numpy as np
    import pyarrow as pa

    keys = batch.select(list(labels.keys)).to_pandas()
    positions = labels.index.get_indexer(_index(keys, labels.keys))
    rows = np.flatnonzero(positions >= 0)
    taken = batch.take(pa.array(rows))
    columns = [taken.column(name).to_numpy(zero_copy_only=False) for name in classes]
    table = np.stack(columns, axis=1) if columns else np.empty((len(rows), 0))
    return positions[rows].astype(np.int64), taken.column(PREDICTION), table


def _joined(
    parts: list[tuple[NDArray[np.int64], pa.Array, NDArray[np.float64]]], source: Source, classes: int
) -> tuple[NDArray[np.int64], NDArray[Any], NDArray[np.float64]]:
    import numpy as np
    import pyarrow as pa

    predictions = pa.chunked_array([part[1] for part in parts], source.schema.field(PREDICTION).type)
    positions = [np.empty(0, dtype=np.int64), *(part[0] for part in parts)]
    tables = [np.empty((0, classes)), *(part[2] for part in parts)]
    return np.concatenate(positions), predictions.to_numpy(), np.concatenate(tables)


def _refuse_ambiguous(folder: str, labels: Labels, positions: NDArray[np.int64]) -> None:
    import numpy as np

    found, times = np.unique(positions, return_counts=True)
    if (times > 1).any():
        key = labels.key(int(found[int(times.argmax())]))
        raise InvalidInputError(
            f"The keys {', '.join(labels.keys)} do not tell the rows of {folder} apart: {key} stands there {int(times.max())} times. "
            "Name more keys."
        )
