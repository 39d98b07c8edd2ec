"""Which rows of a partition are counted: one run of 64 rows of every 1, 2, 4, … runs, so that at most a given number of rows is.

Runs, because a single row of a column costs as much to fetch from memory as the few beside it. Which run of its block it is comes
from random bits of the input's digest: the same input gives the same sample, and a file that repeats itself is not seen at one
place of its period only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.stats.draws import words

if TYPE_CHECKING:
    import numpy as np

RUN = 64
"""Rows that are picked together."""
_THINNING = 64  # a stream of random bits of its own for each stride, apart from those of the picks


@dataclass(slots=True, kw_only=True)
class Stride:
    """Picks rows batch by batch; the sample does not depend on how rows are cut into batches if their number is known.

    Attributes:
        seed: From the input's digest.
        rows: How many rows there are at most (count); None if nobody knows: then the sample is thinned whenever it grows too large.
        most: How many are picked at most (count).
    """

    seed: int
    rows: int | None
    most: int
    seen: int = field(default=0, init=False)
    kept: int = field(default=0, init=False)
    _bits: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        while self.rows is not None and self._at_most(self.rows) > self.most:
            self._bits += 1

    def _at_most(self, rows: int) -> int:
        """How many of `rows` rows are picked at most (count)."""
        return min(rows, -(-rows // (RUN << self._bits)) * RUN)

    def picks(self, count: int) -> np.ndarray[Any, Any] | None:
        """Which of the next `count` rows are taken, shape (k,); None for all of them."""
        start, self.seen = self.seen, self.seen + count
        if not self._bits:
            self.kept += count
            return None
        found = self._picks(start, self.seen)
        self.kept += len(found)
        return found

    def _picks(self, start: int, stop: int) -> np.ndarray[Any, Any]:
        import numpy as np

        size = RUN << self._bits  # rows of a block, one run of which is picked
        first, last = start // size, (stop - 1) // size
        blocks = np.arange(first, last + 1)
        inside = words(self.seed, self._bits, first, len(blocks)) >> np.uint64(64 - self._bits)
        rows = _rows_of((blocks << self._bits) + inside.astype(np.int64))
        return rows[(rows >= start) & (rows < stop)] - start

    def thinned(self) -> np.ndarray[Any, Any] | None:
        """Which rows of the sample stay, shape (k,), if it has grown too large; None if it has not. Ask again until it is None."""
        import numpy as np

        if self.kept <= self.most:
            return None
        self._bits += 1
        pairs = np.arange(-(-self.kept // (2 * RUN)))
        stay = _rows_of(2 * pairs + (words(self.seed, _THINNING + self._bits, 0, len(pairs)) >> np.uint64(63)).astype(np.int64))
        stay = stay[stay < self.kept]
        self.kept = len(stay)
        return stay


def _rows_of(runs: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The rows of some runs, in order."""
    import numpy as np

    rows: np.ndarray[Any, Any] = (runs[:, None] * RUN + np.arange(RUN)).ravel()
    return rows
