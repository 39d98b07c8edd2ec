"""Parquet and CSV files as streams of Arrow record batches, in bounded memory."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow_registry.errors import InvalidInputError, RegistryError
from airflow_registry.scoring.files import storage_fault

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import BinaryIO

    import pyarrow as pa
    from pyarrow import NativeFile
    from pyarrow.csv import CSVStreamingReader

# Column chunks are read in pieces of this size: without it a whole row group stays in memory, and row groups have no upper limit.
_COLUMN_BUFFER_BYTES = 1 << 18
# Types are inferred from the first block, and no row may be longer than one.
_CSV_BLOCK_BYTES = 4 << 20


@contextmanager
def reading(file: str) -> Iterator[None]:
    """Turn what Arrow or the operating system says about a file into one error that names the file.

    Raises:
        InvalidInputError: If the bytes are not what the name promises, or may not be read.
        StorageUnavailableError: If the storage is out of reach.
    """
    import pyarrow as pa

    try:
        yield
    except RegistryError:  # a store's own answer, which came through Arrow
        raise
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise storage_fault(error, f"Reading {file}") from error
        said = str(error).rstrip(". ")
        raise InvalidInputError(
            f"The input file {file} cannot be read: {said}. Expected a whole parquet or CSV file; found an empty, truncated or "
            "damaged one, or a CSV column whose later values do not fit its first ones. Write it again, and let writers rename when done."
        ) from error


def parquet_facts(name: str, file: str | BinaryIO) -> tuple[pa.Schema, int]:
    """Schema and number of rows from a parquet file's footer.

    Args:
        name: What people know the file as.
        file: Its local path, or a stream that can seek.
    """
    import pyarrow.parquet as pq

    with reading(name), pq.ParquetFile(file) as parquet:
        return parquet.schema_arrow.remove_metadata(), parquet.metadata.num_rows


def parquet_metadata(name: str, file: str | BinaryIO) -> dict[bytes, bytes]:
    """What a parquet file's writer said about it."""
    import pyarrow.parquet as pq

    with reading(name):
        return dict(pq.read_schema(file).metadata or {})


def row_group_rows(name: str, file: str | BinaryIO) -> tuple[int, ...]:
    """Rows of each row group of a parquet file, from its footer."""
    import pyarrow.parquet as pq

    with reading(name), pq.ParquetFile(file) as parquet:
        facts = parquet.metadata
        return tuple(facts.row_group(group).num_rows for group in range(facts.num_row_groups))


def parquet_batches(
    name: str, file: str | BinaryIO, columns: Sequence[str], batch_rows: int, *, groups: Sequence[int] | None = None
) -> Iterator[pa.RecordBatch]:
    """The rows of a parquet file in batches of at most `batch_rows`, columns as asked for.

    Args:
        name: What people know the file as.
        file: Its local path, or a stream that can seek: of that a row group is fetched whole, because a read may be a request.
        columns: In the order in which they are wanted.
        batch_rows: Rows in a batch at most (count).
        groups: Only these row groups; None for all.
    """
    import pyarrow.parquet as pq

    with reading(name), pq.ParquetFile(file, buffer_size=_COLUMN_BUFFER_BYTES, pre_buffer=not isinstance(file, str)) as parquet:
        wanted = None if groups is None else list(groups)
        for batch in parquet.iter_batches(batch_size=batch_rows, row_groups=wanted, columns=list(columns), use_threads=False):
            yield batch.select(list(columns)).replace_schema_metadata(None)


def csv_schema(name: str, file: str | BinaryIO) -> pa.Schema:
    """Column names and the types that the first block suggests.

    Args:
        name: What people know the file as; says also whether it is compressed.
        file: Its local path, or a stream.
    """
    import pyarrow as pa

    with reading(name):
        is_packed = not isinstance(file, str) and name.lower().endswith(".gz")
        with _open_csv(pa.CompressedInputStream(file, "gzip") if is_packed else file, None) as reader:
            return reader.schema


def csv_batches(name: str, path: str, schema: pa.Schema, batch_rows: int) -> Iterator[pa.RecordBatch]:
    """The columns of `schema`, in its types and order, in batches of `batch_rows`."""
    with reading(name), _open_csv(path, schema) as reader:
        yield from rechunked(reader, batch_rows)


def _open_csv(file: str | BinaryIO | NativeFile, schema: pa.Schema | None) -> CSVStreamingReader:
    import pyarrow.csv

    # An empty field is a null in text columns too, as it is for pandas, with which the models were trained.
    convert = pyarrow.csv.ConvertOptions(strings_can_be_null=True, quoted_strings_can_be_null=False)
    if schema is not None:
        convert.column_types = schema
        convert.include_columns = schema.names
    read = pyarrow.csv.ReadOptions(block_size=_CSV_BLOCK_BYTES, use_threads=False)
    return pyarrow.csv.open_csv(file, read_options=read, convert_options=convert)


def rechunked(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of exactly `rows`, the last one smaller; no empty batches.

    What comes out depends on the rows only, never on how they came in.
    """
    chunks = Rechunker(rows)
    for batch in batches:
        yield from chunks.add(batch)
    yield from chunks.rest()


class Rechunker:
    """The same for those who are handed one batch after the other.

    Args:
        rows: Rows in each batch that comes out (count).
    """

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._waiting: list[pa.RecordBatch] = []
        self._count = 0

    def add(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        """Take rows; gives the batches that are full."""
        self._waiting.append(batch)
        self._count += batch.num_rows
        while self._count >= self._rows:
            whole = _joined(self._waiting)
            self._waiting, self._count = [whole.slice(self._rows)], self._count - self._rows
            yield whole.slice(0, self._rows)

    def rest(self) -> Iterator[pa.RecordBatch]:
        """What is left, if anything is."""
        if self._count:
            yield _joined(self._waiting)


def _joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    import pyarrow as pa

    if len(batches) == 1:
        return batches[0]
    table = pa.Table.from_batches(batches).combine_chunks()
    return table.to_batches()[0] if table.num_rows else batches[0]
