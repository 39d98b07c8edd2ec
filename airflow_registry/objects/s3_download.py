"""One object from S3, in parallel ranges that all belong to one version, hashed in order as they arrive."""

from __future__ import annotations

import hashlib
import os
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.names import Digest
from airflow_registry.errors import DigestMismatchError, StorageUnavailableError
from airflow_registry.objects.parallel import PIECE_BYTES, Workers, pieces_of

if TYPE_CHECKING:
    from airflow_registry.objects.s3_connection import S3Connection
    from airflow_registry.objects.s3_faults import Doing

__all__ = ["Download", "Reading"]

BLOCK_BYTES = 256 * 1024  # read at once from a connection; a connection that breaks loses at most this


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One version of an object that is being read.

    Attributes:
        connection: The bucket.
        key: The object.
        version: Its ETag, which every range must have.
    """

    connection: S3Connection
    key: str
    version: str

    @property
    def doing(self) -> Doing:
        """For errors."""
        return self.connection.doing(f"read s3://{self.connection.bucket}/{self.key}", "s3:GetObject")

    def fill(self, view: memoryview, start: int, workers: Workers | None = None) -> None:
        """Fill the view with the bytes that begin at `start`; a body that breaks off is gone on with where it broke.

        Raises:
            PreconditionError: If another version is there.
        """
        done = 0

        def go_on() -> None:
            nonlocal done
            wanted = f"bytes={start + done}-{start + len(view) - 1}"
            answer = self.connection.once("get_object", Key=self.key, Range=wanted, IfMatch=self.version)
            with closing(answer["Body"]) as body:
                while done < len(view):
                    if workers is not None and workers.stop.is_set():
                        return
                    done += self._block(body, view[done : done + BLOCK_BYTES])

        self.connection.insist(go_on, self.doing, stop=workers.stop if workers else None, done=lambda: done)

    def _block(self, body: Any, view: memoryview) -> int:  # noqa: ANN401
        read = int(body.readinto(view))
        if not read:
            raise ConnectionResetError("the body ended early")
        return read


@dataclass(slots=True, kw_only=True)
class Download:
    """An object on its way to a file, or only to its digest.

    Attributes:
        reading: The object.
        size_bytes: Its size.
        file: Descriptor of the file; None if the bytes are not kept.
    """

    reading: Reading
    size_bytes: int
    file: int | None = None
    workers: Workers = field(default_factory=Workers)
    _buffers: list[bytearray] = field(default_factory=list)

    def run(self) -> Digest:
        """Fetch everything; the SHA-256 of what was fetched."""
        pieces, sha256 = pieces_of(self.size_bytes, min(PIECE_BYTES, max(self.size_bytes, 1))), hashlib.sha256()
        self._buffers = [bytearray(pieces.piece_bytes) for _ in range(min(pieces.window, -(-self.size_bytes // pieces.piece_bytes)))]
        with closing(self.workers.in_order(self._fetch, enumerate(pieces), pieces.window)) as fetched:
            for view in fetched:
                sha256.update(view)
        return Digest(f"sha256:{sha256.hexdigest()}")

    def _fetch(self, piece: tuple[int, tuple[int, int]]) -> memoryview:
        index, (start, length) = piece
        view = memoryview(self._buffers[index % len(self._buffers)])[:length]
        self.reading.fill(view, start, self.workers)
        if self.file is not None:
            write_all(self.file, view, start)
        return view


def write_all(file: int, view: memoryview, start: int) -> None:
    """Write to a place in a file, all of it.

    In blocks: for one write of megabytes the kernel looks for as much memory in one piece, which can cost more than the transfer.
    """
    done = 0
    while done < len(view):
        done += os.pwrite(file, view[done : done + BLOCK_BYTES], start + done)


def refuse_full_disk(path: str, size_bytes: int) -> None:
    """Say it before the transfer, not after it.

    Raises:
        StorageUnavailableError: If the disk has no room.
    """
    disk = os.statvfs(Path(path).parent)
    free = disk.f_bavail * disk.f_frsize
    if free < size_bytes:
        raise StorageUnavailableError(
            f"Cannot download to {path}: it takes {size_bytes:,} bytes and the disk has {free:,} free. Nothing was downloaded; free space, "
            "or set TMPDIR to a larger disk, then try again."
        )


def refuse_damaged(where: str, *, kept: str | None, found: Digest) -> None:
    """Compare what arrived with the digest that was kept with the object, where one was.

    Raises:
        DigestMismatchError: If they differ.
    """
    if kept is not None and kept != found.hex:
        raise DigestMismatchError(
            f"The bytes of {where} are not those that were uploaded: expected sha256:{kept}, found {found}. Nothing was kept of them. Try "
            "again; if it stays so the object is damaged: restore an older version of it, or register the artifact again."
        )
