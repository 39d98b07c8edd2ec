"""Files of an input in the state in which they were found, and how their bytes are reached.

An output must never be recorded with the digest of other bytes than were scored, so files that change meanwhile are noticed.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from airflow_registry.errors import InputNotReadyError
from airflow_registry.scoring.files import files_digest, storage_fault
from airflow_registry.scoring.output import BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from typing import BinaryIO, TypeVar

    from airflow_registry.domain.names import Digest

    T = TypeVar("T")

Stamp = tuple[int, int, int]


class FoundFiles(Protocol):
    """Files of an input, in the order in which they are read."""

    @property
    def names(self) -> tuple[str, ...]:
        """Absolute paths, or URIs."""

    @property
    def digest_kind(self) -> str:
        """What `digest` is a digest of; see `Provenance.input_digest_kind`."""

    def digest(self) -> Digest:
        """What changes whenever a file does; independent of where the folder is.

        Raises:
            InputNotReadyError: If a file was changed since it was found.
        """

    def heads(self, look: Callable[[str, str | BinaryIO], T]) -> list[T]:
        """What `look(name, file)` says of each file; it should read its beginning or its end only.

        Args:
            look: Given the file's name, and either its local path or a stream that can seek.
        """

    def whole(self, name: str) -> AbstractContextManager[str]:
        """A local path at which one of the files can be read while the context lasts.

        Raises:
            InputNotReadyError: If it was changed since it was found.
        """

    def check_unchanged(self) -> None:
        """Notice files that somebody replaced or appended to meanwhile.

        Raises:
            InputNotReadyError: If there is one; the message names it.
        """


def changed(name: str) -> InputNotReadyError:
    """The error of a file that is not what it was when it was found."""
    return InputNotReadyError(
        f"The input file {name} was changed while it was read, so nothing was written. "
        "Expected a finished partition: run this again when its writer is done."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalFiles:
    """Files on a file system.

    Attributes:
        names: Absolute paths.
        stamps: Inode, size and time of change of each file when it was found.
    """

    names: tuple[str, ...]
    stamps: tuple[Stamp, ...]

    @classmethod
    def of(cls, files: Sequence[str]) -> Self:
        """Files as they are now."""
        return cls(names=tuple(files), stamps=tuple(_stamp(file) for file in files))

    @property
    def digest_kind(self) -> str:
        """The bytes."""
        return BYTES

    def digest(self) -> Digest:
        """SHA-256 of the one file, or of the sorted manifest of several."""
        digest = files_digest(self.names)
        self.check_unchanged()
        return digest

    def heads(self, look: Callable[[str, str | BinaryIO], T]) -> list[T]:
        """One file after the other, by its path."""
        return [look(name, name) for name in self.names]

    @contextmanager
    def whole(self, name: str) -> Iterator[str]:
        """The file itself."""
        yield name

    def check_unchanged(self) -> None:
        """Compare with the stamps."""
        for name, stamp in zip(self.names, self.stamps, strict=True):
            if _stamp(name) != stamp:
                raise changed(name)


def _stamp(file: str) -> Stamp:
    try:
        status = Path(file).stat()
    except OSError as error:
        raise storage_fault(error, f"Reading {file}") from error
    return status.st_ino, status.st_size, status.st_mtime_ns
