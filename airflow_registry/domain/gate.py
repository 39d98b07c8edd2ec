"""The gate: a policy, a challenger and what was measured go in, a verdict with reasons comes out.

Invariants: the gate approves only if at least one rule is satisfied and none is not; a value that is missing, NaN, infinite or
computed on no rows satisfies no rule; problems with the data are reasons, never exceptions. `Reason.observed` is the
challenger's value of the rule's metric, None where there is no finite one.
"""

from __future__ import annotations

import math
from collections.abc import Sized
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from airflow_registry.domain.model import Signature
from airflow_registry.domain.promotion import Outcome, Reason, Verdict
from airflow_registry.domain.rules import REQUIRABLE, Comparison, Require, Threshold
from airflow_registry.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_registry.domain.evaluation import Evaluation
    from airflow_registry.domain.metrics import Metric
    from airflow_registry.domain.model import ModelVersion
    from airflow_registry.domain.names import Digest
    from airflow_registry.domain.policy import Policy
    from airflow_registry.domain.rules import Margin, Rule


def decide(policy: Policy, challenger: ModelVersion, champion: ModelVersion | None, evaluations: Sequence[Evaluation]) -> Verdict:
    """Judge the challenger by every rule of the policy.

    Args:
        policy: The rules.
        challenger: The version that wants to become champion.
        champion: The version in PRODUCTION, None if there is none.
        evaluations: What was measured of this model, in any order; metrics given at registration are one of them.

    Returns:
        APPROVED or REFUSED, with one reason for every rule.

    Raises:
        InvalidInputError: If the champion is a version of another model.
    """
    if champion is not None and champion.model.key != challenger.model.key:
        raise InvalidInputError(f"{challenger.ref} cannot be compared with {champion.ref}: that is another model.")
    if policy.model is not None and policy.model.key != challenger.model.key:
        text = f"The policy is for the model {policy.model!r}, but {challenger.ref} is to be judged. Name the policy of its own model."
        return _verdict([_no("policy", text)])
    case = _Case.of(challenger, champion, evaluations)
    return _verdict([*_doubts(policy, case), *(_judge(rule, case) for rule in policy.rules)])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Observation:
    """One metric of one version, with the evaluation that it comes from."""

    number: int
    metric: Metric
    evaluation: Evaluation

    @property
    def rows(self) -> int | None:
        data = self.evaluation.data
        known = (self.metric.rows, None if data is None else data.rows)
        return next((rows for rows in known if rows is not None), None)

    @property
    def fault(self) -> str | None:
        """Why this value cannot satisfy any rule."""
        if self.metric.value is None:
            return (
                f"{self.metric.name} of v{self.number} is {_NON_FINITE[str(self.metric.non_finite)]}{self.place}, which is never approved."
            )
        if self.rows == 0:
            return f"{self.metric.name} of v{self.number} was computed on no rows{self.place}."
        return None

    @property
    def place(self) -> str:
        """` on 'holdout' (1,200 rows)`, as far as it is known."""
        data = self.evaluation.data
        name = "" if data is None else f" on {data.name!r}"
        return name if self.rows is None else f"{name} ({self.rows:,} rows)"

    @property
    def digest(self) -> Digest | None:
        """Which data it was computed on, None if nobody knows."""
        return None if self.evaluation.data is None else self.evaluation.data.digest

    def is_on_data_of(self, other: _Observation) -> bool:
        """Whether both were computed on the same known data."""
        return self.digest is not None and self.digest == other.digest


_NON_FINITE = {"nan": "NaN", "inf": "infinite", "-inf": "minus infinite"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """What the rules look at."""

    challenger: ModelVersion
    champion: ModelVersion | None
    evaluations: tuple[Evaluation, ...]

    @classmethod
    def of(cls, challenger: ModelVersion, champion: ModelVersion | None, evaluations: Iterable[Evaluation]) -> _Case:
        """Newest evaluation first; those of other models do not count, whatever their version numbers."""
        own = [evaluation for evaluation in evaluations if evaluation.model.key == challenger.model.key]
        newest_first = tuple(sorted(own, key=lambda evaluation: evaluation.sequence, reverse=True))
        return cls(challenger=challenger, champion=champion, evaluations=newest_first)

    def observations(self, number: int, name: str) -> list[_Observation]:
        """The overall values of a metric of one version, newest first."""
        return [
            _Observation(number=number, metric=metric, evaluation=evaluation)
            for evaluation in self.evaluations
            for metric in evaluation.results.get(number, ())
            if metric.name == name and not metric.slice
        ]


def _verdict(reasons: Sequence[Reason]) -> Verdict:
    satisfied = any(reason.passed is True for reason in reasons) and not any(reason.passed is False for reason in reasons)
    return Verdict(outcome=Outcome.APPROVED if satisfied else Outcome.REFUSED, reasons=tuple(reasons))


def _doubts(policy: Policy, case: _Case) -> Iterable[Reason]:
    """What speaks against the policy as a whole."""
    if not policy.rules:
        yield _no("rules", "The policy has no rules, and a gate without rules approves nothing. Give it at least one.")
    compares = any(isinstance(rule, Comparison) for rule in policy.rules)
    if case.champion is None and compares and not any(isinstance(rule, Threshold) for rule in policy.rules):
        yield _no(
            f"first model: {policy.first_model}",
            f"There is no champion to compare {case.challenger.ref} with, and no rule of the policy says what its metrics must be by "
            "themselves. Add a rule with at_least or at_most.",
        )


def _judge(rule: Rule, case: _Case) -> Reason:
    if isinstance(rule, Threshold):
        return _judge_threshold(rule, case)
    if isinstance(rule, Comparison):
        return _judge_comparison(rule, case)
    return _judge_metadata(rule, case.challenger)


def _judge_threshold(rule: Threshold, case: _Case) -> Reason:
    seen = next(iter(case.observations(case.challenger.number, rule.metric)), None)
    if seen is None:
        return _no(rule, _unseen(rule.metric, case.challenger))
    if seen.fault:
        return _no(rule, seen.fault, rows=seen.rows)
    value = seen.metric.as_float
    is_low = rule.at_least is not None and value < rule.at_least
    is_high = rule.at_most is not None and value > rule.at_most
    finding = "too low" if is_low else "too high" if is_high else "satisfied"
    shown = _shown(value, rule.at_least, rule.at_most)
    text = f"{rule.metric} of v{seen.number} is {shown}{seen.place}; needed {rule.needed}: {finding}."
    return Reason(rule=str(rule), passed=not is_low and not is_high, text=text, observed=value, rows=seen.rows)


def _judge_comparison(rule: Comparison, case: _Case) -> Reason:
    challenger, champion = case.challenger, case.champion
    if champion is None:
        text = f"Does not apply: there is no champion to compare v{challenger.number} with."
        return Reason(rule=str(rule), passed=None, text=text)
    if champion.number == challenger.number:
        return _no(rule, f"v{challenger.number} is the champion itself, so there is nothing to compare it with.")
    if rule.direction is None:
        return _no(rule, f"Whether higher or lower {rule.metric!r} is better is not known. Write goal: maximize or goal: minimize.")
    pair = _pair(rule, case, champion)
    if isinstance(pair, str):
        return _no(rule, pair, baseline=champion.number)
    return _weigh(rule, *pair)


def _pair(rule: Comparison, case: _Case, champion: ModelVersion) -> tuple[_Observation, _Observation] | str:
    """The newest values of both versions that may be compared, or why there are none."""
    mine = case.observations(case.challenger.number, rule.metric)
    theirs = case.observations(champion.number, rule.metric)
    if not mine or not theirs:
        return _unseen(rule.metric, champion if mine else case.challenger)
    if rule.data == "any":
        return mine[0], _partner(mine[0], theirs) or theirs[0]
    pairs = ((seen, partner) for seen in mine if (partner := _partner(seen, theirs)))
    return next(pairs, None) or _incomparable(rule.metric, mine[0], theirs[0])


def _partner(seen: _Observation, baselines: Sequence[_Observation]) -> _Observation | None:
    """The baseline's value from the same evaluation, else its newest one on the same known data."""
    beside = [other for other in baselines if other.evaluation.uid == seen.evaluation.uid]
    return next(iter(beside + [other for other in baselines if other.is_on_data_of(seen)]), None)


def _weigh(rule: Comparison, seen: _Observation, baseline: _Observation) -> Reason:
    fault = seen.fault or baseline.fault or _baseline_fault(rule.margin, baseline)
    observed = seen.metric.value
    if fault:
        return _no(rule, fault, baseline=baseline.number, rows=seen.rows, observed=observed)
    gain, needed = _gain(rule, seen, baseline), _needed(rule, baseline)
    passed = gain >= needed if rule.improve_by is None else gain > needed
    text = f"{_measured(rule, seen, baseline)}: {_balance(rule, gain, needed)}: {'satisfied' if passed else 'not enough'}."
    return Reason(rule=str(rule), passed=passed, text=text, observed=observed, baseline_version=baseline.number, rows=seen.rows)


def _baseline_fault(margin: Margin, baseline: _Observation) -> str | None:
    if not margin.is_percent or baseline.metric.value:
        return None
    return f"{baseline.metric.name} of champion v{baseline.number} is 0, and {margin} of 0 says nothing. Give the margin as a number."


def _gain(rule: Comparison, seen: _Observation, baseline: _Observation) -> Fraction:
    """How much better the challenger is, in the metric's unit."""
    difference = _exact(seen.metric.as_float) - _exact(baseline.metric.as_float)
    return -difference if rule.direction == "minimize" else difference


def _needed(rule: Comparison, baseline: _Observation) -> Fraction:
    """The border that the gain must reach (no_worse_than) or pass (improve_by), in the metric's unit."""
    size = _exact(rule.margin.amount)
    if rule.margin.is_percent:
        size *= abs(_exact(baseline.metric.as_float)) / 100
    return -size if rule.improve_by is None else size


def _exact(value: float) -> Fraction:
    """The number as people write it.

    In binary 0.595 - 0.6 is below -0.005, and a challenger on the border would fall; 595/1000 - 6/10 is exactly -5/1000.
    """
    return Fraction(repr(value))


def _judge_metadata(rule: Require, version: ModelVersion) -> Reason:
    missing = [name for name in rule.fields if not _is_given(REQUIRABLE[name](version))]
    if missing:
        advice = "A version does not change: register a new one that has it."
        return _no(rule, f"v{version.number} lacks {', '.join(missing)}; needed {', '.join(rule.fields)}. {advice}")
    return Reason(rule=str(rule), passed=True, text=f"v{version.number} has {', '.join(rule.fields)}.")


def _is_given(value: object) -> bool:
    if isinstance(value, str):
        return bool(value.strip())
    if isinstance(value, Signature):
        return bool(value.inputs)
    return value is not None and (not isinstance(value, Sized) or len(value) > 0)


def _no(rule: Rule | str, text: str, *, baseline: int | None = None, rows: int | None = None, observed: float | None = None) -> Reason:
    return Reason(rule=str(rule), passed=False, text=text, observed=observed, baseline_version=baseline, rows=rows)


def _unseen(metric: str, version: ModelVersion) -> str:
    return f"No evaluation of v{version.number} holds {metric!r}. Evaluate it, or record the metric, and decide again."


def _incomparable(metric: str, seen: _Observation, baseline: _Observation) -> str:
    what = "other" if seen.digest and baseline.digest else "unknown"
    return (
        f"{metric} of v{seen.number}{seen.place} and of champion v{baseline.number}{baseline.place} come from {what} data and cannot be "
        "compared. Evaluate both on the same rows, or write data: any in the rule."
    )


def _measured(rule: Comparison, seen: _Observation, baseline: _Observation) -> str:
    """Both values and where they come from."""
    mine, theirs = seen.metric.as_float, baseline.metric.as_float
    text = f"{rule.metric} of v{seen.number} is {_shown(mine, theirs)}{seen.place}, of champion v{baseline.number} {_shown(theirs, mine)}"
    if seen.evaluation.uid == baseline.evaluation.uid or seen.is_on_data_of(baseline):
        return text
    what = "other" if seen.digest and baseline.digest else "unknown"
    return f"{text}{baseline.place} (compared on {what} data, because the rule says data: any)"


def _balance(rule: Comparison, gain: Fraction, needed: Fraction) -> str:
    """The gain beside what was needed."""
    share = f" ({rule.margin})" if rule.margin.is_percent else ""
    direction = "lower is better" if rule.direction == "minimize" else "higher is better"
    words = "at least" if rule.improve_by is None else "more than"
    got, border = _rounded(gain), _rounded(needed)
    return f"gain {_shown(got, border)} ({direction}), needed {words} {_shown(border, got)}{share}"


def _rounded(number: Fraction) -> float:
    try:
        return float(number)
    except OverflowError:  # the difference of two huge floats
        return math.inf if number > 0 else -math.inf


def _shown(value: float, *beside: float | None) -> str:
    """Six digits, or all of them where six would make `value` look like another number beside it."""
    short = f"{value:.6g}"
    looks_equal = any(other is not None and other != value and f"{other:.6g}" == short for other in beside)
    return repr(value) if looks_equal else short
