"""The rules for times: aware, UTC, microseconds. The clock itself is handed in by the services."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow_registry.errors import InvalidInputError


def utc(moment: datetime) -> datetime:
    """The same moment in UTC.

    Raises:
        InvalidInputError: If the time is naive: it could mean any of 24 hours. Also if it falls out of the calendar.
    """
    # A tzinfo that knows no offset makes a time just as naive as none; astimezone() would guess the machine's zone.
    if not isinstance(moment, datetime) or moment.utcoffset() is None:
        raise InvalidInputError(f"{moment!r} has no time zone. Give an aware time, for example datetime(2026, 1, 31, tzinfo=UTC).")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise InvalidInputError(f"{moment!r} is outside the years 1 to 9999 in UTC.") from None
