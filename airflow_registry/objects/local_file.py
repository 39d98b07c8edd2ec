"""A local file that goes up in parts: read once, in order, into a few buffers that are used again and again."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_registry.errors import ArtifactNotFoundError, DigestMismatchError, StorageUnavailableError
from airflow_registry.objects.parallel import Pieces, pieces_of

if TYPE_CHECKING:
    import hashlib
    from collections.abc import Iterator

    from airflow_registry.domain.names import Digest

__all__ = ["LocalFile", "read_into", "refuse_other"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalFile:
    """An open file.

    Attributes:
        path: Its path.
        descriptor: Its descriptor.
        pieces: How it is cut.
    """

    path: str
    descriptor: int
    pieces: Pieces

    @classmethod
    @contextmanager
    def opened(cls, path: str) -> Iterator[LocalFile]:
        """Open a file, cut as large as it is now.

        Raises:
            ArtifactNotFoundError: If there is none.
            StorageUnavailableError: If it cannot be read.
        """
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except OSError as error:
            raise _unreadable(path, error) from error
        try:
            yield cls(path=path, descriptor=descriptor, pieces=pieces_of(os.fstat(descriptor).st_size))
        finally:
            os.close(descriptor)

    def parts(self, sha256: hashlib._Hash | None) -> Iterator[tuple[int, bytes | bytearray]]:
        """Number (from 1) and bytes of each part, in order; `sha256` gets all of them.

        The bytes of a part stay until as many further ones were taken as the pieces' window says.
        """
        buffers: list[bytearray] = []
        for index, (start, length) in enumerate(self.pieces):
            if index < self.pieces.window:
                buffers.append(bytearray(length))
            buffer = buffers[index % self.pieces.window]
            read = self._fill(buffer, length, start)
            if sha256 is not None:
                sha256.update(memoryview(buffer)[:read])
            yield index + 1, buffer if read == len(buffer) else bytes(memoryview(buffer)[:read])

    def changed(self, expected: Digest, found: str) -> DigestMismatchError:
        """What to say of a file that is not what was promised."""
        return _changed(self.path, expected, found)

    def refuse_other(self, expected: Digest, found: hashlib._Hash) -> None:
        """Nothing becomes visible under a digest that it does not have.

        Raises:
            DigestMismatchError: If the digests differ.
        """
        refuse_other(self.path, expected=expected, found=found)

    def _fill(self, buffer: bytearray, length: int, start: int) -> int:
        try:
            return read_into(self.descriptor, buffer, start, length)
        except OSError as error:
            raise _unreadable(self.path, error) from error


def read_into(descriptor: int, buffer: bytearray, start: int, length: int) -> int:
    """Fill the buffer from a file; how many bytes were there."""
    view, done = memoryview(buffer), 0
    while done < length and (read := os.preadv(descriptor, [view[done:length]], start + done)):
        done += read
    return done


def refuse_other(path: str, *, expected: Digest, found: hashlib._Hash) -> None:
    """Nothing becomes visible under a digest that it does not have.

    Raises:
        DigestMismatchError: If the digests differ.
    """
    if found.hexdigest() != expected.hex:
        raise _changed(path, expected, f"sha256:{found.hexdigest()}")


def _changed(path: str, expected: Digest, found: str) -> DigestMismatchError:
    return DigestMismatchError(
        f"The file {path} is not the one that was promised: expected {expected}, found {found}. It was changed while it was "
        "uploaded, or the disk fails. Nothing was kept; try again when nobody writes to it."
    )


def _unreadable(path: str, error: OSError) -> Exception:
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return ArtifactNotFoundError(f"There is no file at {path}, so nothing was uploaded. Check the path.")
    return StorageUnavailableError(f"Cannot read {path}: {error.strerror}. Nothing was uploaded; check the rights and the disk.")
