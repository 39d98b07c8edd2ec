"""Files and folders as objects: putting them where nothing, or the same, or something damaged is, and reading all of them back.

An object appears whole or not at all, so a file needs no temporary name. A folder is many objects: its manifest is written last, and
a folder of the store without one is not there yet.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, TypeVar

from airflow_registry.artifacts.base import MANIFEST_SUFFIX
from airflow_registry.artifacts.digest import Content, Entry, Manifest, name_fault
from airflow_registry.artifacts.durable import sync
from airflow_registry.artifacts.parallel import each, reported
from airflow_registry.errors import ArtifactNotFoundError, InvalidInputError, StorageUnavailableError
from airflow_registry.objects.base import ABSENT, Condition, MeasuringClient, PreconditionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from airflow_registry.domain.names import Digest
    from airflow_registry.objects.base import Measured, ObjectClient, ObjectInfo

LARGE_BYTES = 16 << 20  # from here on the client transfers one file in parallel parts, and several at once would multiply its memory
_ROUNDS = 5

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectFile:
    """One file of a folder as it lies in the store: its path in the folder, and what the store says of it."""

    path: str
    info: ObjectInfo


def manifest_key(folder: str) -> str:
    """Where the manifest of the folder at `folder`, which ends in `/`, stands."""
    return folder.rstrip("/") + MANIFEST_SUFFIX


# -- putting -----------------------------------------------------------------------------------------------------------------
def put_file(client: ObjectClient, path: Path, key: str, content: Content, measured: Measured | None = None) -> None:
    """Make the object at `key` the file at `path`: what is there already is read and compared, what is damaged is replaced."""
    _put(client, path, key, content, client.head(key), measured)
    stored = client.head(key)
    if stored is None or stored.size_bytes != content.size_bytes:
        raise _lost(client.uri(key), f"expected {content.size_bytes} bytes, found {_size(stored)}")


def put_folder(client: ObjectClient, path: Path, folder: str, content: Content) -> None:
    """Make the objects below `folder` the files of the folder at `path`, then write their manifest."""
    manifest = content.manifest or Manifest(entries=())
    there = {file.path: file.info for file in files_below(client, folder)}
    wanted = {entry.path for entry in manifest.entries}
    for extra in there.keys() - wanted:  # nobody's: the folder's name holds the digest of what belongs into it
        client.delete(folder + extra)
    put = partial(_put_entry, client, path, folder, there)
    sizes = ((entry, (path / entry.path).stat().st_size) for entry in manifest.entries)
    for _ in _by_size(put, sizes, lambda item: item[1], f"Storing {client.uri(folder)}", len(wanted)):
        pass
    _check_all_there(client, folder, content)
    if registered_manifest(client, folder, content.digest) is None:
        client.write(manifest_key(folder), str(manifest).encode())


def _put_entry(client: ObjectClient, path: Path, folder: str, there: dict[str, ObjectInfo], item: tuple[Entry, int]) -> None:
    entry, size = item
    _put(client, path / entry.path, folder + entry.path, Content(digest=entry.digest, size_bytes=size), there.get(entry.path))


def _put(client: ObjectClient, path: Path, key: str, content: Content, found: ObjectInfo | None, measured: Measured | None = None) -> None:
    """Write unless the same bytes are there; who loses a race against another writer looks again."""
    upload = partial(client.upload, str(path), key, digest=content.digest)
    if measured is not None and isinstance(client, MeasuringClient):
        upload = partial(client.upload_measured, str(path), key, measured=measured)
    for _ in range(_ROUNDS):
        if found is not None and _is_whole(client, found, content):
            return
        try:
            upload(condition=ABSENT if found is None else Condition(version=found.version))
        except PreconditionError:
            found = client.head(key)
        else:
            return
    raise StorageUnavailableError(f"Cannot store {client.uri(key)}: others write and remove it all the time. Try again later.")


def _is_whole(client: ObjectClient, found: ObjectInfo, content: Content) -> bool:
    """Whether these very bytes are there. They are read: metadata says what was written once, not what stands there now."""
    if found.size_bytes != content.size_bytes:
        return False
    try:
        return client.digest(found.key) == (content.digest, content.size_bytes)
    except ArtifactNotFoundError:
        return False


def _check_all_there(client: ObjectClient, folder: str, content: Content) -> None:
    stored = {file.path: file.info.size_bytes for file in files_below(client, folder)}
    wanted = {entry.path for entry in (content.manifest or Manifest(entries=())).entries}
    if stored.keys() != wanted or sum(stored.values()) != content.size_bytes:
        found = f"{len(stored)} files of {sum(stored.values())} bytes"
        raise _lost(client.uri(folder), f"expected {len(wanted)} files of {content.size_bytes} bytes, found {found}")


def _lost(uri: str, found: str) -> StorageUnavailableError:
    return StorageUnavailableError(
        f"{uri} was written, and the store does not have it: {found}. Nothing was registered. Check what else writes or deletes there "
        "(a lifecycle rule, another program), then try again."
    )


def _size(info: ObjectInfo | None) -> str:
    return "nothing" if info is None else f"{info.size_bytes} bytes"


# -- reading -----------------------------------------------------------------------------------------------------------------
def files_below(client: ObjectClient, folder: str) -> Iterator[ObjectFile]:
    """The files of a folder; the empty objects by which consoles show folders are none."""
    for info in client.list(folder):
        path = info.key[len(folder) :]
        if path and not (path.endswith("/") and info.size_bytes == 0):
            yield ObjectFile(path=path, info=info)


def read_file(client: ObjectClient, key: str, copy: Path | None, *, flush: bool = False) -> Content:
    """Read all of an object, into the new file `copy` where one is wanted.

    Raises:
        ArtifactNotFoundError: If there is none.
    """
    if copy is None:
        digest, size = client.digest(key)
        return Content(digest=digest, size_bytes=size)
    digest = _download(client, key, copy)
    if flush:
        sync(copy)
    return Content(digest=digest, size_bytes=copy.stat().st_size)


def read_folder(client: ObjectClient, folder: str, copy: Path | None, *, flush: bool = False) -> Content:
    """Read all files of a folder, into the new folder `copy` where one is wanted.

    Raises:
        InvalidInputError: If it holds names that no folder of files can hold; they are named, and nothing was read.
    """
    files = sorted(files_below(client, folder), key=lambda file: file.path)
    _refuse_names(client.uri(folder), [file.path for file in files])
    if copy is not None:
        _make_folders(copy, [file.path for file in files])
    read = partial(_read_entry, client, copy, flush)
    what = f"{'Checking' if copy is None else 'Fetching'} {client.uri(folder)}"
    found = list(_by_size(read, files, lambda file: file.info.size_bytes, what, len(files)))
    if copy is not None and flush:
        for below in {copy, *(copy / parent for file in files for parent in PurePosixPath(file.path).parents)}:
            sync(below)
    manifest = Manifest(entries=tuple(entry for entry, _ in found))
    return Content(digest=manifest.digest, size_bytes=sum(size for _, size in found), manifest=manifest)


def registered_manifest(client: ObjectClient, folder: str, digest: Digest) -> Manifest | None:
    """The manifest that was stored beside a folder; believed only if its own digest is the folder's."""
    try:
        manifest = Manifest.parse(client.read(manifest_key(folder)).decode())
    except (ArtifactNotFoundError, ValueError):
        return None
    return manifest if manifest.digest == digest else None


def _read_entry(client: ObjectClient, copy: Path | None, flush: bool, file: ObjectFile) -> tuple[Entry, int]:
    content = read_file(client, file.info.key, None if copy is None else copy / file.path, flush=flush)
    return Entry(path=file.path, digest=content.digest), content.size_bytes


def _download(client: ObjectClient, key: str, copy: Path) -> Digest:
    """Download an object; if it is replaced meanwhile, what is there then."""
    for _ in range(_ROUNDS):
        with suppress(PreconditionError):  # then it has left no file
            return client.download(key, str(copy))
    raise StorageUnavailableError(f"Cannot read {client.uri(key)}: it is replaced all the time. Try again when its writer has finished.")


def _refuse_names(uri: str, paths: Sequence[str]) -> None:
    """Whoever may write to the bucket may choose any name: none may lead out of the folder, or stand for two files."""
    folders = {str(parent) for path in paths for parent in PurePosixPath(path).parents}
    faults = [f"{path!r}: {fault}" for path in paths if (fault := _path_fault(path, folders))]
    if faults:
        listed = "\n".join(f"  - {fault}" for fault in faults)
        raise InvalidInputError(f"The folder {uri} holds objects that cannot be files of a folder:\n{listed}")


def _path_fault(path: str, folders: set[str]) -> str | None:
    if any(part in {"", ".", ".."} for part in path.split("/")):
        return "the name has an empty part, '.' or '..'"
    return "it is a file and a folder" if path in folders else name_fault(path)


def _make_folders(copy: Path, paths: Iterable[str]) -> None:
    copy.mkdir()
    for folder in sorted({str(PurePosixPath(path).parent) for path in paths}):
        (copy / folder).mkdir(parents=True, exist_ok=True)


def _by_size(
    work: Callable[[Item], Result], items: Iterable[Item], size_of: Callable[[Item], int], what: str, total: int
) -> Iterator[Result]:
    """Small files several at once, then large ones one by one."""
    large: list[Item] = []
    yield from reported(each(work, _small(items, size_of, large)), what, total)
    yield from reported(map(work, large), what, len(large))


def _small(items: Iterable[Item], size_of: Callable[[Item], int], large: list[Item]) -> Iterator[Item]:
    for item in items:
        if size_of(item) < LARGE_BYTES:
            yield item
        else:
            large.append(item)
