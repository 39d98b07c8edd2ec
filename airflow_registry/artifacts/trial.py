"""Trying out what one may do in an artifact store: write, read back, list, delete, and write only if nothing is there.

The trial's object stands where the marks are, under a temporary name: a policy that allows only the store's own folders allows it too,
and what a killed trial leaves behind is found like any temporary file.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from airflow_registry.artifacts.dispatch import local_path
from airflow_registry.artifacts.durable import TEMPORARY, make_folder
from airflow_registry.artifacts.failures import not_found, reading, writing
from airflow_registry.artifacts.pointer import MARK
from airflow_registry.objects.base import ABSENT, PreconditionError
from airflow_registry.objects.dispatch import is_object_uri, join, open_bucket

if TYPE_CHECKING:
    from airflow_registry.objects.base import ObjectClient
    from airflow_registry.objects.options import StorageOptions

_ATTEMPTS = 2  # whoever asks what is wrong does not want to wait until a store has had every chance


class Trial(Protocol):
    """One object that is written, looked at and removed. Each step raises `StorageUnavailableError` if it may not be done."""

    where: str

    def write(self) -> None:
        """Make the object."""

    def read(self) -> bytes:
        """What it holds."""

    def is_listed(self) -> bool:
        """Whether it stands in the list of objects."""

    def is_protected(self) -> bool:
        """Whether a second writer, who says that nothing may be there, is refused."""

    def written_at(self) -> datetime:
        """When it was written, by the store's clock."""

    def delete(self) -> None:
        """Remove it; nothing happens if it is not there."""


CONTENT = b"written by airflow-registry doctor; may be deleted\n"


def open_trial(root: str, options: StorageOptions) -> Trial:
    """A trial in the store at `root`. Nothing is written yet.

    Raises:
        InvalidInputError: If this release has no store for the scheme.
        MissingDependencyError: If the store's library is not installed.
    """
    name = f"{TEMPORARY}doctor-{uuid.uuid4().hex}"
    if not is_object_uri(root):
        return _FolderTrial(Path(local_path(root), MARK.folder, name))
    client, prefix = open_bucket(root, replace(options, attempts=_ATTEMPTS))
    return _BucketTrial(client, join(prefix, MARK.folder, name))


class _FolderTrial:
    """In a folder of this machine, or of a disk that many mount."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.where = str(path)

    def write(self) -> None:
        with writing(f"write {self._path}"):
            make_folder(self._path.parent)
            self._path.write_bytes(CONTENT)

    def read(self) -> bytes:
        with reading(self._path):
            return self._path.read_bytes()

    def is_listed(self) -> bool:
        with reading(self._path.parent):
            return self._path in self._path.parent.iterdir()

    def is_protected(self) -> bool:
        with writing(f"write {self._path}"):
            try:
                self._path.open("xb").close()
            except FileExistsError:
                return True
        return False

    def written_at(self) -> datetime:
        with reading(self._path):
            return datetime.fromtimestamp(self._path.stat().st_mtime, UTC)

    def delete(self) -> None:
        with writing(f"delete {self._path}"):
            self._path.unlink(missing_ok=True)


class _BucketTrial:
    """In a bucket."""

    def __init__(self, client: ObjectClient, key: str) -> None:
        self._client, self._key = client, key
        self.where = client.uri(key)

    def write(self) -> None:
        self._client.write(self._key, CONTENT)

    def read(self) -> bytes:
        return self._client.read(self._key)

    def is_listed(self) -> bool:
        return any(entry.key == self._key for entry in self._client.list(self._key))

    def is_protected(self) -> bool:
        try:
            self._client.write(self._key, CONTENT, condition=ABSENT)
        except PreconditionError:
            return True
        return False

    def written_at(self) -> datetime:
        found = self._client.head(self._key)
        if found is None:
            raise not_found(self.where)
        return found.modified_at

    def delete(self) -> None:
        self._client.delete(self._key)
