"""Rows of an evaluation: what versions said about them, and the sections of rows that are compared.

A *section* is the whole or one slice. Results per section are arrays of length `n_slices + 1` whose last element is the whole, so
that index -1 is the whole and index s is slice s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from airflow_registry.errors import InvalidInputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Kind = Literal["binary", "multiclass", "regression"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scored:
    """What one version said about n rows.

    Attributes:
        predictions: (n,) class codes 0 to k - 1, or numbers for a regression.
        scores: (n,) how sure of class 1, on any scale; binary models only.
        probabilities: (n, k) probability of each class, None if the model has none.
    """

    predictions: NDArray[Any]
    scores: NDArray[Any] | None = None
    probabilities: NDArray[Any] | None = None

    def class_one(self) -> NDArray[Any] | None:
        """(n,) how sure of class 1: the scores, else the probability if there are two classes, else None."""
        if self.scores is None and self.probabilities is not None and self.probabilities.shape[1] == 2:
            second: NDArray[Any] = self.probabilities[:, 1]
            return second
        return self.scores

    def check(self, rows: int, who: str) -> None:
        """Refuse what cannot be a version's answer about `rows` rows.

        Raises:
            InvalidInputError: If an array has another shape, or holds no numbers.
        """
        check_rows(self.predictions, rows, f"{who} predictions")
        if self.scores is not None:
            check_rows(self.scores, rows, f"{who} scores")
        if self.probabilities is not None:
            check_rows(self.probabilities, rows, f"{who} probabilities", dimensions=2)


def check_rows(array: NDArray[Any], rows: int, what: str, *, dimensions: int = 1) -> None:
    """Refuse an array that has not one number, or one row of numbers, for each row.

    Raises:
        InvalidInputError: If it has not.
    """
    if array.ndim != dimensions or len(array) != rows or array.dtype.kind not in "biuf" or (rows and not array.size):
        form = "numbers" if dimensions == 1 else "rows of numbers"
        raise InvalidInputError(
            f"The {what} must be {rows:,} {form}, one for each row of the data; found {array.dtype} of shape {array.shape}."
        )


def numbers(array: NDArray[Any]) -> NDArray[np.bool_]:
    """(n,) where the element is finite."""
    import numpy as np

    finite: NDArray[np.bool_] = np.isfinite(array)
    return finite


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sections:
    """Which rows are in which section.

    Attributes:
        rows: Number of rows (count).
        n_slices: Number of slices (count).
        codes: (rows,) slice of each row as int64, -1 for none; None where there are no slices.
    """

    rows: int
    n_slices: int = 0
    codes: NDArray[np.int64] | None = None

    @classmethod
    def of(cls, rows: int, codes: object = None, n_slices: int = 0) -> Sections:
        """Sections from slice codes.

        Raises:
            InvalidInputError: If there is not one code in -1 to n_slices - 1 for each row.
        """
        import numpy as np

        if codes is None or n_slices == 0:
            return cls(rows=rows)
        array = np.asarray(codes)
        if array.shape != (rows,) or array.dtype.kind not in "iu":
            raise InvalidInputError(f"Slice codes must be {rows:,} integers, one for each row; found {array.dtype} of shape {array.shape}.")
        if rows and not (array.min() >= -1 and array.max() < n_slices):
            raise InvalidInputError(
                f"Slice codes must be from -1 to {n_slices - 1}; found {array.min()} to {array.max()}. Give n_slices={array.max() + 1}."
            )
        return cls(rows=rows, n_slices=n_slices, codes=array.astype(np.int64))

    def sums(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """(n_slices + 1,) sum of `values` (rows,) over each section, the whole last."""
        import numpy as np

        whole = np.array([values.sum(dtype=np.float64)])
        if self.codes is None:
            return whole
        return np.concatenate([np.bincount(self.codes + 1, weights=values, minlength=self.n_slices + 1)[1:], whole])

    def counts(self, mask: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
        """(n_slices + 1,) number of rows, or of rows where `mask` (rows,) holds, in each section, the whole last."""
        import numpy as np

        whole = np.array([self.rows if mask is None else np.count_nonzero(mask)], dtype=np.int64)
        if self.codes is None:
            return whole
        codes = self.codes if mask is None else self.codes[mask]
        return np.concatenate([np.bincount(codes + 1, minlength=self.n_slices + 1)[1:], whole])
