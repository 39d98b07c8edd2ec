"""Small JSON objects of a store that only go forward: the production pointer, and the mark of the highest number given out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_registry.artifacts.failures import reading
from airflow_registry.domain.names import ModelName
from airflow_registry.errors import CorruptionError, InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["KINDS", "MARK", "POINTER", "PointerKind", "parse_object", "read_object"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PointerKind:
    """What one kind of these objects is called, and by which key one sees which of two is newer.

    Attributes:
        folder: Where they are, below the store's root.
        counter: The key that only grows.
        title: What people call it.
        remedy: What to do when one is damaged.
    """

    folder: str
    counter: str
    title: str
    remedy: str

    def name(self, model: str) -> str:
        """The file name of a model's object.

        Raises:
            InvalidNameError: If it is no model's name.
        """
        return f"{ModelName(model).key}.json"

    def text(self, payload: Mapping[str, Any], count: int) -> str:
        """JSON with sorted keys, so that the same facts are the same bytes.

        Raises:
            InvalidInputError: If a value is not JSON (NaN is not).
        """
        content = {**payload, "schema": 1, self.counter: count}
        try:
            return json.dumps(content, sort_keys=True, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
        except (TypeError, ValueError) as error:
            raise InvalidInputError(f"The {self.title} must hold JSON values only: {error}.") from error

    def is_newer(self, found: Mapping[str, Any] | None, payload: Mapping[str, Any], count: int) -> bool:
        """Whether what is there must stay: it is of the same registry (as far as they say) and has a higher count."""
        if found is None:
            return False
        theirs, ours = found.get("registry_uid"), payload.get("registry_uid")
        is_other_registry = theirs is not None and ours is not None and theirs != ours
        there = found.get(self.counter)
        return not is_other_registry and isinstance(there, int) and there > count

    def damaged(self, where: str) -> CorruptionError:
        """What stands there is not what was written."""
        return CorruptionError(f"The {self.title} {where} is not the JSON object that was written. {self.remedy}")


POINTER = PointerKind(
    folder="production",
    counter="revision",
    title="production pointer",
    remedy="The registry's row is the truth: ask production(), and the next promotion writes the pointer again.",
)
MARK = PointerKind(
    folder="numbers",
    counter="number",
    title="mark of the highest version number",
    remedy="Compare the model's versions in the registry with the folders below plain/, then delete the mark: the next registration "
    "writes it again.",
)
KINDS = (POINTER, MARK)


def read_object(path: Path) -> dict[str, Any] | None:
    """The JSON object in a file; None if there is no file, or it holds something else."""
    with reading(path):
        try:
            return parse_object(path.read_bytes())
        except FileNotFoundError:
            return None


def parse_object(data: bytes) -> dict[str, Any] | None:
    """The JSON object that these bytes are; None if they are something else."""
    try:
        found = json.loads(data.decode())
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
