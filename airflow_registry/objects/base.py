"""The `ObjectClient` protocol: one bucket of an object store, as artifacts and scoring need it.

What is promised is what object stores have in common: an object appears whole or not at all, it is replaced whole, and a write
can be made to depend on what is there. Everything built on top (content addresses, pointers, predictions) stands on these three.

Keys have no leading slash. Errors are this package's: `StorageUnavailableError` when a retry may help (the client has already tried
several times), `StorageRefusedError` when somebody must change something first (bucket, rights, credentials), `ArtifactNotFoundError`
when nothing is there, `CorruptionError` when the bytes that arrived are not those that were sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from airflow_registry.domain.names import Digest

__all__ = ["ABSENT", "Condition", "Measured", "MeasuringClient", "ObjectClient", "ObjectInfo", "PreconditionError"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectInfo:
    """One object.

    Attributes:
        key: Its name in the bucket.
        size_bytes: Its size in bytes.
        version: Opaque text that is another one whenever the bytes were replaced (S3: ETag; GCS: generation).
        modified_at: When it was written, by the store's clock (aware).
    """

    key: str
    size_bytes: int
    version: str
    modified_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What must be there for a write to happen.

    Attributes:
        version: The version that must be there; None if nothing may be there.
    """

    version: str | None = None


ABSENT = Condition()


class PreconditionError(Exception):
    """Something else is there than the condition said. An answer of the store, not a fault: callers look and decide."""


class ObjectClient(Protocol):
    """One bucket. Safe to use from several threads."""

    @property
    def root(self) -> str:
        """`s3://bucket` or `gs://bucket`."""

    def uri(self, key: str) -> str:
        """The address of an object."""

    def head(self, key: str) -> ObjectInfo | None:
        """What is known of an object without reading it; None if there is none."""

    def read(self, key: str, *, start: int = 0, length: int | None = None, version: str | None = None) -> bytes:
        """Bytes of an object; for small objects and ranges.

        Args:
            key: The object.
            start: First byte.
            length: How many bytes at most; None for all that follow.
            version: The version that must be read.

        Raises:
            PreconditionError: If another version is there.
        """

    def download(self, key: str, path: str, *, version: str | None = None) -> Digest:
        """Write an object to a new local file, in parallel ranges, and return the SHA-256 of what was written.

        Memory does not grow with the object. All ranges are of one version, also when nobody named one.

        Raises:
            PreconditionError: If another version is there, or the object is replaced meanwhile.
        """

    def digest(self, key: str) -> tuple[Digest, int]:
        """SHA-256 and size in bytes of an object, read as a stream and not kept."""

    def write(self, key: str, data: bytes, *, condition: Condition | None = None) -> ObjectInfo:
        """Create or replace a small object, checksum sent along.

        Raises:
            PreconditionError: If the condition does not hold.
        """

    def upload(self, path: str, key: str, *, digest: Digest, condition: Condition | None = None) -> ObjectInfo:
        """Create or replace an object by a local file: in parallel parts, each with a checksum that the store compares.

        Memory does not grow with the file. A failed upload is aborted and leaves nothing visible.

        Args:
            path: A local file that nobody changes meanwhile.
            key: Where it goes.
            digest: SHA-256 of the file, kept with the object.
            condition: What must be there.

        Raises:
            PreconditionError: If the condition does not hold; nothing was changed.
            DigestMismatchError: If the file does not have this digest.
        """

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """All objects whose key starts with `prefix`, by key, in pages."""

    def folders(self, prefix: str = "") -> Iterator[str]:
        """The next path segments below `prefix` (which ends in `/` or is empty), as keys that end in `/`."""

    def delete(self, key: str) -> None:
        """Remove an object; nothing happens if there is none."""

    def check(self) -> None:
        """Raise unless the bucket can be listed."""

    def unfinished(self, prefix: str = "") -> Iterator[str]:
        """Keys below `prefix` of uploads that were begun and neither completed nor aborted (a killed process leaves them)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one reading of a local file found.

    Attributes:
        digest: SHA-256 of the file.
        size_bytes: Its size in bytes.
        checksums: Those of its pieces, in the way of the client that made them, which compares them when the pieces go up.
    """

    digest: Digest
    size_bytes: int
    checksums: tuple[str, ...]


@runtime_checkable
class MeasuringClient(ObjectClient, Protocol):
    """A client for whom an upload is cheaper if it has read the file before: who needs the digest anyway lets it do that."""

    def measure(self, path: str) -> Measured:
        """Read a local file once, for its digest and for what the store will compare."""

    def upload_measured(self, path: str, key: str, *, measured: Measured, condition: Condition | None = None) -> ObjectInfo:
        """As `upload`; errors as there, `DigestMismatchError` if the file is not any more what was measured."""
