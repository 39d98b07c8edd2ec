"""Comparisons by stored metrics: the gain itself is looked at, in exact fractions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.gate.baselines import challenger_of, paired_by
from airflow_registry.domain.gate.case import are_same_data, difference_of, observations
from airflow_registry.domain.gate.numbers import exact, listed, rounded, shown
from airflow_registry.domain.gate.reasons import no, unknown, yes
from airflow_registry.domain.gate.slices import sort_out
from airflow_registry.domain.gate.thresholds import is_too_small, too_small

if TYPE_CHECKING:
    from fractions import Fraction

    from airflow_registry.domain.gate.case import Case, Observation, Subject
    from airflow_registry.domain.gate.slices import Slices
    from airflow_registry.domain.promotion import Reason
    from airflow_registry.domain.rules import Comparison


def judge_gain(rule: Comparison, case: Case, baseline: Subject) -> Reason:
    """Judge the newest values that may be compared."""
    found = paired_by(rule, case, baseline)
    if isinstance(found, str):
        return no(rule, found, baseline_version=baseline.number)
    mine = observations(found[0], challenger_of(case), rule.metric, rule.by)
    theirs = observations(found[1], baseline, rule.metric, rule.by)
    if rule.by is not None:
        return _in_slices(rule, mine, theirs, baseline)
    return _on_all_rows(rule, mine[""], theirs[""])


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What was gained, beside what was needed; in the metric's unit, and positive where the challenger is better."""

    gain: Fraction
    needed: Fraction
    is_strict: bool

    @classmethod
    def of(cls, rule: Comparison, challenger: float, baseline: float) -> Balance:
        """Both values must be finite."""
        difference = exact(challenger) - exact(baseline)
        gain = -difference if rule.direction == "minimize" else difference
        return cls(gain=gain, needed=border_of(rule, baseline), is_strict=rule.improve_by is not None)

    @property
    def is_enough(self) -> bool:
        """Whether the rule holds."""
        return self.gain > self.needed if self.is_strict else self.gain >= self.needed

    def told(self, rule: Comparison) -> str:
        """`gain 0.01 (higher is better), needed at least -0.005`."""
        got, border = rounded(self.gain), rounded(self.needed)
        return f"gain {shown(got, border)} ({better(rule)}), needed {needed_words(rule)} {shown(border, got)}{share_of(rule)}"


def border_of(rule: Comparison, baseline: float) -> Fraction:
    """The border that the gain must reach (no_worse_than) or pass (improve_by), in the metric's unit."""
    size = exact(rule.margin.amount)
    if rule.margin.is_percent:
        size *= abs(exact(baseline)) / 100
    return -size if rule.improve_by is None else size


def percent_of_zero(rule: Comparison, who: str, baseline: float) -> str | None:
    """Why a margin in percent cannot be had; None if it can."""
    if not rule.margin.is_percent or baseline:
        return None
    return f"{rule.metric} of {who} is 0, and {rule.margin} of 0 says nothing. Give the margin as a number."


def better(rule: Comparison) -> str:
    """Which direction is better."""
    return "lower is better" if rule.direction == "minimize" else "higher is better"


def needed_words(rule: Comparison) -> str:
    """Whether the border itself suffices."""
    return "at least" if rule.improve_by is None else "more than"


def share_of(rule: Comparison) -> str:
    """The margin as it was written, if it was written in percent."""
    return f" ({rule.margin})" if rule.margin.is_percent else ""


def _on_all_rows(rule: Comparison, seen: Observation, baseline: Observation) -> Reason:
    facts = {
        "observed": seen.metric.value,
        "baseline_version": baseline.subject.number,
        "rows": seen.rows,
        "evaluation": seen.evaluation.uid,
    }
    if fault := _fault(rule, seen, baseline):
        return no(rule, fault, **facts)
    for one in (seen, baseline):
        if is_too_small(one.rows, rule.min_rows):
            return unknown(rule, too_small(one, rule.min_rows), **facts)
    balance = Balance.of(rule, seen.metric.as_float, baseline.metric.as_float)
    finding = "satisfied" if balance.is_enough else "not enough"
    return (yes if balance.is_enough else no)(rule, f"{_measured(rule, seen, baseline)}: {balance.told(rule)}: {finding}.", **facts)


def _fault(rule: Comparison, seen: Observation, baseline: Observation) -> str | None:
    """Why nothing can be weighed."""
    return seen.fault or baseline.fault or percent_of_zero(rule, baseline.subject.name, baseline.metric.as_float)


def _measured(rule: Comparison, seen: Observation, baseline: Observation) -> str:
    """Both values and where they come from."""
    mine, theirs = seen.metric.as_float, baseline.metric.as_float
    who, other = f"{rule.metric} of {seen.subject.name}", baseline.subject.name
    text = f"{who} is {shown(mine, theirs)}{seen.place}, of {other} {shown(theirs, mine)}"
    if are_same_data(seen.evaluation, baseline.evaluation):
        return text
    what = difference_of(seen.evaluation, baseline.evaluation)
    return f"{text}{baseline.place} (compared on {what} data, because the rule says data: any)"


def _in_slices(rule: Comparison, mine: dict[str, Observation], theirs: dict[str, Observation], baseline: Subject) -> Reason:
    first = next(iter(mine.values()))
    facts = {"baseline_version": baseline.number, "evaluation": first.evaluation.uid}
    slices = sort_out(rule, {name: one.rows for name, one in mine.items()})
    if lonely := [name for name in slices.judged if name not in theirs]:
        return no(rule, f"No value of {rule.metric!r} of {baseline.name} is known in {listed(lonely)}. Evaluate both together.", **facts)
    pairs = {name: (mine[name], theirs[name]) for name in slices.judged}
    if faults := [fault for one, other in pairs.values() if (fault := _fault(rule, one, other))]:
        return no(rule, " ".join(faults) + slices.left_out, **facts)
    balances = {name: Balance.of(rule, one.metric.as_float, other.metric.as_float) for name, (one, other) in pairs.items()}
    return _weigh_slices(rule, pairs, balances, slices, facts)


def _weigh_slices(
    rule: Comparison,
    pairs: dict[str, tuple[Observation, Observation]],
    balances: dict[str, Balance],
    slices: Slices,
    facts: dict[str, Any],
) -> Reason:
    short = [name for name, balance in balances.items() if not balance.is_enough]
    if not short and slices.gaps:
        return unknown(rule, f"{rule.metric} by {slices.by} cannot be compared: {slices.gaps}{slices.left_out}", **facts)
    worst = min(balances, key=lambda name: balances[name].gain - balances[name].needed)
    seen, baseline = pairs[worst]
    finding = f"not enough in {listed(short)}" if short else "satisfied"
    text = f"{_measured(rule, seen, baseline)}: {balances[worst].told(rule)} in each of {slices.text}: {finding}.{slices.left_out}"
    return (no if short else yes)(rule, text, observed=seen.metric.value, rows=seen.rows, **facts)
