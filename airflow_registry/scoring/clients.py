"""One client for each bucket of a task: making one costs more than most requests, and a task opens its buckets several times."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from airflow_registry.objects.dispatch import open_bucket, split_uri

if TYPE_CHECKING:
    from airflow_registry.objects.base import ObjectClient
    from airflow_registry.objects.options import StorageOptions

_MOST = 8


class _Same:
    """Options that are equal to themselves only: credentials do not take part in how options are compared.

    Args:
        options: Kept, so that no others get their identity.
    """

    def __init__(self, options: StorageOptions) -> None:
        self.options = options

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.options is other.options

    def __hash__(self) -> int:
        return id(self.options)


def bucket_of(uri: str, options: StorageOptions | None) -> tuple[ObjectClient, str]:
    """The client of a URI's bucket, the same one for the same options, and the key in it.

    Raises:
        InvalidInputError: If the URI is not in an object store.
        MissingDependencyError: If the store's library is not installed.
    """
    if options is None:
        return open_bucket(uri)
    scheme, bucket, key = split_uri(uri)
    return _client(f"{scheme}://{bucket}/", _Same(options)), key


@lru_cache(maxsize=_MOST)
def _client(root: str, same: _Same) -> ObjectClient:
    return open_bucket(root, same.options)[0]
