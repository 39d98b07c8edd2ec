"""Writing to a local disk so that a crash, at any step, leaves nothing or the whole thing under the final name.

The order is always: write under a temporary name on the same disk, flush, rename, flush the folder that holds the name.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_registry.artifacts.digest import files_of
from airflow_registry.errors import StorageUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

TEMPORARY = ".tmp-"
_LOCK = ".lock"
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS})  # some mounted disks


def copy_content(source: Path, target: Path, *, flush: bool) -> None:
    """Copy a file or a folder of files to `target`, which must not exist; `flush` waits until the copy is on the disk."""
    if not source.is_dir():
        _copy_file(source, target, flush=flush)
        return
    target.mkdir()
    for relative in files_of(source):
        copy = target / relative
        copy.parent.mkdir(parents=True, exist_ok=True)
        _copy_file(source / relative, copy, flush=flush)
    if flush:
        for folder, _, _ in os.walk(target):
            sync(Path(folder))


def write_whole(path: Path, data: bytes) -> None:
    """Replace the file at `path` by `data`: readers see the old file or the new one. Its folder must be there."""
    with workspace(path.parent) as temporary:
        copy = temporary / path.name
        write_new(copy, data)
        copy.replace(path)
    sync(path.parent)


def write_once(path: Path, data: bytes) -> bool:
    """Make the file at `path`, whole, unless there is one; whether it was made. Its folder must be there."""
    with workspace(path.parent) as temporary:
        copy = temporary / path.name
        write_new(copy, data)
        is_made = _place_once(copy, path)
    sync(path.parent)
    return is_made


def write_new(path: Path, data: bytes) -> None:
    """Write a file that does not exist yet, down to the disk."""
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def make_folder(path: Path) -> None:
    """Make a folder and its parents, each of them safe from a power cut; it may be there already."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(exist_ok=True)  # another writer may be faster
    sync(path.parent)


def sync(path: Path) -> None:
    """Wait until a file's bytes, or a folder's names, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def workspace(folder: Path) -> Iterator[Path]:
    """A temporary folder inside `folder`, on the same disk; removed with all that is left in it."""
    path = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=folder))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def private_folder() -> Iterator[str]:
    """A folder in the system's temporary folder (`TMPDIR`) that only this user can enter; it goes with the context.

    Raises:
        StorageUnavailableError: If none can be made.
    """
    try:
        path = tempfile.mkdtemp(prefix="airflow_registry-")
    except OSError as error:  # a full disk looks like a missing folder to tempfile
        raise StorageUnavailableError(
            f"No temporary folder can be made: {error}. Nothing was changed. Free space, or set TMPDIR to a folder on another disk."
        ) from error
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on the lock file `path`; the system frees it when the process dies.

    The file stays behind: removing it would let two holders lock two files of the same name.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _place_once(copy: Path, path: Path) -> bool:
    """Give a finished file its name, unless that is taken. A link, unlike a rename, never replaces."""
    try:
        os.link(copy, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        with locked(path.with_name(_LOCK)):  # at least none of us replaces what another one wrote
            if path.exists():
                return False
            copy.rename(path)
    return True


def _copy_file(source: Path, target: Path, *, flush: bool) -> None:
    shutil.copyfile(source, target)
    if flush:
        sync(target)
