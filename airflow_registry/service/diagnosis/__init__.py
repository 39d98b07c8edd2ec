"""`doctor`: looks at everything that a registry stands on, and says of each thing how it is and what to do.

Nothing here raises: what cannot be looked at is a diagnosis too, and the rest is looked at all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_registry.service.core import Core, utc_now
from airflow_registry.service.diagnosis.agreement import agreement_diagnoses
from airflow_registry.service.diagnosis.cache import cache_diagnoses
from airflow_registry.service.diagnosis.database import database_diagnoses, opened
from airflow_registry.service.diagnosis.formats import format_diagnoses
from airflow_registry.service.diagnosis.places import place_diagnoses
from airflow_registry.service.diagnosis.store import store_diagnoses

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from airflow_registry.config import Settings
    from airflow_registry.domain.diagnosis import Diagnosis

__all__ = ["diagnose"]


def diagnose(settings: Settings, *, now: Callable[[], datetime] = utc_now) -> tuple[Diagnosis, ...]:
    """Everything that can be said of a registry from this machine.

    Args:
        settings: Which registry.
        now: This machine's clock.
    """
    database, first = opened(settings)
    found = [*place_diagnoses(settings), *first]
    if database is not None:
        found += database_diagnoses(database, settings, now)
    found += store_diagnoses(settings, now)
    found += cache_diagnoses(settings)
    if database is not None and not any(one.is_problem for one in found):
        found += agreement_diagnoses(Core(store=database, settings=settings, now=now))
    return (*found, *format_diagnoses(database))
