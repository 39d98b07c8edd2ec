"""Which files an input path means, and their digest.

A path is a local path or `file://` followed by one, taken literally: no percent-decoding, because the keys of output
partitions are percent-encoded and must stay so.
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
from airflow_registry.errors import InputNotReadyError, InvalidInputError, RegistryError, StorageUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Format = Literal["parquet", "csv"]

_SUFFIXES: dict[str, Format] = {".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".csv.gz": "csv"}
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
            "Expected a local path or file://. Mount the store, or copy the data to a local folder first."
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
    return next((kind for suffix, kind in _SUFFIXES.items() if lowered.endswith(suffix)), None)


def stem(path: str) -> str:
    """A data file's name without its suffix."""
    name = os.path.basename(path)  # noqa: PTH119  paths are text here: a Path would drop what people wrote
    suffix = max((suffix for suffix in _SUFFIXES if name.lower().endswith(suffix)), key=len, default="")
    return name[: len(name) - len(suffix)]


def entries(folder: str) -> list[os.DirEntry[str]]:
    """What a folder holds apart from bookkeeping, by name.

    Raises:
        InvalidInputError: If it may not be read.
        StorageUnavailableError: If the storage is out of reach.
    """
    try:
        with os.scandir(folder) as found:
            return sorted((entry for entry in found if not is_hidden(entry.name)), key=lambda entry: entry.name)
    except OSError as error:
        raise storage_fault(error, f"Listing the folder {folder}") from error


def folder_files(folder: str) -> list[str]:
    """The data files of a folder and of its Hive style subfolders, in a fixed order.

    Other subfolders are left out, as Spark does: what lies there is not part of this data set.
    """
    files: list[str] = []
    for entry in entries(folder):
        if entry.is_dir() and is_hive(entry.name):
            files += folder_files(entry.path)
        elif entry.is_file() and data_format(entry.name):
            files.append(entry.path)
    return files


def is_glob(path: str) -> bool:
    """Whether a path that does not exist is a pattern."""
    return glob.has_magic(path)


def matches(pattern: str) -> list[str]:
    """What a glob finds apart from bookkeeping, by path.

    Raises:
        InputNotReadyError: If that is nothing.
    """
    found = sorted(path for path in glob.glob(pattern, recursive=True) if not is_hidden(os.path.basename(path)))  # noqa: PTH119, PTH207
    if not found:
        raise InputNotReadyError(f"Nothing matches the input {pattern!r}. Expected at least one parquet or CSV file: check the pattern.")
    return found


def find_files(path: str) -> tuple[str, ...]:
    """The data files that an input path means: a file, a folder, or a glob over either.

    Raises:
        InputNotReadyError: If nothing is there.
        InvalidInputError: If what is there is no parquet or CSV, or both.
    """
    if Path(path).is_file():
        files = [path]
    elif Path(path).is_dir():
        files = folder_files(path)
    elif is_glob(path):
        files = [file for found in matches(path) for file in (folder_files(found) if Path(found).is_dir() else [found])]
    else:
        raise InputNotReadyError(
            f"The input {path!r} does not exist. Expected a parquet or CSV file, a folder of them, or a glob: "
            "check the path and whether the partition has arrived."
        )
    return _of_one_format(path, tuple(dict.fromkeys(files)))


def _of_one_format(path: str, files: tuple[str, ...]) -> tuple[str, ...]:
    if not files:
        raise InputNotReadyError(
            f"The input {path!r} holds no data file. Expected at least one .parquet or .csv; names that start with '.' or '_' do not count."
        )
    foreign = [file for file in files if data_format(file) is None]
    if foreign:
        raise InvalidInputError(
            f"The input {foreign[0]!r} is not data that can be scored. Expected a name ending in {', '.join(_SUFFIXES)}."
        )
    if len({data_format(file) for file in files}) > 1:
        raise InvalidInputError(
            f"The input {path!r} mixes parquet and CSV files, so one of them is probably left over. "
            "Expected one format: remove the others, or name the files with a glob such as '*.parquet'."
        )
    return files


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
