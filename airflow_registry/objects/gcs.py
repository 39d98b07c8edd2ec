"""Google Cloud Storage, through google-cloud-storage. An object's version is its generation."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from datetime import UTC
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.names import Digest
from airflow_registry.errors import ArtifactNotFoundError, RegistryError, StorageUnavailableError
from airflow_registry.objects.base import ObjectInfo
from airflow_registry.objects.gcs_connection import GcsConnection
from airflow_registry.objects.gcs_download import Reading
from airflow_registry.objects.gcs_upload import Write, generation_of, measure, upload_file
from airflow_registry.objects.s3_download import refuse_damaged, refuse_full_disk
from airflow_registry.objects.s3_upload import DIGEST_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_registry.objects.base import Condition, Measured
    from airflow_registry.objects.options import StorageOptions
    from airflow_registry.objects.s3_faults import Doing

__all__ = ["GcsClient"]

_CHECK_ATTEMPTS = 2  # of a check, whose answer a person waits for


class GcsClient:
    """`ObjectClient` of one bucket of Google Cloud Storage. Nothing is sent before the first request.

    Args:
        bucket: Name of the bucket.
        options: How it is reached.
    """

    def __init__(self, bucket: str, options: StorageOptions) -> None:
        self._connection = GcsConnection(bucket, options)

    @property
    def root(self) -> str:
        """`gs://bucket`."""
        return f"gs://{self._connection.bucket}"

    def uri(self, key: str) -> str:
        """The address of an object."""
        return f"{self.root}/{key}"

    def head(self, key: str) -> ObjectInfo | None:
        """What is known of an object; None if there is none."""
        try:
            return _info(self._look(key))
        except ArtifactNotFoundError:
            return None

    def read(self, key: str, *, start: int = 0, length: int | None = None, version: str | None = None) -> bytes:
        """Bytes of an object; Google's checksum of the whole is compared where the whole is read."""
        generation = None if version is None else generation_of(version)
        return self._connection.insist(lambda: self._read_once(key, start, length, generation), self._reading(key))

    def _read_once(self, key: str, start: int, length: int | None, generation: int | None) -> bytes:
        from google.api_core.exceptions import RequestRangeNotSatisfiable

        is_part = bool(start) or length is not None
        try:
            data: bytes = self._connection.blob(key).download_as_bytes(
                start=start if is_part else None,
                end=None if length is None else start + max(length, 1) - 1,
                checksum=None if is_part else "crc32c",
                if_generation_match=generation,
                raw_download=True,
                timeout=self._connection.timeout,
                retry=None,
            )
        except RequestRangeNotSatisfiable:  # it begins behind the end
            return b""
        return data[:length]

    def download(self, key: str, path: str, *, version: str | None = None) -> Digest:
        """Write an object to a new local file in parallel ranges of one generation."""
        blob = self._look(key, version)
        refuse_full_disk(path, int(blob.size))
        try:
            return self._download(blob, path)
        except OSError as error:
            if isinstance(error, RegistryError):
                raise
            raise StorageUnavailableError(
                f"Cannot download {self.uri(key)} to {path}: {error}. Nothing was kept; check the disk."
            ) from error

    def _download(self, blob: Any, path: str) -> Digest:  # noqa: ANN401
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            os.ftruncate(file, int(blob.size))
            digest = self._reader(blob).run(file)
            refuse_damaged(self.uri(blob.name), kept=(blob.metadata or {}).get(DIGEST_KEY), found=digest)
        except BaseException:
            with suppress(OSError):
                Path(path).unlink()
            raise
        finally:
            os.close(file)
        return digest

    def digest(self, key: str) -> tuple[Digest, int]:
        """SHA-256 and size of an object, read as a stream."""
        blob = self._look(key)
        return self._reader(blob).run(None), int(blob.size)

    def write(self, key: str, data: bytes, *, condition: Condition | None = None) -> ObjectInfo:
        """Create or replace a small object."""
        digest = Digest(f"sha256:{hashlib.sha256(data).hexdigest()}")
        return _info(Write(connection=self._connection, key=key, digest=digest, condition=condition).whole(data))

    def upload(self, path: str, key: str, *, digest: Digest, condition: Condition | None = None) -> ObjectInfo:
        """Create or replace an object by a local file."""
        return _info(upload_file(Write(connection=self._connection, key=key, digest=digest, condition=condition), path))

    def measure(self, path: str) -> Measured:
        """Read a local file once, for its digest and for what Google will compare."""
        return measure(path)

    def upload_measured(self, path: str, key: str, *, measured: Measured, condition: Condition | None = None) -> ObjectInfo:
        """As `upload`, for a file that was measured."""
        write = Write(connection=self._connection, key=key, digest=measured.digest, condition=condition)
        return _info(upload_file(write, path, measured))

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """All objects whose key starts with `prefix`."""
        for blobs, _ in self._pages(prefix, None):
            yield from map(_info, blobs)

    def folders(self, prefix: str = "") -> Iterator[str]:
        """The next path segments below `prefix`."""
        for _, folders in self._pages(prefix, "/"):
            yield from folders

    def delete(self, key: str) -> None:
        """Remove an object."""
        doing = self._connection.doing(f"delete {self.uri(key)}", "storage.objects.delete")
        with suppress(ArtifactNotFoundError):
            self._connection.insist(lambda: self._connection.blob(key).delete(timeout=self._connection.timeout, retry=None), doing)

    def check(self) -> None:
        """Raise unless the bucket can be listed."""
        doing = self._connection.doing(f"list {self.root}", "storage.objects.list")
        self._connection.insist(lambda: self._connection.page("", None, None, 1), doing, attempts=_CHECK_ATTEMPTS)

    def unfinished(self, prefix: str = "") -> Iterator[str]:  # noqa: ARG002  the protocol's
        """Nothing: Google neither lists nor charges for uploads that were begun, and forgets them after a week."""
        return iter(())

    # -- inside ----------------------------------------------------------------------------------------------------------
    def _pages(self, prefix: str, delimiter: str | None) -> Iterator[tuple[Sequence[Any], Sequence[str]]]:
        doing = self._connection.doing(f"list {self.uri(prefix)}", "storage.objects.list")
        token: str | None = None
        while True:
            blobs, folders, token = self._connection.insist(partial(self._connection.page, prefix, delimiter, token, None), doing)
            yield blobs, folders
            if not token:
                return

    def _reading(self, key: str) -> Doing:
        return self._connection.doing(f"read {self.uri(key)}", "storage.objects.get")

    def _reader(self, blob: Any) -> Reading:  # noqa: ANN401
        return Reading(connection=self._connection, blob=blob, doing=self._reading(blob.name))

    def _look(self, key: str, version: str | None = None) -> Any:  # noqa: ANN401
        """Google's view of an object that must be there, in that version if one is named."""
        generation = None if version is None else generation_of(version)
        return self._connection.insist(lambda: self._connection.look(key, generation), self._reading(key))


def _info(blob: Any) -> ObjectInfo:  # noqa: ANN401
    return ObjectInfo(key=blob.name, size_bytes=int(blob.size), version=str(blob.generation), modified_at=blob.time_created.astimezone(UTC))
