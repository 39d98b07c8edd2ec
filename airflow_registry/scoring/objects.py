"""Inputs in object stores: the keys of a bucket as folders and files, read at the versions that were listed.

A listing is all that finding an input costs. Schemas are read in ranges; rows one object at a time, through a file on this machine's
disk that goes when it was read. Whatever is read is of the listed version, so the digest of the listing stands for the bytes.
"""

from __future__ import annotations

import fnmatch
import io
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from itertools import takewhile
from typing import TYPE_CHECKING, cast

from airflow_registry.artifacts.durable import private_folder
from airflow_registry.domain.names import Digest
from airflow_registry.errors import ArtifactNotFoundError, InvalidInputError
from airflow_registry.objects.base import PreconditionError
from airflow_registry.scoring.clients import bucket_of
from airflow_registry.scoring.files import data_format, is_glob, is_hidden
from airflow_registry.scoring.found import changed
from airflow_registry.scoring.trees import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import BinaryIO, TypeVar

    from _typeshed import WriteableBuffer

    from airflow_registry.objects.base import ObjectClient, ObjectInfo
    from airflow_registry.objects.options import StorageOptions

    T = TypeVar("T")

VERSIONS = "versions"
"""The kind of an input digest that was made of names, sizes and versions: a no-op must not cost reading the bytes."""

_HEADS_AT_ONCE = 8
_RANGE_BYTES = 1 << 20  # what a look at a file's beginning or end fetches at a time


def open_object_tree(uri: str, storage: StorageOptions | None) -> tuple[ObjectTree, str]:
    """List what an input in an object store may mean.

    Raises:
        InvalidInputError: If it is no address in an object store.
        StorageUnavailableError: If the store is out of reach.
        StorageRefusedError: If the bucket may not be listed.
    """
    check_key(uri)
    client, key = bucket_of(uri, storage)
    key = key.rstrip("/")
    where = f"{client.root}/{key}".rstrip("/")
    return ObjectTree(client, _listed(client, key)), where


def check_key(uri: str) -> None:
    """Refuse what object stores take literally, and people never mean.

    Raises:
        InvalidInputError: If a segment of the address is `.` or `..`, or it holds NUL.
    """
    if "\0" in uri or {".", ".."} & set(uri.split("/")):
        raise InvalidInputError(
            f"{uri!r} holds NUL or a segment '.' or '..', which an object store takes literally. Expected the plain address, such as "
            "s3://lake/leads/ds=2026-01-31/."
        )


def _listed(client: ObjectClient, key: str) -> Iterator[ObjectInfo]:
    """What is at a key and below it; of a glob, what starts like it."""
    if is_glob(key):
        start = min(key.index(mark) for mark in "*?[" if mark in key)
        yield from client.list(key[:start])
        return
    itself = client.head(key) if data_format(key) else None
    if itself is not None:
        yield itself
        return
    is_empty = True
    for found in client.list(f"{key}/" if key else ""):
        is_empty = False
        yield found
    if is_empty and key and not data_format(key) and (itself := client.head(key)) is not None:
        yield itself


class ObjectTree:
    """Keys of a bucket, read as paths; those that end in `/` are how some tools mark an empty folder.

    Args:
        client: Of the bucket.
        objects: What was listed.
    """

    def __init__(self, client: ObjectClient, objects: Iterable[ObjectInfo]) -> None:
        self._client = client
        self._objects: dict[str, ObjectInfo] = {}
        self._folders: dict[str, set[str]] = {}
        for found in objects:
            path = f"{client.root}/{found.key}".rstrip("/")
            if found.key.endswith("/"):
                self._folders.setdefault(path, set())
            else:
                self._objects[path] = found
            self._add_folders(path)

    def is_file(self, path: str) -> bool:
        """Whether an object has this very key."""
        return path in self._objects

    def is_folder(self, path: str) -> bool:
        """Whether keys start like this."""
        return path in self._folders

    def entries(self, folder: str) -> list[Entry]:
        """The next segments of the keys, apart from bookkeeping, by name; a file and a folder may have one name."""
        names = sorted(self._folders.get(folder, ()))
        paths = [(name, f"{folder}/{name}") for name in names if name and not is_hidden(name)]
        files = [Entry(name=name, path=path, is_folder=False) for name, path in paths if path in self._objects]
        folders = [Entry(name=name, path=path, is_folder=True) for name, path in paths if path in self._folders]
        return sorted(files + folders, key=lambda entry: entry.name)

    def matches(self, pattern: str) -> list[str]:
        """Files and folders whose segments match, as on a file system: `**` is any number of folders."""
        wanted = pattern.removeprefix(f"{self._client.root}/").split("/")
        start = len(self._client.root) + 1
        paths = {*self._objects, *self._folders} - {self._client.root}
        return sorted(path for path in paths if not is_hidden(path.rpartition("/")[2]) and _matches(path[start:].split("/"), wanted))

    def below(self, path: str) -> list[str]:
        """The file at a path, and all files below it that are no bookkeeping, at any depth; by path."""
        folder = f"{path}/"
        inside = (key for key in self._objects if key.startswith(folder))
        whole = [key for key in inside if not any(map(is_hidden, key[len(folder) :].split("/")))]
        return sorted(([path] if path in self._objects else []) + whole)

    def found(self, files: Sequence[str]) -> ObjectFiles:
        """The objects as they were listed."""
        return ObjectFiles(client=self._client, objects={file: self._objects[file] for file in files})

    def _add_folders(self, path: str) -> None:
        while path != self._client.root:
            path, _, name = path.rpartition("/")
            known = self._folders.setdefault(path, set())
            if name in known:
                return
            known.add(name)


def _matches(segments: Sequence[str], wanted: Sequence[str]) -> bool:
    if not wanted:
        return not segments
    if wanted[0] == "**":
        return _matches(segments, wanted[1:]) or (bool(segments) and not segments[0].startswith(".") and _matches(segments[1:], wanted))
    if not segments or (segments[0].startswith(".") and not wanted[0].startswith(".")):
        return False
    return fnmatch.fnmatchcase(segments[0], wanted[0]) and _matches(segments[1:], wanted[1:])


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectFiles:
    """Objects of a bucket, at the versions that were listed.

    Attributes:
        client: Of the bucket.
        objects: By URI, in the order in which they are read.
    """

    client: ObjectClient
    objects: Mapping[str, ObjectInfo]

    @property
    def names(self) -> tuple[str, ...]:
        """Their URIs."""
        return tuple(self.objects)

    @property
    def digest_kind(self) -> str:
        """Names, sizes and versions."""
        return VERSIONS

    def digest(self) -> Digest:
        """SHA-256 of the sorted lines of relative key, size and version, divided by tabs; nothing is read for it.

        A store that gives equal bytes another version (a multipart ETag, a GCS generation) makes this another digest.
        """
        keys = [found.key for found in self.objects.values()]
        base = _common_folder(keys)
        lines = sorted(f"{found.key[len(base) :]}\t{found.size_bytes}\t{found.version}\n" for found in self.objects.values())
        return Digest(f"sha256:{sha256(''.join(lines).encode('utf-8', 'surrogateescape')).hexdigest()}")

    def heads(self, look: Callable[[str, str | BinaryIO], T]) -> list[T]:
        """Several objects at once, in ranges."""

        def see(name: str) -> T:
            with self._reading(name), io.BufferedReader(_Ranges(self.client, self.objects[name]), _RANGE_BYTES) as stream:
                return look(name, cast("BinaryIO", stream))

        with ThreadPoolExecutor(_HEADS_AT_ONCE, thread_name_prefix="scoring-heads") as threads:
            return list(threads.map(see, self.names))

    @contextmanager
    def whole(self, name: str) -> Iterator[str]:
        """A copy on this machine's disk, of the listed version; it goes with the context."""
        found = self.objects[name]
        with private_folder() as folder:
            path = f"{folder}/{_local_name(found.key)}"
            with self._reading(name):
                self.client.download(found.key, path, version=found.version)
            yield path

    @contextmanager
    def ranges(self, name: str) -> Iterator[BinaryIO]:
        """A stream that can seek, of the listed version; each read of it is a request."""
        with self._reading(name):
            yield cast("BinaryIO", _Ranges(self.client, self.objects[name]))

    def check_unchanged(self) -> None:
        """All that was read was of the listed versions; what came later changes nothing."""

    @contextmanager
    def _reading(self, name: str) -> Iterator[None]:
        try:
            yield
        except (PreconditionError, ArtifactNotFoundError) as error:
            raise changed(name) from error


class _Ranges(io.RawIOBase):
    """One version of an object as a stream that can seek."""

    def __init__(self, client: ObjectClient, found: ObjectInfo) -> None:
        super().__init__()
        self._client = client
        self._found = found
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._found.size_bytes}[whence]
        self._at = max(origin + offset, 0)
        return self._at

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        length = min(len(view), self._found.size_bytes - self._at)
        if length <= 0:
            return 0
        data = self._client.read(self._found.key, start=self._at, length=length, version=self._found.version)
        view[: len(data)] = data
        self._at += len(data)
        return len(data)


def _common_folder(keys: Sequence[str]) -> str:
    shared = takewhile(lambda parts: len(set(parts)) == 1, zip(*(key.split("/")[:-1] for key in keys), strict=False))
    return "".join(f"{parts[0]}/" for parts in shared)


def _local_name(key: str) -> str:
    """A name for a local copy; its suffix tells how it is compressed."""
    return "rows.csv.gz" if key.lower().endswith(".gz") else "rows"
