"""S3 through boto3: AWS, and every server that speaks its protocol."""

from __future__ import annotations

import hashlib
import os
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.names import Digest
from airflow_registry.errors import ArtifactNotFoundError, RegistryError, StorageUnavailableError
from airflow_registry.objects.base import ObjectInfo, PreconditionError
from airflow_registry.objects.s3_connection import S3Connection
from airflow_registry.objects.s3_download import Download, Reading, refuse_damaged, refuse_full_disk
from airflow_registry.objects.s3_faults import code_of, status_of
from airflow_registry.objects.s3_upload import DIGEST_KEY, Write, measure, put_whole, upload_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_registry.objects.base import Condition, Measured
    from airflow_registry.objects.options import StorageOptions
    from airflow_registry.objects.s3_faults import Doing

__all__ = ["S3Client"]

ASKING_ATTEMPTS = 2  # of a check, whose answer a person waits for


class S3Client:
    """`ObjectClient` of one S3 bucket. Nothing is sent before the first request.

    Args:
        bucket: Name of the bucket.
        options: How it is reached.

    Raises:
        ConfigurationError: If `s3_extra_args` holds what cannot be given to every object.
    """

    def __init__(self, bucket: str, options: StorageOptions) -> None:
        self._connection = S3Connection(bucket, options)
        self._bucket_is_there = False

    @property
    def root(self) -> str:
        """`s3://bucket`."""
        return f"s3://{self._connection.bucket}"

    def uri(self, key: str) -> str:
        """The address of an object."""
        return f"{self.root}/{key}"

    def head(self, key: str) -> ObjectInfo | None:
        """What is known of an object; None if there is none."""
        found = self._look(key)
        return None if found is None else _info(key, found)

    def read(self, key: str, *, start: int = 0, length: int | None = None, version: str | None = None) -> bytes:
        """Bytes of an object."""
        args: dict[str, str] = {"IfMatch": version} if version else {}
        if start or length is not None:
            args["Range"] = f"bytes={start}-{'' if length is None else start + max(length, 1) - 1}"
        found, data = self._connection.insist(lambda: self._read_once(key, args), self._reading_of(key))
        if "Range" not in args:
            refuse_damaged(self.uri(key), kept=_kept_digest(found), found=Digest(f"sha256:{hashlib.sha256(data).hexdigest()}"))
        return data[:length]

    def _read_once(self, key: str, args: dict[str, str]) -> tuple[dict[str, Any], bytes]:
        try:
            answer = self._connection.once("get_object", Key=key, **args)
        except Exception as error:
            if code_of(error) == "InvalidRange":  # it begins behind the end
                return {}, b""
            raise
        with closing(answer["Body"]) as body:
            return answer, body.read()

    def download(self, key: str, path: str, *, version: str | None = None) -> Digest:
        """Write an object to a new local file in parallel ranges."""
        found = self._look_at(key, version)
        size = int(found["ContentLength"])
        refuse_full_disk(path, size)
        try:
            return self._download(key, path, found)
        except OSError as error:
            if isinstance(error, RegistryError):
                raise
            raise StorageUnavailableError(
                f"Cannot download {self.uri(key)} to {path}: {error}. Nothing was kept; check the disk."
            ) from error

    def _download(self, key: str, path: str, found: dict[str, Any]) -> Digest:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            size = int(found["ContentLength"])
            os.ftruncate(file, size)
            digest = Download(reading=self._reading(key, found), size_bytes=size, file=file).run()
            refuse_damaged(self.uri(key), kept=_kept_digest(found), found=digest)
        except BaseException:
            with suppress(OSError):
                Path(path).unlink()
            raise
        finally:
            os.close(file)
        return digest

    def digest(self, key: str) -> tuple[Digest, int]:
        """SHA-256 and size of an object, read as a stream."""
        found = self._look_at(key, None)
        size = int(found["ContentLength"])
        return Download(reading=self._reading(key, found), size_bytes=size).run(), size

    def write(self, key: str, data: bytes, *, condition: Condition | None = None) -> ObjectInfo:
        """Create or replace a small object."""
        digest = Digest(f"sha256:{hashlib.sha256(data).hexdigest()}")
        return self._made(key, put_whole(self._write(key, digest, condition), data), len(data))

    def upload(self, path: str, key: str, *, digest: Digest, condition: Condition | None = None) -> ObjectInfo:
        """Create or replace an object by a local file."""
        if condition is not None:
            self._refuse_early(key, condition)
        return self._made(key, *upload_file(self._write(key, digest, condition), path))

    def measure(self, path: str) -> Measured:
        """Read a local file once, for its digest and for what the store will compare."""
        return measure(self._connection, path)

    def upload_measured(self, path: str, key: str, *, measured: Measured, condition: Condition | None = None) -> ObjectInfo:
        """As `upload`, for a file that was measured."""
        if condition is not None:
            self._refuse_early(key, condition)
        return self._made(key, *upload_file(self._write(key, measured.digest, condition), path, measured))

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """All objects whose key starts with `prefix`."""
        for page in self._pages("list_objects_v2", f"list {self.uri(prefix)}", Prefix=prefix):
            for entry in page.get("Contents", ()):
                yield ObjectInfo(key=entry["Key"], size_bytes=entry["Size"], version=entry["ETag"], modified_at=_utc(entry["LastModified"]))

    def folders(self, prefix: str = "") -> Iterator[str]:
        """The next path segments below `prefix`."""
        for page in self._pages("list_objects_v2", f"list {self.uri(prefix)}", Prefix=prefix, Delimiter="/"):
            for entry in page.get("CommonPrefixes", ()):
                yield entry["Prefix"]

    def delete(self, key: str) -> None:
        """Remove an object."""
        doing = self._connection.doing(f"delete {self.uri(key)}", "s3:DeleteObject")
        with suppress(ArtifactNotFoundError):
            self._connection.send("delete_object", doing, Key=key)

    def check(self) -> None:
        """Raise unless the bucket can be listed."""
        doing = self._connection.doing(f"list {self.root}", "s3:ListBucket")
        self._connection.send("list_objects_v2", doing, attempts=ASKING_ATTEMPTS, MaxKeys=1)

    def unfinished(self, prefix: str = "") -> Iterator[str]:
        """Keys of uploads that were begun and neither completed nor aborted."""
        for page in self._pages("list_multipart_uploads", f"list the unfinished uploads of {self.uri(prefix)}", Prefix=prefix):
            for entry in page.get("Uploads", ()):
                yield entry["Key"]

    def _write(self, key: str, digest: Digest, condition: Condition | None) -> Write:
        return Write(connection=self._connection, key=key, digest=digest, condition=condition)

    def _pages(self, operation: str, what: str, **args: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401
        """Answers to a listing; each names where the next one begins."""
        doing = self._connection.doing(what, _LISTING[operation].right)
        marks: dict[str, Any] = {}
        while True:
            page: dict[str, Any] = self._connection.send(operation, doing, **args, **marks)
            yield page
            if not page.get("IsTruncated"):
                return
            marks = {theirs: page[ours] for ours, theirs in _LISTING[operation].marks if page.get(ours)}

    def _reading_of(self, key: str) -> Doing:
        return self._connection.doing(
            f"read {self.uri(key)}", "s3:GetObject (and s3:ListBucket, without which S3 calls what is missing forbidden)"
        )

    def _look(self, key: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self._connection.insist(lambda: self._head_once(key), self._reading_of(key))
        except ArtifactNotFoundError:
            return None
        return found

    def _look_at(self, key: str, version: str | None) -> dict[str, Any]:
        """As `_look`, and the object must be there, in that version if one is named."""
        found: dict[str, Any] = self._connection.insist(lambda: self._head_once(key), self._reading_of(key))
        if version is not None and found["ETag"] != version:
            raise PreconditionError(f"{self.uri(key)} has the version {found['ETag']}, not {version}.")
        return found

    def _head_once(self, key: str) -> Any:  # noqa: ANN401
        """An answer to HEAD has no body that says what is wrong, not even whether the key or the bucket is missing: then a GET asks."""
        try:
            return self._connection.once("head_object", Key=key)
        except Exception as error:
            silent = code_of(error).isdigit() and 300 <= status_of(error) < 500
            if silent and not (status_of(error) == 404 and self._bucket_is_there):
                self._say_why(key)
            raise

    def _say_why(self, key: str) -> None:
        try:
            self._connection.once("get_object", Key=key, Range="bytes=0-0")["Body"].close()
        except Exception as error:
            self._bucket_is_there |= code_of(error) == "NoSuchKey"
            raise

    def _reading(self, key: str, found: dict[str, Any]) -> Reading:
        return Reading(connection=self._connection, key=key, version=found["ETag"])

    def _refuse_early(self, key: str, condition: Condition) -> None:
        """Nobody sends gigabytes to hear that the condition did not hold when they began."""
        found = self._look(key)
        if (found and found["ETag"]) != condition.version:
            raise PreconditionError(f"At {self.uri(key)} is {found['ETag'] if found else 'nothing'}, not {condition.version or 'nothing'}.")

    def _made(self, key: str, answer: dict[str, Any], size_bytes: int) -> ObjectInfo:
        date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
        if "LastModified" in answer or not date:
            return _info(key, answer if "LastModified" in answer else self._look_at(key, answer["ETag"]))
        return ObjectInfo(key=key, size_bytes=size_bytes, version=answer["ETag"], modified_at=_utc(parsedate_to_datetime(date)))


@dataclass(frozen=True, slots=True)
class _Listing:
    """A request that answers in pages.

    Attributes:
        right: The permission it needs.
        marks: What an answer says of the next page, and which argument takes it.
    """

    right: str
    marks: tuple[tuple[str, str], ...]


_LISTING = {
    "list_objects_v2": _Listing("s3:ListBucket", (("NextContinuationToken", "ContinuationToken"),)),
    "list_multipart_uploads": _Listing(
        "s3:ListBucketMultipartUploads", (("NextKeyMarker", "KeyMarker"), ("NextUploadIdMarker", "UploadIdMarker"))
    ),
}


def _info(key: str, found: dict[str, Any]) -> ObjectInfo:
    return ObjectInfo(key=key, size_bytes=found["ContentLength"], version=found["ETag"], modified_at=_utc(found["LastModified"]))


def _kept_digest(found: dict[str, Any]) -> str | None:
    """The digest that the uploader kept with the object, where it was one of ours."""
    kept: str | None = found.get("Metadata", {}).get(DIGEST_KEY)
    return kept


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)
