"""What the rules look at: everything that is known about one challenger at one moment, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.gate.numbers import counted
from airflow_registry.domain.metrics import Metric, metric
from airflow_registry.domain.people import Asked, Standing
from airflow_registry.domain.shadow import Shadowed
from airflow_registry.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from airflow_registry.domain.burn_in import CoolDown
    from airflow_registry.domain.evaluation import Evaluation
    from airflow_registry.domain.evidence import Evidence, Question
    from airflow_registry.domain.model import ModelVersion
    from airflow_registry.domain.people import Waiver
    from airflow_registry.domain.promotion import Holding
    from airflow_registry.domain.rules import Smoke
    from airflow_registry.domain.smoke import SmokeResult

_NOTHING: Mapping[Any, Any] = MappingProxyType({})
_NON_FINITE = {"nan": "NaN", "inf": "infinite", "-inf": "minus infinite"}
TRIVIAL = "the best trivial model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One challenger before the gate.

    Attributes:
        challenger: The version that wants to become champion.
        now: The moment of judging (aware).
        champion: The version in PRODUCTION, None if there is none.
        evaluations: What was measured of this model; kept newest first, in whatever order they are given.
        changes: Every change of the champion, oldest first; says who an anchor is that is counted in promotions.
        anchors: The versions that rules name, by number; one that is not here does not exist.
        evidence: Answers to the questions of this policy.
        smoke: What happened when the artifact was loaded, by rule.
        shadowed: What it said beside the champion while it was in SHADOW.
        asked: Votes about the version under this policy.
        waivers: Waivers for this version, oldest first.
        standing: What people have laid down for the model: a locked policy, a freeze.
        cool_down: The newest automatic rollback of the challenger's bytes, None if there never was one.
        is_replay: Whether a decision of the past is made again: then nothing is loaded, and a smoke rule that was never tried is left out.
    """

    challenger: ModelVersion
    now: datetime
    champion: ModelVersion | None = None
    evaluations: tuple[Evaluation, ...] = ()
    changes: tuple[Holding, ...] = ()
    anchors: Mapping[int, ModelVersion] = field(default_factory=lambda: _NOTHING)
    evidence: Mapping[Question, Evidence] = field(default_factory=lambda: _NOTHING)
    smoke: Mapping[Smoke, SmokeResult] = field(default_factory=lambda: _NOTHING)
    shadowed: Shadowed = field(default_factory=Shadowed)
    asked: Asked = field(default_factory=Asked)
    waivers: tuple[Waiver, ...] = ()
    standing: Standing = field(default_factory=Standing)
    cool_down: CoolDown | None = None
    is_replay: bool = False

    def __post_init__(self) -> None:
        if self.champion is not None and self.champion.model.key != self.challenger.model.key:
            raise InvalidInputError(f"{self.challenger.ref} cannot be compared with {self.champion.ref}: that is another model.")
        # Those of other models do not count, whatever their version numbers.
        own = [evaluation for evaluation in self.evaluations if evaluation.model.key == self.challenger.model.key]
        object.__setattr__(self, "evaluations", tuple(sorted(own, key=lambda evaluation: evaluation.sequence, reverse=True)))

    def holding(self, subject: Subject, name: str, by: str | None = None) -> list[Evaluation]:
        """Evaluations that hold a metric of somebody, on all rows or on slices; newest first.

        None is older than one that was to have these slices and has no row: the newest counts, also if it says nothing.
        """
        found = []
        for evaluation in self.evaluations:
            if observations(evaluation, subject, name, by):
                found.append(evaluation)
            elif by in evaluation.slices and subject.number in evaluation.results and not evaluation.slices_of(by):
                break
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whose metric it is: a version, or the best trivial model.

    Attributes:
        name: `v8`, `champion v7`, `anchor v3`, `the best trivial model`.
        number: The version; None for the trivial model.
    """

    name: str
    number: int | None = None

    @property
    def short(self) -> str:
        """`v7`."""
        return self.name if self.number is None else f"v{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One metric of one subject, with the evaluation that it comes from."""

    subject: Subject
    metric: Metric
    evaluation: Evaluation

    @property
    def rows(self) -> int | None:
        """How many rows it was computed on; of a slice only if the metric itself says so."""
        data = self.evaluation.data
        of_all = None if data is None or self.metric.slice else data.rows
        return of_all if self.metric.rows is None else self.metric.rows

    @property
    def fault(self) -> str | None:
        """Why this value cannot satisfy any rule."""
        who = f"{self.metric.name} of {self.subject.short}"
        if self.metric.value is None:
            return f"{who} is {_NON_FINITE[str(self.metric.non_finite)]}{self.place}, which is never approved."
        return f"{who} was computed on no rows{self.place}." if self.rows == 0 else None

    @property
    def place(self) -> str:
        """` on 'holdout' (1,200 rows)`, ` in carrier=AA on 'holdout' (80 rows)`, as far as it is known."""
        data = self.evaluation.data
        where = f" in {self.metric.slice}" if self.metric.slice else ""
        name = where + ("" if data is None else f" on {data.name!r}")
        return name if self.rows is None else f"{name} ({counted(self.rows)})"


def observations(evaluation: Evaluation, subject: Subject, name: str, by: str | None = None) -> dict[str, Observation]:
    """A metric of somebody by the name of its slice: of all rows (''), or of each slice by `carrier`, in the order of their names."""
    found = {one.slice: one for one in _metrics(evaluation, subject, name) if is_wanted(one.slice, by)}
    return {key: Observation(subject=subject, metric=found[key], evaluation=evaluation) for key in sorted(found)}


def are_same_data(one: Evaluation, other: Evaluation) -> bool:
    """Whether two evaluations are of the same known rows, and asked the same of them."""
    if one.uid == other.uid:
        return True
    if one.data is None or other.data is None or one.data.digest is None or one.data.digest != other.data.digest:
        return False
    return one.target == other.target or None in {one.target, other.target}


def difference_of(one: Evaluation, other: Evaluation) -> str:
    """`other` if both are known to be of different data, else `unknown`."""
    known = [evaluation.data is not None and evaluation.data.digest is not None for evaluation in (one, other)]
    return "other" if all(known) else "unknown"


def is_wanted(name: str, by: str | None) -> bool:
    """Whether a slice is one of those by a column, or all rows (`''`) where there is no column."""
    return not name if by is None else name.startswith(f"{by}=")


def _metrics(evaluation: Evaluation, subject: Subject, name: str) -> list[Metric]:
    if subject.number is None:
        return [metric(name, evaluation.trivial[name])] if name in evaluation.trivial else []
    return [one for one in evaluation.results.get(subject.number, ()) if one.name == name]
