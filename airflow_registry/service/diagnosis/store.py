"""The artifact store: what may be done there, tried out with one small object."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from airflow_registry.artifacts.trial import CONTENT, open_trial
from airflow_registry.domain.diagnosis import Diagnosis
from airflow_registry.errors import RegistryError
from airflow_registry.service.diagnosis.clocks import clock_diagnosis

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from airflow_registry.artifacts.trial import Trial
    from airflow_registry.config import Settings

_TOPIC = "artifact store"
_CORRECT = "Correct what the message names (bucket, rights, credentials, disk), then run this again."
_UNPROTECTED = Diagnosis.warning(
    _TOPIC,
    "the store lets a second writer replace what the first one wrote, though both said that nothing may be there",
    "Use a store that honours conditional writes (If-None-Match). Here the older pointer may win when two machines promote at once.",
)


def store_diagnoses(settings: Settings, now: Callable[[], datetime]) -> list[Diagnosis]:
    """Write, read back, list, write again on condition, compare clocks, delete; the first step that fails decides about the rest."""
    try:
        trial = open_trial(settings.artifacts, settings.storage)
    except RegistryError as error:
        return [Diagnosis.problem(_TOPIC, str(error), "Name a folder, or a bucket as s3://… or gs://…, in `artifacts`.")]
    before = now()
    try:
        trial.write()
    except RegistryError as error:
        return [Diagnosis.problem(_TOPIC, f"nothing can be written: {error}", _CORRECT)]
    try:
        found = _looked_at(trial, before, now)
    finally:
        removal = _removed(trial)
    return [*found, removal]


def _looked_at(trial: Trial, before: datetime, now: Callable[[], datetime]) -> list[Diagnosis]:
    after = now()
    found = [Diagnosis.ok(_TOPIC, f"{trial.where.rpartition('/numbers/')[0]} can be written")]
    found += [_step(trial, name) for name in ("read", "list", "protect")]
    with suppress(RegistryError):  # whoever may not read was told so
        found.append(clock_diagnosis("the artifact store", trial.written_at(), before.replace(microsecond=0), after))
    return found


def _step(trial: Trial, name: str) -> Diagnosis:
    try:
        return _STEPS[name](trial)
    except RegistryError as error:
        return Diagnosis.problem(_TOPIC, f"it cannot be used ({name}): {error}", _CORRECT)


def _read(trial: Trial) -> Diagnosis:
    if trial.read() == CONTENT:
        return Diagnosis.ok(_TOPIC, "what was written is read back")
    return Diagnosis.problem(_TOPIC, f"{trial.where} holds other bytes than were written", "Look for a cache or proxy before the store.")


def _list(trial: Trial) -> Diagnosis:
    if trial.is_listed():
        return Diagnosis.ok(_TOPIC, "what was written is listed")
    return Diagnosis.warning(
        _TOPIC, "what was just written is not listed", "Use a store with consistent listings: what is deleted later depends on them."
    )


def _protect(trial: Trial) -> Diagnosis:
    return Diagnosis.ok(_TOPIC, "a second writer is refused") if trial.is_protected() else _UNPROTECTED


_STEPS: dict[str, Callable[[Trial], Diagnosis]] = {"read": _read, "list": _list, "protect": _protect}


def _removed(trial: Trial) -> Diagnosis:
    try:
        trial.delete()
    except RegistryError as error:
        return Diagnosis.warning(
            _TOPIC, f"nothing can be deleted: {error}", "Training and scoring do without; allow it to whoever clears up, or delete by hand."
        )
    return Diagnosis.ok(_TOPIC, "what was written could be deleted")
