"""Local paths, the names of data files, and the digests of local files.

A path is a local path or `file://` followed by one, taken literally: no percent-decoding, because the keys of output
partitions are percent-encoded and must stay so. (The artifact store decodes `file://`, as `Path.as_uri` encodes: its paths hold
no partition keys. Without `file://` both read a path alike.)
"""

from __future__ import annotations

import errno
import glob
import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from airflow_registry.domain.names import Digest, refuse_unrendered
from airflow_registry.errors import InvalidInputError, RegistryError, StorageUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Format = Literal["parquet", "csv"]

SUFFIXES: dict[str, Format] = {".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".csv.gz": "csv"}
_HIVE = re.compile(r"[^=/]+=[^/]*")
_HASH_BLOCK_BYTES = 1 << 20
# What no retry mends: somebody must change the path, its rights or the file system.
_LASTING = frozenset(
    {errno.EACCES, errno.EEXIST, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL}
)


def local_path(path: str | os.PathLike[str], what: str) -> str:
    """The absolute local path that `path` means; a trailing `/` is dropped.

    Args:
        path: A local path or `file://` address.
        what: `input` or `output`, for the message.

    Raises:
        InvalidInputError: If it is empty, an unrendered template, or in a store that is not a local one.
    """
    text = os.fspath(path)
    refuse_unrendered(text, what)
    scheme, mark, rest = text.partition("://")
    if mark and scheme != "file":
        raise InvalidInputError(
            f"The {what} {text!r} is in a store that this release cannot reach from batch scoring ({scheme}://). "
            "Expected a local path, file://, s3:// or gs://. Mount the store, or copy the data to one of these first."
        )
    plain = (rest.removeprefix("localhost") if mark else text).rstrip("/") or ("/" if text.endswith("/") else "")
    if not plain or "\0" in plain:
        raise InvalidInputError(f"The {what} {text!r} is not a path. Expected a local path such as '/data/leads/ds=2026-01-31/'.")
    return os.path.abspath(plain)  # noqa: PTH100  resolve() would follow links and rename what people asked for


def storage_fault(error: OSError, doing: str) -> RegistryError:
    """The error of this package for one of the operating system's; only what a retry may mend is retryable."""
    if error.errno in _LASTING:
        return InvalidInputError(f"{doing} failed: {error}. Correct the path or its rights, then run this again.")
    return StorageUnavailableError(f"{doing} failed: {error}. Nothing was changed; run this again when the storage is well.")


def is_hidden(name: str) -> bool:
    """Whether a file or folder is bookkeeping (`.tmp`, `_SUCCESS`, `_manifest.json`) and not data."""
    return name.startswith((".", "_"))


def is_hive(name: str) -> bool:
    """Whether a folder's name, or one part of a partition key, reads `k=v`."""
    return _HIVE.fullmatch(name) is not None


def data_format(name: str) -> Format | None:
    """The format that a file's name announces, None if it is no data file."""
    lowered = name.lower()
    return next((kind for suffix, kind in SUFFIXES.items() if lowered.endswith(suffix)), None)


def stem(path: str) -> str:
    """A data file's name without its suffix."""
    name = os.path.basename(path)  # noqa: PTH119  paths are text here: a Path would drop what people wrote
    suffix = max((suffix for suffix in SUFFIXES if name.lower().endswith(suffix)), key=len, default="")
    return name[: len(name) - len(suffix)]


def is_glob(path: str) -> bool:
    """Whether a path that does not exist is a pattern."""
    return glob.has_magic(path)


def file_digest(path: str) -> Digest:
    """SHA-256 of one file, as `sha256sum` prints it.

    Raises:
        InvalidInputError: If it may not be read.
        StorageUnavailableError: If the storage is out of reach.
    """
    sha = hashlib.sha256()
    try:
        with Path(path).open("rb") as stream:
            while block := stream.read(_HASH_BLOCK_BYTES):
                sha.update(block)
    except OSError as error:
        raise storage_fault(error, f"Reading {path}") from error
    return Digest(f"sha256:{sha.hexdigest()}")


def files_digest(files: Sequence[str]) -> Digest:
    """One file's digest, or the SHA-256 of the sorted `sha256sum`-style manifest of several.

    The manifest holds paths relative to the files' common folder, so a data set that was moved keeps its digest.
    """
    if len(files) == 1:
        return file_digest(files[0])
    base = os.path.commonpath([os.path.dirname(file) for file in files])  # noqa: PTH120
    lines = sorted((os.path.relpath(file, base), file_digest(file).hex) for file in files)
    return Digest(f"sha256:{hashlib.sha256(_manifest(lines)).hexdigest()}")


def _manifest(lines: Iterable[tuple[str, str]]) -> bytes:
    return "".join(f"{digest}  {name}\n" for name, digest in lines).encode("utf-8", "surrogateescape")
