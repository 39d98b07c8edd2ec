"""Models that predict several values a row: `prediction_<output>` for each, and `probability_<output>_<class>`.

An output is called as the model's own column is, where it returns a frame, else by its position from 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np


def output_names(found: object, rows: int) -> tuple[str, ...]:
    """The names of the outputs in what a model returned for n rows; () if it is one prediction a row, or none of both.

    Args:
        found: What `predict` returned.
        rows: n (count).
    """
    import numpy as np

    shape = np.asarray(found).shape
    if len(shape) != 2 or shape[0] != rows or shape[1] < 2:
        return ()
    columns = getattr(found, "columns", None)
    return tuple(str(name) for name in (range(shape[1]) if columns is None else columns))


def joined(found: Sequence[object], classes: Sequence[object], names: Sequence[str]) -> tuple[np.ndarray[Any, Any], tuple[str, ...]] | None:
    """Probabilities of several outputs as one matrix, and the names of its columns; None if they are not one matrix for each output.

    Args:
        found: What `predict_proba` returned: a matrix (n, k) for each output.
        classes: The k classes of each output.
        names: The outputs' names.
    """
    import numpy as np

    if not len(found) == len(classes) == len(names):
        return None
    matrices = [np.asarray(one) for one in found]
    if any(one.ndim != 2 or one.shape[1] != len(np.asarray(known)) for one, known in zip(matrices, classes, strict=True)):
        return None
    columns = [f"{name}_{one}" for name, known in zip(names, classes, strict=True) for one in np.asarray(known)]
    return np.concatenate(matrices, axis=1), tuple(columns)
