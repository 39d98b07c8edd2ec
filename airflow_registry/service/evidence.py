"""What takes long is found out outside of every transaction: the rows of evaluations, and whether an artifact loads.

An `Inquiry` belongs to one decision. It remembers each answer under everything that the answer depends on (question, evaluations,
versions), so the transaction that stores the decision can see whether it still has the answers, or whether something came between.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_registry.domain import gate
from airflow_registry.domain.evidence import Evidence, Pair
from airflow_registry.domain.rules import Smoke
from airflow_registry.errors import InvalidInputError, RegistryError
from airflow_registry.service.rows import rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_registry.domain.evaluation import Evaluation, EvaluationRows, SliceCodes
    from airflow_registry.domain.evidence import Question
    from airflow_registry.domain.policy import Policy
    from airflow_registry.domain.smoke import SmokeResult
    from airflow_registry.domain.stats.paired import PairedDifference
    from airflow_registry.domain.stats.rows import Scored
    from airflow_registry.service.core import Core

    Key = tuple[Question, str, str]


@dataclass(kw_only=True)
class Inquiry:
    """Finds out what a policy needs beyond stored metrics, each thing once.

    Attributes:
        core: The stores.
        loads: Whether artifacts may be loaded; a replay loads none.
    """

    core: Core
    loads: bool = True
    _answers: dict[Key, Evidence] = field(default_factory=dict)
    _rows: dict[str, EvaluationRows] = field(default_factory=dict)
    _smoke: dict[Smoke, SmokeResult] = field(default_factory=dict)

    def find_out(self, policy: Policy, case: gate.Case) -> None:
        """Answer whatever is not answered yet; to be called outside of a transaction.

        Raises:
            StorageUnavailableError: If a store is out of reach. What is damaged or gone is an answer, and no error.
        """
        for key, sources in self._asked(policy, case):
            if key not in self._answers:
                self._answers[key] = self._answer(key[0], case, sources)
        self._rows.clear()  # what was mapped is given back
        for rule in _smoke_rules(policy) if self.loads else ():
            if rule not in self._smoke:
                self._smoke[rule] = self._load(rule, case)

    def is_complete(self, policy: Policy, case: gate.Case) -> bool:
        """Whether everything is answered for the case as it is now."""
        is_loaded = not self.loads or all(rule in self._smoke for rule in _smoke_rules(policy))
        return is_loaded and all(key in self._answers for key, _ in self._asked(policy, case))

    def applied(self, policy: Policy, case: gate.Case) -> gate.Case:
        """The case with all answers."""
        evidence = {key[0]: self._answers[key] for key, _ in self._asked(policy, case)}
        return replace(case, evidence=evidence, smoke={**case.smoke, **self._smoke})

    def _asked(self, policy: Policy, case: gate.Case) -> Iterator[tuple[Key, gate.Pairing | str]]:
        """Each question with the evaluations that answer it, or why none does."""
        for question in gate.questions(policy, case):
            sources = gate.kept_rows(case, question)
            names = ("", sources) if isinstance(sources, str) else (sources[0].uid, sources[1].uid)
            yield (question, *names), sources

    def _answer(self, question: Question, case: gate.Case, sources: gate.Pairing | str) -> Evidence:
        if isinstance(sources, str):
            return Evidence(problem=sources)
        mine, theirs = sources
        try:
            pairs = _pairs(question, case, self._open(mine), self._open(theirs))
        except RegistryError as error:
            if error.retryable:
                raise
            return Evidence(evaluation=mine.uid, data=mine.data, problem=str(error))
        return Evidence(evaluation=mine.uid, data=mine.data, pairs=pairs)

    def _open(self, evaluation: Evaluation) -> EvaluationRows:
        if evaluation.uid not in self._rows:
            self._rows[evaluation.uid] = rows_of(self.core, evaluation)
        return self._rows[evaluation.uid]

    def _load(self, rule: Smoke, case: gate.Case) -> SmokeResult:
        from airflow_registry.service.smoke import smoke

        return smoke(self.core, case.challenger, loads_within=rule.loads_within, predicts_rows=rule.predicts_rows)


def needs_inquiry(policy: Policy) -> bool:
    """Whether something must be found out before the policy can be judged."""
    return gate.needs_rows_of(policy) or bool(_smoke_rules(policy))


def _smoke_rules(policy: Policy) -> tuple[Smoke, ...]:
    return tuple(dict.fromkeys(rule for rule in policy.rules if isinstance(rule, Smoke)))


def _pairs(question: Question, case: gate.Case, mine: EvaluationRows, theirs: EvaluationRows) -> tuple[Pair, ...]:
    """Challenger and baseline on the same rows, by slice."""
    from airflow_registry.domain.stats.paired import paired_differences

    _check_same(mine, theirs)
    slices = mine.slices[question.by] if question.by else None
    found = paired_differences(
        question.metric,
        mine.labels,
        _scored(mine, case.challenger.number),
        _baseline(question, theirs),
        codes=None if slices is None else slices.codes,
        n_slices=0 if slices is None else len(slices.names),
        seed=_seed(question, case, mine),
    )
    if slices is None:
        return (Pair(slice="", rows=len(mine.labels), difference=found[-1]),)
    return _by_slice(slices, found)


def _by_slice(slices: SliceCodes, found: Mapping[int, PairedDifference | None]) -> tuple[Pair, ...]:
    """One pair for each slice that has rows, by name."""
    import numpy as np

    counts = np.bincount(slices.codes[slices.codes >= 0], minlength=len(slices.names))
    positions = sorted(range(len(slices.names)), key=slices.names.__getitem__)
    return tuple(Pair(slice=slices.names[at], rows=int(counts[at]), difference=found[at]) for at in positions if counts[at])


def _check_same(mine: EvaluationRows, theirs: EvaluationRows) -> None:
    """Two evaluations of the same data may still have asked for different labels, or left out different rows.

    Raises:
        InvalidInputError: If their rows are not the same.
    """
    import numpy as np

    if mine is theirs:
        return
    if mine.data_digest != theirs.data_digest or mine.classes != theirs.classes or not np.array_equal(mine.labels, theirs.labels):
        raise InvalidInputError(
            "The newest evaluations of the two were made on the same data, and their rows are not the same (another target column, other "
            "classes, or other rows left out), so they cannot be paired. Evaluate both together, and decide again."
        )


def _scored(rows: EvaluationRows, number: int) -> Scored:
    found = rows.scored.get(number)
    if found is None:
        raise InvalidInputError(f"The evaluation keeps no rows of v{number}. Evaluate it, and decide again.")
    return found


def _baseline(question: Question, rows: EvaluationRows) -> Scored:
    from airflow_registry.scoring.trivial import trivial_scored

    return trivial_scored(rows, question.metric) if question.baseline == "trivial" else _scored(rows, question.baseline)


def _seed(question: Question, case: gate.Case, rows: EvaluationRows) -> int:
    """The same for the same data, bytes and metric: a decision replays exactly, and asking again is no second chance."""
    from airflow_registry.domain.stats.draws import seed_of

    return seed_of(rows.data_digest, _digest(case, case.challenger.number), _digest(case, question.baseline), question.metric)


def _digest(case: gate.Case, subject: int | str) -> str:
    known: dict[Any, Any] = {**case.anchors, case.challenger.number: case.challenger}
    if case.champion is not None:
        known[case.champion.number] = case.champion
    version = known.get(subject)
    return str(subject) if version is None else str(version.digest or version.uid)
