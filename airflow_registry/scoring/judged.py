"""Labels and what one model said about them, as numbers: the one form in which metrics see rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """Labels of n rows and what one model said about them.

    Attributes:
        labels: Positions in `classes`, or numbers for regression; shape (n,).
        predictions: The same; -1 where the model named none of the classes (a NaN).
        classes: All classes of labels and models, sorted; () for regression.
        scores: How sure the model is of the second class, shape (n,); binary only, None if it cannot say.
        probabilities: One column for each of `classes`, shape (n, k); None if the model has none.
    """

    labels: np.ndarray[Any, Any]
    predictions: np.ndarray[Any, Any]
    classes: tuple[Any, ...] = ()
    scores: np.ndarray[Any, Any] | None = None
    probabilities: np.ndarray[Any, Any] | None = None

    @property
    def is_positive(self) -> np.ndarray[Any, Any]:
        """Which labels are the second class, shape (n,)."""
        found: np.ndarray[Any, Any] = self.labels == 1
        return found

    @property
    def says_positive(self) -> np.ndarray[Any, Any]:
        """Which predictions are the second class, shape (n,)."""
        found: np.ndarray[Any, Any] = self.predictions == 1
        return found

    @property
    def is_understood(self) -> np.ndarray[Any, Any]:
        """Where the model named one of the classes, or a finite number; shape (n,)."""
        import numpy as np

        found: np.ndarray[Any, Any] = self.predictions >= 0 if self.classes else np.isfinite(self.predictions)
        return found

    def take(self, rows: Any) -> Judged:  # noqa: ANN401  a slice, or an array of positions
        """The same of some rows."""
        return Judged(
            labels=self.labels[rows],
            predictions=self.predictions[rows],
            classes=self.classes,
            scores=None if self.scores is None else self.scores[rows],
            probabilities=None if self.probabilities is None else self.probabilities[rows],
        )

    def named(self, codes: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Classes instead of positions, as the model's author knows them; None where there is none."""
        import numpy as np

        if not self.classes:
            return codes
        names: np.ndarray[Any, Any] = np.array([*self.classes, None], dtype=object) if (codes < 0).any() else np.array(self.classes)
        found: np.ndarray[Any, Any] = names[codes]
        return found


def encode(values: np.ndarray[Any, Any], classes: tuple[Any, ...]) -> np.ndarray[Any, Any]:
    """Positions in `classes`, -1 for what is none of them (a NaN, a None); shape (n,)."""
    import numpy as np

    if values.dtype.kind in "biuf" and all(isinstance(name, (bool, int, float)) for name in classes):
        known = np.array(classes)
        positions = np.searchsorted(known, values).clip(max=len(known) - 1)
        return np.where(known[positions] == values, positions, -1)
    numbers = {name: position for position, name in enumerate(classes)}
    return np.fromiter((numbers.get(value, -1) for value in values.tolist()), dtype=np.int64, count=len(values))


def distinct(values: np.ndarray[Any, Any]) -> set[Any]:
    """The values without NaN and None."""
    return {value for value in set(values.tolist()) if value == value and value is not None}  # noqa: PLR0124  NaN differs from itself


def all_classes(found: Iterable[Any]) -> tuple[Any, ...]:
    """The classes in order. One of zero and one, false and true, is known to have the other, so that 1 is the positive one."""
    names = set(found)
    if len(names) == 1 and names <= {0, 1}:
        names |= {type(next(iter(names)))(value) for value in (0, 1)}
    return tuple(sorted(names))
