"""Which input belongs to a partition key, so that finding partitions and scoring them take the same `input`."""

from __future__ import annotations

import os
import re
from pathlib import Path

from airflow_registry.domain.names import refuse_unrendered
from airflow_registry.errors import InputNotReadyError, InvalidInputError


def partition_input(path: str, key: str) -> str:
    """The input of one partition.

    A folder that holds a partition of that key gives that partition. Otherwise `path` is the input itself: it is a file, a
    glob, or a folder that names the key. A folder that does neither is refused: scoring all of it under one key would be wrong
    without anybody noticing.

    Raises:
        InputNotReadyError: If the folder has no such partition.
    """
    from airflow_registry.scoring.files import local_path
    from airflow_registry.scoring.partitions import encode_key, list_partitions

    if not Path(local_path(path, "input")).is_dir():
        return path
    found = {part.key: part.path for part in list_partitions(path)}
    if key in found:
        return found[key]
    if any(_mentions(path, text) for text in (key, encode_key(key))):
        return path
    known = f"it has {', '.join(list(found)[-3:])} and {max(len(found) - 3, 0)} more" if found else "it is empty"
    raise InputNotReadyError(
        f"The input {path!r} has no partition {key!r}: {known}. Wait until it is there, or give the partition's own path as "
        "input=, with the key in it."
    )


def partition_target(output: str, key: str) -> str:
    """The folder of one partition's predictions, under the name by which the ledger knows it.

    Raises:
        InvalidInputError: If the output is a relative path: every worker has a folder of its own.
    """
    from airflow_registry.scoring.partitions import partition_output

    refuse_unrendered(output, "output")
    if "://" not in output and not os.path.isabs(output):  # noqa: PTH117  a text in, a text out
        raise InvalidInputError(
            f"The output {output!r} is a relative path, and every task has a folder of its own. Give an absolute path or a URI."
        )
    return partition_output(output, key)


def _mentions(path: str, key: str) -> bool:
    return re.search(rf"(?<![A-Za-z0-9]){re.escape(key)}(?![A-Za-z0-9])", path) is not None
