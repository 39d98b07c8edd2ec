"""Two outputs over one input, row by row: how far two versions said the same.

Both are in the order of the input without the rows that each set aside, whose positions are known; so rows are found by position, in one
pass over both, in bounded memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.shadow import BINS, TOLERANCE, Agreement
from airflow_registry.errors import InvalidInputError
from airflow_registry.scoring.output import DATA_NAME, QUARANTINE_NAME
from airflow_registry.scoring.predict import PREDICTION, PROBABILITY
from airflow_registry.scoring.quarantine import ROW
from airflow_registry.scoring.source import open_source
from airflow_registry.scoring.writer import read_manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from airflow_registry.domain.shadow import Kind
    from airflow_registry.objects.options import StorageOptions
    from airflow_registry.scoring.source import Source


def compare_outputs(
    champion: str,
    shadow: str,
    *,
    storage: StorageOptions | None = None,
    progress: Callable[[int], None] | None = None,
    checks_keys: bool = False,
) -> tuple[Kind, Agreement]:
    """Compare the predictions in two folders.

    Args:
        champion: The partition's folder.
        shadow: The same of the other version.
        storage: How object stores are reached.
        progress: Called after each batch with the rows so far (count); what it raises ends the comparison.
        checks_keys: Whether the key columns must say that the rows are in one order, because the input does not promise it.

    Returns:
        `numbers` if both predicted floats without probabilities, else `labels`; and the counts.

    Raises:
        InvalidInputError: If one is no output of this package, or they are not over the same rows in the same order.
    """
    his, hers = _Side.of(champion, storage), _Side.of(shadow, storage)
    if his.rows_in != hers.rows_in:
        raise InvalidInputError(
            f"{champion} and {shadow} cannot be compared: one is over {his.rows_in} rows and the other over {hers.rows_in}. "
            "Expected outputs over one input."
        )
    tally = _Tally(kind=_kind(his, hers), classes=(his.classes, hers.classes))
    keys = _common_keys(his, hers) if checks_keys else ()
    for one, two in _paired(his.batches(hers, keys), hers.batches(his, keys)):
        _check_order(one, two, keys)
        tally.take(one, two)
        if progress is not None:
            progress(tally.rows)
    unmatched = len(his.alone(hers)) + len(hers.alone(his))
    return tally.kind, tally.result(unmatched)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Side:
    """One of the two outputs.

    Attributes:
        source: Its predictions.
        aside: Positions in the input of the rows that it set aside, ascending.
    """

    source: Source
    aside: NDArray[np.int64]

    @classmethod
    def of(cls, folder: str, storage: StorageOptions | None) -> _Side:
        source = open_source(f"{folder.rstrip('/')}/{DATA_NAME}", storage)
        if PREDICTION not in source.schema.names:
            raise InvalidInputError(f"{source.path} has no column {PREDICTION!r}, so it cannot be compared. Expected an output of ours.")
        return cls(source=source, aside=_positions(folder, storage))

    @property
    def rows_in(self) -> int:
        """Rows of the input (count)."""
        return int(self.source.rows or 0) + len(self.aside)

    @property
    def classes(self) -> tuple[str, ...]:
        """Its columns of probabilities."""
        return tuple(name for name in self.source.schema.names if name.startswith(PROBABILITY))

    def alone(self, other: _Side) -> NDArray[np.int64]:
        """Where in its predictions the rows stand that the other one set aside, and it did not."""
        import numpy as np

        positions = np.setdiff1d(other.aside, self.aside, assume_unique=True)
        return positions - np.searchsorted(self.aside, positions)

    def batches(self, other: _Side, keys: tuple[str, ...] = ()) -> Iterator[pa.RecordBatch]:
        """Its predictions of the rows that both scored."""
        import numpy as np
        import pyarrow as pa

        left_out, first = self.alone(other), 0
        for batch in self.source.batches([PREDICTION, *self.classes, *keys]):
            inside = left_out[(left_out >= first) & (left_out < first + batch.num_rows)] - first
            first += batch.num_rows
            if len(inside):
                mask = np.ones(batch.num_rows, dtype=bool)
                mask[inside] = False
                batch = batch.filter(pa.array(mask))  # noqa: PLW2901  the same rows without some
            if batch.num_rows:
                yield batch


@dataclass(slots=True, kw_only=True)
class _Tally:
    """Counts over the rows so far."""

    kind: Kind
    classes: tuple[tuple[str, ...], tuple[str, ...]]
    rows: int = 0
    agreeing: int = 0
    scored: int = 0
    difference: float = 0.0
    bins: list[NDArray[np.int64] | None] = field(default_factory=lambda: [None, None])

    def take(self, one: pa.RecordBatch, two: pa.RecordBatch) -> None:
        """Compare rows: the champion's and the other one's."""
        self.rows += one.num_rows
        predictions = one.column(PREDICTION), two.column(PREDICTION)
        if self.kind == "numbers":
            self._numbers(*map(_floats, predictions))
            return
        self.agreeing += int(_same_labels(*predictions).sum())
        if all(self.classes):
            self._probabilities(one, two)

    def result(self, unmatched: int) -> Agreement:
        """The counts."""
        champion, shadow = (() if found is None else tuple(found.tolist()) for found in self.bins)
        counts: dict[str, Any] = {name: getattr(self, name) for name in ("rows", "agreeing", "scored", "difference")}
        return Agreement(**counts, unmatched=unmatched, champion_scores=champion, shadow_scores=shadow)

    def _numbers(self, one: NDArray[np.float64], two: NDArray[np.float64]) -> None:
        import numpy as np

        known = np.isfinite(one) & np.isfinite(two)
        apart = np.abs(one[known] - two[known])
        self.agreeing += int((apart <= TOLERANCE * np.abs(one[known])).sum())
        self._differ(apart)

    def _probabilities(self, one: pa.RecordBatch, two: pa.RecordBatch) -> None:
        import numpy as np

        names = tuple(dict.fromkeys((*self.classes[0], *self.classes[1])))
        tables = [np.stack([_class(batch, name) for name in names], axis=1) for batch in (one, two)]
        known = np.isfinite(tables[0]).all(axis=1) & np.isfinite(tables[1]).all(axis=1)
        found = [table[known] for table in tables]
        self._differ(np.abs(found[0] - found[1]).sum(axis=1) / 2)
        for side, table in enumerate(found):
            score = table[:, 1] if len(names) == 2 else table.max(axis=1, initial=0.0)
            counts = np.bincount(np.clip(score * BINS, 0, BINS - 1).astype(np.int64), minlength=BINS)
            before = self.bins[side]
            self.bins[side] = counts if before is None else before + counts

    def _differ(self, apart: NDArray[np.float64]) -> None:
        self.scored += len(apart)
        self.difference += float(apart.sum())


def _positions(folder: str, storage: StorageOptions | None) -> NDArray[np.int64]:
    """Positions of the rows that an output set aside; the manifest says whether there are any."""
    import numpy as np

    manifest = read_manifest(folder, storage)
    if manifest is None:
        raise InvalidInputError(f"{folder} has no manifest, so it cannot be compared. Expected an output of ours.")
    if not manifest.get("quarantined"):
        return np.empty(0, dtype=np.int64)
    aside = open_source(f"{folder.rstrip('/')}/{QUARANTINE_NAME}", storage)
    return np.sort(np.concatenate([batch.column(0).to_numpy() for batch in aside.batches([ROW])]).astype(np.int64))


def _kind(his: _Side, hers: _Side) -> Kind:
    import pyarrow as pa

    are_floats = all(pa.types.is_floating(side.source.schema.field(PREDICTION).type) for side in (his, hers))
    return "numbers" if are_floats and not (his.classes or hers.classes) else "labels"


def _common_keys(his: _Side, hers: _Side) -> tuple[str, ...]:
    names = [set(side.source.schema.names) - {PREDICTION, *side.classes} for side in (his, hers)]
    if not (keys := tuple(sorted(names[0] & names[1]))):
        raise InvalidInputError(
            f"{his.source.path} has no key columns, so nobody can tell whether a query gave its rows in the same order twice. Name them "
            "with keys=."
        )
    return keys


def _check_order(one: pa.RecordBatch, two: pa.RecordBatch, keys: tuple[str, ...]) -> None:
    if not all(one.column(key).equals(two.column(key)) for key in keys):
        raise InvalidInputError("The query gave other rows, or in another order, for the second version. Add ORDER BY with a unique key.")


def _paired(one: Iterator[pa.RecordBatch], two: Iterator[pa.RecordBatch]) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]:
    """Batches of the same rows, however each side is cut."""
    left, right = next(one, None), next(two, None)
    while left is not None and right is not None:
        rows = min(left.num_rows, right.num_rows)
        yield left.slice(0, rows), right.slice(0, rows)
        left = left.slice(rows) if left.num_rows > rows else next(one, None)
        right = right.slice(rows) if right.num_rows > rows else next(two, None)


def _same_labels(one: pa.Array, two: pa.Array) -> NDArray[np.bool_]:
    """Where both named the same class; a missing label or a NaN is never the same as anything."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    found: NDArray[np.bool_]
    if all(_is_number(array.type) for array in (one, two)):
        if all(pa.types.is_integer(array.type) for array in (one, two)):  # floats would not tell large ones apart
            found = pc.call_function("equal", [one, two]).fill_null(False).to_numpy(zero_copy_only=False)
            return found
        found = _floats(one) == _floats(two)
        return found
    if _is_number(one.type) or _is_number(two.type):
        return np.zeros(len(one), dtype=bool)
    found = pc.call_function("equal", [one.cast(pa.string()), two.cast(pa.string())]).fill_null(False).to_numpy(zero_copy_only=False)
    return found


def _is_number(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _floats(array: pa.Array) -> NDArray[np.float64]:
    import numpy as np

    found: NDArray[np.float64] = np.asarray(array.to_numpy(zero_copy_only=False), dtype=np.float64)
    return found


def _class(batch: pa.RecordBatch, name: str) -> NDArray[np.float64]:
    """The probabilities of a class; a version that does not know it gives it none."""
    import numpy as np

    return _floats(batch.column(name)) if name in batch.schema.names else np.zeros(batch.num_rows)
