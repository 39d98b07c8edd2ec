"""How a partition was scored, read again so that another version can score the same rows in the same way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_registry.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

OPERATOR = "batch_inference"
_ENGINE = ("engine", "spark", "spark_conn_id")
_KNOWN = frozenset({"operator", "input", "output", "keys", "proba", "max_quarantine_share", "registry_conn_id", *_ENGINE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What the writer of a partition was asked to do.

    Attributes:
        input: File, folder or glob of the partition's rows, as an absolute path or URI; or what of a database, by an Airflow connection.
        output: Which table the predictions went to, by an Airflow connection; None for the output's own folder.
        keys: Columns that were copied to the output; None for those that do not go into the model.
        proba: Whether probabilities were stored.
        max_quarantine_share: How many of the rows could be set aside, from 0 to 1.
        engine: What scored, where it was not the usual one.
    """

    input: str | Mapping[str, Any]
    output: Mapping[str, Any] | None = None
    keys: tuple[str, ...] | None = None
    proba: bool = True
    max_quarantine_share: float = 0.01
    engine: Mapping[str, Any] = field(default_factory=dict)

    @property
    def needs_airflow(self) -> bool:
        """Whether it names connections that only Airflow knows, or Spark."""
        return not isinstance(self.input, str) or self.output is not None or bool(self.engine)

    @classmethod
    def parse(cls, found: Mapping[str, Any] | None) -> Recipe:
        """What stands in the ledger.

        Raises:
            InvalidInputError: If nothing does, or if it asks for something that this release does not know: to leave that out would
                write something else than was asked for.
        """
        if found is None:
            raise InvalidInputError("its writer left no recipe, because another program than ours wrote it")
        unknown = sorted(name for name, value in found.items() if name not in _KNOWN and value not in (None, False))
        if found.get("operator") != OPERATOR or unknown:
            asked = ", ".join(unknown) or f"operator {found.get('operator')!r}"
            raise InvalidInputError(f"its recipe asks for what cannot be repeated here: {asked}")
        return cls(
            input=found["input"],
            output=found.get("output"),
            keys=None if found["keys"] is None else tuple(found["keys"]),
            proba=found["proba"],
            max_quarantine_share=found["max_quarantine_share"],
            engine={name: found[name] for name in _ENGINE if found.get(name) is not None},
        )


def fault_of(found: Mapping[str, Any] | None) -> str | None:
    """Why a partition with such a recipe cannot be scored again by us; None if it can."""
    try:
        Recipe.parse(found)
    except InvalidInputError as error:
        return str(error)
    return None
