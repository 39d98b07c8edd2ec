"""What the comparisons of the newest decision have weighed: each gain beside the border that it had to reach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_registry.domain.gate.gains import Balance
from airflow_registry.domain.gate.numbers import rounded
from airflow_registry.domain.grammar import policy_from_mapping
from airflow_registry.domain.rules import Comparison
from airflow_registry.errors import InvalidPolicyError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_registry.domain.promotion import Reason, Ruling
    from airflow_registry.domain.report.values import DecisionRecord, ModelReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """One comparison.

    Attributes:
        rule: The rule in short.
        metric: Name of the metric, in whose unit all numbers are.
        gain: How much better the version was; negative where it was worse.
        lower: What the gain is at least, with the rule's confidence; None for a rule that looks at the gain itself.
        border: What had to be reached.
        ruling: How the rule came out.
    """

    rule: str
    metric: str
    gain: float
    lower: float | None
    border: float
    ruling: Ruling | str


def gains(report: ModelReport) -> tuple[Gain, ...]:
    """The comparisons of the newest decision on all rows, where both values are still known."""
    return tuple(_gains(report, report.decisions[-1])) if report.decisions else ()


def _gains(report: ModelReport, record: DecisionRecord) -> Iterator[Gain]:
    reasons = {reason.rule: reason for reason in record.decision.reasons}
    for rule in _comparisons(record):
        reason = reasons.get(str(rule))
        baseline = None if reason is None else _baseline(report, rule, reason)
        if reason is None or reason.observed is None or baseline is None:
            continue
        balance = Balance.of(rule, reason.observed, baseline)
        yield Gain(
            rule=reason.rule,
            metric=rule.metric,
            gain=rounded(balance.gain),
            lower=reason.lower if rule.confidence else None,
            border=rounded(balance.needed),
            ruling=reason.ruling,
        )


def _comparisons(record: DecisionRecord) -> list[Comparison]:
    """Those on all rows; none of a policy that this release cannot read any more."""
    try:
        rules = policy_from_mapping(record.policy).rules
    except InvalidPolicyError:
        return []
    return [rule for rule in rules if isinstance(rule, Comparison) and rule.by is None and rule.direction is not None]


def _baseline(report: ModelReport, rule: Comparison, reason: Reason) -> float | None:
    """The value that the version was compared with, where the evaluation that was looked at is in the report."""
    found = next((entry.evaluation for entry in report.evaluations if entry.evaluation.uid == reason.evaluation), None)
    if found is None:
        return None
    if reason.baseline_version is None:
        return found.trivial.get(rule.metric)
    metrics = {metric.name: metric.value for metric in found.results.get(reason.baseline_version, ()) if not metric.slice}
    return metrics.get(rule.metric)
