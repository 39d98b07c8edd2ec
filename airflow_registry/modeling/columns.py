"""The rows of a batch as a native model wants them: its columns, in its order.

Boosters and ONNX sessions go by position. Given a frame whose columns stand in another order most of them answer without a
word, and wrongly; so names are compared here, wherever the model knows them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow_registry.errors import SignatureMismatchError

if TYPE_CHECKING:
    from collections.abc import Sequence


_OF_NO_FRAME = re.compile(r"Column_\d+")  # LightGBM's own names for the columns of an array


def names_of_booster(model: Any) -> tuple[str, ...]:  # noqa: ANN401  any object
    """The names of the columns that a bare booster was trained on; () if it does not know them, or is none. Imports nothing."""
    kind = (type(model).__module__, type(model).__qualname__)
    if kind == ("xgboost.core", "Booster"):
        return tuple(model.feature_names or ())
    names = model.feature_name() if kind == ("lightgbm.basic", "Booster") else []
    return () if all(map(_OF_NO_FRAME.fullmatch, names)) else tuple(names)


def as_in_frame(model: object, names: Sequence[str], columns: Sequence[str]) -> tuple[str, ...]:
    """The model's names as the frame writes them: LightGBM has `_` where the frame has a space."""
    if type(model).__module__.partition(".")[0] != "lightgbm":
        return tuple(names)
    written = {column.replace(" ", "_"): column for column in columns}
    return tuple(written.get(name, name) for name in names)


def in_order(rows: Any, names: Sequence[str], count: int | None, what: str) -> Any:  # noqa: ANN401  a frame or an array
    """The rows with the model's columns in the model's order.

    Args:
        rows: A pandas frame, or an array of shape (n_rows, n_columns), which is taken by position.
        names: The model's columns; empty if it does not know them.
        count: How many columns it takes; None if it does not say.
        what: The model in a message, `The LightGBM model`.

    Raises:
        SignatureMismatchError: If columns are missing (all are named), or their number is wrong.
    """
    columns = getattr(rows, "columns", None)
    if columns is None or not names:
        _check_count(rows, count, what)
        return rows
    found = [str(column) for column in columns]
    if found == list(names):
        return rows
    if missing := [name for name in names if name not in found]:
        raise SignatureMismatchError(
            f"{what} was trained on columns that the rows do not have: {', '.join(missing)}. Found {', '.join(found)}. "
            "Correct the rows, or register a model that was trained on these columns."
        )
    return rows[list(names)]


def _check_count(rows: Any, count: int | None, what: str) -> None:  # noqa: ANN401  a frame or an array
    shape: tuple[int, ...] = getattr(rows, "shape", ())
    if count is not None and len(shape) == 2 and shape[1] != count:
        raise SignatureMismatchError(
            f"{what} takes {count} columns by position, and the rows have {shape[1]}. Select the columns in training order, or "
            "register the model with a signature."
        )
