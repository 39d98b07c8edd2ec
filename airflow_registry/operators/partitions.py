"""Which input belongs to a partition key, so that finding partitions and scoring them take the same `input`."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from airflow_registry.domain.names import refuse_unrendered
from airflow_registry.errors import InputNotReadyError, InvalidInputError

if TYPE_CHECKING:
    from airflow_registry.objects.options import StorageOptions
    from airflow_registry.scoring.source import Input


def partition_input(path: str, key: str, storage: StorageOptions | None = None) -> Input:
    """The input of one partition.

    A folder that holds a partition of that key gives that partition. Otherwise `path` is the input itself: it is a file, a
    glob, or a folder that names the key. A folder that does neither is refused: scoring all of it under one key would be wrong
    without anybody noticing.

    Raises:
        InputNotReadyError: If the folder has no such partition, or nothing is there.
        InvalidInputError: If the key would lead elsewhere, or what is there is no data.
    """
    from airflow_registry.scoring.partitions import check_key_in, encode_key, partitions_in
    from airflow_registry.scoring.source import find_in
    from airflow_registry.scoring.trees import open_tree

    check_key_in(path, key)
    is_named = any(_mentions(path, text) for text in (key, encode_key(key)))
    if not is_named and (narrow := _listed_alone(path, key, storage)) is not None:
        return narrow
    tree, where = open_tree(path, storage)
    if not tree.is_folder(where):
        return find_in(tree, where)
    found = {part.key: part.path for part in partitions_in(tree, where)}
    if key not in found and not is_named:
        raise _absent(path, key, list(found))
    return find_in(tree, found.get(key, where))


def _listed_alone(path: str, key: str, storage: StorageOptions | None) -> Input | None:
    """A Hive style partition of an object store, without listing all the others: there may be thousands of them, and of us."""
    from airflow_registry.objects.dispatch import is_object_uri
    from airflow_registry.scoring.files import is_glob, is_hive
    from airflow_registry.scoring.partitions import hive_partitions
    from airflow_registry.scoring.source import find_in
    from airflow_registry.scoring.trees import open_tree

    if not is_object_uri(path) or is_glob(path) or not all(is_hive(part) for part in key.split("/")):
        return None
    tree, where = open_tree(f"{path.rstrip('/')}/{key}", storage)
    parts = hive_partitions(tree, where, key) if tree.is_folder(where) else []
    return find_in(tree, where) if [part.key for part in parts] == [key] else None


def _absent(path: str, key: str, others: list[str]) -> InputNotReadyError:
    known = f"it has {', '.join(others[-3:])} and {max(len(others) - 3, 0)} more" if others else "it is empty"
    return InputNotReadyError(
        f"The input {path!r} has no partition {key!r}: {known}. Wait until it is there, or give the partition's own path as "
        "input=, with the key in it."
    )


def partition_target(output: str, key: str) -> str:
    """The folder of one partition's predictions, under the name by which the ledger knows it.

    Raises:
        InvalidInputError: If the output is a relative path: every worker has a folder of its own. Or the key would lead elsewhere.
    """
    from airflow_registry.scoring.partitions import check_key_in, partition_output

    refuse_unrendered(output, "output")
    if "://" not in output and not os.path.isabs(output):  # noqa: PTH117  a text in, a text out
        raise InvalidInputError(
            f"The output {output!r} is a relative path, and every task has a folder of its own. Give an absolute path or a URI."
        )
    check_key_in(output, key)
    return partition_output(output, key)


def _mentions(path: str, key: str) -> bool:
    return re.search(rf"(?<![A-Za-z0-9]){re.escape(key)}(?![A-Za-z0-9])", path) is not None
