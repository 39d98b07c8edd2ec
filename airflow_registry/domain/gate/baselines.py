"""With whom a rule compares, and which evaluations may be compared at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_registry.domain.anchors import anchor_number
from airflow_registry.domain.gate.case import TRIVIAL, Subject, are_same_data, difference_of, observations
from airflow_registry.domain.gate.reasons import itself, no, not_applicable, unseen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_registry.domain.evaluation import Evaluation
    from airflow_registry.domain.evidence import Question
    from airflow_registry.domain.gate.case import Case, Observation
    from airflow_registry.domain.promotion import Reason
    from airflow_registry.domain.rules import Anchor, Comparison

Pairing = tuple["Evaluation", "Evaluation"]
"""The evaluations that hold the challenger's value and the baseline's, in this order."""


def challenger_of(case: Case) -> Subject:
    """The version that is judged."""
    return Subject(name=f"v{case.challenger.number}", number=case.challenger.number)


def baseline_of(rule: Comparison, case: Case) -> Subject | Reason:
    """With whom the rule compares, or what it says because there is nobody."""
    if rule.against == "trivial":
        return Subject(name=TRIVIAL)
    if rule.anchor is not None:
        return _anchor(rule, rule.anchor, case)
    if case.champion is None:
        return not_applicable(rule, f"Does not apply: there is no champion to compare v{case.challenger.number} with.")
    if case.champion.number == case.challenger.number:
        return no(rule, itself(case.challenger, "the champion"))
    return Subject(name=f"champion v{case.champion.number}", number=case.champion.number)


def _anchor(rule: Comparison, anchor: Anchor, case: Case) -> Subject | Reason:
    number = anchor_number(case.changes, anchor)
    if not case.changes or number is None:
        return not_applicable(rule, f"Does not apply: no version has ever been champion, so v{case.challenger.number} has no anchor yet.")
    if number == case.challenger.number:
        return no(rule, itself(case.challenger, "the anchor"), baseline_version=number)
    if number not in case.anchors:
        text = f"The anchor v{number} does not exist. Name a version of {case.challenger.model} in the rule."
        return no(rule, text, baseline_version=number)
    return Subject(name=f"anchor v{number}", number=number)


def paired_by(rule: Comparison, case: Case, baseline: Subject) -> Pairing | str:
    """The newest evaluations whose values may be compared, or why there are none."""
    challenger = challenger_of(case)
    mine, theirs = case.holding(challenger, rule.metric, rule.by), case.holding(baseline, rule.metric, rule.by)
    if not mine or not theirs:
        return unseen(rule.metric, baseline.short if mine else challenger.short, f" by {rule.by}" if rule.by else "")
    if rule.data == "any" and baseline.number is not None:  # what a constant reaches on other data says nothing
        return mine[0], _partner(mine[0], theirs) or theirs[0]
    pairs = ((seen, partner) for seen in mine if (partner := _partner(seen, theirs)) is not None)
    return next(pairs, None) or _incomparable(rule, _first(mine[0], challenger, rule), _first(theirs[0], baseline, rule))


def kept_rows(case: Case, question: Question) -> Pairing | str:
    """The newest evaluations that keep the rows of both, or why there are none."""
    number = case.challenger.number
    kept = [one for one in case.evaluations if one.rows_uri is not None and question.by in {"", *one.slices}]
    mine = [one for one in kept if number in one.results]
    theirs = mine if question.baseline == "trivial" else [one for one in kept if question.baseline in one.results]
    pairs = ((seen, partner) for seen in mine if (partner := _partner(seen, theirs)) is not None)
    return next(pairs, None) or _no_rows(case, question)


def _partner(seen: Evaluation, others: Sequence[Evaluation]) -> Evaluation | None:
    """The same evaluation, else the newest one on the same known data."""
    beside = [other for other in others if other.uid == seen.uid]
    return next(iter(beside + [other for other in others if are_same_data(seen, other)]), None)


def _first(evaluation: Evaluation, subject: Subject, rule: Comparison) -> Observation:
    return next(iter(observations(evaluation, subject, rule.metric, rule.by).values()))


def _incomparable(rule: Comparison, seen: Observation, baseline: Observation) -> str:
    return (
        f"{rule.metric} of {seen.subject.name}{seen.place} and of {baseline.subject.name}{baseline.place} come from "
        f"{difference_of(seen.evaluation, baseline.evaluation)} data and cannot be compared. Evaluate both on the same rows, or write "
        "data: any in the rule."
    )


def _no_rows(case: Case, question: Question) -> str:
    who = f"v{case.challenger.number}"
    with_whom = "" if question.baseline == "trivial" else f" and v{question.baseline}"
    sliced = f", sliced by {question.by}" if question.by else ""
    return (
        f"No evaluation keeps the rows of {who}{with_whom}{sliced}, and without them nobody knows how sure the gain in "
        f"{question.metric} is. Evaluate {who} (champion and anchors are scored on the same rows), and decide again."
    )
