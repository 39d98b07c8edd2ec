"""A gate's policy; `grammar.py` reads it from a mapping.

Law: equal policies have equal digests.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from airflow_registry.domain.asks import Asks, asks_of
from airflow_registry.domain.conflicts import check_rules
from airflow_registry.domain.durations import checked_duration, parse_duration, print_duration
from airflow_registry.domain.faults import Faults
from airflow_registry.domain.metrics import known_goal
from airflow_registry.domain.names import ModelName
from airflow_registry.domain.rules import REQUIRABLE, BurnIn, Comparison, Margin, Require, Rule, Threshold, without_none
from airflow_registry.domain.rules.shared import normalize

if TYPE_CHECKING:
    from datetime import timedelta

__all__ = [
    "FIRST_MODEL",
    "REQUIRABLE",
    "SCHEMA",
    "Comparison",
    "Margin",
    "Policy",
    "Require",
    "Rule",
    "Threshold",
    "parse_duration",
    "print_duration",
    "thresholds_policy",
]

SCHEMA = 1
FIRST_MODEL = ("value_rules", "approval")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a version must satisfy to be promoted: every rule.

    A policy without rules can be made in Python, and approves nothing.

    Attributes:
        rules: In the order in which their reasons are shown; the order does not change the outcome.
        model: The model it is for, None for any.
        first_model: What the first version that ever becomes champion needs besides; `approval` is that of one person who is no author.
        valid_for: How long a decision by this policy may be used; None for ever.
        burn_in: When a new champion is undone by itself; None for never.
        schema: Version of the grammar.
    """

    rules: tuple[Rule, ...]
    model: ModelName | None = None
    first_model: Literal["value_rules", "approval"] = "value_rules"
    valid_for: timedelta | None = None
    burn_in: BurnIn | None = None
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        faults = Faults()
        _check_schema(self.schema, faults)
        if self.model is not None:
            object.__setattr__(self, "model", faults.attempt("model", lambda: ModelName(self.model)))
        faults.choice("first_model", self.first_model, FIRST_MODEL)
        self._check_rules(faults)
        normalize(self, "valid_for", checked_duration, faults)
        if self.burn_in is not None and not isinstance(self.burn_in, BurnIn):
            faults.add("burn_in", f"expected a BurnIn; found {self.burn_in!r}.")
        faults.refuse(f"for {self.model or 'any model'}")

    def _check_rules(self, faults: Faults) -> None:
        if isinstance(self.rules, (list, tuple)):
            object.__setattr__(self, "rules", tuple(self.rules))
            check_rules(enumerate(self.rules), faults)
        else:
            faults.add("rules", f"expected a list of rules; found {self.rules!r}.")

    def to_mapping(self) -> dict[str, Any]:
        """As it stands in a policy file: text, numbers, lists and dicts."""
        return without_none(
            schema=self.schema,
            model=None if self.model is None else str(self.model),
            first_model=self.first_model,
            rules=[rule.to_mapping() for rule in self.rules],
            valid_for=None if self.valid_for is None else print_duration(self.valid_for),
            burn_in=None if self.burn_in is None else self.burn_in.to_mapping(),
        )

    @property
    def asks(self) -> Asks:
        """What an evaluation must contain so that this policy can be judged."""
        return asks_of(self.rules)

    @property
    def digest(self) -> str:
        """`sha256:…` of the policy as canonical JSON (sorted keys, no spaces, ASCII)."""
        text = json.dumps(self.to_mapping(), sort_keys=True, separators=(",", ":"))
        return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def thresholds_policy(thresholds: Mapping[str, object], *, model: str | None = None) -> Policy:
    """The short form `{"accuracy": 0.8}`: a floor, or a ceiling for a metric where lower is better.

    Raises:
        InvalidPolicyError: If a bound is not a finite number or a metric's direction is not known; all faults at once.

    >>> [str(rule) for rule in thresholds_policy({"accuracy": 0.8, "log_loss": 0.4}).rules]
    ['accuracy at least 0.8', 'log_loss at most 0.4']
    """
    faults = Faults()
    if not isinstance(thresholds, Mapping) or not thresholds:
        faults.add("thresholds", f"expected a mapping such as {{'accuracy': 0.8}}; found {thresholds!r}.")
        faults.refuse("of thresholds")
    rules = [_bound(name, value, faults) for name, value in thresholds.items()]
    name = None if model is None else faults.attempt("model", lambda: ModelName(model))
    faults.refuse("of thresholds")
    return Policy(rules=tuple(rule for rule in rules if rule is not None), model=name)


def _check_schema(schema: object, faults: Faults) -> None:
    if not isinstance(schema, int) or isinstance(schema, bool) or schema != SCHEMA:  # 1.0 is equal and has another digest
        faults.add("schema", f"this release reads schema {SCHEMA}; found {schema!r}. Install a release that knows it.")


def _bound(name: object, value: object, faults: Faults) -> Threshold | None:
    match known_goal(name):
        case "maximize":
            return faults.attempt(str(name), lambda: Threshold(str(name), at_least=cast(float, value)))
        case "minimize":
            return faults.attempt(str(name), lambda: Threshold(str(name), at_most=cast(float, value)))
    faults.add(str(name), "whether higher or lower is better is not known. Write a policy with a rule that says at_least or at_most.")
    return None
