"""What the operating system says, in this package's errors: not there, cannot be read, cannot be written."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow_registry.errors import ArtifactNotFoundError, RegistryError, StorageUnavailableError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


@contextmanager
def reading(path: str | os.PathLike[str]) -> Iterator[None]:
    """Around reads of `path`.

    Raises:
        ArtifactNotFoundError: If nothing is there.
        StorageUnavailableError: If it is there and cannot be read.
    """
    try:
        yield
    except RegistryError:
        raise  # StorageUnavailableError is an OSError too: what has been explained once stays as it is
    except (FileNotFoundError, NotADirectoryError) as error:
        raise not_found(path) from error
    except OSError as error:
        raise StorageUnavailableError(f"Cannot read {path}: {_said(error)}. {_reading_remedy(error)}") from error


@contextmanager
def writing(what: str) -> Iterator[None]:
    """Around writes; `what` completes the sentence `Cannot …`.

    Raises:
        StorageUnavailableError: If the disk is full, the folder is read-only, or anything else stops the write.
    """
    try:
        yield
    except RegistryError:
        raise
    except OSError as error:
        raise StorageUnavailableError(f"Cannot {what}: {_said(error)}. Nothing was kept of it. {_writing_remedy(error)}") from error


def not_found(path: str | os.PathLike[str]) -> ArtifactNotFoundError:
    """Nothing is at `path`."""
    return ArtifactNotFoundError(
        f"There is no artifact at {path}. Check the spelling and that this machine sees the folder (a mount, another worker's disk); "
        "if it was deleted, restore it from a backup."
    )


def _said(error: OSError) -> str:
    text = error.strerror or str(error)
    return f"{text} ({error.filename})" if error.filename else text


def _reading_remedy(error: OSError) -> str:
    if error.errno in _FORBIDDEN:
        return "Give the user that runs this process the right to read it, then try again."
    return "Check the disk or the mount, then try again."


def _writing_remedy(error: OSError) -> str:
    if error.errno in _FULL:
        return "Free space or raise the quota, then try again."
    if error.errno in _FORBIDDEN:
        return "Give the user that runs this process the rights to that path, then try again."
    return "Check the disk or the mount, then try again."
