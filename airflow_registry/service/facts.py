"""What the caller of `register` says about a version, checked before anything is stored."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.metrics import metrics_from
from airflow_registry.domain.model import Dataset, Lineage, RuntimeMetrics, Signature
from airflow_registry.domain.names import RunKey
from airflow_registry.errors import InvalidInputError
from airflow_registry.sql.types import canonical_json

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_KINDS: dict[str, type] = {
    "evaluated_on": Dataset,
    "signature": Signature,
    "runtime": RuntimeMetrics,
    "lineage": Lineage,
    "run": RunKey,
    "description": str,
    "change_note": str,
    "format": str,
    "copy": bool,
}


def checked_facts(arguments: Mapping[str, Any], known: Collection[str]) -> dict[str, Any]:
    """The arguments that were given (None is not given), in the form in which they are stored.

    Raises:
        InvalidInputError: If an argument is unknown or of another kind than it must be.
    """
    unknown = sorted(set(arguments) - set(known))
    if unknown:
        raise InvalidInputError(f"register does not know {', '.join(unknown)}. Known are {', '.join(sorted(known))}.")
    given = {name: value for name, value in arguments.items() if value is not None}
    _check_kinds(given)
    data = given.get("evaluated_on")
    given["metrics"] = metrics_from(given.get("metrics", {}), rows=None if data is None else data.rows)
    given["datasets"] = _datasets(given.get("datasets", ()))
    given["parameters"] = _json_mapping("parameters", given.get("parameters", {}))
    given["tags"] = _tags(given.get("tags", {}))
    return given


def _check_kinds(given: Mapping[str, Any]) -> None:
    faults = [
        f"{name} must be a {kind.__name__}; found {given[name]!r}."
        for name, kind in _KINDS.items()
        if name in given and not isinstance(given[name], kind)
    ]
    if faults:
        raise InvalidInputError(f"Nothing was registered. {' '.join(faults)}")


def _datasets(given: object) -> tuple[Dataset, ...]:
    found = (given,) if isinstance(given, Dataset) else tuple(given) if isinstance(given, (list, tuple)) else (given,)
    wrong = [entry for entry in found if not isinstance(entry, Dataset)]
    if wrong:
        raise InvalidInputError(f"datasets must be a list of Dataset('name', uri=…); found {wrong[0]!r}. Nothing was registered.")
    return found


def _tags(given: object) -> dict[str, str]:
    tags = _json_mapping("tags", given)
    wrong = [name for name, value in tags.items() if not isinstance(value, str)]
    if wrong:
        raise InvalidInputError(
            f"tags are text; found {wrong[0]!r}: {tags[wrong[0]]!r}. Write it as text, or use parameters=. Nothing was registered."
        )
    return tags


def _json_mapping(what: str, value: Any) -> dict[str, Any]:  # noqa: ANN401  whatever the caller gave
    """As it will be read again: tuples become lists, names of numbers become text."""
    if not hasattr(value, "items"):
        raise InvalidInputError(f"{what} must be a mapping; found {type(value).__name__}. Nothing was registered.")
    try:
        plain: dict[str, Any] = json.loads(canonical_json({str(key): _plain(entry) for key, entry in value.items()}))
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"{what} must be JSON (text, finite numbers, lists, mappings): {error}. Nothing was registered.") from error
    return plain


def _plain(value: object) -> object:
    item = getattr(value, "item", None)  # numpy scalars know their Python value
    return item() if callable(item) and getattr(value, "ndim", None) == 0 else value
