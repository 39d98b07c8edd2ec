"""Reading artifacts for use: out of this machine's cache where they lie in a bucket, else from where they are.

Artifacts on a local disk are not cached: that would copy a file in order not to copy it. What a gate tries, and what is copied to
another registry, is read from the store itself: whether it is whole there is part of the question.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from airflow_registry.artifacts.base import artifact_name
from airflow_registry.artifacts.cache.store import ArtifactCache, Wanted
from airflow_registry.objects.dispatch import is_object_uri, split_uri

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_registry.artifacts.base import ArtifactStore
    from airflow_registry.artifacts.cache.options import CacheOptions
    from airflow_registry.domain.names import Digest

__all__ = ["CachedReader"]


class CachedReader:
    """Reads from a store, through a cache where one is on.

    Args:
        store: Where artifacts are.
        options: The cache.
    """

    def __init__(self, store: ArtifactStore, options: CacheOptions) -> None:
        self.store = store
        self.cache = ArtifactCache(options) if options.is_on else None

    @contextmanager
    def open_verified(self, remote_path: str, digest: Digest, size_bytes: int | None) -> Iterator[str]:
        """A local path whose bytes have been verified just now and stay until the context ends; errors as the store's.

        Args:
            remote_path: The artifact.
            digest: What its bytes must be.
            size_bytes: Its size in bytes; None if nobody knows, then it is not cached.
        """
        with ExitStack() as held:
            path = self._from_cache(remote_path, digest, size_bytes, held)
            if path is None or remote_path.endswith("/"):  # what loads a folder writes into it (compiled modules): into a copy, then
                path = held.enter_context(self.store.open_verified(path or remote_path, digest))
            yield path

    def fetch(self, remote_path: str, digest: Digest | None, size_bytes: int | None, target: str) -> str:
        """Copy an artifact into the local folder `target`; as the store's, with the same errors."""
        with ExitStack() as held:
            path = None if digest is None else self._from_cache(remote_path, digest, size_bytes, held)
            return self.store.fetch(remote_path if path is None else path, digest, target)

    def _from_cache(self, remote_path: str, digest: Digest, size_bytes: int | None, held: ExitStack) -> str | None:
        if self.cache is None or size_bytes is None or not is_object_uri(remote_path):
            return None
        key = split_uri(remote_path)[2]
        name, is_folder = artifact_name(key.rstrip("/").rpartition("/")[2]), key.endswith("/")
        wanted = Wanted(digest=digest, name=name, is_folder=is_folder, size_bytes=size_bytes)
        return held.enter_context(self.cache.opened(wanted, lambda folder: self.store.copy_into(remote_path, digest, folder)))
