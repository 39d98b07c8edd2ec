"""Inputs: a parquet or CSV file, a folder or a glob, opened as one stream of batches; and the partitions of an input folder.

Files that change while they are read are noticed: an output must never be recorded with the digest of other bytes.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from airflow_registry.errors import InputNotReadyError, InvalidInputError
from airflow_registry.scoring.files import (
    data_format,
    entries,
    files_digest,
    find_files,
    folder_files,
    is_glob,
    is_hive,
    local_path,
    matches,
    stem,
    storage_fault,
)
from airflow_registry.scoring.readers import csv_batches, csv_schema, parquet_batches, parquet_facts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pyarrow as pa

    from airflow_registry.domain.model import Signature
    from airflow_registry.domain.names import Digest
    from airflow_registry.scoring.files import Format

BATCH_ROWS = 65_536  # measured: the interpreter's share is gone, and larger batches fall out of the processor's cache

Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """One batch and where it came from.

    Attributes:
        number: Counts the batches of the whole source, from 1.
        file: The file it was read from.
        batch: The rows.
    """

    number: int
    file: str
    batch: pa.RecordBatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """An input that was found and can be read.

    Attributes:
        path: What was asked for, as an absolute local path.
        files: The data files, in the order in which they are read.
        format: `parquet` or `csv`.
        schema: Arrow schema of all files; for CSV as inferred, until `read_as` knows better.
        rows: Rows in all files (count), None if only reading would tell.
        stamps: Inode, size and time of change of each file when it was opened.
    """

    path: str
    files: tuple[str, ...]
    format: Format
    schema: pa.Schema
    rows: int | None
    stamps: tuple[Stamp, ...]

    def read_as(self, signature: Signature | None) -> Source:
        """The same source with CSV columns typed as the signature has them; parquet knows its own types."""
        return self if self.format == "parquet" else replace(self, schema=_csv_types(self.schema, signature))

    def chunks(self, columns: Sequence[str] | None = None, batch_rows: int = BATCH_ROWS) -> Iterator[Chunk]:
        """Non-empty batches of at most `batch_rows` rows, holding `columns` in that order (default: all).

        Raises:
            InvalidInputError: If a file is damaged.
            InputNotReadyError: If one was changed since the source was opened.
        """
        names = list(self.schema.names if columns is None else columns)
        number = 0
        for file in self.files:
            for batch in self._file_batches(file, names, batch_rows):
                if batch.num_rows:
                    number += 1
                    yield Chunk(number=number, file=file, batch=batch)
        self.check_unchanged()

    def batches(self, columns: Sequence[str] | None = None, batch_rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
        """The same as `chunks`, without their origin."""
        return (chunk.batch for chunk in self.chunks(columns, batch_rows))

    def digest(self) -> Digest:
        """SHA-256 of the one file, or of the sorted manifest of several; independent of where the folder is.

        Raises:
            InputNotReadyError: If a file was changed since the source was opened.
        """
        digest = files_digest(self.files)
        self.check_unchanged()
        return digest

    def check_unchanged(self) -> None:
        """Notice files that somebody replaced or appended to meanwhile.

        Raises:
            InputNotReadyError: If there is one; the message names it.
        """
        for file, stamp in zip(self.files, self.stamps, strict=True):
            if _stamp(file) != stamp:
                raise InputNotReadyError(
                    f"The input file {file} was changed while it was read, so nothing was written. "
                    "Expected a finished partition: run this again when its writer is done."
                )

    def _file_batches(self, file: str, names: list[str], batch_rows: int) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        if self.format == "parquet":
            return parquet_batches(file, names, batch_rows)
        return csv_batches(file, pa.schema([self.schema.field(name) for name in names]), batch_rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """One piece of an input folder that is scored on its own.

    Attributes:
        key: Hive style `k=v` (nested: `a=1/b=2`), else the name of the folder or the file's stem.
        path: Its input.
    """

    key: str
    path: str


def open_source(path: str | os.PathLike[str]) -> Source:
    """Find the files of an input and read their schemas, not their rows.

    Args:
        path: A parquet or CSV file, a folder of one of them, or a glob; local or `file://`.

    Raises:
        InputNotReadyError: If nothing is there.
        InvalidInputError: If it is empty, damaged, of mixed formats or schemas, or not in a local store.
    """
    where = local_path(path, "input")
    files = find_files(where)
    stamps = tuple(_stamp(file) for file in files)
    if data_format(files[0]) == "parquet":
        facts = [parquet_facts(file) for file in files]
        schema, rows = _same_schema(files, [schema for schema, _ in facts]), sum(rows for _, rows in facts)
        return Source(path=where, files=files, format="parquet", schema=schema, rows=rows, stamps=stamps)
    schema = _common_schema(files, [csv_schema(file) for file in files])
    return Source(path=where, files=files, format="csv", schema=schema, rows=None, stamps=stamps)


def list_partitions(path: str | os.PathLike[str]) -> tuple[Partition, ...]:
    """The partitions of an input: Hive style subfolders, else plain subfolders and data files.

    A subfolder without a data file has not arrived yet and is left out.

    Raises:
        InputNotReadyError: If the input does not exist.
        InvalidInputError: If two partitions have one key, or Hive style folders lie beside loose files (neither may be forgotten).
    """
    where = local_path(path, "input")
    if Path(where).is_dir():
        found = _folder_partitions(where)
    elif Path(where).is_file():
        found = [Partition(key=stem(where), path=where)]
    elif is_glob(where):
        found = [part for match in matches(where) for part in _matched(match)]
    else:
        raise InputNotReadyError(f"The input {where!r} does not exist. Expected the folder that holds the partitions: check the path.")
    return _distinct(where, found)


def encode_key(key: str) -> str:
    """A partition key as a relative path that stays below the output, one to one.

    `k=v` parts and the `/` between them stay; everything else but letters, digits and `-._~` is percent-encoded, also a first
    `.` or `_`, which would hide the folder from readers.

    Raises:
        InvalidInputError: If the key is empty.

    >>> encode_key("ds=2026-01-31/region=a|b"), encode_key("../etc")
    ('ds=2026-01-31/region=a%7Cb', '%2E.%2Fetc')
    """
    if not isinstance(key, str) or not key:
        raise InvalidInputError(f"{key!r} is not a partition key. Expected text such as '2026-01-31' or 'ds=2026-01-31'.")
    parts = key.split("/")
    if all(is_hive(part) for part in parts):
        return "/".join(_encode_hive(part) for part in parts)
    return _encode(key)


def partition_output(output: str, partition: str) -> str:
    """The folder that a partition's predictions go to: `<output>/<encoded partition>`.

    Raises:
        InvalidInputError: If the key is empty.
    """
    return f"{os.fspath(output).rstrip('/')}/{encode_key(partition)}"


def _encode_hive(part: str) -> str:
    name, _, value = part.partition("=")
    return f"{_encode(name)}={quote(value, safe='')}"


def _encode(text: str) -> str:
    hidden = {".": "%2E", "_": "%5F"}.get(text[:1])
    return quote(text, safe="") if hidden is None else hidden + quote(text[1:], safe="")


def _folder_partitions(folder: str) -> list[Partition]:
    found = entries(folder)
    files = [Partition(key=stem(entry.path), path=entry.path) for entry in found if entry.is_file() and data_format(entry.name)]
    folders = [entry for entry in found if entry.is_dir()]
    hive = [part for entry in folders if is_hive(entry.name) for part in _hive_partitions(entry.path, entry.name)]
    if hive and files:
        raise InvalidInputError(
            f"The input {folder!r} holds Hive style folders ({hive[0].key}) and loose files ({files[0].key}), so the partitions are "
            "unclear. Expected one or the other: move the files into folders, or name the partitions with a glob."
        )
    return hive or [Partition(key=entry.name, path=entry.path) for entry in folders if folder_files(entry.path)] + files


def _hive_partitions(folder: str, key: str) -> list[Partition]:
    found = entries(folder)
    nested = [entry for entry in found if entry.is_dir() and is_hive(entry.name)]
    deeper = [part for entry in nested for part in _hive_partitions(entry.path, f"{key}/{entry.name}")]
    own = any(entry.is_file() and data_format(entry.name) for entry in found)
    if own and deeper:
        raise InvalidInputError(
            f"The partition {key!r} holds both data files and deeper partitions ({deeper[0].key}), so rows would be scored twice or never. "
            f"Expected one or the other: move the files of {folder}."
        )
    return deeper or ([Partition(key=key, path=folder)] if own else [])


def _matched(path: str) -> list[Partition]:
    if Path(path).is_file():
        return [Partition(key=stem(path), path=path)] if data_format(path) else []
    parts = Path(path).parts
    first = next((index for index in range(len(parts), 0, -1) if not is_hive(parts[index - 1])), 0)
    if first < len(parts):
        return _hive_partitions(path, "/".join(parts[first:]))
    return [Partition(key=parts[-1], path=path)] if folder_files(path) else []


def _distinct(where: str, found: Iterable[Partition]) -> tuple[Partition, ...]:
    by_key: dict[str, Partition] = {}
    for part in found:
        other = by_key.setdefault(part.key, part)
        if other is not part:
            raise InvalidInputError(
                f"Two partitions of {where!r} have the key {part.key!r}: {other.path} and {part.path}. "
                "Their predictions would replace each other: rename or remove one."
            )
    return tuple(by_key[key] for key in sorted(by_key))


def _stamp(file: str) -> Stamp:
    try:
        status = Path(file).stat()
    except OSError as error:
        raise storage_fault(error, f"Reading {file}") from error
    return status.st_ino, status.st_size, status.st_mtime_ns


def _same_schema(files: Sequence[str], schemas: Sequence[pa.Schema]) -> pa.Schema:
    _refuse_doubled(files[0], schemas[0])
    expected = _types(schemas[0])
    for file, schema in zip(files, schemas, strict=True):
        if _types(schema) != expected:
            raise InvalidInputError(_difference(files[0], expected, file, _types(schema)))
    return schemas[0]


def _common_schema(files: Sequence[str], schemas: Sequence[pa.Schema]) -> pa.Schema:
    import pyarrow as pa

    for file, schema in zip(files, schemas, strict=True):
        _refuse_doubled(file, schema)
        try:
            if set(schema.names) == set(schemas[0].names):
                pa.unify_schemas([schemas[0], schema], promote_options="permissive")
                continue
        except pa.ArrowException:
            pass
        raise InvalidInputError(_difference(files[0], _types(schemas[0]), file, _types(schema)))
    return pa.unify_schemas(list(schemas), promote_options="permissive")


def _refuse_doubled(file: str, schema: pa.Schema) -> None:
    doubled = sorted({name for name in schema.names if schema.names.count(name) > 1})
    if doubled:
        raise InvalidInputError(f"The input file {file} has several columns of one name: {', '.join(doubled)}. Give each its own name.")


def _types(schema: pa.Schema) -> dict[str, str]:
    import pyarrow as pa

    # A dictionary is a way to store a column, and its index type depends on how many values one file happens to hold.
    return {field.name: str(field.type.value_type if pa.types.is_dictionary(field.type) else field.type) for field in schema}


def _difference(first: str, expected: dict[str, str], file: str, found: dict[str, str]) -> str:
    names = [name for name in (expected | found) if expected.get(name) != found.get(name)]
    faults = [f"{name!r} is {expected.get(name, 'absent')} there and {found.get(name, 'absent')} here" for name in names[:5]]
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return (
        f"The files of one input have different schemas: compared with {first}, in {file} the column {'; '.join(faults)}{more}. "
        "Expected the same columns and types in all: write the files again, or score them as separate partitions."
    )


def _csv_types(schema: pa.Schema, signature: Signature | None) -> pa.Schema:
    import pyarrow as pa

    wanted = {} if signature is None else {column.name: column.type for column in signature.inputs}
    return pa.schema([(field.name, _csv_type(field, wanted)) for field in schema])


def _csv_type(field: pa.Field, wanted: dict[str, str | None]) -> pa.DataType:
    """Text has no types: what looks like a number may be a text to the model, and what looked empty may be either."""
    import pyarrow as pa

    unknown = field.type == pa.null()
    expected = _parse_type(wanted.get(field.name))
    if expected is None:
        is_other = bool(wanted) and field.name not in wanted
        return (pa.string() if is_other else pa.float64()) if unknown else field.type
    widens = pa.types.is_integer(field.type) and pa.types.is_floating(expected)
    is_text = pa.types.is_string(expected) or pa.types.is_large_string(expected)
    return expected if unknown or widens or is_text else field.type


def _parse_type(text: str | None) -> pa.DataType | None:
    import pyarrow as pa

    try:
        return None if text is None else pa.type_for_alias(text)
    except ValueError:  # nested or parametrised: CSV cannot hold it anyway
        return None
