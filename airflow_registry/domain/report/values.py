"""What a report holds.

Laws: reports of the same facts at the same moment are equal; nothing here is computed from the clock or from data.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from airflow_registry.domain.evaluation import Evaluation
    from airflow_registry.domain.ledger import UnrecordedUse
    from airflow_registry.domain.metrics import Metric
    from airflow_registry.domain.model import ModelVersion, RegisteredModel
    from airflow_registry.domain.people import Vote, Waiver
    from airflow_registry.domain.promotion import Decision, Promotion

_NOTHING: Mapping[Any, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Where the true value of a metric lies, had there been endlessly many rows like these.

    Attributes:
        low: Lower limit in the metric's unit.
        high: Upper limit.
        confidence: Of both sides together, in (0, 1).
        method: How it was computed, in words: `Wilson`, `DeLong`.
    """

    low: float
    high: float
    confidence: float
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One metric of one version on one slice, with its interval where the rows allow one."""

    number: int
    metric: Metric
    interval: Interval | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Rows whose score lies in one part of [0, 1].

    Attributes:
        low: Lower end of the part.
        high: Upper end.
        rows: How many (count).
        positives: How many of them are of the positive class (count).
        mean_score: Mean score of the rows; None if there are none.
    """

    low: float
    high: float
    rows: int
    positives: int
    mean_score: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationRecord:
    """One evaluation as the report shows it.

    Attributes:
        evaluation: The evaluation with every version in it; without slices unless `measures` has them.
        recorded_by: Who stored it.
        measures: Metrics of every version, overall and by slice; () for an evaluation that is only mentioned.
        bins: Scores of a binary model by version number, for the diagrams; empty where the rows do not allow it.
        uses: In how many decisions about this model the data has been used (count); None if the data has no digest.
        problem: Why there are no intervals, as a sentence; None if there are.
    """

    evaluation: Evaluation
    recorded_by: str
    measures: tuple[Measure, ...] = ()
    bins: Mapping[int, tuple[Bin, ...]] = field(default_factory=lambda: _NOTHING)
    uses: int | None = None
    problem: str | None = None

    def of(self, number: int, slice_: str = "") -> tuple[Measure, ...]:
        """The measures of one version: on all rows, or on one slice."""
        return tuple(entry for entry in self.measures if entry.number == number and entry.metric.slice == slice_)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRecord:
    """A decision with the policy that it followed.

    Attributes:
        decision: The decision.
        policy: The policy as a mapping, as it stood in the file.
        source: Where the policy came from, None if it was given in Python.
        by: Who asked the gate.
        dag_id: In which DAG, None outside Airflow.
        run_id: In which run.
    """

    decision: Decision
    policy: Mapping[str, Any]
    source: str | None
    by: str
    dag_id: str | None = None
    run_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenure:
    """A time in which one version was champion.

    Attributes:
        number: The version; None for a time without champion.
        since: When it began.
        until: When it ended, None if it lasts.
        by: Who made it champion.
        decision: uid of the decision, None for an override.
        reason: Why, in a person's words; None where a decision says it.
    """

    number: int | None
    since: datetime
    until: datetime | None
    by: str
    decision: str | None
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringRecord:
    """What a version wrote, as the ledger knows it.

    Attributes:
        outputs: Committed writes (count).
        live: Partitions whose present content is by this version (count).
        unfinished: Writes that were opened and never committed (count).
        rows: Rows written, as far as the writers counted them.
        quarantined: Rows set aside (count).
        first: First commit, None if there is none.
        last: Last commit.
        unrecorded: Runs that were given the version and told the ledger nothing.
    """

    outputs: int = 0
    live: int = 0
    unfinished: int = 0
    rows: int = 0
    quarantined: int = 0
    first: datetime | None = None
    last: datetime | None = None
    unrecorded: tuple[UnrecordedUse, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFact:
    """One entry of the audit chain about the version or its model.

    Attributes:
        seq: Its place in the chain.
        text: The free text that it covers by digest; None if there is none, or if it was erased.
        text_digest: Digest of that text; None if there never was one.
    """

    seq: int
    at: datetime
    actor: str
    action: str
    subject: str
    body: Mapping[str, Any]
    text: str | None
    text_digest: str | None
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """Entries about the version, and the head of the whole chain when they were read.

    Attributes:
        entries: The newest ones, oldest first.
        earlier: How many older ones are not listed (count).
        seq: Place of the chain's newest entry, of whatever model.
        head: Its hash: whoever keeps it can prove later that nothing before it was changed.
    """

    entries: tuple[AuditFact, ...]
    earlier: int
    seq: int
    head: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryPoint:
    """A metric of one version on all rows, for its history over versions.

    Attributes:
        same_data: Whether it was computed on the data of the report's newest evaluation, so that the values compare.
    """

    number: int
    metric: Metric
    same_data: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelState:
    """What holds for the model as a whole.

    Attributes:
        model: Name, owner, purpose, risk tier, champion.
        locked_policy: Digest of the only policy that may decide; None for any.
        frozen_until: No automatic promotion before; None if it is not frozen.
    """

    model: RegisteredModel
    locked_policy: str | None = None
    frozen_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReport:
    """Everything that the registry knows about one version at one moment.

    Attributes:
        at: When the facts were read.
        registry: The name of the registry, different for every database.
        deployment: Which Airflow installation asked.
        state: The model.
        version: The version.
        previous: What it is compared with in "what changed": the champion of its newest decision, else the version before it.
        evaluations: Newest first.
        decisions: Oldest first.
        votes: Oldest first.
        waivers: Rules that were lifted for it.
        changes: Stage changes of this version, oldest first.
        tenures: Who was champion of the model when, oldest first.
        scoring: What it wrote.
        history: Metrics over versions.
        audit: Audit entries about it.
    """

    at: datetime
    registry: str
    deployment: str
    state: ModelState
    version: ModelVersion
    previous: ModelVersion | None = None
    evaluations: tuple[EvaluationRecord, ...] = ()
    decisions: tuple[DecisionRecord, ...] = ()
    votes: tuple[Vote, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    changes: tuple[Promotion, ...] = ()
    tenures: tuple[Tenure, ...] = ()
    scoring: ScoringRecord = field(default_factory=ScoringRecord)
    history: tuple[HistoryPoint, ...] = ()
    audit: AuditRecord

    @property
    def detailed(self) -> tuple[EvaluationRecord, ...]:
        """The evaluations that are shown metric by metric."""
        return tuple(entry for entry in self.evaluations if entry.measures)

    @property
    def newest_decision(self) -> Decision | None:
        """What the gate said last."""
        return self.decisions[-1].decision if self.decisions else None


def tenures(changes: Iterable[Promotion]) -> tuple[Tenure, ...]:
    """Who was champion when.

    Args:
        changes: Every stage change of the model, oldest first.
    """
    found: list[Tenure] = []
    moves = [change for change in changes if change.is_champion_change]
    ends = [*(change.at for change in moves[1:]), None]
    for change, until in zip(moves, ends, strict=False):
        number = change.number if change.to_stage is Stage.PRODUCTION else None
        found.append(Tenure(number=number, since=change.at, until=until, by=change.by, decision=change.decision, reason=change.reason))
    return tuple(found)
