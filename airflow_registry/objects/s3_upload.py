"""One file to S3, in one request or in parallel parts.

Invariants: nothing is visible before every part arrived with the checksum it was sent with and the whole file had the digest that was
promised; whatever goes wrong, a Ctrl-C included, the parts are removed; a write whose answer got lost is recognised as our own.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import os
import uuid
import zlib
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_registry.errors import ArtifactNotFoundError, DigestMismatchError, StorageRefusedError, StorageUnavailableError
from airflow_registry.objects.base import PreconditionError
from airflow_registry.objects.parallel import Workers, pieces_of
from airflow_registry.objects.s3_faults import code_of, explain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_registry.domain.names import Digest
    from airflow_registry.objects.base import Condition
    from airflow_registry.objects.parallel import Pieces
    from airflow_registry.objects.s3_connection import S3Connection
    from airflow_registry.objects.s3_faults import Doing

__all__ = ["DIGEST_KEY", "Upload", "Write", "put_whole", "upload_file"]

DIGEST_KEY = "sha256"  # object metadata: the digest's 64 hex digits
WRITE_KEY = "airflow-registry-write"  # object metadata: which write made the object
logger = logging.getLogger(__name__)


def checksum(algorithm: str, data: bytes | bytearray) -> dict[str, Any]:
    """The checksum of the data as an argument of a request, which the store compares."""
    found = zlib.crc32(data).to_bytes(4, "big") if algorithm == "CRC32" else hashlib.sha256(data).digest()
    return {f"Checksum{algorithm}": base64.b64encode(found).decode()}


def conditions(condition: Condition | None) -> dict[str, Any]:
    """The condition as arguments of a request."""
    if condition is None:
        return {}
    return {"IfNoneMatch": "*"} if condition.version is None else {"IfMatch": condition.version}


@dataclass(slots=True, kw_only=True)
class Write:
    """One object that is being made.

    Attributes:
        connection: The bucket.
        key: Where it goes.
        digest: What its bytes are.
        condition: What must be there.
    """

    connection: S3Connection
    key: str
    digest: Digest
    condition: Condition | None
    uid: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def doing(self) -> Doing:
        """For errors."""
        return self.connection.doing(f"write s3://{self.connection.bucket}/{self.key}", "s3:PutObject")

    @property
    def metadata(self) -> dict[str, str]:
        """What is kept with the object."""
        given = self.connection.options.s3_extra_args.get("Metadata", {})
        return {**given, DIGEST_KEY: self.digest.hex, WRITE_KEY: self.uid}

    def finish(self, operation: str, **args: Any) -> dict[str, Any]:  # noqa: ANN401
        """The request that makes the object visible.

        Raises:
            PreconditionError: If something else is there than the condition said.
        """
        try:
            answer: dict[str, Any] = self.connection.send(operation, self.doing, Key=self.key, **conditions(self.condition), **args)
        except (PreconditionError, ArtifactNotFoundError, StorageUnavailableError) as error:
            # An attempt whose answer got lost may have succeeded: then the next one finds what we wrote ourselves.
            found = None if isinstance(error, StorageRefusedError) else self._ours()
            if found is not None:
                return found
            if isinstance(error, ArtifactNotFoundError):  # If-Match, and nothing is there at all
                raise PreconditionError(str(error)) from error
            raise
        return answer

    def _ours(self) -> dict[str, Any] | None:
        doing = self.connection.doing(f"see whether s3://{self.connection.bucket}/{self.key} was written", "s3:GetObject")
        try:
            found: dict[str, Any] = self.connection.send("head_object", doing, attempts=2, Key=self.key)
        except (ArtifactNotFoundError, StorageUnavailableError):
            return None
        return found if found.get("Metadata", {}).get(WRITE_KEY) == self.uid else None


def put_whole(write: Write, data: bytes) -> dict[str, Any]:
    """One request for a small object; the store compares the checksum."""
    sums = checksum(write.connection.checksum_algorithm, data)
    return write.finish("put_object", Body=data, Metadata=write.metadata, **sums)


@dataclass(slots=True, kw_only=True)
class Upload:
    """A file that goes up in parts.

    Attributes:
        write: The object.
        path: The file.
        file: Its descriptor.
        pieces: How it is cut.
    """

    write: Write
    path: str
    file: int
    pieces: Pieces
    workers: Workers = field(default_factory=Workers)
    _id: str = ""
    _sha256: Any = field(default_factory=hashlib.sha256)

    def run(self) -> dict[str, Any]:
        """Upload it.

        Raises:
            PreconditionError: If something else is there than the condition said.
            DigestMismatchError: If the file is not what was promised.
        """
        connection, write = self.write.connection, self.write
        begun = connection.send(
            "create_multipart_upload", write.doing, Key=write.key, ChecksumAlgorithm=self._algorithm, Metadata=write.metadata
        )
        self._id = begun["UploadId"]
        try:
            parts = self._send_parts()
            refuse_other(self.path, expected=write.digest, found=self._sha256)
            return write.finish("complete_multipart_upload", UploadId=self._id, MultipartUpload={"Parts": parts})
        except BaseException as error:
            self._abort()
            self._refuse_missing_bucket(error)
            raise

    def _refuse_missing_bucket(self, error: BaseException) -> None:
        """Some servers say of a bucket that was deleted meanwhile only that the upload is gone."""
        if not isinstance(error, StorageUnavailableError):
            return
        try:
            self.write.connection.once("list_objects_v2", MaxKeys=1)
        except Exception as found:  # noqa: BLE001  it is asked for one fact only
            if code_of(found) == "NoSuchBucket":
                raise explain(found, self.write.doing).error from error

    @property
    def _algorithm(self) -> str:
        return self.write.connection.checksum_algorithm

    def _send_parts(self) -> list[dict[str, Any]]:
        with closing(self.workers.in_order(self._send, self._read(), self.pieces.window)) as sent:
            return list(sent)

    def _read(self) -> Iterator[tuple[int, bytes | bytearray]]:
        """The parts in order; each buffer is used again when the part in it has arrived."""
        buffers: list[bytearray] = []
        for index, (start, length) in enumerate(self.pieces):
            if index < self.pieces.window:
                buffers.append(bytearray(self.pieces.piece_bytes))
            buffer = buffers[index % self.pieces.window]
            read = read_into(self.file, buffer, start, length)
            self._sha256.update(memoryview(buffer)[:read])
            yield index + 1, buffer if read == len(buffer) else bytes(memoryview(buffer)[:read])

    def _send(self, part: tuple[int, bytes | bytearray]) -> dict[str, Any]:
        number, data = part
        sums = checksum(self._algorithm, data)
        answer = self.write.connection.send(
            "upload_part",
            self.write.doing,
            stop=self.workers.stop,
            Key=self.write.key,
            UploadId=self._id,
            PartNumber=number,
            Body=data,
            **sums,
        )
        return {"PartNumber": number, "ETag": answer["ETag"], **sums}

    def _abort(self) -> None:
        """Remove the parts; what cannot be removed is named in the log, and hides no error."""
        connection, key = self.write.connection, self.write.key
        where = f"s3://{connection.bucket}/{key}"
        doing = connection.doing(f"abort the upload of {where}", "s3:AbortMultipartUpload")
        try:
            connection.send("abort_multipart_upload", doing, attempts=3, Key=key, UploadId=self._id)
        except Exception as error:  # noqa: BLE001  the error that led here is what people must see
            logger.warning("The parts of the failed upload of %s (upload id %s) are still there: %s", where, self._id, error)


def upload_file(connection: S3Connection, path: str, key: str, digest: Digest, condition: Condition | None) -> tuple[dict[str, Any], int]:
    """A file of any size; S3's answer and the size in bytes. Errors as in `ObjectClient.upload`."""
    write = Write(connection=connection, key=key, digest=digest, condition=condition)
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise _unreadable(path, error) from error
    try:
        pieces = pieces_of(os.fstat(file).st_size)
        if pieces.size_bytes > pieces.piece_bytes:
            return Upload(write=write, path=path, file=file, pieces=pieces).run(), pieces.size_bytes
        return _upload_small(write, path, file, pieces.size_bytes), pieces.size_bytes
    finally:
        os.close(file)


def _upload_small(write: Write, path: str, file: int, size: int) -> dict[str, Any]:
    buffer = bytearray(size)
    read = read_into(file, buffer, 0, size)
    data = bytes(memoryview(buffer)[:read])
    refuse_other(path, expected=write.digest, found=hashlib.sha256(data))
    return put_whole(write, data)


def read_into(file: int, buffer: bytearray, start: int, length: int) -> int:
    """Fill the buffer from a file; how many bytes were there."""
    view, done = memoryview(buffer), 0
    while done < length and (read := os.preadv(file, [view[done:length]], start + done)):
        done += read
    return done


def refuse_other(path: str, *, expected: Digest, found: hashlib._Hash) -> None:
    """Nothing becomes visible under a digest that it does not have.

    Raises:
        DigestMismatchError: If the digests differ.
    """
    if found.hexdigest() != expected.hex:
        raise DigestMismatchError(
            f"The file {path} is not the one that was promised: expected {expected}, found sha256:{found.hexdigest()}. It was changed "
            "while it was uploaded, or the disk fails. Nothing was kept; try again when nobody writes to it."
        )


def _unreadable(path: str, error: OSError) -> Exception:
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return ArtifactNotFoundError(f"There is no file at {path}, so nothing was uploaded. Check the path.")
    return StorageUnavailableError(f"Cannot read {path}: {error.strerror}. Nothing was uploaded; check the rights and the disk.")
