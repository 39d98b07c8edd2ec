"""Digests that anyone can check with `sha256sum`.

A file's digest is the SHA-256 of its bytes. A folder's digest is the SHA-256 of its manifest: the lines that `sha256sum` prints
for its files, sorted by the bytes of their paths. Empty folders inside a folder leave no trace in it.
"""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from airflow_registry.artifacts.failures import reading
from airflow_registry.domain.names import Digest
from airflow_registry.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Content", "Entry", "Manifest", "content_digest", "content_of", "file_digest", "files_of", "folder_digest", "name_fault"]

CHUNK_BYTES = 1 << 20
AnyPath: TypeAlias = str | os.PathLike[str]
_HEX_DIGITS = 64
_UNCHECKABLE = ("\n", "\r", "\\", "\x00")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file of a manifest: its path relative to the folder, with `/`, and the digest of its bytes."""

    path: str
    digest: Digest

    def __str__(self) -> str:
        return f"{self.digest.hex}  {self.path}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The files of a folder, sorted by the bytes of their paths.

    Law: `Manifest.parse(str(manifest)) == manifest`.
    """

    entries: tuple[Entry, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "entries", tuple(sorted(self.entries, key=attrgetter("path"))))  # UTF-8 sorts like its code points

    def __str__(self) -> str:
        return "".join(map(str, self.entries))

    @property
    def digest(self) -> Digest:
        """The folder's digest: SHA-256 of the manifest's text in UTF-8."""
        return _digest(hashlib.sha256(str(self).encode()))

    @classmethod
    def parse(cls, text: str) -> Manifest:
        """Read what `sha256sum` printed.

        Raises:
            InvalidInputError: If a line does not hold a digest, two spaces and a path.
        """
        lines = text.removesuffix("\n").split("\n") if text else []  # not splitlines(): a name may hold U+2028
        return cls(entries=tuple(_entry(line) for line in lines))

    def differences(self, found: Manifest) -> tuple[str, ...]:
        """What is `missing`, `changed` and `extra` in `found`, one `word: path` each; empty if the two are equal."""
        wanted, there = _by_path(self), _by_path(found)
        missing = [f"missing: {path}" for path in wanted if path not in there]
        changed = [f"changed: {path}" for path in wanted if path in there and there[path] != wanted[path]]
        extra = [f"extra: {path}" for path in there if path not in wanted]
        return (*missing, *changed, *extra)


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a file or folder holds.

    Attributes:
        digest: As defined at the top of this module.
        size_bytes: Size of the file, or of all files of the folder together, in bytes.
        manifest: The folder's manifest; None for a file.
    """

    digest: Digest
    size_bytes: int
    manifest: Manifest | None = None

    @property
    def is_folder(self) -> bool:
        """Whether this is a folder."""
        return self.manifest is not None

    def refuse_empty(self, path: AnyPath) -> Content:
        """This content, if there is any.

        Raises:
            InvalidInputError: If the file has 0 bytes or the folder no file: what made it has probably failed.
        """
        if self.manifest is not None and not self.manifest.entries:
            raise InvalidInputError(f"The folder {path} holds no file, so there is nothing to keep. Check what should have filled it.")
        if self.manifest is None and self.size_bytes == 0:
            raise InvalidInputError(f"The file {path} is empty (0 bytes), so there is nothing to keep. Check what should have written it.")
        return self


def file_digest(path: AnyPath, *, chunk_bytes: int = CHUNK_BYTES) -> Digest:
    """SHA-256 of a file, read in chunks; an empty file has a digest too.

    Args:
        path: A regular file.
        chunk_bytes: How much is held in memory (bytes, >= 1); the digest does not depend on it.

    Raises:
        ArtifactNotFoundError: If there is no such file.
        StorageUnavailableError: If it cannot be read.
        InvalidInputError: If it is not a regular file.
    """
    return _read_file(path, chunk_bytes).digest


def folder_digest(path: AnyPath) -> tuple[Digest, Manifest]:
    """A folder's digest and the manifest that it is the digest of.

    Raises:
        ArtifactNotFoundError: If there is no such folder.
        StorageUnavailableError: If one of its files cannot be read.
        InvalidInputError: If it holds no file, or something that cannot be kept; all faults are named.
    """
    manifest = _read_folder(path).refuse_empty(path).manifest
    assert manifest is not None  # noqa: S101  _read_folder always makes one
    return manifest.digest, manifest


def content_digest(path: AnyPath) -> Digest:
    """The digest of a file or folder that holds something; errors as in `folder_digest`."""
    return content_of(path).refuse_empty(path).digest


def content_of(path: AnyPath) -> Content:
    """Digest and size of a file or folder, empty ones included; other errors as in `folder_digest`."""
    with reading(path):
        is_folder = stat.S_ISDIR(Path(path).stat().st_mode)
    return _read_folder(path) if is_folder else _read_file(path, CHUNK_BYTES)


def files_of(folder: AnyPath) -> list[str]:
    """The files of a folder as paths relative to it, sorted by their bytes.

    Raises:
        InvalidInputError: If the folder holds links that leave it, links to folders, sockets, devices, or names that `sha256sum`
            cannot check; all of them are named.
    """
    root = Path(folder).resolve()
    found: list[str] = []
    faults: list[str] = []
    with reading(folder):
        for entry in _walk(os.fspath(folder)):
            relative = os.path.relpath(entry.path, folder)
            fault = name_fault(relative) or _kind_fault(entry, root)
            (faults if fault else found).append(f"{relative!r}: {fault}" if fault else relative)
    if faults:
        listed = "\n".join(f"  - {fault}" for fault in sorted(faults))
        raise InvalidInputError(f"The folder {folder} cannot be kept as it is; put it right and try again:\n{listed}")
    return sorted(found)


def name_fault(name: str) -> str | None:
    """Why a manifest cannot hold this file name or relative path; None if it can."""
    if any(character in name for character in _UNCHECKABLE):
        return "a name with a line break or a backslash cannot be checked with sha256sum"
    if name == "-":
        return "sha256sum takes the name '-' for its standard input"
    try:
        name.encode()
    except UnicodeEncodeError:
        return "the name is not valid UTF-8"
    return None


def _walk(folder: str) -> Iterator[os.DirEntry[str]]:
    """Everything below `folder` that is not itself a folder; links are not followed."""
    pending = [folder]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                else:
                    yield entry


def _kind_fault(entry: os.DirEntry[str], root: Path) -> str | None:
    if entry.is_symlink():
        return _link_fault(entry, root)
    return None if entry.is_file() else "it is neither a file nor a folder"


def _link_fault(entry: os.DirEntry[str], root: Path) -> str | None:
    target = Path(os.path.realpath(entry.path))  # Path.resolve() raises on a loop of links
    if not target.is_relative_to(root):
        return f"the link leaves the folder ({target}); copy the file in, for example with cp -rL"
    if not target.is_file():
        return "the link leads to no file; links to folders are not followed"
    return None


def _read_folder(path: AnyPath) -> Content:
    files = {relative: _read_file(Path(path, relative), CHUNK_BYTES) for relative in files_of(path)}
    manifest = Manifest(entries=tuple(Entry(path=relative, digest=file.digest) for relative, file in files.items()))
    return Content(digest=manifest.digest, size_bytes=sum(file.size_bytes for file in files.values()), manifest=manifest)


def _read_file(path: AnyPath, chunk_bytes: int) -> Content:
    sha256, size = hashlib.sha256(), 0
    with reading(path), open(path, "rb", buffering=0, opener=_open_regular) as file:
        while chunk := file.read(chunk_bytes):
            sha256.update(chunk)
            size += len(chunk)
    return Content(digest=_digest(sha256), size_bytes=size)


def _open_regular(path: str, flags: int) -> int:
    descriptor = os.open(path, flags | os.O_NONBLOCK)  # opening a pipe would otherwise wait for its writer for ever
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise InvalidInputError(f"{path} is not a regular file, so it has no digest. Expected a file or a folder of files.")
    return descriptor


def _digest(sha256: hashlib._Hash) -> Digest:
    return Digest(f"sha256:{sha256.hexdigest()}")


def _entry(line: str) -> Entry:
    digest, gap, path = line[:_HEX_DIGITS], line[_HEX_DIGITS : _HEX_DIGITS + 2], line[_HEX_DIGITS + 2 :]
    if gap != "  " or not path:
        raise InvalidInputError(
            f"{line!r} is not a line of a manifest. Expected 64 hex digits, two spaces and a path, as `sha256sum` prints them."
        )
    return Entry(path=path, digest=Digest(f"sha256:{digest}"))


def _by_path(manifest: Manifest) -> dict[str, Digest]:
    return {entry.path: entry.digest for entry in manifest.entries}
