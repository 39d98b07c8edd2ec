"""Database and artifact store together: has one of them been restored without the other?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_registry.domain.diagnosis import Diagnosis
from airflow_registry.errors import RegistryError
from airflow_registry.service import marks

if TYPE_CHECKING:
    from airflow_registry.service.core import Core

_TOPIC = "agreement"
_FEW = 10


def agreement_diagnoses(core: Core) -> list[Diagnosis]:
    """Whether the store has seen numbers that the database does not know, and whether another registry uses the store."""
    try:
        behind = [_older(one) for one in marks.all_behind(core)]
        others = _others(core)
    except RegistryError as error:
        return [Diagnosis.problem(_TOPIC, f"database and artifact store could not be compared: {error}", "Correct what the message names.")]
    return [*(behind or [Diagnosis.ok(_TOPIC, "the database knows every number that the artifact store has seen")]), *others]


def _older(behind: marks.Behind) -> Diagnosis:
    return Diagnosis.problem(
        _TOPIC,
        f"the database is older than the artifact store: {behind}",
        f"If a backup was restored: `{marks.REMEDY}`. If not, this is an old copy of the database: correct its address.",
        subject=behind.model,
    )


def _others(core: Core) -> list[Diagnosis]:
    """Two registries in one store overwrite each other's marks and pointers; a new database in an old store looks the same."""
    foreign = marks.foreign_models(core)
    if not foreign:
        return []
    shown = ", ".join(foreign[:_FEW]) + (f" and {len(foreign) - _FEW} more" if len(foreign) > _FEW else "")
    return [
        Diagnosis.warning(
            _TOPIC,
            f"another registry has left marks or production pointers in this artifact store: {shown}",
            "If this database was made anew because the old one was lost, restore a backup of that one: its versions are not in this one. "
            "If two registries share the store, give each a root of its own.",
        )
    ]
