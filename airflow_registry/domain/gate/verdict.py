"""From the reasons of the rules to one outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_registry.domain.gate.comparisons import judge_comparison
from airflow_registry.domain.gate.facts import judge_age, judge_metadata, judge_shadow, judge_smoke
from airflow_registry.domain.gate.people import judge_approval, stops, waived
from airflow_registry.domain.gate.reasons import no
from airflow_registry.domain.gate.thresholds import judge_gap, judge_threshold
from airflow_registry.domain.promotion import Outcome, Reason, Ruling, Verdict
from airflow_registry.domain.rules import Approval, Comparison, Fresh, Gap, Require, Shadow, Smoke, Threshold
from airflow_registry.domain.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from airflow_registry.domain.gate.case import Case
    from airflow_registry.domain.policy import Policy
    from airflow_registry.domain.rules import Rule

_JUDGES: Mapping[type[Rule], Callable[[Any, Case], Reason]] = {
    Threshold: judge_threshold,
    Gap: judge_gap,
    Comparison: judge_comparison,
    Require: judge_metadata,
    Fresh: judge_age,
    Smoke: judge_smoke,
    Shadow: judge_shadow,
    Approval: judge_approval,
}
# What decides where several rules do not pass: a no is worse than not knowing, and waiting is worth it only where the rest is fine.
_WORST_FIRST = {Ruling.FAILED: Outcome.REFUSED, Ruling.INCONCLUSIVE: Outcome.INCONCLUSIVE, Ruling.PENDING: Outcome.PENDING}


def decide(policy: Policy, case: Case) -> Verdict:
    """Judge the challenger by every rule of the policy.

    Args:
        policy: The rules.
        case: What is known.

    Returns:
        One reason for every rule, after those that speak against judging at all; see `outcome_of`.
    """
    challenger = case.challenger
    if policy.model is not None and policy.model.key != challenger.model.key:
        text = f"The policy is for the model {policy.model!r}, but {challenger.ref} is to be judged. Name the policy of its own model."
        return verdict_of([no("policy", text)])
    rules = [waived(rule, _judge(rule, case), case) for rule in policy.rules]
    return verdict_of([*_doubts(policy, case, rules), *stops(policy, case), *_first_model(policy, case), *rules])


def verdict_of(reasons: Sequence[Reason]) -> Verdict:
    """Approved only if at least one rule passed and none did not; a waiver lifts a rule and approves nothing."""
    rulings = {reason.ruling for reason in reasons}
    worst = next((outcome for ruling, outcome in _WORST_FIRST.items() if ruling in rulings), None)
    if worst is not None:
        return Verdict(outcome=worst, reasons=tuple(reasons))
    if Ruling.PASSED in rulings:
        return Verdict(outcome=Outcome.APPROVED, reasons=tuple(reasons))
    text = "No rule is satisfied, and what is waived or does not apply approves nothing. A person may promote it with a reason."
    return Verdict(outcome=Outcome.REFUSED, reasons=(*reasons, no("rules", text)))


def _judge(rule: Rule, case: Case) -> Reason:
    return _JUDGES[type(rule)](rule, case)


def _doubts(policy: Policy, case: Case, rules: Sequence[Reason]) -> Iterable[Reason]:
    """What speaks against judging this version by this policy."""
    challenger = case.challenger
    if challenger.stage is Stage.ARCHIVED:
        text = f"{challenger.ref} is ARCHIVED, and an archived version is not promoted. Move it to DEVELOPMENT first, or roll back to it."
        yield no("stage", text)
    if not policy.rules:
        yield no("rules", "The policy has no rules, and a gate without rules approves nothing. Give it at least one.")
    if policy.first_model == "value_rules" and case.champion is None and _says_nothing_of_metrics(policy, rules):
        text = (
            f"There is no champion to compare {challenger.ref} with, and no rule of the policy says what its metrics must be by "
            "themselves. Add a rule with at_least or at_most."
        )
        yield no("first model: value_rules", text)


def _says_nothing_of_metrics(policy: Policy, rules: Sequence[Reason]) -> bool:
    """Whether the policy compares, and every comparison falls away."""
    compared = [reason for rule, reason in zip(policy.rules, rules, strict=True) if isinstance(rule, Comparison)]
    falls_away = bool(compared) and all(reason.ruling is Ruling.NOT_APPLICABLE for reason in compared)
    return falls_away and not any(isinstance(rule, Threshold) for rule in policy.rules)


def _first_model(policy: Policy, case: Case) -> Iterable[Reason]:
    """A first version that a person must approve, unless the policy asks people anyway."""
    asks = any(isinstance(rule, Approval) for rule in policy.rules)
    if policy.first_model == "approval" and case.champion is None and not asks:
        yield judge_approval(Approval(), case, name="first model: approval")
