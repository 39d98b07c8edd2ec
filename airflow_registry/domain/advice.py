"""What a policy leaves open, though it has no fault: said by `policy check`, and never a reason to refuse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_registry.domain.faults import hint
from airflow_registry.domain.metrics import COMPUTED, TESTABLE
from airflow_registry.domain.rules import Approval, Comparison, Gap, Threshold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_registry.domain.policy import Policy

_AREAS = ("auc", "roc_auc")


def advice(policy: Policy) -> tuple[str, ...]:
    """One sentence or two for each thing that its author may not have meant."""
    return (*_of_baselines(policy), *_of_chance(policy), *_of_metrics(policy), *_of_people(policy))


def _of_baselines(policy: Policy) -> Iterator[str]:
    comparisons = [rule for rule in policy.rules if isinstance(rule, Comparison)]
    with_champion = [rule for rule in comparisons if rule.against == "champion"]
    if not with_champion:
        yield "No rule compares with the champion: a worse version replaces a better one. Add a rule with against: champion."
    elif any(rule.improve_by is None and rule.margin.amount for rule in with_champion) and len(with_champion) == len(comparisons):
        yield "No rule compares with an anchor: small losses against each champion add up. Add a rule with against: anchor."
    if comparisons and not any(isinstance(rule, Threshold) for rule in policy.rules):
        yield "No rule says what a metric must be by itself: a first version is never approved. Add a rule with at_least or at_most."


def _of_chance(policy: Policy) -> Iterator[str]:
    for number, rule in enumerate(policy.rules):
        if isinstance(rule, Comparison) and rule.confidence is None and rule.data == "same" and rule.metric in TESTABLE:
            yield f"rules[{number}] has no confidence: chance alone can satisfy it or not. Add confidence: 0.95."
        if isinstance(rule, (Threshold, Comparison, Gap)) and rule.by is not None and rule.min_rows is None:
            yield f"rules[{number}] has no min_rows: a slice of a few rows decides by chance. Add min_rows: 200, for example."


def _of_metrics(policy: Policy) -> Iterator[str]:
    bounded = {rule.metric for rule in policy.rules if isinstance(rule, Threshold) and rule.at_most is not None}
    asks = policy.asks
    for metric in (*asks.metrics, *asks.recorded):
        if metric in _AREAS and metric not in bounded:
            yield f"{metric} has no upper bound: a feature that leaks the label passes unseen. Add at_most: 0.95, for example."
    for metric in asks.recorded:
        meant = hint(metric, COMPUTED)
        yield f"No evaluation computes {metric!r}: record it, with metrics= or record_metrics, or no version passes.{meant}"


def _of_people(policy: Policy) -> Iterator[str]:
    for rule in policy.rules:
        if isinstance(rule, Approval) and rule.within and policy.valid_for and rule.within > policy.valid_for:
            yield "The decision expires before the deadline of its approval. Make valid_for longer than within."
