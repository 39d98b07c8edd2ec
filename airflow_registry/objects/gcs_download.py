"""One generation of an object from Google Cloud Storage, in parallel ranges, hashed in order as they arrive."""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.names import Digest
from airflow_registry.errors import CorruptionError
from airflow_registry.objects.gcs_upload import crc32c_text
from airflow_registry.objects.parallel import PIECE_BYTES, Workers, pieces_of
from airflow_registry.objects.s3_download import write_all

if TYPE_CHECKING:
    from airflow_registry.objects.gcs_connection import GcsConnection
    from airflow_registry.objects.s3_faults import Doing

__all__ = ["Reading"]


@dataclass(slots=True, kw_only=True)
class Reading:
    """An object on its way to a file, or only to its digest.

    Attributes:
        connection: The bucket.
        blob: Google's view of the object; its generation is the one that every range must have.
        doing: For errors.
    """

    connection: GcsConnection
    blob: Any
    doing: Doing
    workers: Workers = field(default_factory=Workers)
    _file: int | None = None
    _buffers: list[bytearray] = field(default_factory=list)

    def run(self, file: int | None) -> Digest:
        """Fetch everything, into the file (a descriptor) where one is wanted; the SHA-256 of what was fetched.

        Raises:
            PreconditionError: If another generation is there.
            CorruptionError: If what arrived has not the checksum that Google keeps with the object.
        """
        import google_crc32c

        self._file = file
        sha256, crc32c, size = hashlib.sha256(), 0, int(self.blob.size)
        pieces = pieces_of(size, min(PIECE_BYTES, max(size, 1)))
        self._buffers = [bytearray(pieces.piece_bytes) for _ in range(min(pieces.window, -(-size // pieces.piece_bytes)))]
        with closing(self.workers.in_order(self._fetch, enumerate(pieces), pieces.window)) as fetched:
            for view in fetched:
                sha256.update(view)
                crc32c = google_crc32c.extend(crc32c, bytes(view))
        self._refuse_damaged(crc32c_text(crc32c))
        return Digest(f"sha256:{sha256.hexdigest()}")

    def _fetch(self, piece: tuple[int, tuple[int, int]]) -> memoryview:
        index, (start, length) = piece
        view = memoryview(self._buffers[index % len(self._buffers)])[:length]
        self._fill(view, start)
        if self._file is not None:
            write_all(self._file, view, start)
        return view

    def _fill(self, view: memoryview, start: int) -> None:
        """Fill the view with the bytes that begin at `start`; a body that breaks off is gone on with where it broke."""
        into = _Into(view)

        def go_on() -> None:
            self.connection.blob(self.blob.name).download_to_file(
                into,
                start=start + into.done,
                end=start + len(view) - 1,
                if_generation_match=int(self.blob.generation),
                checksum=None,
                raw_download=True,
                timeout=self.connection.timeout,
                retry=None,
            )
            if into.done < len(view):
                raise ConnectionResetError("the body ended early")

        self.connection.insist(go_on, self.doing, stop=self.workers.stop, done=lambda: into.done)

    def _refuse_damaged(self, found: str) -> None:
        if self.blob.crc32c and self.blob.crc32c != found:
            raise CorruptionError(
                f"Cannot {self.doing.what}: the bytes that arrived are not those that Google keeps: expected CRC32C {self.blob.crc32c}, "
                f"found {found}. Nothing was kept of them; try again, and look at the network if it stays so."
            )


class _Into:
    """A stream that fills a view, and knows how far it came."""

    def __init__(self, view: memoryview) -> None:
        self._view = view
        self.done = 0

    def write(self, data: bytes) -> int:
        """Take the next bytes; more than were asked for are an error."""
        end = self.done + len(data)
        if end > len(self._view):
            raise ConnectionResetError("the store sent more than was asked for")
        self._view[self.done : end] = data
        self.done = end
        return len(data)
