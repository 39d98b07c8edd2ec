"""The burn-in of a new champion: what the ledger says of it, judged by the limits of the policy that promoted it.

Laws: without any entry in the ledger nothing is broken; a limit that is broken stays broken when more of the same is found. What
cannot be told (too few rows, writers that did not count) breaks nothing and says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow_registry.domain.clock import utc
from airflow_registry.domain.promotion import Reason, Ruling
from airflow_registry.errors import InvalidInputError

if TYPE_CHECKING:
    from airflow_registry.domain.drift.verdict import FeatureDrift
    from airflow_registry.domain.names import ModelName
    from airflow_registry.domain.promotion import Promotion
    from airflow_registry.domain.rules import BurnIn

GRACE = timedelta(hours=1)
"""How long a writer may take before what it has not finished counts as failed."""
MIN_ROWS = 100
"""With fewer rows a share says nothing."""
_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On what terms the ledger's entries are judged.

    Attributes:
        grace: Output that was begun and not finished has failed after this long, >= 0. The retries of a task begin anew.
        min_rows: A share is judged from so many rows on (count, >= 1).
    """

    grace: timedelta = GRACE
    min_rows: int = MIN_ROWS

    def __post_init__(self) -> None:
        if not isinstance(self.grace, timedelta) or self.grace < timedelta(0):
            raise InvalidInputError(f"grace= is how long a writer may take, for example timedelta(hours=1); found {self.grace!r}.")
        if not isinstance(self.min_rows, int) or isinstance(self.min_rows, bool) or self.min_rows < 1:
            raise InvalidInputError(f"min_rows= is how many rows a share needs to be judged, from 1; found {self.min_rows!r}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerFacts:
    """What the ledger knows of a version since its promotion; of each partition the newest commit counts.

    Attributes:
        finished: Partitions that it has written (count).
        failed: Outputs that it began and did not finish in time, oldest first.
        rows: Predictions in finished partitions, as far as their writers counted them (count).
        quarantined: Rows set aside in those partitions (count).
        counted: Predictions in partitions whose writers also counted those that are null (count, at most `rows`).
        nulls: Predictions among `counted` that are missing or no finite number (count).
        live: The metric that the policy bounds, by labels that arrived since; NaN where it is not known.
        labelled: Predictions behind it (count).
        prediction_drift: Of the predictions the one that drifted most; None if nothing was counted.
    """

    finished: int = 0
    failed: tuple[str, ...] = ()
    rows: int = 0
    quarantined: int = 0
    counted: int = 0
    nulls: int = 0
    live: float = math.nan
    labelled: int = 0
    prediction_drift: FeatureDrift | None = None


Check: TypeAlias = Callable[["BurnIn", LedgerFacts, Terms], Reason | None]
"""One limit of a policy against the facts; None where the policy sets no such limit."""


def failed_partitions(limits: BurnIn, facts: LedgerFacts, _terms: Terms) -> Reason | None:
    """How many partitions the version began and left unfinished."""
    most, failed = limits.failed_partitions, len(facts.failed)
    if most is None:
        return None
    named = ", ".join(facts.failed[:_NAMED]) + (", …" if failed > _NAMED else "")
    text = f"{failed} partitions were begun and not finished, {facts.finished} were written; at most {most} may be unfinished"
    return Reason(
        rule=f"failed_partitions at most {most}",
        passed=failed <= most,
        text=f"{text}: {named}." if failed else f"{text}.",
        observed=float(failed),
    )


def null_share(limits: BurnIn, facts: LedgerFacts, terms: Terms) -> Reason | None:
    """The share of predictions that are missing, NaN or infinite."""
    found = _Share(rule="null_share", part=facts.nulls, rows=facts.counted, told="predictions are missing or no finite number")
    return found.judged(limits.null_share, terms)


def quarantine_share(limits: BurnIn, facts: LedgerFacts, terms: Terms) -> Reason | None:
    """The share of input rows that were set aside."""
    rows = facts.rows + facts.quarantined
    return _Share(rule="quarantine_share", part=facts.quarantined, rows=rows, told="rows were set aside").judged(
        limits.quarantine_share, terms
    )


def live(limits: BurnIn, facts: LedgerFacts, _terms: Terms) -> Reason | None:
    """A metric by labels that arrived after the promotion."""
    limit = limits.live
    if limit is None:
        return None
    rule, rows = str(limit), facts.labelled
    if rows < limit.min_rows or not math.isfinite(facts.live):
        text = f"{rows} predictions have a label by which {limit.metric} can be told; {limit.min_rows} are needed to judge {rule}."
        return Reason(rule=rule, passed=None, ruling=Ruling.INCONCLUSIVE, text=text, rows=rows)
    is_within = (limit.at_least is None or facts.live >= limit.at_least) and (limit.at_most is None or facts.live <= limit.at_most)
    text = f"{limit.metric} is {facts.live:.6g} on {rows} predictions whose labels have arrived; needed is {rule}."
    return Reason(rule=rule, passed=is_within, text=text, observed=facts.live, rows=rows)


def prediction_drift(limits: BurnIn, facts: LedgerFacts, _terms: Terms) -> Reason | None:
    """How far predictions drifted from those of the champion before."""
    limit, found = limits.prediction_drift, facts.prediction_drift
    if limit is None:
        return None
    if found is None or found.psi is None:
        text = "No predictions were counted that could be compared with those before." if found is None else found.reason
        return Reason(rule=str(limit), passed=None, ruling=Ruling.INCONCLUSIVE, text=text)
    is_within = found.psi <= max(limit.at_most, found.cutoff or 0.0)  # what chance explains is no drift, however small the limit
    text = f"{found.reason} At most {limit.at_most:g} may be."
    return Reason(rule=str(limit), passed=is_within, text=text, observed=found.psi, rows=found.rows)


CHECKS: tuple[Check, ...] = (failed_partitions, null_share, quarantine_share, live, prediction_drift)
"""Every limit that is known; a further one is a function in this list and its fact in `LedgerFacts`."""


def judge(limits: BurnIn, facts: LedgerFacts, terms: Terms | None = None) -> tuple[Reason, ...]:
    """What each limit of a policy says of a champion.

    Args:
        limits: From the policy that promoted it.
        facts: From the ledger.
        terms: How many rows are enough; None for the defaults.

    Returns:
        One reason for each limit that is set. A limit is broken if its reason's ruling is `failed`.
    """
    agreed = terms or Terms()
    return tuple(reason for check in CHECKS if (reason := check(limits, facts, agreed)) is not None)


class Standing(StrEnum):
    """How the burn-in of a model's champion stands."""

    NONE = "none"
    RUNNING = "running"
    OVER = "over"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class BurnInReport:
    """The burn-in of a model's champion at one moment, and what was done about it.

    Attributes:
        model: The model.
        number: The champion that was judged, None if there was none.
        revision: The champion's revision at that moment; a rollback compares and sets it.
        standing: `none` (no champion, or it was not promoted under a burn-in), `running`, `over` or `broken`.
        promoted_at: When it became champion.
        ends_at: When its burn-in ends or ended.
        reasons: One for each limit, while it is running or broken.
        limits: The limits.
        previous: The version that a rollback brings back, None if nobody held PRODUCTION before.
        rolled_back: The automatic rollback, None if there was none.
        note: One sentence: what was found, and what was done.
    """

    model: ModelName
    number: int | None
    revision: int
    standing: Standing
    note: str
    promoted_at: datetime | None = None
    ends_at: datetime | None = None
    reasons: tuple[Reason, ...] = ()
    limits: BurnIn | None = None
    previous: int | None = None
    rolled_back: Promotion | None = None

    @property
    def is_broken(self) -> bool:
        """Whether a limit was broken within the burn-in."""
        return self.standing is Standing.BROKEN

    @property
    def broken(self) -> tuple[Reason, ...]:
        """The limits that were broken."""
        return broken(self.reasons)

    def to_json(self) -> dict[str, Any]:
        """Small JSON for XCom and `--json`."""
        return {
            "model": str(self.model),
            "version": self.number,
            "ref": None if self.number is None else f"{self.model}:{self.number}",
            "standing": str(self.standing),
            "broken": self.is_broken,
            "reasons": [reason.text for reason in self.reasons],
            "promoted_at": None if self.promoted_at is None else self.promoted_at.isoformat(),
            "ends_at": None if self.ends_at is None else self.ends_at.isoformat(),
            "previous": self.previous,
            "rolled_back": self.rolled_back is not None,
            "promotion": None if self.rolled_back is None else self.rolled_back.uid,
            "note": self.note,
        }


def broken(reasons: tuple[Reason, ...]) -> tuple[Reason, ...]:
    """The limits among them that are broken."""
    return tuple(reason for reason in reasons if reason.ruling is Ruling.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class CoolDown:
    """A version was rolled back automatically, so the gate does not approve it again for a while.

    Attributes:
        number: The version that was rolled back. Other versions with the same bytes cool down with it.
        since: When it was rolled back.
        until: From then on a gate may approve it again; None for never, only a person can.
        because: The limits that it broke, in words.
    """

    number: int
    since: datetime
    until: datetime | None
    because: str

    def holds_at(self, now: datetime) -> bool:
        """Whether the version cools down at that (aware) time; before the rollback, which a replay may ask about, it did not."""
        return self.since <= utc(now) and (self.until is None or utc(now) < self.until)

    @property
    def text(self) -> str:
        """`v3 was rolled back at … because …; it cools down until ….`."""
        end = "until a person promotes it with a reason" if self.until is None else f"until {_minute(self.until)}"
        return f"v{self.number} was rolled back at {_minute(self.since)} because {self.because.rstrip('.')}; it cools down {end}."

    def reason(self, number: int) -> Reason:
        """Why the gate refuses version `number`: this one, or one with the same bytes."""
        same = "" if number == self.number else f"v{number} has the same bytes as v{self.number}: "
        return Reason(rule="not in a cool-down", passed=False, text=f"{same}{self.text}", baseline_version=self.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Share:
    """A part of rows, and how many there are."""

    rule: str
    part: int
    rows: int
    told: str

    def judged(self, most: float | None, terms: Terms) -> Reason | None:
        if most is None:
            return None
        rule = f"{self.rule} at most {most:g}"
        if self.rows < terms.min_rows:
            text = f"{self.rows} rows were counted; {terms.min_rows} are needed to judge that at most {most:g} of the {self.told}."
            return Reason(rule=rule, passed=None, ruling=Ruling.INCONCLUSIVE, text=text, rows=self.rows)
        share = self.part / self.rows
        text = f"{self.part} of {self.rows} {self.told}, a share of {share:.6g}; at most {most:g} may be."
        return Reason(rule=rule, passed=share <= most, text=text, observed=share, rows=self.rows)


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
