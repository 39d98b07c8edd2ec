"""What every native format does with a file: look at how it begins, write it whole, and turn damage into words."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_registry.errors import CorruptionError, InvalidInputError, StorageUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD_BYTES = 4096


def head(path: str) -> bytes:
    """The first bytes of a file; b"" if there is none (a URI, a folder)."""
    try:
        with Path(path).open("rb") as file:
            return file.read(HEAD_BYTES)
    except (OSError, ValueError):
        return b""


def write(path: str, data: bytes) -> None:
    """Write a model file; on failure there is none.

    Raises:
        StorageUnavailableError: If it cannot be written.
    """
    with writing(path):
        Path(path).write_bytes(data)


@contextmanager
def writing(path: str) -> Iterator[None]:
    """Whoever writes the file: on failure there is none.

    Raises:
        StorageUnavailableError: If it cannot be written.
    """
    try:
        yield
    except OSError as error:
        Path(path).unlink(missing_ok=True)
        raise StorageUnavailableError(f"Cannot write the model to {path}: {error}. Nothing was registered.") from error


def damaged(what: str, shown: str, why: object) -> CorruptionError:
    """A file that is of the right kind and not whole, or that was made to do harm.

    Args:
        what: The kind of file, `LightGBM file`.
        shown: What messages call it.
        why: What was found.
    """
    return CorruptionError(
        f"The {what} {shown} is truncated, damaged or made to do harm: {why}. Nothing was loaded. Register the model again from its source."
    )


def wrong_kind(what: str, shown: str, remedy: str) -> InvalidInputError:
    """A file that is something else."""
    return InvalidInputError(f"{shown} is no {what}. Nothing was loaded. {remedy}")
