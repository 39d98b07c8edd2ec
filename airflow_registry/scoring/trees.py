"""Where inputs are looked for: folders and files, on a file system or as the keys of a bucket.

What counts as data is decided in `files` and `partitions`; a tree only knows what is there, and how what was found is read.
"""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from airflow_registry.objects.dispatch import is_object_uri
from airflow_registry.scoring.files import is_hidden, local_path, storage_fault
from airflow_registry.scoring.found import LocalFiles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_registry.objects.options import StorageOptions
    from airflow_registry.scoring.found import FoundFiles


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file or folder that is no bookkeeping.

    Attributes:
        name: Its own name.
        path: Absolute path or URI.
        is_folder: Whether it is a folder; else it is a file.
    """

    name: str
    path: str
    is_folder: bool


class Tree(Protocol):
    """Folders and files. All paths are absolute, or URIs, without a trailing slash."""

    def is_file(self, path: str) -> bool:
        """Whether a file is there."""

    def is_folder(self, path: str) -> bool:
        """Whether a folder is there."""

    def entries(self, folder: str) -> list[Entry]:
        """What a folder holds apart from bookkeeping, by name."""

    def matches(self, pattern: str) -> list[str]:
        """What a glob finds apart from bookkeeping, by path."""

    def found(self, files: Sequence[str]) -> FoundFiles:
        """Files, in the state in which they are now."""


def open_tree(path: str | os.PathLike[str], storage: StorageOptions | None = None) -> tuple[Tree, str]:
    """The tree that an input is in, and the input's path in it.

    Raises:
        InvalidInputError: If it is no path, or in a store that cannot be reached.
        StorageUnavailableError: If the store is out of reach.
    """
    text = os.fspath(path)
    if is_object_uri(text):
        from airflow_registry.scoring.objects import open_object_tree

        return open_object_tree(text, storage)
    return LocalTree(), local_path(text, "input")


class LocalTree:
    """A file system."""

    def is_file(self, path: str) -> bool:
        """Whether a file is there."""
        return Path(path).is_file()

    def is_folder(self, path: str) -> bool:
        """Whether a folder is there."""
        return Path(path).is_dir()

    def entries(self, folder: str) -> list[Entry]:
        """What a folder holds apart from bookkeeping, by name.

        Raises:
            InvalidInputError: If it may not be read.
            StorageUnavailableError: If the storage is out of reach.
        """
        try:
            with os.scandir(folder) as there:
                found = [entry for entry in there if not is_hidden(entry.name) and (entry.is_dir() or entry.is_file())]
                known = [Entry(name=entry.name, path=entry.path, is_folder=entry.is_dir()) for entry in found]
        except OSError as error:
            raise storage_fault(error, f"Listing the folder {folder}") from error
        return sorted(known, key=lambda entry: entry.name)

    def matches(self, pattern: str) -> list[str]:
        """What a glob finds apart from bookkeeping, by path."""
        found = {path.rstrip("/") for path in glob.glob(pattern, recursive=True)}  # noqa: PTH207  `**` finds the folder itself as `folder/`
        return sorted(path for path in found if not is_hidden(os.path.basename(path)))  # noqa: PTH119

    def found(self, files: Sequence[str]) -> LocalFiles:
        """Files, in the state in which they are now."""
        return LocalFiles.of(files)
