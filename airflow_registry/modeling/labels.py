"""Class labels as JSON and back, so that a native model file can carry what its library does not.

Law: `from_json(to_json(labels))` has the values and the type of `labels`, for booleans, numbers and texts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


def to_json(labels: np.ndarray[Any, Any]) -> dict[str, Any] | None:
    """The labels as JSON; None for a kind that JSON cannot hold (times, mixtures)."""
    values = labels.tolist()
    if labels.ndim != 1 or not (labels.dtype.kind in "biufU" or all(isinstance(value, str) for value in values)):
        return None
    return {"type": "object" if labels.dtype.kind == "O" else labels.dtype.str, "values": values}


def from_json(stored: dict[str, Any]) -> np.ndarray[Any, Any]:
    """The labels again.

    Raises:
        KeyError: If something is missing.
        TypeError: If they are of another type than they say.
        ValueError: The same.
    """
    import numpy as np

    wanted = np.dtype(str(stored["type"]))
    if wanted.kind not in "biufUO" or not isinstance(stored["values"], list):
        raise ValueError(f"{wanted} is no type of class labels")
    return np.array(stored["values"], dtype=wanted)
