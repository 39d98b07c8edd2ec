"""One artifact store for writing, and reading from wherever an artifact lies.

A version that was registered with `copy=False`, or before the store was moved, lies outside the store that is written today. Its remote
path says where: a local path, or a bucket.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_registry.artifacts.dispatch import scheme_of
from airflow_registry.errors import InvalidInputError
from airflow_registry.objects.dispatch import is_object_uri, open_bucket, split_uri

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping
    from contextlib import AbstractContextManager

    from airflow_registry.artifacts.anchor import Anchor
    from airflow_registry.artifacts.base import Area, ArtifactStore, Stored
    from airflow_registry.domain.names import Digest
    from airflow_registry.objects.options import StorageOptions

_READABLE = "local paths, file:// URIs, s3:// and gs://"


class RoutedArtifactStore:
    """Writes to `own` and reads from anywhere; see `ArtifactStore`.

    Args:
        own: The store that this registry writes to.
        options: How buckets are reached.
    """

    def __init__(self, own: ArtifactStore, options: StorageOptions) -> None:
        self.own = own
        self.options = options

    @property
    def root(self) -> str:
        """URI of the store that is written to."""
        return self.own.root

    # -- reading: by the artifact's address ------------------------------------------------------------------------------
    def verify(self, remote_path: str, digest: Digest) -> None:
        """Compare an artifact with its digest."""
        self._holder(remote_path).verify(remote_path, digest)

    def exists(self, remote_path: str) -> bool:
        """Whether an artifact is there."""
        return self._holder(remote_path).exists(remote_path)

    def fetch(self, remote_path: str, digest: Digest | None, target: str) -> str:
        """Copy an artifact into a local folder."""
        return self._holder(remote_path).fetch(remote_path, digest, target)

    def open_verified(self, remote_path: str, digest: Digest) -> AbstractContextManager[str]:
        """A verified private copy."""
        return self._holder(remote_path).open_verified(remote_path, digest)

    def copy_into(self, remote_path: str, digest: Digest, folder: str) -> str:
        """A verified copy in a folder that only this process uses."""
        return self._holder(remote_path).copy_into(remote_path, digest, folder)

    def digest_of(self, uri: str) -> tuple[Digest, int] | None:
        """Digest and size of what stays where it is; None if nothing here can read that URI."""
        return self._holder(uri).digest_of(uri) if _is_readable(uri) else None

    # -- writing: to the own store ---------------------------------------------------------------------------------------
    def put(self, source: str, *, model: str, name: str | None = None, area: Area = "plain") -> Stored:
        """Copy a local file or folder in."""
        return self.own.put(source, model=model, name=name, area=area)

    def write_pointer(self, model: str, payload: Mapping[str, Any], revision: int) -> str:
        """Write the champion's pointer, unless a newer one is there."""
        return self.own.write_pointer(model, payload, revision)

    def read_pointer(self, model: str) -> dict[str, Any] | None:
        """What the pointer says."""
        return self.own.read_pointer(model)

    def write_mark(self, model: str, payload: Mapping[str, Any], number: int) -> str:
        """Write the mark of the highest number, unless a higher one is there."""
        return self.own.write_mark(model, payload, number)

    def read_mark(self, model: str) -> dict[str, Any] | None:
        """What the mark says."""
        return self.own.read_mark(model)

    def write_anchor(self, registry_uid: str, seq: int, payload: Mapping[str, Any]) -> str:
        """Write an audit anchor, once."""
        return self.own.write_anchor(registry_uid, seq, payload)

    def anchors(self, registry_uid: str) -> Iterator[Anchor]:
        """The audit anchors of a registry."""
        return self.own.anchors(registry_uid)

    def newest_anchor(self, registry_uid: str) -> int:
        """The place of a registry's newest audit anchor."""
        return self.own.newest_anchor(registry_uid)

    def anchored_registries(self) -> Iterator[str]:
        """The uids of the registries that have audit anchors."""
        return self.own.anchored_registries()

    def models(self) -> Iterator[str]:
        """Names of the models that have a mark or a pointer."""
        return self.own.models()

    def orphans(self, known: Container[str]) -> Iterator[str]:
        """Artifacts of the own store that nobody knows."""
        return self.own.orphans(known)

    def describe(self) -> str:
        """One line for people."""
        return self.own.describe()

    def check(self) -> None:
        """Raise unless the own store can be written."""
        self.own.check()

    # -- inside ----------------------------------------------------------------------------------------------------------
    def _holder(self, uri: str) -> ArtifactStore:
        """The store that can read a URI."""
        from airflow_registry.artifacts.local import LocalArtifactStore
        from airflow_registry.artifacts.objects import ObjectArtifactStore

        if not _is_readable(uri):
            raise InvalidInputError(f"{uri!r} cannot be read: artifacts lie in {_READABLE}; found {scheme_of(uri)}://.")
        if not is_object_uri(uri):
            return self.own if isinstance(self.own, LocalArtifactStore) else LocalArtifactStore("/")
        if isinstance(self.own, ObjectArtifactStore) and self.own.holds(uri):
            return self.own
        scheme, bucket, _ = split_uri(uri)
        return ObjectArtifactStore(open_bucket(f"{scheme}://{bucket}", self.options)[0])


def _is_readable(uri: str) -> bool:
    return scheme_of(uri) in {"", "file"} or is_object_uri(uri)
