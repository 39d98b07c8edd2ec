"""Which files an input means: a file, a folder, or a glob over either; on file systems and in object stores alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_registry.errors import InputNotReadyError, InvalidInputError
from airflow_registry.scoring.files import SUFFIXES, data_format, is_glob, is_hive

if TYPE_CHECKING:
    from airflow_registry.scoring.trees import Tree


def folder_files(tree: Tree, folder: str) -> list[str]:
    """The data files of a folder and of its Hive style subfolders, in a fixed order.

    Other subfolders are left out, as Spark does: what lies there is not part of this data set.
    """
    files: list[str] = []
    for entry in tree.entries(folder):
        if entry.is_folder and is_hive(entry.name):
            files += folder_files(tree, entry.path)
        elif not entry.is_folder and data_format(entry.name):
            files.append(entry.path)
    return files


def matches(tree: Tree, pattern: str) -> list[str]:
    """What a glob finds apart from bookkeeping, by path.

    Raises:
        InputNotReadyError: If that is nothing.
    """
    found = tree.matches(pattern)
    if not found:
        raise InputNotReadyError(f"Nothing matches the input {pattern!r}. Expected at least one parquet or CSV file: check the pattern.")
    return found


def find_files(tree: Tree, path: str) -> tuple[str, ...]:
    """The data files that an input means: a file, a folder, or a glob over either.

    Raises:
        InputNotReadyError: If nothing is there.
        InvalidInputError: If what is there is no parquet or CSV, or both.
    """
    if tree.is_file(path):
        files = [path]
    elif tree.is_folder(path):
        files = folder_files(tree, path)
    elif is_glob(path):
        files = [file for found in matches(tree, path) for file in ([found] if tree.is_file(found) else folder_files(tree, found))]
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
            f"The input {foreign[0]!r} is not data that can be scored. Expected a name ending in {', '.join(SUFFIXES)}."
        )
    if len({data_format(file) for file in files}) > 1:
        raise InvalidInputError(
            f"The input {path!r} mixes parquet and CSV files, so one of them is probably left over. "
            "Expected one format: remove the others, or name the files with a glob such as '*.parquet'."
        )
    return files
