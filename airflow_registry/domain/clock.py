"""The rules for times: aware, UTC, microseconds. The clock itself is handed in by the services."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow_registry.errors import InvalidInputError


def utc(moment: datetime) -> datetime:
    """The same moment in UTC.

    Raises:
        InvalidInputError: If the time is naive: it could mean any of 24 hours.
    """
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise InvalidInputError(f"{moment!r} has no time zone. Give an aware time, for example datetime(2026, 1, 31, tzinfo=UTC).")
    return moment.astimezone(UTC)
