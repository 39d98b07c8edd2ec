"""Where outputs are put: a folder, in which files are renamed into place under a lock.

Invariants:
    * Readers see the old data object or the new one, never a part: it is written under a hidden name in the same folder,
      flushed to the disk, and renamed. The manifest follows in the same way; what was set aside goes before both.
    * A writer of an older generation never replaces the output of a newer one: the newer one removes the older one's unfinished
      files, and the older one looks at the manifest, under a lock, before it renames.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from airflow_registry.errors import ManifestMismatchError
from airflow_registry.objects.dispatch import is_object_uri
from airflow_registry.scoring.files import local_path, storage_fault
from airflow_registry.scoring.output import DATA_NAME, MANIFEST_NAME, QUARANTINE_NAME, conflict, manifest_of, manifest_text, parse_manifest
from airflow_registry.scoring.output import refuse_older as refuse
from airflow_registry.scoring.parts import PARTS, named_parts
from airflow_registry.scoring.staging import described, writing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    import pyarrow as pa

    from airflow_registry.objects.options import StorageOptions
    from airflow_registry.scoring.output import Provenance, Staged
    from airflow_registry.sql.data.replace import TablePartition
    from airflow_registry.sql.store import Transaction

Target: TypeAlias = "str | os.PathLike[str] | TablePartition"
"""A folder, wherever it is, or the rows that a partition has in a table."""
Record: TypeAlias = "Callable[[Transaction], None]"
"""What a place that has transactions does in the one that publishes, right before its end."""

_UNFINISHED = re.compile(r"\.predictions\.(\d+)\.[0-9a-f]+\.(tmp|manifest|quarantine)")


class Place(Protocol):
    """Where a partition's predictions are: a folder, or rows of a table."""

    @property
    def name(self) -> str:
        """Its absolute path or URI, without a trailing slash."""

    def uri(self, file: str) -> str:
        """The address of the data object, or of what was set aside."""

    def manifest(self) -> dict[str, Any] | None:
        """The manifest that is in place; None if there is none.

        Raises:
            ManifestMismatchError: If there is one that is not ours to read.
        """

    def holds_output(self) -> bool:
        """Whether the output is there: somebody may have removed it, or a writer died while it replaced it.

        Raises:
            StorageUnavailableError: If the storage is out of reach.
        """

    def staging(self, provenance: Provenance, generation: int) -> AbstractContextManager[Stage]:
        """Make ready for a writer, and remove at last what it did not publish.

        Raises:
            OutputConflictError: If a newer generation is in place.
        """


class Stage(Protocol):
    """What one writer has of a place until it has published."""

    def path(self, name: str) -> str:
        """A local path for the unfinished file of that name."""

    def expect(self, name: str, schema: pa.Schema) -> None:
        """Hear what the rows of that file look like, before there are many of them.

        Raises:
            InvalidInputError: If the place cannot hold such rows.
        """

    def seal(self, name: str, rows: int) -> Staged:
        """Look at a finished file of that name.

        Raises:
            OutputConflictError: If a newer generation removed it.
        """

    def publish(self, data: Staged, quarantine: Staged | None, record: Record | None = None) -> None:
        """Put what was set aside, the data object and the manifest in place, in this order; or all at once, and `record` with it.

        Raises:
            OutputConflictError: If a newer generation wrote meanwhile.
        """


def open_place(target: Target, storage: StorageOptions | None = None) -> Place:
    """The place that a path, a URI or a table's partition means.

    Raises:
        InvalidInputError: If it means none.
    """
    if not isinstance(target, (str, os.PathLike)):
        from airflow_registry.scoring.sql_place import TablePlace

        return TablePlace(target)
    text = os.fspath(target)
    if is_object_uri(text):
        from airflow_registry.scoring.bucket import open_object_folder

        return open_object_folder(text, storage)
    return Folder(local_path(target, "output"))


class Folder:
    """A folder on a file system.

    Args:
        name: Its absolute path.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def uri(self, file: str) -> str:
        """The path of a file in it."""
        return f"{self.name}/{file}"

    def manifest(self) -> dict[str, Any] | None:
        """The manifest that is in place; None if there is none."""
        path = Path(self.name, MANIFEST_NAME)
        try:
            return parse_manifest(path.read_bytes(), str(path))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise storage_fault(error, f"Reading {path}") from error

    def holds_output(self) -> bool:
        """Whether the parts that the manifest names are there, or else a data object; a rename cannot tear it."""
        with suppress(ManifestMismatchError):
            manifest = self.manifest() or {}
            if named_parts(manifest):
                from airflow_registry.scoring.parts_in_folder import are_there

                return are_there(self.name, manifest)
        return Path(self.name, DATA_NAME).is_file()

    @contextmanager
    def staging(self, provenance: Provenance, generation: int) -> Iterator[FolderStage]:
        """Make the folder, and sweep what killed writers left in it."""
        stage = FolderStage(self, provenance, generation)
        with writing(self.name):
            _make_folder(self.name)
            stage.refuse_older()
            _sweep(self, generation)
        try:
            yield stage
        finally:
            stage.remove()


class FolderStage:
    """The unfinished files of one writer, in the folder itself: a rename must not cross file systems."""

    def __init__(self, folder: Folder, provenance: Provenance, generation: int) -> None:
        self._folder = folder
        self._provenance = provenance
        self._generation = generation
        self._stem = f"{folder.name}/.predictions.{generation}.{secrets.token_hex(8)}"

    def path(self, name: str) -> str:
        """A hidden path in the folder."""
        return f"{self._stem}.{_SUFFIXES[name]}"

    def expect(self, name: str, schema: pa.Schema) -> None:
        """A file can hold anything."""

    def seal(self, name: str, rows: int) -> Staged:
        """Bring it to the disk, so that a rename can be believed."""
        path = self.path(name)
        with writing(self._folder.name), self._not_taken_away():
            _flush(path)
            return described(path, rows)

    def publish(self, data: Staged, quarantine: Staged | None, record: Record | None = None) -> None:  # noqa: ARG002  for databases
        """Rename, under a lock."""
        aside = () if quarantine is None else (QUARANTINE_NAME,)
        with writing(self._folder.name), self._not_taken_away(), locked_folder(self._folder.name):
            self.refuse_older()
            self._write_manifest(data, quarantine)
            for name in (*aside, DATA_NAME, MANIFEST_NAME):
                self._put_in_place(name)
            if not aside:
                Path(self._folder.name, QUARANTINE_NAME).unlink(missing_ok=True)

    def refuse_older(self) -> None:
        """Compare with the manifest; a damaged one is about to be replaced by a whole one."""
        with suppress(ManifestMismatchError):
            refuse(self._folder.manifest() or {}, self._provenance, self._generation, self._folder.name)

    def remove(self) -> None:
        """Whatever happens, also a signal's exception; what was renamed is not there any more."""
        for name in _SUFFIXES:
            with suppress(OSError):
                Path(self.path(name)).unlink(missing_ok=True)

    def _write_manifest(self, data: Staged, quarantine: Staged | None) -> None:
        path = Path(self.path(MANIFEST_NAME))
        path.write_text(manifest_text(manifest_of(self._provenance, self._generation, data, quarantine)), encoding="utf-8")
        _flush(str(path))

    def _put_in_place(self, name: str) -> None:
        os.replace(self.path(name), f"{self._folder.name}/{name}")  # noqa: PTH105  text in, text out
        _flush(self._folder.name)  # the manifest must not reach the disk before the data

    @contextmanager
    def _not_taken_away(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            overtaken = "a newer generation is being written and removed the unfinished file"
            raise conflict(self._folder.name, self._generation, overtaken) from error


_SUFFIXES = {DATA_NAME: "tmp", QUARANTINE_NAME: "quarantine", MANIFEST_NAME: "manifest"}


def _sweep(folder: Folder, generation: int) -> None:
    """Remove what killed writers left, and take the unfinished files away from older ones that still live."""
    for name in os.listdir(folder.name):  # noqa: PTH208  names are what is looked at
        found = _UNFINISHED.fullmatch(name)
        if found and int(found[1]) < generation:
            Path(folder.name, name).unlink(missing_ok=True)
        if name == PARTS:
            from airflow_registry.scoring.parts_in_folder import sweep_parts

            sweep_parts(folder, generation)


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
def locked_folder(folder: str) -> Iterator[None]:
    """One publisher at a time in a folder; the lock ends with the process, so a killed one blocks nobody."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks: the sweep and the manifest still keep all but a race apart
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
