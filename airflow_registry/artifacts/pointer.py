"""The text of a production pointer, and which of two pointers is newer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_registry.artifacts.failures import reading
from airflow_registry.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def pointer_text(pointer: Mapping[str, Any]) -> str:
    """JSON with sorted keys, so that the same facts are the same bytes.

    Raises:
        InvalidInputError: If a value is not JSON (NaN is not).
    """
    try:
        return json.dumps(pointer, sort_keys=True, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"The production pointer must hold JSON values only: {error}.") from error


def read_object(path: Path) -> dict[str, Any] | None:
    """The JSON object in a file; None if there is no file, or it holds something else."""
    with reading(path):
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
    return found if isinstance(found, dict) else None


def is_newer(pointer: Mapping[str, Any] | None, payload: Mapping[str, Any], revision: int) -> bool:
    """Whether the pointer that is there must stay: it is of the same registry (as far as they say) and has a higher revision."""
    if pointer is None:
        return False
    theirs, ours = pointer.get("registry_uid"), payload.get("registry_uid")
    is_other_registry = theirs is not None and ours is not None and theirs != ours
    found = pointer.get("revision")
    return not is_other_registry and isinstance(found, int) and found > revision
