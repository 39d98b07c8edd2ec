"""From a URI to the client of its bucket. Each client is a leaf module that is imported on first use."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airflow_registry.domain.names import refuse_unrendered
from airflow_registry.errors import InvalidInputError
from airflow_registry.objects.options import StorageOptions

if TYPE_CHECKING:
    from airflow_registry.objects.base import ObjectClient

__all__ = ["SCHEMES", "is_object_uri", "join", "open_bucket", "split_uri"]

SCHEMES = ("s3", "gs")
_URI = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/]*)/*(.*)", re.DOTALL)


def is_object_uri(uri: str) -> bool:
    """Whether a URI lies in an object store that this package speaks to."""
    found = _URI.fullmatch(uri)
    return found is not None and found[1].lower() in SCHEMES


def split_uri(uri: str) -> tuple[str, str, str]:
    """Scheme, bucket and key of an object's URI; nothing is percent-decoded.

    Raises:
        InvalidInputError: If it is none.

    >>> split_uri("s3://models/plain/churn/")
    ('s3', 'models', 'plain/churn/')
    """
    refuse_unrendered(uri, "path")
    found = _URI.fullmatch(uri)
    if found is None or found[1].lower() not in SCHEMES or not found[2]:
        raise InvalidInputError(f"{uri!r} is not in an object store. Expected s3://bucket/key or gs://bucket/key.")
    return found[1].lower(), found[2], found[3]


def join(prefix: str, *parts: str) -> str:
    """A key below a prefix, which may be empty."""
    return "/".join(part for part in (prefix.strip("/"), *parts) if part)


def open_bucket(uri: str, options: StorageOptions | None = None) -> tuple[ObjectClient, str]:
    """The client of a URI's bucket, and the key in it. Nothing is read or written yet.

    Raises:
        InvalidInputError: If the URI is not in an object store.
        MissingDependencyError: If the store's library is not installed.
    """
    scheme, bucket, key = split_uri(uri)
    options = options or StorageOptions()
    if scheme == "gs":
        from airflow_registry.objects.gcs import GcsClient

        return GcsClient(bucket, options), key
    from airflow_registry.objects.s3 import S3Client

    return S3Client(bucket, options), key
