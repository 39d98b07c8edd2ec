"""What a scoring block can see of an output that somebody else's program wrote.

Outputs on a file system and in object stores can be looked at. The newest change is compared with the newest change at the time of
the intent, both by the clock of the file system or store, so that workers with different clocks agree. On a file system it counts
renames, so that a file which was written elsewhere earlier and moved into place is new. An object store's clock may tell seconds
only, so there the versions of the newest objects are compared too.
"""

from __future__ import annotations

import hashlib
import logging
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_registry.artifacts.digest import content_digest
from airflow_registry.artifacts.dispatch import scheme_of
from airflow_registry.domain.ledger import Written
from airflow_registry.errors import (
    InputNotReadyError,
    InvalidInputError,
    ManifestMismatchError,
    MissingDependencyError,
    StorageRefusedError,
    StorageUnavailableError,
)
from airflow_registry.objects.dispatch import is_object_uri
from airflow_registry.scoring import files
from airflow_registry.scoring.output import MANIFEST_NAME
from airflow_registry.scoring.parts import named_parts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_registry.objects.options import StorageOptions
    from airflow_registry.scoring.objects import ObjectFiles

_log = logging.getLogger(__name__)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """An output at one moment.

    Attributes:
        size_bytes: Size of all its files.
        changed_ns: When its newest file was written or moved, in nanoseconds of the storage's clock; 0 if it has no file.
        newest: In an object store, what tells the newest objects from others of the same moment; '' elsewhere.
    """

    size_bytes: int = 0
    changed_ns: int = 0
    newest: str = ""

    def is_newer(self, changed_ns: int, newest: str) -> bool:
        """Whether something was written since the output looked like this."""
        return self.changed_ns > changed_ns or (self.changed_ns == changed_ns and self.newest != newest)


def look(output: str, storage: StorageOptions | None = None) -> Sight | None:
    """The output as it is now; None if this worker cannot look at it.

    That is so for stores that we do not speak to, and for object stores that this worker may not read: who writes there is
    somebody else's program, with rights of its own.

    Args:
        output: A path or URI.
        storage: How object stores are reached.

    Raises:
        StorageUnavailableError: If it is there and cannot be read.
    """
    if is_object_uri(output):
        found = _objects(output, storage)
        return None if found is None else _look_at_objects(found)
    path = local_path(output)
    if path is None:
        return None
    try:
        stats = [os.stat(file) for file in (_own_files(path, storage) or _files(path))]  # noqa: PTH116  thousands of part files
    except OSError as error:
        raise StorageUnavailableError(f"The output {output} cannot be looked at: {error}. It was not committed.") from error
    changed = (max(stat.st_mtime_ns, stat.st_ctime_ns) for stat in stats)
    return Sight(size_bytes=sum(stat.st_size for stat in stats), changed_ns=max(changed, default=0))


def written(output: str, storage: StorageOptions | None = None) -> Written:
    """What the ledger keeps of the output: of parquet files the number of rows, and on a file system the digest of the content.

    Objects are not read for a digest: others may have written hundreds of gigabytes. Of parts, `_manifest.json` says it all.
    """
    if (manifest := _own_manifest(output, storage)) is not None:
        facts = {name: manifest.get(name) for name in ("digest", "rows", "null_predictions", "seconds")}
        return Written(uri=f"{output.rstrip('/')}/{MANIFEST_NAME}", quarantined=manifest.get("quarantined", 0), **facts)
    if is_object_uri(output):
        found = _objects(output, storage)
        return Written(uri=output, rows=None if found is None else _object_rows(found))
    path = local_path(output)
    if path is None:
        return Written(uri=output)
    size_bytes = sum(os.path.getsize(file) for file in _files(path))  # noqa: PTH202  thousands of part files
    return Written(uri=output, digest=str(content_digest(path)), rows=_rows(path), size_bytes=size_bytes)


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


def _objects(output: str, storage: StorageOptions | None) -> ObjectFiles | None:
    from airflow_registry.scoring.objects import open_object_tree

    try:
        tree, where = open_object_tree(output, storage)
    except (StorageRefusedError, MissingDependencyError) as error:
        _log.warning("This worker cannot look at %s: %s", output, error)
        return None
    named = [file for file in _own_files(where, storage) if tree.is_file(file)] if tree.is_file(f"{where}/{MANIFEST_NAME}") else []
    return tree.found(named or tree.below(where))


def _own_files(output: str, storage: StorageOptions | None) -> list[str]:
    """Manifest and parts, where our own Spark job wrote the output: they have hidden names, and what else lies there is no output."""
    manifest = _own_manifest(output, storage)
    return [] if manifest is None else [f"{output}/{name}" for name in (MANIFEST_NAME, *(part["name"] for part in named_parts(manifest)))]


def _own_manifest(output: str, storage: StorageOptions | None) -> dict[str, Any] | None:
    """The manifest of an output that consists of parts; None for any other."""
    from airflow_registry.scoring.writer import read_manifest

    if not is_object_uri(output) and local_path(output) is None:
        return None
    try:
        found = read_manifest(output, storage)
    except (ManifestMismatchError, StorageRefusedError, MissingDependencyError):
        return None
    return found if named_parts(found) else None


def _look_at_objects(found: ObjectFiles) -> Sight:
    objects = found.objects.values()
    last = max((each.modified_at for each in objects), default=_EPOCH)
    newest = sorted(f"{each.key}\t{each.version}" for each in objects if each.modified_at == last)
    return Sight(
        size_bytes=sum(each.size_bytes for each in objects),
        changed_ns=(last - _EPOCH) // timedelta(microseconds=1) * 1000,
        newest=hashlib.sha256("\n".join(newest).encode()).hexdigest()[:16] if newest else "",
    )


def _object_rows(found: ObjectFiles) -> int | None:
    from airflow_registry.scoring.readers import parquet_facts

    if not found.names or not all(name.endswith(".parquet") for name in found.names):
        return None
    try:
        return sum(rows for _, rows in found.heads(parquet_facts))
    except (InvalidInputError, InputNotReadyError, StorageRefusedError):  # damaged, replaced meanwhile, or only to be listed
        return None


def _files(path: str) -> Iterator[str]:
    """The file itself, or all files of the folder that count as data: not those whose name starts with `.` or `_`."""
    if os.path.isfile(path):  # noqa: PTH113  a text in, texts out
        yield path
    for folder, folders, names in os.walk(path):
        folders[:] = [name for name in folders if not files.is_hidden(name)]  # Spark writes `_SUCCESS` also when it wrote no row
        yield from (os.path.join(folder, name) for name in names if not files.is_hidden(name))  # noqa: PTH118  the same


def _rows(path: str) -> int | None:
    found = list(_files(path))
    if not found or not all(file.endswith(".parquet") for file in found):
        return None
    import pyarrow.parquet as pq

    try:
        return sum(int(pq.read_metadata(file).num_rows) for file in found)
    except (OSError, ValueError):  # pyarrow's errors of a damaged file; the ledger then keeps the digest only
        return None
