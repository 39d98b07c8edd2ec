"""Outputs: one data object and its manifest in the partition's folder, whole or not at all.

Invariants:
    * Readers see the old data object or the new one, never a part: it is written under a hidden name in the same folder,
      flushed to the disk, and renamed. The manifest follows in the same way.
    * The bytes depend on the rows and the provenance only: rows are cut into fixed row groups, and nothing in the file tells the time.
    * A writer of an older generation never replaces the output of a newer one: the newer one removes the older one's unfinished
      file, and the older one looks at the manifest, under a lock, before it renames.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_registry.errors import InvalidInputError, ManifestMismatchError, NotFoundError, OutputConflictError, RegistryError
from airflow_registry.scoring.files import file_digest, local_path, storage_fault
from airflow_registry.scoring.readers import reading, rechunked

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    from airflow_registry.domain.names import Digest

DATA_NAME = "predictions.parquet"
MANIFEST_NAME = "_manifest.json"
ROW_GROUP_ROWS = 131_072
PREFIX = "airflow_registry."

_UNFINISHED = re.compile(r"\.predictions\.(\d+)\.[0-9a-f]+\.(tmp|manifest)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Who made an output, out of what; what a lonely file can still tell.

    Attributes:
        model: Its name.
        version: Its number.
        digest: Of the artifact, None if the registry does not know it.
        partition: The key.
        input_digest: Of what was read.
        registry: Which registry counts the generations; '' if there is only one.
        deployment: The Airflow installation, '' outside Airflow; so the rest of the run.
    """

    model: str
    version: int
    digest: str | None = None
    partition: str = ""
    input_digest: str | None = None
    registry: str = ""
    deployment: str = ""
    dag_id: str | None = None
    run_id: str | None = None
    task_id: str | None = None
    map_index: int | None = None

    def metadata(self) -> dict[str, str]:
        """What stands in the parquet metadata, under `airflow_registry.<name>`; unknown facts are left out."""
        return {PREFIX + name: str(value) for name, value in asdict(self).items() if value not in {None, ""}}

    def manifest(self) -> dict[str, Any]:
        """What stands in the manifest."""
        facts = asdict(self)
        run = {name: facts.pop(name) for name in ("deployment", "dag_id", "run_id", "task_id", "map_index")}
        return facts | {"run": run}


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenFile:
    """A data object that is in place.

    Attributes:
        path: Absolute local path.
        digest: SHA-256 of its bytes.
        rows: Rows in it (count).
        size_bytes: Its size in bytes.
    """

    path: str
    digest: Digest
    rows: int
    size_bytes: int


def write_predictions(
    target: str | os.PathLike[str], batches: Iterable[pa.RecordBatch], *, schema: pa.Schema, provenance: Provenance, generation: int
) -> WrittenFile:
    """Replace the predictions of one partition.

    Args:
        target: The partition's folder; made if it is absent.
        batches: The rows; whatever they raise passes through and leaves the old output as it was.
        schema: Of the output; batches are cast to it where that loses nothing.
        provenance: Stored in the data object and in the manifest.
        generation: The right to write this partition, from the ledger's intent.

    Raises:
        InvalidInputError: If the folder cannot be written, or the rows do not fit the schema.
        OutputConflictError: If a newer generation wrote meanwhile.
        StorageUnavailableError: If the disk is full or out of reach.
    """
    folder = local_path(target, "output")
    unfinished = f"{folder}/.predictions.{generation}.{secrets.token_hex(8)}.tmp"
    with _storage(folder):
        _make_folder(folder)
        _refuse_older(folder, provenance, generation)
        _sweep(folder, generation)
    with _removed_at_last(unfinished):
        rows = _write_parquet(unfinished, batches, schema.with_metadata(provenance.metadata()))
        with _storage(folder), _not_taken_away(folder, generation):
            _flush(unfinished)
            written = _described(unfinished, f"{folder}/{DATA_NAME}", rows)
            _publish(folder, unfinished, written, provenance, generation)
    return written


def read_manifest(folder: str | os.PathLike[str]) -> dict[str, Any] | None:
    """The manifest of a partition's folder; None if there is none.

    Raises:
        ManifestMismatchError: If there is one that is not ours to read.
    """
    path = Path(local_path(folder, "output")) / MANIFEST_NAME
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise storage_fault(error, f"Reading {path}") from error
    except ValueError:
        found = None
    if not isinstance(found, dict) or found.get("schema") != 1:
        raise ManifestMismatchError(
            f"The manifest {path} is damaged or of a newer release. Expected JSON with schema: 1. Score the partition again."
        )
    return found


def read_provenance(path: str | os.PathLike[str]) -> dict[str, str]:
    """What a parquet file says about its origin: `model`, `version`, `run_id` and so on; empty if it is none of ours.

    Raises:
        NotFoundError: If there is no such file.
        InvalidInputError: If it is no parquet file.
    """
    import pyarrow.parquet as pq

    file = local_path(path, "file")
    if not Path(file).is_file():
        raise NotFoundError(f"There is no file {file!r}. Expected the {DATA_NAME} of a partition.")
    with reading(file):
        facts = pq.read_schema(file).metadata or {}
    texts = {name.decode(): value.decode() for name, value in facts.items() if name.startswith(PREFIX.encode())}
    return {name.removeprefix(PREFIX): value for name, value in texts.items()}


def _write_parquet(path: str, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> int:
    import pyarrow as pa

    rows = 0
    with _parquet_writer(path, schema) as writer:
        for group in rechunked(_fitted(batches, schema), ROW_GROUP_ROWS):
            with _storage(path):  # only around our own writing: what reading or predicting raises is not about the output
                writer.write_batch(group, row_group_size=ROW_GROUP_ROWS)
            rows += group.num_rows
            pa.default_memory_pool().release_unused()  # else what reader and writer freed piles up: measured, 10 % of the peak
    return rows


@contextmanager
def _parquet_writer(path: str, schema: pa.Schema) -> Iterator[ParquetWriter]:
    import pyarrow.parquet as pq

    with _storage(path):
        writer = pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=False, column_encoding=_encodings(schema))
    try:
        yield writer
    except BaseException:
        with suppress(OSError):  # the file is thrown away, and the first error is the one to tell
            writer.close()
        raise
    with _storage(path):
        writer.close()


def _encodings(schema: pa.Schema) -> dict[str, str]:
    """Measured on ids and scores: 45 % smaller and a sixth of the CPU of dictionaries, which every row group would build and give up."""
    import pyarrow as pa

    floats = {field.name: "BYTE_STREAM_SPLIT" for field in schema if field.type in {pa.float32(), pa.float64()}}
    return floats | {field.name: "DELTA_BINARY_PACKED" for field in schema if pa.types.is_integer(field.type)}


def _fitted(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    for number, batch in enumerate(batches, start=1):
        try:
            yield batch.cast(schema)
        except (pa.ArrowException, ValueError) as error:
            raise InvalidInputError(
                f"The output of batch {number} has other types than the first one: {error}. "
                f"Expected {', '.join(f'{field.name} {field.type}' for field in schema)}; let the model return one type."
            ) from error


def _publish(folder: str, unfinished: str, written: WrittenFile, provenance: Provenance, generation: int) -> None:
    content = _manifest_text(written, provenance, generation)
    manifest = f"{unfinished.removesuffix('.tmp')}.manifest"
    with _removed_at_last(manifest), _locked(folder):
        _refuse_older(folder, provenance, generation)
        Path(manifest).write_text(content, encoding="utf-8")
        _flush(manifest)
        for source, place in ((unfinished, written.path), (manifest, f"{folder}/{MANIFEST_NAME}")):
            os.replace(source, place)  # noqa: PTH105  text in, text out
            _flush(folder)  # the manifest must not reach the disk before the data


def _manifest_text(written: WrittenFile, provenance: Provenance, generation: int) -> str:
    file = {"name": DATA_NAME, "sha256": written.digest.hex, "rows": written.rows, "size_bytes": written.size_bytes}
    facts = {"schema": 1, **provenance.manifest(), "rows": written.rows, "generation": generation, "files": [file]}
    return json.dumps(facts, indent=2, ensure_ascii=False) + "\n"


def _refuse_older(folder: str, provenance: Provenance, generation: int) -> None:
    try:
        found = read_manifest(folder) or {}
    except ManifestMismatchError:
        return  # it is about to be replaced by a whole one
    newest = found.get("generation")
    if isinstance(newest, int) and newest > generation and found.get("registry") == provenance.registry:
        raise _conflict(folder, generation, f"generation {newest} (version {found.get('version')} of {found.get('model')!r}) is in place")


def _conflict(folder: str, generation: int, found: str) -> OutputConflictError:
    return OutputConflictError(
        f"Generation {generation} may not write {folder}: {found}. The newer output was left as it is. "
        f"Run this again to write a newer generation; if the registry was made anew, remove {MANIFEST_NAME} from that folder."
    )


def _sweep(folder: str, generation: int) -> None:
    """Remove what killed writers left, and take the unfinished file away from older ones that still live."""
    for name in os.listdir(folder):  # noqa: PTH208  names are what is looked at
        found = _UNFINISHED.fullmatch(name)
        if found and int(found[1]) < generation:
            Path(folder, name).unlink(missing_ok=True)


def _described(unfinished: str, path: str, rows: int) -> WrittenFile:
    return WrittenFile(path=path, digest=file_digest(unfinished), rows=rows, size_bytes=Path(unfinished).stat().st_size)


def _make_folder(folder: str) -> None:
    absent = [path for path in (Path(folder), *Path(folder).parents) if not path.exists()]
    Path(folder).mkdir(parents=True, exist_ok=True)
    for path in absent:
        _flush(str(path.parent))


def _flush(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _removed_at_last(path: str) -> Iterator[None]:
    """Whatever happens, also a signal's exception; after the rename there is nothing left to remove."""
    try:
        yield
    finally:
        with suppress(OSError):
            Path(path).unlink(missing_ok=True)


@contextmanager
def _locked(folder: str) -> Iterator[None]:
    """One publisher at a time in a folder; the lock ends with the process, so a killed one blocks nobody."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks: the sweep and the manifest still keep all but a race apart
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _not_taken_away(folder: str, generation: int) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise _conflict(folder, generation, "a newer generation is being written and removed the unfinished file") from error


@contextmanager
def _storage(path: str) -> Iterator[None]:
    try:
        yield
    except RegistryError:
        raise
    except OSError as error:
        raise storage_fault(error, f"Writing predictions to {path}") from error
