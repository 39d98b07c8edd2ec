"""One file to S3, in one request or in parallel parts.

Invariants: nothing is visible before every part arrived with the checksum it was sent with and the whole file had the digest that was
promised; whatever goes wrong, a Ctrl-C included, the parts are removed; a write whose answer got lost is recognised as our own.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import uuid
import zlib
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.names import Digest
from airflow_registry.errors import ArtifactNotFoundError, StorageRefusedError, StorageUnavailableError
from airflow_registry.objects.base import Measured, PreconditionError
from airflow_registry.objects.local_file import LocalFile
from airflow_registry.objects.parallel import Workers
from airflow_registry.objects.s3_faults import code_of, explain, is_corrupted

if TYPE_CHECKING:
    from airflow_registry.objects.base import Condition
    from airflow_registry.objects.s3_connection import S3Connection
    from airflow_registry.objects.s3_faults import Doing

__all__ = ["DIGEST_KEY", "Upload", "Write", "measure", "put_whole", "upload_file"]

DIGEST_KEY = "sha256"  # object metadata: the digest's 64 hex digits
WRITE_KEY = "airflow-registry-write"  # object metadata: which write made the object
logger = logging.getLogger(__name__)


def checksum(algorithm: str, data: bytes | bytearray) -> str:
    """The checksum of the data as S3 writes it, which the store compares with what arrived."""
    found = zlib.crc32(data).to_bytes(4, "big") if algorithm == "CRC32" else hashlib.sha256(data).digest()
    return base64.b64encode(found).decode()


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
    algorithm = write.connection.checksum_algorithm
    return write.finish("put_object", Body=data, Metadata=write.metadata, **{f"Checksum{algorithm}": checksum(algorithm, data)})


@dataclass(slots=True, kw_only=True)
class Upload:
    """A file that goes up in parts.

    Attributes:
        write: The object.
        file: The file.
        promised: The checksums of its parts, where it was measured before; else it is read for its digest now.
    """

    write: Write
    file: LocalFile
    promised: tuple[str, ...] | None = None
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
            if self.promised is None:
                self.file.refuse_other(write.digest, self._sha256)
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
        parts = self.file.parts(None if self.promised else self._sha256)
        with closing(self.workers.in_order(self._send, parts, self.file.pieces.window)) as sent:
            return list(sent)

    def _send(self, part: tuple[int, bytes | bytearray]) -> dict[str, Any]:
        number, data = part
        given = self.promised[number - 1] if self.promised else checksum(self._algorithm, data)
        answer = self.write.connection.insist(lambda: self._send_once(number, data, given), self.write.doing, stop=self.workers.stop)
        return {"PartNumber": number, "ETag": answer["ETag"], f"Checksum{self._algorithm}": given}

    def _send_once(self, number: int, data: bytes | bytearray, given: str) -> Any:  # noqa: ANN401
        named = {"Key": self.write.key, "UploadId": self._id, "PartNumber": number, f"Checksum{self._algorithm}": given}
        try:
            return self.write.connection.once("upload_part", Body=data, **named)
        except Exception as error:
            if is_corrupted(error) and checksum(self._algorithm, data) != given:  # not on its way: it was read so from the file
                raise self.file.changed(self.write.digest, f"other bytes in part {number}") from error
            raise

    def _abort(self) -> None:
        """Remove the parts; what cannot be removed is named in the log, and hides no error."""
        connection, key = self.write.connection, self.write.key
        where = f"s3://{connection.bucket}/{key}"
        doing = connection.doing(f"abort the upload of {where}", "s3:AbortMultipartUpload")
        try:
            connection.send("abort_multipart_upload", doing, attempts=3, Key=key, UploadId=self._id)
        except Exception as error:  # noqa: BLE001  the error that led here is what people must see
            logger.warning("The parts of the failed upload of %s (upload id %s) are still there: %s", where, self._id, error)


def measure(connection: S3Connection, path: str) -> Measured:
    """Read a file once: its digest, and the checksums of the parts in which it will go up."""
    algorithm, sha256 = connection.checksum_algorithm, hashlib.sha256()
    with LocalFile.opened(path) as file:
        sums = Workers().in_order(lambda part: checksum(algorithm, part[1]), file.parts(sha256), file.pieces.window)
        with closing(sums):
            checksums = tuple(sums)
        return Measured(digest=Digest(f"sha256:{sha256.hexdigest()}"), size_bytes=file.pieces.size_bytes, checksums=checksums)


def upload_file(write: Write, path: str, measured: Measured | None = None) -> tuple[dict[str, Any], int]:
    """A file of any size; S3's answer and the size in bytes. Errors as in `ObjectClient.upload`."""
    with LocalFile.opened(path) as file:
        size = file.pieces.size_bytes
        if measured is not None and measured.size_bytes != size:
            raise file.changed(write.digest, f"{size} bytes instead of {measured.size_bytes}")
        if size > file.pieces.piece_bytes:
            return Upload(write=write, file=file, promised=measured.checksums if measured else None).run(), size
        data = b"".join(bytes(data) for _, data in file.parts(None))
        file.refuse_other(write.digest, hashlib.sha256(data))
        return put_whole(write, data), size
