"""Slices: which rows belong together by the values of a column, or by quantile bins of its numbers.

Memory: one small integer for each row by values, and for bins also the number itself. A column with more values than `MAX_SLICES` is
refused at the batch in which that is seen, because a million slices of one row say nothing.
"""

# pyarrow.compute makes its functions when it is imported, where pyright cannot see them.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from airflow_registry.domain.evaluation import SliceCodes
from airflow_registry.domain.names import refuse_unrendered
from airflow_registry.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    import pyarrow as pa

MAX_SLICES = 1_000
MAX_BINS = 100
MISSING = "(missing)"
INFINITE = "(infinite)"
LONGEST_NAME = 250
"""Characters of `carrier=AA` that the registry keeps."""

_BINS = re.compile(r"(.+):([0-9]{1,9})")
_EXPECTED = "Expected a column's name, or {'column': 'distance', 'bins': 4} (as text 'distance:4')"
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceSpec:
    """How rows are sliced.

    Attributes:
        column: Of the evaluation data; it need not be an input of the model.
        bins: Into how many quantile bins its numbers or times go, 2 to 100; None for a slice of each value.
    """

    column: str
    bins: int | None = None

    def __post_init__(self) -> None:
        refuse_unrendered(self.column, "slice column")
        if not isinstance(self.column, str) or not self.column:
            raise InvalidInputError(f"{self.column!r} names no slice. {_EXPECTED}.")
        is_count = isinstance(self.bins, int) and not isinstance(self.bins, bool) and 2 <= self.bins <= MAX_BINS
        if self.bins is not None and not is_count:
            raise InvalidInputError(f"Slices of {self.column!r}: bins is {self.bins!r}; expected a whole number from 2 to {MAX_BINS}.")

    @property
    def key(self) -> str:
        """How policies and slices name it: `carrier`, `distance:4`."""
        return self.column if self.bins is None else f"{self.column}:{self.bins}"

    @classmethod
    def parse(cls, given: object) -> SliceSpec:
        """Read `"carrier"`, `"distance:4"` or `{"column": "distance", "bins": 4}`.

        Raises:
            InvalidInputError: If it is none of these.
        """
        if isinstance(given, SliceSpec):
            return given
        if isinstance(given, Mapping) and "column" in given and set(given) <= {"column", "bins"}:
            return cls(**given)
        if isinstance(given, str) and (found := _BINS.fullmatch(given)):
            return cls(column=found[1], bins=int(found[2]))
        if isinstance(given, str):
            return cls(column=given)
        raise InvalidInputError(f"{given!r} names no slice. {_EXPECTED}.")


def parse_slices(given: Iterable[object]) -> tuple[SliceSpec, ...]:
    """How rows are sliced, each way once.

    Raises:
        InvalidInputError: If one names no slice.
    """
    if isinstance(given, (str, Mapping)):
        raise InvalidInputError(f"slices= is a list, also of one: [{given!r}].")
    specs: dict[str, SliceSpec] = {}
    for spec in map(SliceSpec.parse, given):
        if specs.setdefault(spec.key, spec) != spec:
            raise InvalidInputError(f"{spec.key!r} is the name of a column, and of bins of another one. Rename that column in the data.")
    return tuple(specs.values())


def check_slices(specs: Sequence[SliceSpec], schema: pa.Schema, path: str) -> None:
    """Refuse columns that are not there or cannot be sliced, before any row is scored.

    Raises:
        InvalidInputError: Names them all, and the columns that there are.
    """
    missing = [spec.column for spec in specs if spec.column not in schema.names]
    if missing:
        raise InvalidInputError(
            f"The evaluation data {path!r} has no slice column {', '.join(map(repr, missing))}. It has {', '.join(schema.names)}."
        )
    for spec in specs:
        fault = _type_fault(schema.field(spec.column).type, spec)
        if fault:
            raise InvalidInputError(f"The column {spec.column!r} of {path!r} cannot be sliced: {fault}.")


def _type_fault(type_: pa.DataType, spec: SliceSpec) -> str | None:
    import pyarrow as pa

    value = type_.value_type if pa.types.is_dictionary(type_) else type_
    is_number = any(test(value) for test in (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal))
    if spec.bins is not None and not (is_number or pa.types.is_timestamp(value) or pa.types.is_date(value)):
        return f"bins need numbers or times; found {value}. Slice it by its values"
    return f"it holds {value}, and slices need single values" if pa.types.is_nested(value) else None


class Slicer(Protocol):
    """Collects one column, batch by batch."""

    def hear(self, column: pa.Array) -> None:
        """The next rows."""

    def codes(self) -> SliceCodes:
        """The slices of all rows, those without rows left out."""


def slicer(spec: SliceSpec, path: str) -> Slicer:
    """What collects a column.

    Args:
        spec: How it is sliced.
        path: The data, for messages.
    """
    return Bins(spec) if spec.bins is not None else Values(spec, path)


@dataclass(slots=True)
class Values:
    """A slice for each value."""

    spec: SliceSpec
    path: str
    _numbers: dict[str, int] = field(default_factory=dict)
    _parts: list[np.ndarray[Any, Any]] = field(default_factory=list)

    def hear(self, column: pa.Array) -> None:
        """The next rows.

        Raises:
            InvalidInputError: If there are too many values.
        """
        import numpy as np
        import pyarrow as pa

        encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
        size = len(encoded.dictionary)
        indices = encoded.indices.fill_null(size).to_numpy(zero_copy_only=False)
        used = np.flatnonzero(np.bincount(indices, minlength=size + 1))
        if len(used) > MAX_SLICES + 2:  # null and NaN are one
            raise self._too_many(len(used))
        values = [*encoded.dictionary.take(pa.array(used[used < size])).to_pylist(), *[None] * int(used[-1:].sum() == size)]
        lookup = np.zeros(size + 1, dtype=np.int16)
        lookup[used] = [self._number(slice_name(self.spec, value)) for value in values]
        self._parts.append(lookup[indices])

    def _number(self, name: str) -> int:
        found = self._numbers.setdefault(name, len(self._numbers))
        if found >= MAX_SLICES:
            raise self._too_many(found + 1)
        return found

    def _too_many(self, seen: int) -> InvalidInputError:
        return InvalidInputError(
            f"The slice column {self.spec.column!r} of {self.path!r} has more than {MAX_SLICES:,} different values (at least {seen:,}). "
            f"Slice numbers and times by bins ({{'column': {self.spec.column!r}, 'bins': 10}}), or group the values in a column of its own."
        )

    def codes(self) -> SliceCodes:
        """The slices of all rows, in the order of their names."""
        import numpy as np

        names = sorted(self._numbers)
        order = np.empty(len(names) + 1, dtype=np.int16)
        order[[self._numbers[name] for name in names]] = np.arange(len(names), dtype=np.int16)
        heard = np.concatenate(self._parts) if self._parts else np.empty(0, dtype=np.int16)
        return SliceCodes(names=tuple(names), codes=order[heard])


@dataclass(slots=True)
class Bins:
    """Quantile bins: boundaries are values of the data, and rows of one value are never in two bins."""

    spec: SliceSpec
    _parts: list[np.ndarray[Any, Any]] = field(default_factory=list)
    _type: pa.DataType | None = None

    def hear(self, column: pa.Array) -> None:
        """The next rows."""
        import pyarrow as pa

        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
            self._type = pa.timestamp("us", getattr(column.type, "tz", None))
            column = column.cast(self._type, safe=False).cast(pa.int64())
        self._parts.append(column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))

    def codes(self) -> SliceCodes:
        """The slices of all rows, from the lowest bin to the highest; those without a number last."""
        import numpy as np

        values = np.concatenate(self._parts) if self._parts else np.empty(0)
        is_finite = np.isfinite(values)
        edges = _edges(values[is_finite], self.spec.bins or 1)
        codes = np.searchsorted(edges[1:-1], values, side="right")
        names = [*self._bin_names(edges), MISSING, INFINITE]
        codes[np.isnan(values)] = len(names) - 2
        codes[np.isinf(values)] = len(names) - 1
        used = np.unique(codes)
        lookup = np.zeros(len(names), dtype=np.int16)
        lookup[used] = np.arange(len(used), dtype=np.int16)
        return SliceCodes(names=tuple(_short(f"{self.spec.key}={names[number]}") for number in used), codes=lookup[codes])

    def _bin_names(self, edges: np.ndarray[Any, Any]) -> list[str]:
        shown = [self._shown(edge) for edge in edges.tolist()]
        ends = [")"] * (len(shown) - 2) + ["]"]
        return [f"[{low}, {high}{end}" for low, high, end in zip(shown, shown[1:], ends, strict=False)]

    def _shown(self, edge: float) -> str:
        """As short as a float can be told apart; times in ISO 8601."""
        import pyarrow as pa

        if self._type is not None:
            return str(pa.scalar(int(edge), pa.int64()).cast(self._type).as_py().isoformat())
        return repr(edge).removesuffix(".0")


def _edges(values: np.ndarray[Any, Any], bins: int) -> np.ndarray[Any, Any]:
    """Boundaries of the bins, ascending: the smallest value, where each further bin begins, the largest value.

    Every boundary is a value that is there, so that no bin is empty. Where many rows hold the smallest value, the second bin begins with
    the next value: else it would not be a bin of its own.
    """
    import numpy as np

    if not len(values):
        return np.empty(0)
    low, high = values.min(), values.max()
    inner = np.quantile(values, np.arange(1, bins) / bins, method="higher")
    above = values[values > low]
    if len(above):
        inner = np.where(inner == low, above.min(), inner)
    inner = np.unique(inner[inner > low])
    return np.concatenate([[low], inner, [high]])


def slice_name(spec: SliceSpec, value: object) -> str:
    """`carrier=AA`; what is absent, NaN included, is `carrier=(missing)`."""
    return _short(f"{spec.key}={_said(value)}")


def _said(value: object) -> str:
    if value is None or value != value:  # noqa: PLR0124  NaN differs from itself
        return MISSING
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return repr(value).removesuffix(".0")  # a column of whole numbers with gaps is one of floats
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="backslashreplace")
    isoformat = getattr(value, "isoformat", None)
    return str(isoformat()) if callable(isoformat) else str(value)


def _short(name: str) -> str:
    """A name that the registry can keep; a long one ends in its digest, so that it stays different from others."""
    name = _UNSTORABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", name)
    if len(name) <= LONGEST_NAME:
        return name
    return f"{name[: LONGEST_NAME - 10]}…#{hashlib.sha256(name.encode()).hexdigest()[:8]}"
