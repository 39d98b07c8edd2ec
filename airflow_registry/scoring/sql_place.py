"""Outputs in databases: rows are staged in files on this machine's disk, as for an object store, and go into the table at the end.

So the transaction is as short as the copy, not as long as the model takes; the digest is of the same bytes that a folder would get;
and an exception while scoring never reached the database.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_registry.artifacts.durable import private_folder
from airflow_registry.errors import ManifestMismatchError
from airflow_registry.scoring.output import DATA_NAME, QUARANTINE_NAME, conflict, manifest_of, manifest_text, parse_manifest
from airflow_registry.scoring.partitions import encode_key
from airflow_registry.scoring.sql_values import partition_value
from airflow_registry.scoring.staging import ROW_GROUP_ROWS, described

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from airflow_registry.scoring.output import Provenance, Staged
    from airflow_registry.scoring.places import Record
    from airflow_registry.scoring.sql_values import SqlOutput
    from airflow_registry.sql.data.replace import Claim, Load, TablePartition


def sql_target(asked: SqlOutput, partition: str) -> TablePartition:
    """The rows that a partition has in an output's table.

    Raises:
        InvalidInputError: If the table or a column is none, or there is no database.
    """
    from airflow_registry.errors import InvalidInputError
    from airflow_registry.sql.data.replace import TablePartition

    if asked.database is None:
        raise InvalidInputError("A SQL output outside a DAG needs database=; conn_id= is for operators, which look the connection up.")
    return TablePartition(
        database=asked.database,
        table=asked.table,
        partition_column=asked.partition_column,
        value=partition_value(partition, asked.partition_column),
        version_column=asked.version_column,
    )


def target_name(target: TablePartition) -> str:
    """What the rows are called in the ledger: `postgresql://host/database/table/partition`."""
    return f"{target.address}/{target.table}/{encode_key(target.value)}"


class TablePlace:
    """A partition of a table.

    Args:
        target: Which.
    """

    def __init__(self, target: TablePartition) -> None:
        self.target = target
        self.name = target_name(target)

    def uri(self, file: str) -> str:
        """The rows, or those that were set aside."""
        from airflow_registry.sql.data.replace import ASIDE

        if file != QUARANTINE_NAME:
            return self.name
        return f"{self.target.address}/{self.target.table}{ASIDE}/{encode_key(self.target.value)}"

    def manifest(self) -> dict[str, Any] | None:
        """The manifest that was committed with the rows; None if there is none."""
        from airflow_registry.sql.data.replace import manifest_text as stored

        found = stored(self.target)
        return None if found is None else parse_manifest(found, self.name)

    def holds_output(self) -> bool:
        """Whether the partition has as many rows as its manifest says; somebody may have deleted some."""
        from airflow_registry.sql.data.replace import count_rows

        try:
            found = self.manifest()
        except ManifestMismatchError:
            return False
        return found is not None and count_rows(self.target) == found["rows"]

    @contextmanager
    def staging(self, provenance: Provenance, generation: int) -> Iterator[TableStage]:
        """Claim the partition, and make a folder on this machine's disk, which goes with the context."""
        from airflow_registry.sql.data.replace import Claim, claim

        mine = Claim(registry=provenance.registry, generation=generation)
        newer = claim(self.target, mine)
        if newer is not None:
            raise _overtaken(self.name, mine, newer)
        with private_folder() as folder:
            yield TableStage(self, folder, provenance, mine)


class TableStage:
    """The staged files of one writer."""

    def __init__(self, place: TablePlace, folder: str, provenance: Provenance, mine: Claim) -> None:
        self._place = place
        self._folder = folder
        self._provenance = provenance
        self._mine = mine

    def path(self, name: str) -> str:
        """A path in the folder."""
        return f"{self._folder}/{name}"

    def expect(self, name: str, schema: pa.Schema) -> None:
        """Compare the first rows with the table, before the others are scored."""
        from airflow_registry.sql.data.replace import check_table

        check_table(self._place.target, self._columns(schema), _suffix(name))

    def seal(self, name: str, rows: int) -> Staged:
        """Digest and size."""
        return described(self.path(name), rows)

    def publish(self, data: Staged, quarantine: Staged | None, record: Record | None = None) -> None:
        """One transaction: delete, copy, count, manifest, and whatever is recorded with it."""
        from airflow_registry.sql.data.replace import replace_partition

        manifest = manifest_text(manifest_of(self._provenance, self._mine.generation, data, quarantine))
        aside = None if quarantine is None else self._load(QUARANTINE_NAME, quarantine)
        newer = replace_partition(self._place.target, self._mine, manifest, self._load(DATA_NAME, data), aside, record)
        if newer is not None:
            raise _overtaken(self._place.name, self._mine, newer)

    def _columns(self, schema: pa.Schema) -> dict[str, str]:
        """Partition, rows, version. A key that is called as the partition's column is not said twice."""
        target = self._place.target
        own = {name: str(schema.field(name).type) for name in schema.names if name != target.partition_column}
        _refuse_doubled(own, target)
        return {target.partition_column: "string", **own, target.version_column: "int64"}

    def _load(self, name: str, staged: Staged) -> Load:
        import pyarrow.parquet as pq

        from airflow_registry.sql.data.replace import Load

        columns = self._columns(pq.read_schema(staged.path).remove_metadata())
        return Load(columns=columns, batches=self._batches(staged.path, list(columns)), rows=staged.rows, suffix=_suffix(name))

    def _batches(self, path: str, names: list[str]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=ROW_GROUP_ROWS, columns=names[1:-1], use_threads=False):
                first = pa.repeat(pa.scalar(self._place.target.value), batch.num_rows)
                last = pa.repeat(pa.scalar(self._provenance.version, pa.int64()), batch.num_rows)
                yield pa.RecordBatch.from_arrays([first, *batch.columns, last], names=names)


def _suffix(name: str) -> str:
    from airflow_registry.sql.data.replace import ASIDE

    return ASIDE if name == QUARANTINE_NAME else ""


def _refuse_doubled(own: dict[str, str], target: TablePartition) -> None:
    from airflow_registry.errors import InvalidInputError

    if target.version_column in own:
        raise InvalidInputError(
            f"The predictions have a column {target.version_column!r}, in which the table {target.table} keeps the version. Name another "
            "one with version_column=, or choose the keys with keys=, without it."
        )


def _overtaken(where: str, mine: Claim, newer: tuple[str, int]) -> Exception:
    registry, generation = newer
    whose = "" if registry == mine.registry else f" of another registry ({registry or 'unknown'})"
    return conflict(where, mine.generation, f"generation {generation}{whose} is being written or is in place")
