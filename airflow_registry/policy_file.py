"""Policies as YAML files: reading them, with line numbers in the faults.

What a policy may say is decided in `domain/grammar.py` and nowhere else; here text becomes plain values. Run as a module it
writes the JSON Schema for editors, which is also shipped as `policy.schema.json` beside this file.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from functools import cache
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.grammar import policy_from_mapping
from airflow_registry.domain.names import refuse_unrendered
from airflow_registry.domain.policy import Policy
from airflow_registry.errors import InvalidPolicyError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import yaml


def schema_text() -> str:
    """The JSON Schema as it is shipped."""
    from airflow_registry.domain.schema import json_schema

    return f"{json.dumps(json_schema(), indent=2)}\n"


def load_policy(source: Policy | Mapping[str, Any] | str | PathLike[str], *, base: str | None = None) -> Policy:
    """The policy itself, from a mapping, or from a YAML file.

    Args:
        source: A policy, the same as a mapping, or a path.
        base: Where a relative path starts: a folder, or the DAG file beside which the policy lies. None is the working folder.

    Raises:
        InvalidPolicyError: If the file cannot be read, or with all faults of the policy at once.
    """
    if isinstance(source, Policy):
        return source
    if isinstance(source, Mapping):
        return policy_from_mapping(source)
    refuse_unrendered(source, "policy path")
    if not isinstance(source, (str, PathLike)) or not str(source):
        raise InvalidPolicyError(f"A policy is a path, a mapping or a Policy; found {source!r}.")
    path = _absolute(source, base)
    return parse_policy(_read(path, base), source=str(path))


def parse_policy(text: str, *, source: str) -> Policy:
    """Read the text of a policy file.

    Args:
        text: YAML, or JSON, which is YAML too unless it is indented with tabs.
        source: How error messages call it.

    Raises:
        InvalidPolicyError: With all faults at once, each with its path and line: `rules[2].at_least (line 7): …`.
    """
    value, places = _parse(text, source)
    lines: dict[str, int] = {}
    faults: list[str] = []
    for path, line in places:
        if path in lines:
            faults.append(f"{path}: is given a second time in line {line}. Keep one of the two.")
        lines.setdefault(path, line)
    try:
        policy = policy_from_mapping(value, source)
    except InvalidPolicyError as error:
        faults += error.faults
        policy = None
    if policy is None or faults:
        told = sorted(((_line_of(fault, lines), fault) for fault in faults), key=lambda each: each[0])
        raise InvalidPolicyError.with_faults(source, [_with_line(fault, line) for line, fault in told])
    return policy


def _absolute(path: str | PathLike[str], base: str | None) -> Path:
    folder = Path(base or "")
    return Path(folder.parent if folder.suffix == ".py" else folder, path).absolute()


def _read(path: Path, base: str | None) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise InvalidPolicyError(_unreadable(path, base, error)) from error


def _unreadable(path: Path, base: str | None, error: Exception) -> str:
    if archive := _archive_around(path):
        return (
            f"The policy file {path} would lie inside the zipped DAG {archive}, from which no files are read. "
            "Write the policy in Python, in the DAG itself: policy=Policy(rules=(…,)) or the same as a mapping."
        )
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        where = "the working folder" if base is None else "the folder of the DAG file; deploy the policy with the DAG"
        return f"There is no policy file at {path}. A relative path starts at {where}."
    return f"The policy file {path} cannot be read: {error}. It must be a text file in UTF-8."


def _archive_around(path: Path) -> Path | None:
    import zipfile

    return next((parent for parent in path.parents if parent.is_file() and zipfile.is_zipfile(parent)), None)


def _parse(text: str, source: str) -> tuple[Any, list[tuple[str, int]]]:
    """The plain value, and the line of every key and list item, in the order of the file."""
    import yaml

    try:
        loader = _loader_class()(text)
        loader.name = source  # what its errors call the text
        root = loader.get_single_node()
        if root is None:
            return None, []
        places = list(_places(root, "", set()))  # before the construction, which resolves merge keys in place
        return loader.construct_document(root), places
    # Beside its own errors PyYAML lets through what Python says to an impossible date (ValueError), to `!!bool maybe`
    # (KeyError), to `!!timestamp soon` (AttributeError) and to a text of a thousand brackets (RecursionError).
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError) as error:
        raise InvalidPolicyError.with_faults(source, [f"it is not YAML: {error}"]) from error


@cache
def _loader_class() -> type[yaml.SafeLoader]:
    import yaml

    class Loader(yaml.SafeLoader):
        """Reads `1e-3` as a number, as JSON and YAML 1.2 do; PyYAML takes it for text."""

    Loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789"))
    return Loader


def _places(node: yaml.Node, path: str, seen: set[int]) -> Iterator[tuple[str, int]]:
    import yaml

    if id(node) in seen:  # an alias may point to a node around itself
        return
    seen.add(id(node))
    children: list[tuple[str, yaml.Node, yaml.Node]] = []
    if isinstance(node, yaml.MappingNode):
        children = [(f"{path}.{key.value}".lstrip("."), key, value) for key, value in node.value]
    elif isinstance(node, yaml.SequenceNode):
        children = [(f"{path}[{index}]", item, item) for index, item in enumerate(node.value)]
    for child_path, marked, child in children:
        yield child_path, marked.start_mark.line + 1
        yield from _places(child, child_path, seen)


def _line_of(fault: str, lines: Mapping[str, int]) -> int:
    """The line of what a fault is about; what is missing has the line of what it is missing in, and 0 where that is the file."""
    place = fault.partition(": ")[0]
    while place and place not in lines:
        place = place[: max(place.rfind("."), place.rfind("["), 0)]
    return lines[place] if place else 0


def _with_line(fault: str, line: int) -> str:
    """`rules[2].at_least: …` becomes `rules[2].at_least (line 7): …`."""
    path, colon, sentence = fault.partition(": ")
    return f"{path} (line {line}){colon}{sentence}" if line else fault


if __name__ == "__main__":
    sys.stdout.write(schema_text())
