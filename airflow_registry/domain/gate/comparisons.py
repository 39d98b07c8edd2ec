"""Rules against a baseline: the gain itself, or how sure it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_registry.domain.evidence import Question
from airflow_registry.domain.gate.baselines import baseline_of
from airflow_registry.domain.gate.gains import judge_gain
from airflow_registry.domain.gate.paired import judge_pairs
from airflow_registry.domain.gate.reasons import no
from airflow_registry.domain.promotion import Reason
from airflow_registry.domain.rules import Comparison

if TYPE_CHECKING:
    from airflow_registry.domain.gate.case import Case, Subject
    from airflow_registry.domain.policy import Policy


def judge_comparison(rule: Comparison, case: Case) -> Reason:
    """Judge the challenger beside a champion, an anchor or the best trivial model."""
    baseline = baseline_of(rule, case)
    if isinstance(baseline, Reason):
        return baseline
    if rule.direction is None:
        text = f"Whether higher or lower {rule.metric!r} is better is not known. Write goal: maximize or goal: minimize."
        return no(rule, text, baseline_version=baseline.number)
    if not needs_rows(rule):
        return judge_gain(rule, case, baseline)
    return judge_pairs(rule, case, baseline, case.evidence.get(question_of(rule, baseline)))


def questions(policy: Policy, case: Case) -> tuple[Question, ...]:
    """What must be found out from the rows of evaluations before this case can be judged, each once."""
    compared = ((rule, baseline_of(rule, case)) for rule in policy.rules if isinstance(rule, Comparison) and needs_rows(rule))
    asked = (question_of(rule, baseline) for rule, baseline in compared if not isinstance(baseline, Reason) and rule.direction is not None)
    return tuple(dict.fromkeys(asked))


def needs_rows(rule: Comparison) -> bool:
    """Whether stored metrics do not suffice: how sure a gain is, and the best trivial model in a slice, are not among them."""
    return rule.confidence is not None or (rule.against == "trivial" and rule.by is not None)


def needs_rows_of(policy: Policy) -> bool:
    """Whether any rule of the policy asks more than stored metrics can answer."""
    return any(isinstance(rule, Comparison) and needs_rows(rule) for rule in policy.rules)


def question_of(rule: Comparison, baseline: Subject) -> Question:
    """What the rule must know of this baseline."""
    return Question(metric=rule.metric, baseline="trivial" if baseline.number is None else baseline.number, by=rule.by or "")
