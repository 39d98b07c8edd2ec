"""What a scoring block can see of an output that somebody else's program wrote.

Only outputs on a file system can be looked at. The newest change is compared with the newest change at the time of the intent,
both by the file system's own clock, so that workers with different clocks agree; and it counts renames, so that a file which was
written elsewhere earlier and moved into place is new.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_registry.artifacts.digest import content_digest
from airflow_registry.artifacts.dispatch import scheme_of
from airflow_registry.domain.ledger import Written
from airflow_registry.errors import InvalidInputError, StorageUnavailableError
from airflow_registry.scoring import files

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """An output at one moment.

    Attributes:
        size_bytes: Size of all its files.
        changed_ns: When its newest file was written or moved, in nanoseconds of the file system's clock; 0 if it has no file.
    """

    size_bytes: int = 0
    changed_ns: int = 0


def look(output: str) -> Sight | None:
    """The output as it is now; None if it is not on a file system that this worker sees.

    Raises:
        StorageUnavailableError: If it is there and cannot be read.
    """
    path = local_path(output)
    if path is None:
        return None
    try:
        stats = [os.stat(file) for file in _files(path)]  # noqa: PTH116  thousands of part files
    except OSError as error:
        raise StorageUnavailableError(f"The output {output} cannot be looked at: {error}. It was not committed.") from error
    changed = (max(stat.st_mtime_ns, stat.st_ctime_ns) for stat in stats)
    return Sight(size_bytes=sum(stat.st_size for stat in stats), changed_ns=max(changed, default=0))


def written(output: str) -> Written:
    """What the ledger keeps of the output: digest of the content and, of parquet files, the number of rows."""
    path = local_path(output)
    if path is None:
        return Written(uri=output)
    return Written(uri=output, digest=str(content_digest(path)), rows=_rows(path))


def local_path(output: str) -> str | None:
    """The output's path, None if it has a scheme other than `file`.

    Raises:
        InvalidInputError: If the path is relative: the tasks of a block may run in different folders.
    """
    scheme = scheme_of(output)
    if scheme not in {"", "file"}:
        return None
    if not scheme and not os.path.isabs(output):  # noqa: PTH117  a text in, a text out
        raise InvalidInputError(
            f"The output {output!r} is a relative path, and every task has a folder of its own. Give an absolute path or a URI."
        )
    return files.local_path(output, "output")  # as the ledger reads it: a `%7C` in a partition's folder stays what it is


def _files(path: str) -> Iterator[str]:
    """The file itself, or all files of the folder that count as data: not those whose name starts with `.` or `_`."""
    if os.path.isfile(path):  # noqa: PTH113  a text in, texts out
        yield path
    for folder, folders, names in os.walk(path):
        folders[:] = [name for name in folders if not _is_aside(name)]
        yield from (os.path.join(folder, name) for name in names if not _is_aside(name))  # noqa: PTH118  the same


def _is_aside(name: str) -> bool:
    """Markers and temporary files: Spark writes `_SUCCESS` also when it wrote no row."""
    return name.startswith((".", "_"))


def _rows(path: str) -> int | None:
    files = list(_files(path))
    if not files or not all(file.endswith(".parquet") for file in files):
        return None
    import pyarrow.parquet as pq

    try:
        return sum(int(pq.read_metadata(file).num_rows) for file in files)
    except (OSError, ValueError):  # pyarrow's errors of a damaged file; the ledger then keeps the digest only
        return None
