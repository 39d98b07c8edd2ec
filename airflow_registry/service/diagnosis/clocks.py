"""Clocks that differ: order never depends on them here, but much else does."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_registry.domain.diagnosis import Diagnosis

if TYPE_CHECKING:
    from datetime import datetime

UNNOTICED = timedelta(seconds=30)
HARMFUL = timedelta(minutes=5)
_REMEDY = "Let both machines take the time from a time server (chronyc tracking, timedatectl), then run this again."
_CONSEQUENCES = (
    "decisions expire too early or too late, consumers are rung too late, `check` misjudges ages, and S3 refuses requests that are "
    "15 minutes off"
)


def clock_diagnosis(whose: str, theirs: datetime, before: datetime, after: datetime) -> Diagnosis:
    """Compare another clock with this machine's.

    Args:
        whose: `the database server`.
        theirs: What it said.
        before: This machine's time before it was asked.
        after: And after it had answered.
    """
    off = _difference(theirs, before, after)
    if off < UNNOTICED:
        return Diagnosis.ok("clock", f"{whose} and this machine agree within {UNNOTICED.seconds} s")
    side = "ahead of" if theirs > after else "behind"
    found = f"{whose} is {_spoken(off)} {side} this machine ({theirs:%Y-%m-%d %H:%M:%S} and {after:%Y-%m-%d %H:%M:%S} UTC)"
    if off < HARMFUL:
        return Diagnosis.warning("clock", found, _REMEDY)
    return Diagnosis.problem("clock", f"{found}: {_CONSEQUENCES}", _REMEDY)


def _difference(theirs: datetime, before: datetime, after: datetime) -> timedelta:
    """How far it lies outside the time in which it was asked."""
    return max(before - theirs, theirs - after, timedelta(0))


def _spoken(duration: timedelta) -> str:
    seconds = int(duration.total_seconds())
    if seconds >= 7200:
        return f"{seconds / 3600:.1f} hours"
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds} seconds"
