"""The same fitted state, the same bytes.

A skops file is a zip with one `schema.json` and one member for each array. Written by skops it differs every time: members
are named by memory addresses and carry the time of writing. Here they are numbered in the order in which the schema names
them, dated 1980, and stored uncompressed, because compressors differ between machines.

Law: the rewritten file loads to the same object as the original.
"""

from __future__ import annotations

import json
import zipfile
from collections import Counter
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA = "schema.json"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date that a zip can hold
_UNIX, _MODE = 3, 0o100644 << 16  # zip members otherwise tell the operating system they were written on


def rewrite(source: BinaryIO, path: str) -> None:
    """Write the canonical form of the skops file `source` to `path`."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        schema = json.loads(old.read(SCHEMA))
        _sort_sets(schema)
        _renumber_ids(schema)
        for old_name, new_name in _rename_members(schema).items():
            new.writestr(_member(new_name), old.read(old_name))
        new.writestr(_member(SCHEMA), json.dumps(schema, indent=1))


def _member(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, date_time=_EPOCH)
    info.create_system, info.external_attr = _UNIX, _MODE
    return info


def nodes(part: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401  JSON
    """Every node of the schema, outer ones first. A dictionary of the model's own may have any key, but holds no texts."""
    if isinstance(part, dict):
        if isinstance(part.get("__loader__"), str):
            yield part
        for value in part.values():
            yield from nodes(value)
    elif isinstance(part, list):
        for value in part:
            yield from nodes(value)


def _sort_sets(schema: Any) -> None:  # noqa: ANN401  JSON
    """The order of a set of texts varies from process to process."""
    for node in nodes(schema):
        if node["__loader__"] == "SetNode":
            node["content"].sort(key=lambda item: json.dumps(item.get("content"), sort_keys=True))


def _renumber_ids(schema: Any) -> None:  # noqa: ANN401  JSON
    """Keep only the addresses that say something: that one mutable object stands in several places.

    Whether two equal numbers or texts are one object is an accident of the interpreter.
    """
    seen = Counter(node.get("__id__") for node in nodes(schema))
    numbers: dict[int, int] = {}
    for node in nodes(schema):
        address = node.pop("__id__", None)
        if address is not None and seen[address] > 1 and node["__loader__"] != "JsonNode":
            node["__id__"] = numbers.setdefault(address, len(numbers) + 1)


def _rename_members(schema: Any) -> dict[str, str]:  # noqa: ANN401  JSON
    names: dict[str, str] = {}
    for node in nodes(schema):
        if isinstance(old := node.get("file"), str):
            suffix = old.rpartition(".")[2]
            node["file"] = names.setdefault(old, f"{len(names)}.{suffix}")
    return names
