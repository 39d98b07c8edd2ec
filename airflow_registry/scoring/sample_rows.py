"""Rows to try a model with: from evaluation data, or made up from its signature."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_registry.scoring.arrow_types import parse_type
from airflow_registry.scoring.checks import Inspector
from airflow_registry.scoring.predict import plan

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_registry.domain.model import Column, Signature
    from airflow_registry.scoring.source import Source


def rows_from(source: Source, signature: Signature | None, target: str | None, count: int) -> pa.Table:
    """The first rows of a source that fit the signature; fewer where it has fewer.

    Args:
        source: The data.
        signature: Of the model; None: all columns but the target.
        target: Column of the labels.
        count: How many rows (count, >= 1).

    Raises:
        InvalidInputError: If the data do not fit the model.
    """
    import pyarrow as pa

    typed = source.read_as(signature)
    layout = plan(signature, typed.schema, () if target is None else (target,))
    inspector, found, missing = Inspector(signature, layout.inputs), [], count
    for batch in typed.batches(layout.inputs):
        looked = inspector.inspect(batch)
        good = looked.without(looked.bad).batch.slice(0, missing)
        found.append(good)
        missing -= good.num_rows
        if missing <= 0:
            break
    return pa.Table.from_batches(found) if found else pa.table({name: [] for name in layout.inputs})


def made_up_rows(signature: Signature | None, count: int) -> pa.Table | None:
    """Rows that fit a signature: its categories in turn, and numbers between its bounds; None where it names no column.

    Args:
        signature: Of the model.
        count: How many rows (count, >= 1).
    """
    import pyarrow as pa

    if signature is None or not signature.inputs:
        return None
    return pa.table({column.name: _values(column, count) for column in signature.inputs})


def _values(column: Column, count: int) -> pa.Array:
    import pyarrow as pa

    type_ = parse_type(column.type) or pa.float64()
    if column.categories:
        return pa.array([column.categories[row % len(column.categories)] for row in range(count)]).cast(type_)
    return _between(column, type_, count)


def _between(column: Column, type_: Any, count: int) -> pa.Array:  # noqa: ANN401  an Arrow type
    """From the smallest to the largest value of the training, where they are known; else zeros and ones, in turn."""
    import pyarrow as pa

    low, high = column.low, column.high
    if isinstance(low, str) or isinstance(high, str):
        ends = [value for value in (low, high) if value is not None]
        return pa.array([ends[row % len(ends)] for row in range(count)], pa.string()).cast(type_)
    if pa.types.is_string(type_) or pa.types.is_large_string(type_):
        return pa.array([f"text {row % 2}" for row in range(count)], type_)
    least = low if low is not None else (0 if high is None else min(0, high))
    most = high if high is not None else max(1, least)
    step = (most - least) / max(1, count - 1)
    numbers = [min(most, least + step * row) for row in range(count)]
    if any(test(type_) for test in (pa.types.is_timestamp, pa.types.is_date, pa.types.is_time)):
        return pa.array([int(number) for number in numbers], pa.timestamp("s")).cast(type_, safe=False)
    if not pa.types.is_floating(type_) and not pa.types.is_decimal(type_):
        return pa.array([int(number) for number in numbers], pa.int64()).cast(type_, safe=False)
    return pa.array(numbers, pa.float64()).cast(type_, safe=False)
