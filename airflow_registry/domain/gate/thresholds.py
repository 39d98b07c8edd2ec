"""Absolute rules: a metric between bounds, on all rows or in every slice; and how far slices may be apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_registry.domain.gate.baselines import challenger_of
from airflow_registry.domain.gate.case import observations
from airflow_registry.domain.gate.numbers import counted, exact, listed, rounded, shown
from airflow_registry.domain.gate.reasons import no, unknown, unseen, yes
from airflow_registry.domain.gate.slices import sort_out

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_registry.domain.gate.case import Case, Observation
    from airflow_registry.domain.gate.slices import Slices
    from airflow_registry.domain.promotion import Reason
    from airflow_registry.domain.rules import Gap, Threshold


def judge_threshold(rule: Threshold, case: Case) -> Reason:
    """Judge the newest value of the metric."""
    if rule.by is not None:
        return _in_slices(rule, case)
    seen = _newest(rule, case).get("")
    if seen is None:
        return no(rule, unseen(rule.metric, challenger_of(case).name))
    facts = {"rows": seen.rows, "evaluation": seen.evaluation.uid}
    if seen.fault:
        return no(rule, seen.fault, **facts)
    if is_too_small(seen.rows, rule.min_rows):
        return unknown(rule, too_small(seen, rule.min_rows), observed=seen.metric.value, **facts)
    return (yes if _finding(rule, seen) == "satisfied" else no)(rule, _told(rule, seen), observed=seen.metric.value, **facts)


def judge_gap(rule: Gap, case: Case) -> Reason:
    """Judge the difference between the highest and the lowest slice."""
    found = _newest(rule, case)
    if not found:
        return no(rule, unseen(rule.metric, challenger_of(case).name, f" by {rule.by}"))
    slices = sort_out(rule, {name: one.rows for name, one in found.items()}, least=2)
    judged = [found[name] for name in slices.judged]
    facts = {"evaluation": next(iter(found.values())).evaluation.uid}
    if faults := _faults(judged):
        return no(rule, faults + slices.left_out, **facts)
    reason = _apart(rule, judged, slices) if len(judged) > 1 else None
    if reason is not None and not (reason.passed and slices.gaps):
        return reason
    return unknown(rule, _undecided(rule, case, slices), **facts)


def is_too_small(rows: int | None, needed: int | None) -> bool:
    """Whether a value stands on fewer rows than a rule needs, or on nobody knows how many."""
    return needed is not None and (rows is None or rows < needed)


def too_small(seen: Observation, needed: int | None) -> str:
    """Why nothing can be told."""
    where = seen.place if seen.rows is not None else f"{seen.place} ({counted(None)})"
    return (
        f"{seen.metric.name} of {seen.subject.short} is {shown(seen.metric.as_float)}{where}; the rule needs {counted(needed)}: "
        "too few rows to tell. Use more rows."
    )


def _newest(rule: Threshold | Gap, case: Case) -> dict[str, Observation]:
    """The challenger's values in the newest evaluation that holds them, by slice."""
    subject = challenger_of(case)
    found = case.holding(subject, rule.metric, rule.by)
    return observations(found[0], subject, rule.metric, rule.by) if found else {}


def _finding(rule: Threshold, seen: Observation) -> str:
    value = seen.metric.as_float
    if rule.at_least is not None and value < rule.at_least:
        return "too low"
    return "too high" if rule.at_most is not None and value > rule.at_most else "satisfied"


def _told(rule: Threshold, seen: Observation) -> str:
    value = shown(seen.metric.as_float, rule.at_least, rule.at_most)
    return f"{rule.metric} of {seen.subject.short} is {value}{seen.place}; needed {rule.needed}: {_finding(rule, seen)}."


def _in_slices(rule: Threshold, case: Case) -> Reason:
    found = _newest(rule, case)
    if not found:
        return no(rule, unseen(rule.metric, challenger_of(case).name, f" by {rule.by}"))
    slices = sort_out(rule, {name: one.rows for name, one in found.items()})
    judged = [found[name] for name in slices.judged]
    facts = {"evaluation": next(iter(found.values())).evaluation.uid}
    if faults := _faults(judged):
        return no(rule, faults + slices.left_out, **facts)
    if outside := [one for one in judged if _finding(rule, one) != "satisfied"]:
        return no(rule, _outside(rule, outside, slices), observed=outside[0].metric.value, rows=outside[0].rows, **facts)
    if slices.gaps:
        return unknown(rule, _undecided(rule, case, slices), **facts)
    return yes(rule, _all_inside(rule, judged, slices), observed=_low(judged).metric.value, rows=_low(judged).rows, **facts)


def _faults(judged: Iterable[Observation]) -> str:
    return " ".join(dict.fromkeys(one.fault for one in judged if one.fault))


def _undecided(rule: Threshold | Gap, case: Case, slices: Slices) -> str:
    """What was judged is fine, and not all that should be judged could be."""
    return f"{rule.metric} of {challenger_of(case).name} by {slices.by} cannot be judged: {slices.gaps}{slices.left_out}"


def _outside(rule: Threshold, outside: list[Observation], slices: Slices) -> str:
    names = listed([f"{one.metric.slice} ({shown(one.metric.as_float, rule.at_least, rule.at_most)})" for one in outside])
    return (
        f"{rule.metric} of {outside[0].subject.short} is {shown(outside[0].metric.as_float, rule.at_least, rule.at_most)}"
        f"{outside[0].place}; needed {rule.needed} in each of {slices.text}: not so in {names}.{slices.left_out}"
    )


def _all_inside(rule: Threshold, judged: list[Observation], slices: Slices) -> str:
    low = _low(judged)
    return (
        f"{rule.metric} of {low.subject.short} is at least {shown(low.metric.as_float, rule.at_least)}{low.place}; "
        f"needed {rule.needed} in each of {slices.text}: satisfied.{slices.left_out}"
    )


def _low(judged: list[Observation]) -> Observation:
    return min(judged, key=lambda one: one.metric.as_float)


def _high(judged: list[Observation]) -> Observation:
    return max(judged, key=lambda one: one.metric.as_float)


def _apart(rule: Gap, judged: list[Observation], slices: Slices) -> Reason:
    low = _low(judged)
    high = _high([one for one in judged if one is not low])  # two slices, also where all say the same
    apart = exact(high.metric.as_float) - exact(low.metric.as_float)
    is_fair = apart <= exact(rule.gap_at_most)
    gap = shown(rounded(apart), rule.gap_at_most)
    text = (
        f"{rule.metric} of {low.subject.short} is {shown(low.metric.as_float, high.metric.as_float)}{low.place} and "
        f"{shown(high.metric.as_float, low.metric.as_float)}{high.place}: {gap} apart, the most between {slices.text}; needed at most "
        f"{shown(rule.gap_at_most, rounded(apart))}: {'satisfied' if is_fair else 'too far apart'}.{slices.left_out}"
    )
    return (yes if is_fair else no)(rule, text, observed=_finite(rounded(apart)), rows=low.rows, evaluation=low.evaluation.uid)


def _finite(value: float) -> float | None:
    return value if value - value == 0 else None
