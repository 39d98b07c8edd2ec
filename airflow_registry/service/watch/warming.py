"""Trying a model once before it serves: it must answer, and what a library does at the first call is done then."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_registry.domain.model import Column, Signature

__all__ = ["warm_up"]


def warm_up(model: object, signature: Signature | None) -> bool:
    """Ask the model about one row, made up from its signature; whether that could be done.

    Only where the signature says enough for a row that the model must be able to take: types of all columns, and the values of
    texts. A row that nobody has seen the like of proves nothing, and would keep good models out.

    Raises:
        Exception: Whatever the model raises.
        InvalidInputError: If it does not answer with one prediction.
    """
    if signature is None or not _can_predict(model) or not all(map(_is_known, signature.inputs)):
        return False
    from airflow_registry.scoring.checks import Inspector
    from airflow_registry.scoring.predict import plan, predict_arrays
    from airflow_registry.scoring.sample_rows import made_up_rows

    table = made_up_rows(signature, 1)
    if table is None:
        return False
    layout = plan(signature, table.schema, ())
    inputs = Inspector(signature, layout.inputs).inspect(table.combine_chunks().to_batches()[0]).inputs
    predict_arrays(model, layout, inputs, where="the row for warming up")
    return True


def _can_predict(model: object) -> bool:
    return any(callable(getattr(model, name, None)) for name in ("predict_batch", "predict"))


def _is_known(column: Column) -> bool:
    if column.type is None:
        return False
    return bool(column.categories) or not any(word in column.type for word in ("string", "utf8", "dictionary", "binary"))
