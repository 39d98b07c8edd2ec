"""The partitions of an input, and the names that they have in an output."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from airflow_registry.errors import InputNotReadyError, InvalidInputError
from airflow_registry.scoring.files import data_format, is_glob, is_hive, stem
from airflow_registry.scoring.find import folder_files, matches
from airflow_registry.scoring.trees import open_tree

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_registry.objects.options import StorageOptions
    from airflow_registry.scoring.trees import Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """One piece of an input folder that is scored on its own.

    Attributes:
        key: Hive style `k=v` (nested: `a=1/b=2`), else the name of the folder or the file's stem.
        path: Its input.
    """

    key: str
    path: str


def list_partitions(path: str | os.PathLike[str], storage: StorageOptions | None = None) -> tuple[Partition, ...]:
    """The partitions of an input: Hive style subfolders, else plain subfolders and data files.

    A subfolder without a data file has not arrived yet and is left out.

    Args:
        path: A folder or glob; local, `file://`, or in an object store.
        storage: How object stores are reached.

    Raises:
        InputNotReadyError: If the input does not exist.
        InvalidInputError: If two partitions have one key, or Hive style folders lie beside loose files (neither may be forgotten).
        StorageUnavailableError: If the storage is out of reach.
    """
    return partitions_in(*open_tree(path, storage))


def partitions_in(tree: Tree, where: str) -> tuple[Partition, ...]:
    """The same in a tree that was opened already.

    Raises:
        InputNotReadyError: If the input does not exist.
        InvalidInputError: If two partitions have one key, or Hive style folders lie beside loose files.
    """
    if tree.is_file(where):
        found = [Partition(key=stem(where), path=where)]
    elif tree.is_folder(where):
        found = _folder_partitions(tree, where)
    elif is_glob(where):
        found = [part for match in matches(tree, where) for part in _matched(tree, match)]
    else:
        raise InputNotReadyError(f"The input {where!r} does not exist. Expected the folder that holds the partitions: check the path.")
    return _distinct(where, found)


def encode_key(key: str) -> str:
    """A partition key as a relative path that stays below the output, one to one.

    `k=v` parts and the `/` between them stay; everything else but letters, digits and `-._~` is percent-encoded, also a first
    `.` or `_`, which would hide the folder from readers.

    Raises:
        InvalidInputError: If the key is empty.

    >>> encode_key("ds=2026-01-31/region=a|b"), encode_key("../etc")
    ('ds=2026-01-31/region=a%7Cb', '%2E.%2Fetc')
    """
    if not isinstance(key, str) or not key:
        raise InvalidInputError(f"{key!r} is not a partition key. Expected text such as '2026-01-31' or 'ds=2026-01-31'.")
    parts = key.split("/")
    if all(is_hive(part) for part in parts):
        return "/".join(_encode_hive(part) for part in parts)
    return _encode(key)


def check_key_in(path: str, key: str) -> None:
    """Refuse a key that leads elsewhere in a path that holds it as it is, as `PARTITION` in a path does.

    Keys may be any text, and whoever starts a run chooses them: `../../etc` must not choose the folder.

    Raises:
        InvalidInputError: If the path holds the key, and the key is not a plain relative path.
    """
    if isinstance(key, str) and key and key in path and ("\0" in key or {"", ".", ".."} & set(key.split("/"))):
        raise InvalidInputError(
            f"The partition key {key!r} stands in the path {path!r} and would lead elsewhere. Expected a key without NUL, '.', '..' and "
            "empty segments there. Give the folder without the key: then it is encoded and may be any text."
        )


def partition_output(output: str, partition: str) -> str:
    """The folder that a partition's predictions go to: `<output>/<encoded partition>`.

    Raises:
        InvalidInputError: If the key is empty.
    """
    return f"{os.fspath(output).rstrip('/')}/{encode_key(partition)}"


def _encode_hive(part: str) -> str:
    name, _, value = part.partition("=")
    return f"{_encode(name)}={quote(value, safe='')}"


def _encode(text: str) -> str:
    hidden = {".": "%2E", "_": "%5F"}.get(text[:1])
    return quote(text, safe="") if hidden is None else hidden + quote(text[1:], safe="")


def _folder_partitions(tree: Tree, folder: str) -> list[Partition]:
    found = tree.entries(folder)
    files = [Partition(key=stem(entry.path), path=entry.path) for entry in found if not entry.is_folder and data_format(entry.name)]
    folders = [entry for entry in found if entry.is_folder]
    hive = [part for entry in folders if is_hive(entry.name) for part in hive_partitions(tree, entry.path, entry.name)]
    if hive and files:
        raise InvalidInputError(
            f"The input {folder!r} holds Hive style folders ({hive[0].key}) and loose files ({files[0].key}), so the partitions are "
            "unclear. Expected one or the other: move the files into folders, or name the partitions with a glob."
        )
    return hive or [Partition(key=entry.name, path=entry.path) for entry in folders if folder_files(tree, entry.path)] + files


def hive_partitions(tree: Tree, folder: str, key: str) -> list[Partition]:
    """The partitions of a Hive style folder: itself, or deeper ones.

    Raises:
        InvalidInputError: If it holds both.
    """
    found = tree.entries(folder)
    nested = [entry for entry in found if entry.is_folder and is_hive(entry.name)]
    deeper = [part for entry in nested for part in hive_partitions(tree, entry.path, f"{key}/{entry.name}")]
    own = any(not entry.is_folder and data_format(entry.name) for entry in found)
    if own and deeper:
        raise InvalidInputError(
            f"The partition {key!r} holds both data files and deeper partitions ({deeper[0].key}), so rows would be scored twice or never. "
            f"Expected one or the other: move the files of {folder}."
        )
    return deeper or ([Partition(key=key, path=folder)] if own else [])


def _matched(tree: Tree, path: str) -> list[Partition]:
    if tree.is_file(path):
        return [Partition(key=stem(path), path=path)] if data_format(path) else []
    parts = path.split("/")
    first = next((index for index in range(len(parts), 0, -1) if not is_hive(parts[index - 1])), 0)
    if first < len(parts):
        return hive_partitions(tree, path, "/".join(parts[first:]))
    return [Partition(key=parts[-1], path=path)] if folder_files(tree, path) else []


def _distinct(where: str, found: Iterable[Partition]) -> tuple[Partition, ...]:
    by_key: dict[str, Partition] = {}
    for part in found:
        other = by_key.setdefault(part.key, part)
        if other is not part:
            raise InvalidInputError(
                f"Two partitions of {where!r} have the key {part.key!r}: {other.path} and {part.path}. "
                "Their predictions would replace each other: rename or remove one."
            )
    return tuple(by_key[key] for key in sorted(by_key))
