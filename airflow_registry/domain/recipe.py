"""How a partition was scored, read again so that another version can score the same rows in the same way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_registry.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

OPERATOR = "batch_inference"
_KNOWN = frozenset({"operator", "input", "keys", "proba", "max_quarantine_share", "registry_conn_id"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What the writer of a partition was asked to do.

    Attributes:
        input: File, folder or glob of the partition's rows, as an absolute path or URI.
        keys: Columns that were copied to the output; None for those that do not go into the model.
        proba: Whether probabilities were stored.
        max_quarantine_share: How many of the rows could be set aside, from 0 to 1.
    """

    input: str
    keys: tuple[str, ...] | None
    proba: bool
    max_quarantine_share: float

    @classmethod
    def parse(cls, found: Mapping[str, Any] | None) -> Recipe:
        """What stands in the ledger.

        Raises:
            InvalidInputError: If nothing does, or if it asks for something that this release does not know: to leave that out would
                write something else than was asked for.
        """
        if found is None:
            raise InvalidInputError("its writer left no recipe, because another program than ours wrote it")
        unknown = sorted(name for name, value in found.items() if name not in _KNOWN and value is not None and value is not False)
        if found.get("operator") != OPERATOR or unknown:
            asked = ", ".join(unknown) or f"operator {found.get('operator')!r}"
            raise InvalidInputError(f"its recipe asks for what cannot be repeated here: {asked}")
        keys = found["keys"]
        return cls(
            input=found["input"],
            keys=None if keys is None else tuple(keys),
            proba=found["proba"],
            max_quarantine_share=found["max_quarantine_share"],
        )


def fault_of(found: Mapping[str, Any] | None) -> str | None:
    """Why a partition with such a recipe cannot be scored again by us; None if it can."""
    try:
        Recipe.parse(found)
    except InvalidInputError as error:
        return str(error)
    return None
