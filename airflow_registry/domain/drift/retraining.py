"""Whether to ask for a retraining: when enough of the last partitions have drifted, not again too soon, and one at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.drift.verdict import Verdict
from airflow_registry.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from airflow_registry.domain.drift.report import DriftReport, PartitionDrift
    from airflow_registry.domain.names import ModelName

K, N = 3, 5
FEWEST_ROWS = 500
COOL_DOWN = timedelta(days=7)
WITHIN = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrainTerms:
    """When a retraining is asked for.

    Attributes:
        k: So many partitions must have drifted (count, >= 1) …
        n: … of so many that the champion wrote last (count, >= k).
        min_rows: Partitions with fewer rows do not count (count, >= 0).
        cool_down: After one was asked for, how long none is.
        within: How long one may take, from asking to a newer version; then it is given up.

    Raises:
        InvalidInputError: If a number is out of its range.
    """

    k: int = K
    n: int = N
    min_rows: int = FEWEST_ROWS
    cool_down: timedelta = COOL_DOWN
    within: timedelta = WITHIN

    def __post_init__(self) -> None:
        if not 1 <= self.k <= self.n:
            raise InvalidInputError(f"k={self.k!r} of the last n={self.n!r} partitions must drift. Expected 1 <= k <= n.")
        if self.min_rows < 0:
            raise InvalidInputError(f"min_rows={self.min_rows!r} is no count. Expected 0 or more.")
        if self.cool_down < timedelta(0) or self.within <= timedelta(0):
            raise InvalidInputError(f"cool_down={self.cool_down} must not be negative, and within={self.within} must be a time above zero.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retraining:
    """A retraining that was asked for.

    Attributes:
        number: Counts the retrainings of the model, from 1.
        newest_version: The newest version of the model when it was asked for; a newer one closes it.
        expires_at: When it is given up.
        reasons: Why, in words.
        asked_by: Who asked.
    """

    uid: str
    model: ModelName
    number: int
    newest_version: int
    asked_at: datetime
    expires_at: datetime
    reasons: tuple[str, ...]
    asked_by: str
    dag_id: str | None = None
    run_id: str | None = None

    def is_open(self, *, newest_version: int, now: datetime) -> bool:
        """Whether the version that was asked for has not come yet, and may still come."""
        return newest_version <= self.newest_version and now < self.expires_at

    def to_json(self) -> dict[str, Any]:
        """For tables and XCom."""
        times = {"asked_at": self.asked_at.isoformat(), "expires_at": self.expires_at.isoformat()}
        names = ("uid", "number", "newest_version", "asked_by", "dag_id", "run_id")
        return {"model": str(self.model), **{name: getattr(self, name) for name in names}, **times, "reasons": list(self.reasons)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a look at the partitions says.

    Attributes:
        asks: Whether a retraining is wanted.
        note: Why, or why not, in words.
        reasons: What drifted, for whoever trains.
    """

    asks: bool
    note: str
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorReport:
    """What was found, and what was done about it.

    Attributes:
        report: The drift.
        wish: What follows from it.
        retraining: The one that this task instance asked for, in this or an earlier try; None if it asked for none.
    """

    report: DriftReport
    wish: Wish
    retraining: Retraining | None = None

    def to_json(self) -> dict[str, Any]:
        """For XCom: small, the features are shown by `airflow-registry drift`."""
        report = self.report
        drifted = [one.name for one in report.together.drifted]
        known = {
            "model": str(report.model),
            "version": report.number,
            "ref": report.ref,
            "verdict": str(report.verdict),
            "drifted": drifted,
        }
        asked = None if self.retraining is None else self.retraining.uid
        return {**known, "partitions": len(report.partitions), "note": self.wish.note, "asked": asked is not None, "retraining": asked}


def decide(
    partitions: Sequence[PartitionDrift], terms: RetrainTerms, last: Retraining | None, *, newest_version: int, now: datetime
) -> Wish:
    """Whether a retraining is wanted now.

    Args:
        partitions: What the champion wrote last, newest first.
        terms: When one is.
        last: The newest retraining of the model, None if there was none.
        newest_version: The newest version of the model.
        now: The (aware) moment.
    """
    counting = [one for one in partitions if one.rows >= terms.min_rows][: terms.n]
    drifted = [one for one in counting if one.judged.verdict is Verdict.DRIFTED]
    found = f"{len(drifted)} of the last {len(counting)} partitions with at least {terms.min_rows} rows drifted"
    if len(drifted) < terms.k:
        return Wish(asks=False, note=f"{found}; {terms.k} of {terms.n} would ask for a retraining.")
    if last is not None and last.is_open(newest_version=newest_version, now=now):
        return Wish(
            asks=False,
            note=f"{found}, and a retraining was asked for at {_time(last.asked_at)}: it may take until {_time(last.expires_at)}.",
        )
    if last is not None and now < last.asked_at + terms.cool_down:
        until = _time(last.asked_at + terms.cool_down)
        return Wish(asks=False, note=f"{found}, but the last retraining was asked for at {_time(last.asked_at)}: none is before {until}.")
    return Wish(asks=True, note=f"{found}: a retraining is asked for.", reasons=_reasons(drifted))


def _reasons(drifted: Sequence[PartitionDrift]) -> tuple[str, ...]:
    return tuple(f"{one.partition}: {feature.reason}" for one in drifted for feature in one.judged.drifted[:3])


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
