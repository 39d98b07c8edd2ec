"""How reasons are made: each says what the rule found, in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_registry.domain.faults import hint
from airflow_registry.domain.metrics import COMPUTED, TESTABLE
from airflow_registry.domain.promotion import Reason, Ruling

if TYPE_CHECKING:
    from airflow_registry.domain.model import ModelVersion
    from airflow_registry.domain.rules import Rule

_PASSED = {Ruling.PASSED: True, Ruling.WAIVED: True, Ruling.NOT_APPLICABLE: None}


def reason(rule: Rule | str, ruling: Ruling, text: str, **facts: Any) -> Reason:  # noqa: ANN401  the fields of a Reason
    """What a rule found."""
    return Reason(rule=str(rule), passed=_PASSED.get(ruling, False), ruling=ruling, text=text, **facts)


def no(rule: Rule | str, text: str, **facts: Any) -> Reason:  # noqa: ANN401
    """The rule says no."""
    return reason(rule, Ruling.FAILED, text, **facts)


def unknown(rule: Rule | str, text: str, **facts: Any) -> Reason:  # noqa: ANN401
    """The rule cannot tell."""
    return reason(rule, Ruling.INCONCLUSIVE, text, **facts)


def yes(rule: Rule | str, text: str, **facts: Any) -> Reason:  # noqa: ANN401
    """The rule is satisfied."""
    return reason(rule, Ruling.PASSED, text, **facts)


def waiting(rule: Rule | str, text: str, **facts: Any) -> Reason:  # noqa: ANN401
    """The rule waits for somebody or something."""
    return reason(rule, Ruling.PENDING, text, **facts)


def not_applicable(rule: Rule | str, text: str) -> Reason:
    """The rule does not apply."""
    return reason(rule, Ruling.NOT_APPLICABLE, text)


def unseen(metric: str, who: str, where: str = "") -> str:
    """Nobody has measured it; where nobody can, what was probably meant."""
    meant = "" if metric in COMPUTED or metric in TESTABLE else hint(metric, COMPUTED)
    return f"No evaluation of {who} holds {metric!r}{where}.{meant} Evaluate it, or record the metric, and decide again."


def itself(version: ModelVersion, what: str) -> str:
    """The challenger is its own baseline."""
    return f"v{version.number} is {what} itself, so there is nothing to compare it with."
