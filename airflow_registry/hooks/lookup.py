"""Looks for a version that may not be there yet; the sensor and its trigger ask the same question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from airflow_registry.domain.names import ModelName, Reference, parse_version
from airflow_registry.domain.stage import Stage
from airflow_registry.errors import InvalidInputError, NotFoundError

if TYPE_CHECKING:
    from airflow_registry.domain.model import ModelVersion
    from airflow_registry.service.protocol import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is waited for: a version, a stage, or a version in a stage.

    Attributes:
        model: The model.
        number: This version.
        stage: A version in this stage; with `number`, that version in this stage.
        min_number: Only a version of at least this number will do.
    """

    model: ModelName
    number: int | None = None
    stage: Stage | None = None
    min_number: int | None = None

    @classmethod
    def parse(cls, *, model: object, version: object = None, stage: object = None, min_version: object = None) -> Self:
        """Check what people wrote; a template renders None to the text `None`.

        Raises:
            InvalidInputError: If neither a version nor a stage is given, or one of them cannot be read.
        """
        number, place, least = (None if value in {None, "", "None"} else value for value in (version, stage, min_version))
        if number is None and place is None:
            raise InvalidInputError(f"Nothing to wait for: give version= or stage=, for example stage='production', with model {model!r}.")
        return cls(
            model=ModelName(model),
            number=None if number is None else parse_version(number),
            stage=None if place is None else Stage.parse(place),
            min_number=None if least is None else parse_version(least),
        )

    def find(self, registry: Registry) -> ModelVersion | None:
        """The version, or None if it is not there yet."""
        stage = self.stage if self.number is None else None
        try:
            found = registry.get(str(Reference(model=self.model, number=self.number, stage=stage)))
        except NotFoundError:
            return None
        return found if self._suits(found) else None

    def _suits(self, version: ModelVersion) -> bool:
        return (self.stage is None or version.stage is self.stage) and version.number >= (self.min_number or 1)

    def to_json(self) -> dict[str, Any]:
        """The arguments of `parse`, for a trigger."""
        stage = None if self.stage is None else str(self.stage)
        return {"model": str(self.model), "version": self.number, "stage": stage, "min_version": self.min_number}

    def __str__(self) -> str:
        what = self.model if self.number is None else f"{self.model}:{self.number}"
        where = "" if self.stage is None else f" in {self.stage}"
        return f"{what}{where}" + ("" if self.min_number is None else f", version {self.min_number} or later")
