"""What each task of Spark is given: some row groups of one parquet file, in the state in which the file was found.

How an input is cut depends on the input only, not on the cluster, so that a repeated run makes the same parts.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow_registry.errors import InvalidInputError
from airflow_registry.objects.base import ObjectInfo
from airflow_registry.objects.dispatch import split_uri
from airflow_registry.scoring.clients import bucket_of
from airflow_registry.scoring.found import LocalFiles, changed
from airflow_registry.scoring.objects import ObjectFiles
from airflow_registry.scoring.readers import parquet_batches, row_group_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from airflow_registry.objects.options import StorageOptions
    from airflow_registry.scoring.found import FoundFiles
    from airflow_registry.scoring.source import Source

UNIT_ROWS = 1_048_576
"""Rows of a task, as nearly as row groups allow: enough that its start does not count, and little that is lost with it."""

_SOME_TIME = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """The work of one task.

    Attributes:
        number: Its place in the input, from 0.
        file: Absolute path or URI.
        state: What must be the same when it is read: size and time of change of a local file; of an object its size and version.
        groups: Row groups.
        first_row: Position of its first row in the whole input, from 0.
        rows: Rows in it (count).
    """

    number: int
    file: str
    state: tuple[int, int | str]
    groups: tuple[int, ...] = ()
    first_row: int = 0
    rows: int = 0

    def batches(self, columns: Sequence[str], batch_rows: int, storage: StorageOptions | None) -> Iterator[pa.RecordBatch]:
        """Its rows.

        Raises:
            InputNotReadyError: If the file is not what was found.
            StorageUnavailableError: If it is out of reach.
        """
        if "://" in self.file:
            with self._object(storage).ranges(self.file) as stream:
                yield from parquet_batches(self.file, stream, columns, batch_rows, groups=self.groups)
            return
        found = LocalFiles.of([self.file])
        if _state(found, self.file) != self.state:
            raise changed(self.file)
        yield from parquet_batches(self.file, self.file, columns, batch_rows, groups=self.groups)
        found.check_unchanged()

    def _object(self, storage: StorageOptions | None) -> ObjectFiles:
        client, _ = bucket_of(self.file, storage)
        size_bytes, version = self.state
        key = split_uri(self.file)[2]
        info = ObjectInfo(key=key, size_bytes=int(size_bytes), version=str(version), modified_at=_SOME_TIME)
        return ObjectFiles(client=client, objects={self.file: info})


def units_of(source: Source, unit_rows: int = UNIT_ROWS) -> tuple[Unit, ...]:
    """Cut an input; at least one unit, also where there is no row.

    Args:
        source: Parquet files.
        unit_rows: A unit takes row groups of one file until it has so many rows (count, >= 1).

    Raises:
        InvalidInputError: If it is not parquet: nobody can start in the middle of a CSV file.
    """
    kind = getattr(source, "format", "no file")
    if kind != "parquet":
        raise InvalidInputError(
            f"The input {source.path!r} is {kind}, which cannot be cut into pieces. Expected parquet for engine='spark': write it "
            "as parquet, or leave engine= out, so that this worker scores it."
        )
    found: list[Unit] = []
    first_row = 0
    for file, rows in zip(source.files, source.found.heads(row_group_rows), strict=True):
        for groups in _grouped(rows, unit_rows):
            count = sum(rows[group] for group in groups)
            state = _state(source.found, file)
            found.append(Unit(number=len(found), file=file, state=state, groups=groups, first_row=first_row, rows=count))
            first_row += count
    return tuple(found) or (Unit(number=0, file=source.files[0], state=_state(source.found, source.files[0])),)


def _grouped(rows: Sequence[int], unit_rows: int) -> Iterator[tuple[int, ...]]:
    """Neighbouring row groups, together until they have enough rows; empty ones are left out."""
    groups: list[int] = []
    count = 0
    for group, group_rows in enumerate(rows):
        if not group_rows:
            continue
        groups.append(group)
        count += group_rows
        if count >= unit_rows:
            yield tuple(groups)
            groups, count = [], 0
    if groups:
        yield tuple(groups)


def _state(found: FoundFiles, file: str) -> tuple[int, int | str]:
    """An inode is not in it: machines that mount one disk in different ways number its files differently."""
    if isinstance(found, ObjectFiles):
        info = found.objects[file]
        return info.size_bytes, info.version
    if isinstance(found, LocalFiles):
        _, size_bytes, changed_ns = found.stamps[found.names.index(file)]
        return size_bytes, changed_ns
    raise InvalidInputError(f"{file!r} is no file, so the tasks of Spark cannot read it. Leave engine= out.")
