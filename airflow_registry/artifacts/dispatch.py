"""From a URI to the store that speaks its scheme. Each store is a leaf module that is imported on first use."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from airflow_registry.domain.names import refuse_unrendered
from airflow_registry.errors import InvalidInputError
from airflow_registry.objects.dispatch import SCHEMES, is_object_uri, open_bucket, split_uri
from airflow_registry.objects.options import StorageOptions

if TYPE_CHECKING:
    from airflow_registry.artifacts.base import ArtifactStore

__all__ = ["local_path", "open_store", "remote_path_of", "scheme_of"]

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_LOCAL = ("", "file")


def open_store(root: str | os.PathLike[str], options: StorageOptions | None = None) -> ArtifactStore:
    """The store at `root`, which also reads artifacts that lie elsewhere. Nothing is read or written yet.

    Args:
        root: A folder (a relative path is taken from the present one), or a URI: file://, s3:// or gs://.
        options: How buckets are reached.

    Raises:
        InvalidInputError: If this release has no store for the scheme.
        MissingDependencyError: If the store's library is not installed.
    """
    from airflow_registry.artifacts.routed import RoutedArtifactStore

    options = options or StorageOptions()
    return RoutedArtifactStore(_own_store(root, options), options)


def _own_store(root: str | os.PathLike[str], options: StorageOptions) -> ArtifactStore:
    if scheme_of(root) not in SCHEMES:
        from airflow_registry.artifacts.local import LocalArtifactStore

        return LocalArtifactStore(local_path(root))
    from airflow_registry.artifacts.objects import ObjectArtifactStore

    return ObjectArtifactStore(*open_bucket(_text(root), options))


def scheme_of(uri: str | os.PathLike[str]) -> str:
    """The scheme of a URI in lower case, '' for a path."""
    found = _SCHEME.match(_text(uri))
    return found[1].lower() if found else ""


def local_path(uri: str | os.PathLike[str]) -> str:
    """The absolute path that a path, `os.PathLike` or file:// URI stands for; `~/` is the home folder.

    Raises:
        InvalidInputError: If it is no place on this machine; the message says what artifacts can be kept in.

    >>> local_path("file:///srv/models/my%20model.skops")
    '/srv/models/my model.skops'
    """
    text = _text(uri)
    if scheme_of(text) not in _LOCAL:
        raise InvalidInputError(
            f"{text!r} is no place on this machine: expected a path or a file:// URI, found {scheme_of(text)}://. Artifacts are kept in "
            "local folders, s3:// and gs://; of anything else hand in a local copy."
        )
    path = Path(_file_uri_path(text)) if scheme_of(text) else _at_home(text)
    return os.path.abspath(path)  # noqa: PTH100  resolve() would write down where a link leads today


def remote_path_of(uri: str | os.PathLike[str]) -> str:
    """How the registry writes down what stays where it is: local paths absolute, local folders with a trailing `/`.

    In a bucket only the `/` at the end says that a folder is meant, so it must be given. Other URIs stay as they are.
    """
    if is_object_uri(_text(uri)):
        scheme, bucket, key = split_uri(_text(uri))
        return f"{scheme}://{bucket}/{key}"
    if scheme_of(uri) not in _LOCAL:
        return _text(uri)
    path = local_path(uri)
    return f"{path}/" if Path(path).is_dir() else path


def _text(uri: str | os.PathLike[str]) -> str:
    text = os.fspath(uri) if isinstance(uri, (str, os.PathLike)) else uri
    refuse_unrendered(text, "path")
    if not isinstance(text, str) or not text or "\x00" in text:
        raise InvalidInputError(f"{text!r} is not a path. Expected a path as text, an os.PathLike or a file:// URI.")
    return text


def _at_home(path: str) -> Path:
    return Path(path).expanduser() if path.startswith("~/") else Path(path)  # "~name" may be a file of that name


def _file_uri_path(uri: str) -> str:
    parts = urlsplit(uri)
    if parts.netloc not in {"", "localhost"} or not parts.path:
        raise InvalidInputError(f"{uri!r} is not a file on this machine. Expected file:/// and an absolute path (three slashes).")
    return unquote(parts.path)
