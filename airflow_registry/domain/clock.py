"""The rules for times: aware, UTC, microseconds. The clock itself is handed in by the services."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow_registry.domain.durations import LONGEST, parse_duration, print_duration
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


def ends_at(given: object, *, now: datetime, what: str, longest: timedelta = LONGEST) -> datetime:
    """When something ends that begins now.

    Args:
        given: An aware time, a length of time, or one of both as text: `2026-01-31T12:00+01:00`, `7d`.
        now: When it begins.
        what: How errors call it.
        longest: How far away the end may be, in whole seconds.

    Raises:
        InvalidInputError: If it is none of these, has no time zone, is not in the future or further away than `longest`.

    >>> ends_at("7d", now=datetime(2026, 1, 1, tzinfo=UTC), what="expires").isoformat()
    '2026-01-08T00:00:00+00:00'
    """
    length = _length(given)
    try:
        end = utc(_moment(given)) if length is None else utc(now) + length
    except (ValueError, OverflowError) as error:
        told = str(error) if isinstance(error, InvalidInputError) else f"found {given!r}."
        raise InvalidInputError(f"{what} is a time with its zone (2026-01-31T12:00+01:00) or a duration such as 7d: {told}") from None
    if not now < end <= utc(now) + longest:
        found = f"found {given!s}, and it is {utc(now):%Y-%m-%d %H:%M} UTC"
        raise InvalidInputError(f"{what} must be in the future, at most {print_duration(longest)} away; {found}.")
    return end


def _length(given: object) -> timedelta | None:
    """None if it is no length of time."""
    if not isinstance(given, str):
        return given if isinstance(given, timedelta) else None
    try:
        return parse_duration(given)
    except InvalidInputError:
        return None


def _moment(given: object) -> datetime:
    if isinstance(given, str):
        return datetime.fromisoformat(given.strip())
    if isinstance(given, datetime):
        return given
    raise ValueError
