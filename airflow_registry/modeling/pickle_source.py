"""Bytes of a pickle, from a file, an archive or a compressed stream, without ever holding much of them.

Nothing is believed: a length that reaches beyond the end, an endless line and a stream that unpacks for ever all end the reading.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import time
import zlib
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_CHUNK = 1 << 20
_LONGEST_LINE = 1 << 22


class Unread(Exception):  # noqa: N818  not an error: it ends the reading, and its text becomes a finding
    """Why a pickle was not read to its end."""


class Exhausted(Unread):
    """It would go on, and no more is looked at."""


@dataclass(slots=True, kw_only=True)
class Budget:
    """What one look into an artifact may cost, all files together.

    Attributes:
        opcodes: Steps left (count).
        seconds: Time it may take.
        unpacked: Bytes that may come out of compressed streams and be skipped.
        letters: Letters of names that may be remembered (count).
        names: Different names that are listed (count).
    """

    opcodes: int = 3_000_000
    seconds: float = 15.0
    unpacked: int = 16 << 30
    letters: int = 32 << 20
    names: int = 100
    started: float = field(default_factory=time.monotonic)

    def step(self) -> None:
        """One opcode.

        Raises:
            Exhausted: If nothing is left.
        """
        self.opcodes -= 1
        if self.opcodes < 0:
            raise Exhausted("it has more steps than are looked at")
        if self.opcodes & 0xFFF == 0:
            self.check_time()

    def check_time(self) -> None:
        """Whether there is time left.

        Raises:
            Exhausted: If there is none.
        """
        if time.monotonic() - self.started > self.seconds:
            raise Exhausted(f"looking at it takes longer than {self.seconds:g} seconds")

    def unpack(self, count: int) -> None:
        """Bytes that were read or skipped.

        Raises:
            Exhausted: If there are too many.
        """
        self.unpacked -= count
        if self.unpacked < 0:
            raise Exhausted("it unpacks to more bytes than are looked at")


class Source:
    """A stream with a position, as `pickletools` reads it.

    Args:
        file: Where the bytes come from.
        budget: What reading may cost.
        size: Of the stream in bytes, where it is known: then skipping is a seek.
    """

    def __init__(self, file: IO[bytes], budget: Budget, size: int | None = None) -> None:
        self.file, self.budget, self.size = file, budget, size
        self.position, self._ahead = 0, b""

    def read(self, count: int) -> bytes:
        """The next bytes; fewer at the end."""
        if not 0 <= count <= _CHUNK:
            raise Unread(f"it asks for {count} bytes at once (byte {self.position})")
        ahead, self._ahead = (self._ahead, b"") if count else (b"", self._ahead)
        found = ahead + self.file.read(count - len(ahead))
        self.position += len(found)
        return found

    def peek(self) -> bytes:
        """The next byte, which stays the next one; b"" at the end."""
        self._ahead = self._ahead or self.file.read(1)
        return self._ahead

    def readline(self) -> bytes:
        """The next line with its end."""
        found = self.file.readline(_LONGEST_LINE)
        self.position += len(found)
        if not found.endswith(b"\n"):
            raise Unread(f"a line does not end (byte {self.position})")
        return found

    def skip(self, count: int) -> None:
        """Go on without looking.

        Raises:
            Unread: If the stream is shorter.
        """
        self.budget.unpack(count)
        if self.size is not None:
            if count < 0 or self.position + count > self.size:
                raise Unread(f"it is {self.position + count - self.size} bytes too short")
            self.file.seek(count, io.SEEK_CUR)
            self.position += count
            return
        while count > 0:
            self.budget.check_time()
            found = self.read(min(count, _CHUNK))
            if not found:
                raise Unread(f"it is {count} bytes too short")
            count -= len(found)


class _ZlibFile(io.RawIOBase):
    """A bare zlib stream, unpacked piece by piece."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.unpacker = file, zlib.decompressobj()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # what BufferedReader gives
        found = b""
        while not found and not self.unpacker.eof:
            packed = self.unpacker.unconsumed_tail or self.file.read(_CHUNK)
            found = self.unpacker.decompress(packed, len(buffer))
            if not packed and not found:
                raise EOFError("the compressed stream ends too early")
        buffer[: len(found)] = found
        return len(found)


DAMAGE = (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError)
_PACKERS: dict[bytes, Callable[[IO[bytes]], Any]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
    b"BZ": bz2.BZ2File,
    b"\xfd7zXZ": lzma.LZMAFile,
    b"\x5d\x00": lzma.LZMAFile,
    b"\x78": lambda file: io.BufferedReader(_ZlibFile(file), _CHUNK),
}
_UNREADABLE = {b"ZF": "it was written by joblib before 0.10", b'\x04"M\x18': "it is compressed with lz4"}


def is_packed(start: bytes) -> bool:
    """Whether bytes begin as joblib's compressed files do."""
    return start.startswith((*_PACKERS, *_UNREADABLE))


def unpacked(file: IO[bytes], start: bytes) -> IO[bytes] | None:
    """The stream inside a compressed one; None if it is not compressed.

    Raises:
        Unread: If it is compressed in a way that cannot be read here.
    """
    if why := next((why for prefix, why in _UNREADABLE.items() if start.startswith(prefix)), None):
        raise Unread(why)
    return next((opened(file) for prefix, opened in _PACKERS.items() if start.startswith(prefix)), None)
