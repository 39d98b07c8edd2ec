"""Inputs: a parquet or CSV file, a folder or a glob, opened as one stream of batches.

Finding an input reads nothing of it; opening it reads the schemas; only `chunks` reads rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airflow_registry.errors import InvalidInputError
from airflow_registry.scoring.arrow_types import parse_type
from airflow_registry.scoring.files import data_format
from airflow_registry.scoring.find import find_files
from airflow_registry.scoring.readers import csv_batches, csv_schema, parquet_batches, parquet_facts
from airflow_registry.scoring.trees import open_tree

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from airflow_registry.domain.model import Signature
    from airflow_registry.domain.names import Digest
    from airflow_registry.objects.options import StorageOptions
    from airflow_registry.scoring.files import Format
    from airflow_registry.scoring.found import FoundFiles
    from airflow_registry.scoring.trees import Tree

BATCH_ROWS = 65_536  # measured: the interpreter's share is gone, and larger batches fall out of the processor's cache


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
class Input:
    """An input that was found, in the state in which it was; nothing of it has been read.

    Attributes:
        path: What was asked for, as an absolute path or URI.
        format: `parquet` or `csv`.
        found: Its data files.
    """

    path: str
    format: Format
    found: FoundFiles

    @property
    def is_remote(self) -> bool:
        """Whether it is in an object store."""
        return "://" in self.path

    @property
    def digest_kind(self) -> str:
        """What the digest is made of: `sha256` of the bytes, or of the names, sizes and `versions` in an object store."""
        return self.found.digest_kind

    def digest(self) -> Digest:
        """What is another one whenever the input is; independent of where the folder is.

        Raises:
            InputNotReadyError: If a file was changed since the input was found.
        """
        return self.found.digest()

    def open(self) -> Source:
        """Read the schemas.

        Raises:
            InputNotReadyError: If a file was changed since the input was found.
            InvalidInputError: If it is empty, damaged, or of several schemas.
            StorageUnavailableError: If the storage is out of reach.
        """
        names = self.found.names
        if self.format == "parquet":
            facts = self.found.heads(parquet_facts)
            schema, rows = _same_schema(names, [schema for schema, _ in facts]), sum(rows for _, rows in facts)
            return Source(path=self.path, format="parquet", found=self.found, schema=schema, rows=rows)
        schema = _common_schema(names, self.found.heads(csv_schema))
        return Source(path=self.path, format="csv", found=self.found, schema=schema, rows=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source(Input):
    """An input that can be read.

    Attributes:
        schema: Arrow schema of all files; for CSV as inferred, until `read_as` knows better.
        rows: Rows in all files (count), None if only reading would tell.
    """

    schema: pa.Schema
    rows: int | None

    @property
    def files(self) -> tuple[str, ...]:
        """The data files, in the order in which they are read."""
        return self.found.names

    def open(self) -> Source:
        """It is open."""
        return self

    def read_as(self, signature: Signature | None) -> Source:
        """The same source with CSV columns typed as the signature has them; parquet knows its own types."""
        return self if self.format == "parquet" else replace(self, schema=_csv_types(self.schema, signature))

    def chunks(self, columns: Sequence[str] | None = None, batch_rows: int = BATCH_ROWS) -> Iterator[Chunk]:
        """Non-empty batches of at most `batch_rows` rows, holding `columns` in that order (default: all).

        Raises:
            InvalidInputError: If a file is damaged.
            InputNotReadyError: If one was changed since the source was opened.
            StorageUnavailableError: If the storage is out of reach.
        """
        names = list(self.schema.names if columns is None else columns)
        number = 0
        for file in self.files:
            with self.found.whole(file) as at:
                for batch in self._file_batches(file, at, names, batch_rows):
                    if batch.num_rows:
                        number += 1
                        yield Chunk(number=number, file=file, batch=batch)
        self.found.check_unchanged()

    def batches(self, columns: Sequence[str] | None = None, batch_rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
        """The same as `chunks`, without their origin."""
        return (chunk.batch for chunk in self.chunks(columns, batch_rows))

    def _file_batches(self, file: str, at: str, names: list[str], batch_rows: int) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        if self.format == "parquet":
            return parquet_batches(file, at, names, batch_rows)
        return csv_batches(file, at, pa.schema([self.schema.field(name) for name in names]), batch_rows)


def find_in(tree: Tree, where: str) -> Input:
    """The same as `find_input` in a tree that was opened already.

    Raises:
        InputNotReadyError: If nothing is there.
        InvalidInputError: If it is of mixed formats.
    """
    files = find_files(tree, where)
    return Input(path=where, format=data_format(files[0]) or "parquet", found=tree.found(files))


def find_input(path: str | os.PathLike[str], storage: StorageOptions | None = None) -> Input:
    """Find the files of an input; in an object store this costs one listing.

    Args:
        path: A parquet or CSV file, a folder of one of them, or a glob; local, `file://`, `s3://` or `gs://`.
        storage: How object stores are reached.

    Raises:
        InputNotReadyError: If nothing is there.
        InvalidInputError: If it is of mixed formats, or in a store that cannot be reached.
        StorageUnavailableError: If the storage is out of reach.
    """
    return find_in(*open_tree(path, storage))


def open_source(path: str | os.PathLike[str], storage: StorageOptions | None = None) -> Source:
    """Find the files of an input and read their schemas, not their rows.

    Args:
        path: A parquet or CSV file, a folder of one of them, or a glob; local, `file://`, `s3://` or `gs://`.
        storage: How object stores are reached.

    Raises:
        InputNotReadyError: If nothing is there.
        InvalidInputError: If it is empty, damaged, of mixed formats or schemas, or in a store that cannot be reached.
        StorageUnavailableError: If the storage is out of reach.
    """
    return find_input(path, storage).open()


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
    expected = parse_type(wanted.get(field.name))
    if expected is None:
        is_other = bool(wanted) and field.name not in wanted
        return (pa.string() if is_other else pa.float64()) if unknown else field.type
    widens = pa.types.is_integer(field.type) and pa.types.is_floating(expected)
    is_text = pa.types.is_string(expected) or pa.types.is_large_string(expected)
    return expected if unknown or widens or is_text else field.type
