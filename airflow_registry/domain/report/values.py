"""What a report holds.

Laws: reports of the same facts at the same moment are equal; nothing here is computed from the clock or from data.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.metrics import known_goal
from airflow_registry.domain.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from airflow_registry.domain.audit import AuditHead
    from airflow_registry.domain.audit_report import AuditRecord
    from airflow_registry.domain.evaluation import Evaluation
    from airflow_registry.domain.ledger import UnrecordedUse
    from airflow_registry.domain.metrics import Metric
    from airflow_registry.domain.model import ModelVersion, RegisteredModel
    from airflow_registry.domain.people import Standing, Vote, Waiver
    from airflow_registry.domain.promotion import Decision, Promotion
    from airflow_registry.domain.stats.calibration import Bin
    from airflow_registry.domain.stats.single import Interval

_NOTHING: Mapping[Any, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One metric of one version on one slice, with its interval where the rows allow one."""

    number: int
    metric: Metric
    interval: Interval | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationRecord:
    """One evaluation as the report shows it.

    Attributes:
        evaluation: The evaluation with every version in it; without slices unless `measures` has them.
        recorded_by: Who stored it.
        measures: Metrics of every version, overall and by slice; () for an evaluation that is only mentioned.
        bins: Scores of a binary model by version number, for the diagrams; empty where the rows do not allow it.
        uses: How many decisions about this model have looked at the data (count); None if they have no digest.
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

    def worst(self, number: int, name: str) -> tuple[Measure, ...]:
        """All slices of one version in one metric, the worst first: what is not finite, then the lowest where higher is better."""
        sign = -1 if known_goal(name) == "minimize" else 1
        found = (entry for entry in self.measures if entry.number == number and entry.metric.name == name and entry.metric.slice)
        return tuple(
            sorted(found, key=lambda entry: (entry.metric.value is not None, sign * (entry.metric.value or 0), entry.metric.slice))
        )


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
class AuditTrail:
    """Entries of the audit chain about the version, and the head of the whole chain when they were read.

    Attributes:
        entries: The newest ones, oldest first.
        earlier: How many older ones are not listed (count).
        head: The chain's newest entry, of whatever model: whoever keeps its hash can prove later that nothing before it was changed.
        anchored_to: The newest entry whose hash is also kept in the artifact store; 0 if none is, None if the store did not answer.
    """

    entries: tuple[AuditRecord, ...]
    earlier: int
    head: AuditHead
    anchored_to: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryPoint:
    """A metric of one version on all rows, for its history over versions.

    Attributes:
        same_data: Whether it was computed on the data of the report's version's newest value of this metric, so that the two compare.
    """

    number: int
    metric: Metric
    same_data: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReport:
    """Everything that the registry knows about one version at one moment.

    Attributes:
        at: When the facts were read.
        registry: The name of the registry, different for every database.
        deployment: Which Airflow installation asked.
        model: The model.
        standing: What people have laid down for it: a locked policy, a freeze.
        version: The version.
        previous: What it is compared with in "what changed": the champion of its newest decision, else the version before it.
        evaluations: Newest first.
        decisions: Oldest first.
        votes: Oldest first.
        waivers: Rules that were lifted for it; those that were withdrawn too.
        changes: Stage changes of this version, oldest first.
        tenures: Who was champion of the model when, oldest first.
        scoring: What it wrote.
        history: Metrics over versions.
        audit: Audit entries about it.
    """

    at: datetime
    registry: str
    deployment: str
    model: RegisteredModel
    standing: Standing
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
    audit: AuditTrail

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
