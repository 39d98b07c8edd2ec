"""Counting what is scored: a sample of each batch is put aside, and all of it is counted once at the end.

Counting batch by batch would cost more for its hundreds of calls than for its values. Whatever goes wrong here is said in the log
and costs the counts: a partition is scored all the same.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.drift.sketch import MOST_ROWS, Sketch
from airflow_registry.scoring.bins import count_categories, count_numbers, is_category, is_number, numbers
from airflow_registry.scoring.stride import Stride

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    import pyarrow as pa

    from airflow_registry.domain.drift.bins import Bins, Counts, Profile, Reference

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Gathered:
    """The sample of one column: arrays of numbers, or Arrow arrays of categories."""

    is_number: bool
    parts: list[Any] = field(default_factory=list)

    def add(self, column: pa.Array, picks: np.ndarray[Any, Any] | None) -> None:
        if not self.is_number:
            self.parts.append(column if picks is None else column.take(_indices(picks)))
        elif picks is None:
            self.parts.append(numbers(column).copy())  # a view would keep the whole batch in memory
        elif column.null_count:
            self.parts.append(numbers(column.take(_indices(picks))))
        else:
            self.parts.append(numbers(column)[picks])

    def keep(self, stay: np.ndarray[Any, Any]) -> None:
        import numpy as np
        import pyarrow as pa

        if self.is_number:
            self.parts = [np.concatenate(self.parts)[stay]]
        else:
            self.parts = pa.chunked_array(self.parts).take(_indices(stay)).chunks

    def count(self, bins: Bins) -> Counts | None:
        """Rows in each bin; None if the values are of another kind than they were at registration."""
        import numpy as np

        if bins.edges is not None:
            return count_numbers(np.concatenate(self.parts), bins.edges) if self.is_number else None
        parts = [_as_arrow(part) for part in self.parts]
        counted = [count_categories(part, bins.categories or ()) for part in parts]
        return tuple(map(sum, zip(*counted, strict=True)))


class Sketcher:
    """Counts the rows of one partition by the bins of the references that are given.

    Args:
        references: Of the version that scores; and of those with whose predictions its own are compared.
        digest: Of the input: the same one gives the same sample.
        rows: How many rows there are at most (count), None if nobody knows.
    """

    def __init__(self, references: Sequence[Reference], *, digest: str, rows: int | None, most: int = MOST_ROWS) -> None:
        from airflow_registry.domain.stats.draws import seed_of

        self._inputs = _distinct(reference.inputs for reference in references)
        self._predictions = _distinct(reference.predictions for reference in references)
        self._stride = Stride(seed=seed_of(digest), rows=rows, most=most)
        self._gathered: dict[tuple[str, str], _Gathered] = {}
        self._places: dict[tuple[str, pa.Schema], list[tuple[int, _Gathered]]] = {}
        self._is_broken = not (self._inputs or self._predictions)
        self._sketch: Sketch | None = None

    def take(self, inputs: pa.RecordBatch, predictions: pa.RecordBatch) -> None:
        """Put a sample of a scored batch aside: what went into the model, and what it said about these rows."""
        if self._is_broken:
            return
        try:
            picks = self._stride.picks(inputs.num_rows)
            self._gather("inputs", self._inputs, inputs, picks)
            self._gather("predictions", self._predictions, predictions, picks)
            while (stay := self._stride.thinned()) is not None:
                for column in self._gathered.values():
                    column.keep(stay)
        except Exception as error:  # noqa: BLE001  an observation must not cost the predictions
            self._give_up(error)

    def sketch(self) -> Sketch | None:
        """The counts; None if there are none, because nobody asked, no row was scored, or something went wrong."""
        if self._sketch is None and self._gathered and not self._is_broken:
            try:
                self._sketch = self._counted()
            except Exception as error:  # noqa: BLE001  the same
                self._give_up(error)
        return self._sketch

    def _counted(self) -> Sketch:
        sides = (("inputs", self._inputs), ("predictions", self._predictions))
        counts = {profile.digest: self._count(side, profile) for side, profiles in sides for profile in profiles}
        return Sketch(rows=self._stride.seen, sampled=self._stride.kept, counts=counts)

    def _gather(self, side: str, profiles: Sequence[Profile], batch: pa.RecordBatch, picks: np.ndarray[Any, Any] | None) -> None:
        for index, gathered in self._columns(side, profiles, batch.schema):
            gathered.add(batch.column(index), picks)

    def _columns(self, side: str, profiles: Sequence[Profile], schema: pa.Schema) -> list[tuple[int, _Gathered]]:
        """Where the watched columns are; looked up once for each schema."""
        known = self._places.get((side, schema))
        if known is None:
            kinds = {name: (schema.get_field_index(name), schema.field(name).type) for name in schema.names}
            wanted = dict.fromkeys(name for profile in profiles for name in profile.features if name in kinds)
            known = self._places[side, schema] = [
                (index, self._gathered.setdefault((side, name), _Gathered(is_number(kind))))
                for name, (index, kind) in ((name, kinds[name]) for name in wanted)
                if is_number(kind) or is_category(kind)
            ]
        return known

    def _count(self, side: str, profile: Profile) -> dict[str, Counts]:
        found = {name: self._gathered.get((side, name)) for name in profile.features}
        counted = {name: None if one is None else one.count(profile.features[name].bins) for name, one in found.items()}
        return {name: counts for name, counts in counted.items() if counts is not None}

    def _give_up(self, error: Exception) -> None:
        self._is_broken = True
        _log.warning("The partition is scored, but its features are not counted for drift: %s: %s", type(error).__name__, error)


def _distinct(profiles: Iterable[Profile]) -> tuple[Profile, ...]:
    return tuple({profile.digest: profile for profile in profiles if profile.features}.values())


def _indices(picks: np.ndarray[Any, Any]) -> pa.Array:
    import pyarrow as pa

    return pa.array(picks)


def _as_arrow(part: Any) -> pa.Array:  # noqa: ANN401  an array of numbers, or of Arrow
    import pyarrow as pa

    return part if isinstance(part, pa.Array) else pa.array(part, from_pandas=True)
