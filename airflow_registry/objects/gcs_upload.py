"""One object to Google Cloud Storage: in one request, or in parts that are gone on with where the connection broke.

Invariants: the checksum of the whole object is said before its first byte, so that the store refuses, and shows nothing, if other bytes
arrive; the condition is part of the first request and holds at the last one too; a failed upload is cancelled; a write whose answer got
lost is recognised as our own.
"""

from __future__ import annotations

import base64
import hashlib
import io
import logging
import os
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_registry.domain.names import Digest
from airflow_registry.errors import ArtifactNotFoundError, CorruptionError, StorageRefusedError, StorageUnavailableError
from airflow_registry.objects.base import Measured, PreconditionError
from airflow_registry.objects.gcs_faults import explain
from airflow_registry.objects.local_file import read_into, refuse_other
from airflow_registry.objects.parallel import MIB
from airflow_registry.objects.s3_upload import DIGEST_KEY, WRITE_KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_registry.objects.base import Condition
    from airflow_registry.objects.gcs_connection import GcsConnection
    from airflow_registry.objects.s3_faults import Doing

__all__ = ["CREATE_RIGHT", "Write", "crc32c_text", "generation_of", "measure", "upload_file"]

PART_BYTES = 16 * MIB  # a multiple of 256 KiB, as Google wants it; one part is in memory
CREATE_RIGHT = "storage.objects.create (and storage.objects.delete to replace one)"
_TYPE = "application/octet-stream"
logger = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Write:
    """One object that is being made.

    Attributes:
        connection: The bucket.
        key: Where it goes.
        digest: What its bytes are.
        condition: What must be there.
    """

    connection: GcsConnection
    key: str
    digest: Digest
    condition: Condition | None
    uid: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def doing(self) -> Doing:
        """For errors."""
        return self.connection.doing(f"write gs://{self.connection.bucket}/{self.key}", CREATE_RIGHT)

    @property
    def generation(self) -> int | None:
        """The generation that must be there, as Google counts: 0 is none.

        Raises:
            PreconditionError: If the version is none of Google's, so it cannot be there.
        """
        if self.condition is None:
            return None
        if self.condition.version is None:
            return 0
        return generation_of(self.condition.version)

    def blob(self, crc32c: str | None = None) -> Any:  # noqa: ANN401
        """Google's view of the new object, with what is kept with it."""
        blob = self.connection.blob(self.key)
        blob.metadata = {DIGEST_KEY: self.digest.hex, WRITE_KEY: self.uid}
        if crc32c is not None:
            blob.crc32c = crc32c
        return blob

    def whole(self, data: bytes) -> Any:  # noqa: ANN401
        """One request for a small object."""
        return self.recognised(lambda: self._send_whole(data))

    def _send_whole(self, data: bytes) -> Any:  # noqa: ANN401
        blob, connection = self.blob(), self.connection
        blob.upload_from_file(
            io.BytesIO(data),
            size=len(data),
            content_type=_TYPE,
            if_generation_match=self.generation,
            checksum="crc32c",
            timeout=connection.timeout,
            retry=None,
        )
        return blob

    def recognised(self, send: Callable[[], Any]) -> Any:  # noqa: ANN401
        """The object that `send` made. If an attempt whose answer got lost made it, the next attempt finds it there: it is ours."""
        try:
            return self.connection.insist(send, self.doing)
        except StorageRefusedError:
            raise
        except (PreconditionError, StorageUnavailableError):
            found = self._ours()
            if found is None:
                raise
            return found

    def _ours(self) -> Any:  # noqa: ANN401
        doing = self.connection.doing(f"see whether gs://{self.connection.bucket}/{self.key} was written", "storage.objects.get")
        try:
            blob = self.connection.insist(lambda: self.connection.look(self.key), doing, attempts=2)
        except (ArtifactNotFoundError, StorageUnavailableError):
            return None
        return blob if (blob.metadata or {}).get(WRITE_KEY) == self.uid else None


@dataclass(slots=True, kw_only=True)
class Upload:
    """A file that goes up in parts of one session.

    Attributes:
        write: The object.
        file: Descriptor of the file.
        size_bytes: Its size.
        crc32c: Checksum of the whole file.
    """

    write: Write
    file: int
    size_bytes: int
    crc32c: str
    _url: str = ""
    _arrived: int = 0
    _broke: bool = False
    _buffer: bytearray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._buffer = bytearray(min(PART_BYTES, self.size_bytes))

    def run(self) -> Any:  # noqa: ANN401
        """Upload it; Google's view of the new object.

        Raises:
            PreconditionError: If something else is there than the condition said.
            CorruptionError: If other bytes arrived than were promised.
        """
        connection = self.write.connection
        self._url = connection.insist(self._begin, self.write.doing)
        try:
            return self.write.recognised(self._go_on)
        except BaseException:
            self._cancel()
            raise

    def _begin(self) -> str:
        write = self.write
        url: str = write.blob(self.crc32c).create_resumable_upload_session(
            content_type=_TYPE,
            size=self.size_bytes,
            checksum=None,
            if_generation_match=write.generation,
            timeout=write.connection.timeout,
            retry=None,
        )
        return url

    def _go_on(self) -> Any:  # noqa: ANN401
        """Send what has not arrived; after an attempt that broke, the store says how much has."""
        made = self._send(b"", f"bytes */{self.size_bytes}") if self._broke else None
        self._broke = True  # until it is done
        while made is None:
            before = self._arrived
            made = self._send_next()
            if made is None and self._arrived <= before:
                raise ConnectionResetError("the store took nothing of a part")
        return made

    def _send_next(self) -> Any:  # noqa: ANN401
        read = read_into(self.file, self._buffer, self._arrived, min(len(self._buffer), self.size_bytes - self._arrived))
        if not read:
            raise CorruptionError(
                f"The file for gs://{self.write.connection.bucket}/{self.write.key} became shorter while it was uploaded."
            )
        last = self._arrived + read - 1
        return self._send(memoryview(self._buffer)[:read], f"bytes {self._arrived}-{last}/{self.size_bytes}")

    def _send(self, data: bytes | memoryview, content_range: str) -> Any:  # noqa: ANN401
        """One request of the session: the new object, or None if more is wanted."""
        connection = self.write.connection
        headers = {"Content-Range": content_range, "Content-Type": _TYPE}
        answer = connection.session().put(self._url, data=data, headers=headers, timeout=connection.timeout, allow_redirects=False)
        if answer.status_code == 308:
            arrived = answer.headers.get("Range")  # `bytes=0-99`: that much is there
            self._arrived = int(arrived.rpartition("-")[2]) + 1 if arrived else 0
            return None
        if answer.status_code not in {200, 201}:
            self._refuse(answer)
        blob = connection.blob(self.write.key)
        blob._set_properties(answer.json())  # noqa: SLF001  as upload_from_file does with the same answer
        return blob

    def _refuse(self, answer: Any) -> NoReturn:  # noqa: ANN401
        from google.api_core.exceptions import from_http_response

        if answer.status_code in {404, 410}:
            raise StorageUnavailableError(
                f"The upload of gs://{self.write.connection.bucket}/{self.write.key} was ended while it ran: the session or the bucket "
                "is gone. Nothing was kept; try again."
            )
        error = from_http_response(answer)
        fault = explain(error, self.write.doing).error
        raise fault if isinstance(fault, CorruptionError) else error  # a session whose bytes were refused takes no others

    def _cancel(self) -> None:
        """End the session; what cannot be cancelled is named in the log, hides no error, and is removed by Google after a week."""
        try:
            self.write.connection.session().delete(self._url, headers={"Content-Length": "0"}, timeout=self.write.connection.timeout)
        except Exception as error:  # noqa: BLE001  the error that led here is what people must see
            logger.warning("The failed upload of gs://%s/%s was not cancelled: %s", self.write.connection.bucket, self.write.key, error)


def measure(path: str) -> Measured:
    """Read a local file once, for its digest and for the checksum that Google compares. Errors as in `ObjectClient.upload`."""
    with _opened(path) as (file, size):
        sha256, crc32c = _sums(file, size)
    return Measured(digest=Digest(f"sha256:{sha256.hexdigest()}"), size_bytes=size, checksums=(crc32c,))


def upload_file(write: Write, path: str, measured: Measured | None = None) -> Any:  # noqa: ANN401
    """A file of any size; Google's view of the new object. Errors as in `ObjectClient.upload`."""
    with _opened(path) as (file, size):
        if size <= PART_BYTES // 2:
            return _upload_small(write, path, file, size)
        return _upload_large(write, path, file, size, measured)


def generation_of(version: str) -> int:
    """The generation that a version is.

    Raises:
        PreconditionError: If it is none of Google's.
    """
    if not version.isdecimal():
        raise PreconditionError(f"{version!r} is no generation of Google Cloud Storage.")
    return int(version)


def crc32c_text(checksum: int) -> str:
    """A CRC32C as Google writes it."""
    return base64.b64encode(checksum.to_bytes(4, "big")).decode()


def _upload_small(write: Write, path: str, file: int, size: int) -> Any:  # noqa: ANN401
    buffer = bytearray(size)
    data = bytes(memoryview(buffer)[: read_into(file, buffer, 0, size)])
    refuse_other(path, expected=write.digest, found=hashlib.sha256(data))
    return write.whole(data)


def _upload_large(write: Write, path: str, file: int, size: int, measured: Measured | None) -> Any:  # noqa: ANN401
    """Google wants to know the checksum of the whole before the first part, else it shows the object before it is compared."""
    if measured is None or measured.size_bytes != size:
        sha256, crc32c = _sums(file, size)
        refuse_other(path, expected=write.digest, found=sha256)
    else:
        crc32c = measured.checksums[0]
    try:
        return Upload(write=write, file=file, size_bytes=size, crc32c=crc32c).run()
    except CorruptionError:
        refuse_other(path, expected=write.digest, found=_sums(file, os.fstat(file).st_size)[0])
        raise


@contextmanager
def _opened(path: str) -> Iterator[tuple[int, int]]:
    """Descriptor and size of a file."""
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise _unreadable(path, error) from error
    try:
        yield file, os.fstat(file).st_size
    finally:
        os.close(file)


def _sums(file: int, size: int) -> tuple[hashlib._Hash, str]:
    import google_crc32c

    sha256, crc32c, buffer, start = hashlib.sha256(), 0, bytearray(MIB), 0
    while read := read_into(file, buffer, start, min(len(buffer), size - start)):
        block = bytes(memoryview(buffer)[:read])
        sha256.update(block)
        crc32c = google_crc32c.extend(crc32c, block)
        start += read
    return sha256, crc32c_text(crc32c)


def _unreadable(path: str, error: OSError) -> Exception:
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return ArtifactNotFoundError(f"There is no file at {path}, so nothing was uploaded. Check the path.")
    return StorageUnavailableError(f"Cannot read {path}: {error.strerror}. Nothing was uploaded; check the rights and the disk.")
