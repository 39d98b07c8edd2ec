"""Outputs: a data object, the rows that were set aside, and the manifest in the partition's folder; whole or not at all.

Rows go to a file that nobody sees until `commit`. What the caller raises leaves the old output as it was. The bytes depend on the
rows and the provenance only: rows are cut into fixed row groups, and nothing in the files tells the time.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_registry.errors import InvalidInputError, NotFoundError
from airflow_registry.scoring.output import (
    DATA_NAME,
    MANIFEST_NAME,
    PREFIX,
    QUARANTINE_NAME,
    Provenance,
    WrittenFile,
    check_rows,
)
from airflow_registry.scoring.places import open_place
from airflow_registry.scoring.readers import parquet_metadata
from airflow_registry.scoring.staging import ROW_GROUP_ROWS, StagedRows
from airflow_registry.scoring.trees import open_tree

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator

    import pyarrow as pa

    from airflow_registry.objects.options import StorageOptions
    from airflow_registry.scoring.places import Place, Stage, Target
    from airflow_registry.sql.store import Transaction

__all__ = [
    "DATA_NAME",
    "MANIFEST_NAME",
    "QUARANTINE_NAME",
    "ROW_GROUP_ROWS",
    "Output",
    "Provenance",
    "WrittenFile",
    "holds_output",
    "open_output",
    "read_manifest",
    "read_provenance",
    "write_predictions",
]


class Output:
    """A partition's output that is being written. From `open_output`.

    Nothing is visible until `commit`, and without it nothing ever is.
    """

    def __init__(self, place: Place, stage: Stage, provenance: Provenance) -> None:
        self._place = place
        self._stage = stage
        self._metadata = provenance.metadata()
        self._files: dict[str, StagedRows] = {}

    def begin(self, schema: pa.Schema) -> None:
        """Say what predictions look like; needed where there may be no row, else the first batch says it."""
        if DATA_NAME in self._files:
            raise InvalidInputError(f"The output {self._place.name} was begun already: its columns are known.")
        self._open(DATA_NAME, schema)

    def predictions(self, batch: pa.RecordBatch) -> None:
        """Take rows that were scored.

        Args:
            batch: The first one decides the columns and their types; later ones are cast where that loses nothing.

        Raises:
            InvalidInputError: If the rows do not fit.
            StorageUnavailableError: If the disk is full or out of reach.
        """
        self._add(DATA_NAME, batch)

    def quarantined(self, batch: pa.RecordBatch) -> None:
        """Take rows that were set aside.

        Args:
            batch: Key columns, `reason` (text) and `row` (position in the input, from 0); columns as the first one has them.

        Raises:
            InvalidInputError: If the rows do not fit the first ones.
            StorageUnavailableError: If the disk is full or out of reach.
        """
        if batch.num_rows:
            self._add(QUARANTINE_NAME, batch)

    def commit(self, *, rows_in: int, record: Callable[[WrittenFile, Transaction], None] | None = None) -> WrittenFile:
        """Publish.

        Args:
            rows_in: Rows that were read (count): each must have been scored or set aside.
            record: Called in the transaction that publishes, where the place is a database; what it raises undoes all.

        Raises:
            CorruptionError: If the rows do not add up; nothing is published.
            InvalidInputError: If there was no row, and `begin` was not called.
            OutputConflictError: If a newer generation wrote meanwhile.
            StorageUnavailableError: If the storage is full or out of reach.
        """
        if DATA_NAME not in self._files:
            raise InvalidInputError(f"Nothing was written to {self._place.name}: no batch came, and begin(schema) was not called.")
        staged = {name: self._stage.seal(name, file.finish()) for name, file in self._files.items()}
        data, quarantine = staged[DATA_NAME], staged.get(QUARANTINE_NAME)
        quarantined = 0 if quarantine is None else quarantine.rows
        check_rows(self._place.name, rows_in=rows_in, scored=data.rows, quarantined=quarantined)
        written = WrittenFile(
            path=self._place.uri(DATA_NAME),
            digest=data.digest,
            rows=data.rows,
            size_bytes=data.size_bytes,
            quarantined=quarantined,
            quarantine_path=None if quarantine is None else self._place.uri(QUARANTINE_NAME),
        )
        self._stage.publish(data, quarantine, None if record is None else partial(record, written))
        return written

    def close(self) -> None:
        """Let go of the unfinished files; what was committed stays."""
        for file in self._files.values():
            file.abandon()

    def _add(self, name: str, batch: pa.RecordBatch) -> None:
        if name not in self._files:
            self._stage.expect(name, batch.schema)  # what `begin` says, where no row comes, may be a guess
            self._open(name, batch.schema)
        self._files[name].add(batch)

    def _open(self, name: str, schema: pa.Schema) -> None:
        self._files[name] = StagedRows(self._stage.path(name), schema.with_metadata(self._metadata))


@contextmanager
def open_output(target: Target, *, provenance: Provenance, generation: int, storage: StorageOptions | None = None) -> Iterator[Output]:
    """Begin to replace the output of one partition; `commit` on what this gives publishes it.

    Args:
        target: The partition's folder, made if it is absent; or its rows in a table.
        provenance: Stored in the files and in the manifest.
        generation: The right to write this partition, from the ledger's intent.
        storage: How object stores are reached.

    Raises:
        InvalidInputError: If the folder cannot be written.
        OutputConflictError: If a newer generation is in place.
        StorageUnavailableError: If the storage is full or out of reach.
    """
    place = open_place(target, storage)
    with place.staging(provenance, generation) as stage:
        output = Output(place, stage, provenance)
        try:
            yield output
        finally:
            output.close()


def write_predictions(
    target: Target,
    batches: Iterable[pa.RecordBatch],
    *,
    schema: pa.Schema,
    provenance: Provenance,
    generation: int,
    storage: StorageOptions | None = None,
) -> WrittenFile:
    """Replace the predictions of one partition, with nothing set aside.

    Args:
        target: The partition's folder; made if it is absent.
        batches: The rows; whatever they raise passes through and leaves the old output as it was.
        schema: Of the output; batches are cast to it where that loses nothing.
        provenance: Stored in the data object and in the manifest.
        generation: The right to write this partition, from the ledger's intent.
        storage: How object stores are reached.

    Raises:
        InvalidInputError: If the folder cannot be written, or the rows do not fit the schema.
        OutputConflictError: If a newer generation wrote meanwhile.
        StorageUnavailableError: If the disk is full or out of reach.
    """
    rows = 0
    with open_output(target, provenance=provenance, generation=generation, storage=storage) as out:
        out.begin(schema)
        for batch in batches:
            rows += batch.num_rows
            out.predictions(batch)
        return out.commit(rows_in=rows)


def read_manifest(folder: Target, storage: StorageOptions | None = None) -> dict[str, Any] | None:
    """The manifest of a partition's folder; None if there is none.

    Raises:
        ManifestMismatchError: If there is one that is not ours to read.
    """
    return open_place(folder, storage).manifest()


def holds_output(target: Target, storage: StorageOptions | None = None) -> bool:
    """Whether a partition's output is where the ledger says that it is.

    Raises:
        StorageUnavailableError: If the storage is out of reach.
    """
    return open_place(target, storage).holds_output()


def read_provenance(path: str | os.PathLike[str], storage: StorageOptions | None = None) -> dict[str, str]:
    """What a parquet file says about its origin: `model`, `version`, `run_id` and so on; empty if it is none of ours.

    Raises:
        NotFoundError: If there is no such file.
        InvalidInputError: If it is no parquet file.
    """
    tree, file = open_tree(path, storage)
    if not tree.is_file(file):
        raise NotFoundError(f"There is no file {file!r}. Expected the {DATA_NAME} of a partition.")
    (facts,) = tree.found([file]).heads(parquet_metadata)
    texts = {name.decode(): value.decode() for name, value in facts.items() if name.startswith(PREFIX.encode())}
    return {name.removeprefix(PREFIX): value for name, value in texts.items()}
