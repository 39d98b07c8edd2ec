"""A gate's policy, and its grammar as a plain mapping.

Laws: `policy_from_mapping(policy.to_mapping(), source) == policy`, and equal policies have equal digests. A rule, key or value
that this release does not know is a fault and never ignored: a rule that silently does nothing would let a model pass that
its author meant to stop.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from airflow_registry.domain.asks import Asks, asks_of
from airflow_registry.domain.durations import checked_duration, parse_duration, print_duration
from airflow_registry.domain.faults import Faults, closest, hint
from airflow_registry.domain.metrics import known_goal
from airflow_registry.domain.names import ModelName
from airflow_registry.domain.rules import REQUIRABLE, BurnIn, Comparison, Margin, Require, Rule, Threshold, without_none
from airflow_registry.domain.rules.shared import normalize
from airflow_registry.errors import InvalidPolicyError, one_of

if TYPE_CHECKING:
    from datetime import timedelta

__all__ = [
    "FIRST_MODEL",
    "POLICY_KEYS",
    "REQUIRABLE",
    "RULE_KEYS",
    "SCHEMA",
    "Comparison",
    "Margin",
    "Policy",
    "Require",
    "Rule",
    "Threshold",
    "parse_duration",
    "policy_from_mapping",
    "print_duration",
    "thresholds_policy",
]

SCHEMA = 1
FIRST_MODEL = ("value_rules", "approval")
POLICY_KEYS = ("schema", "model", "first_model", "rules", "valid_for", "burn_in")
BURN_IN_KEYS = ("for", "failed_partitions", "null_share", "quarantine_share", "cool_down")
RULE_KEYS: Mapping[type[Rule], tuple[str, ...]] = {
    Require: ("require",),
    Comparison: ("metric", "against", "no_worse_than", "improve_by", "goal", "data"),
    Threshold: ("metric", "at_least", "at_most"),
}
_ALL_RULE_KEYS = tuple(dict.fromkeys(key for keys in RULE_KEYS.values() for key in keys))


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
        object.__setattr__(self, "rules", tuple(self.rules))
        _check_rules(self.rules, faults)
        normalize(self, "valid_for", checked_duration, faults)
        if self.burn_in is not None and not isinstance(self.burn_in, BurnIn):
            faults.add("burn_in", f"expected a BurnIn; found {self.burn_in!r}.")
        faults.refuse(f"for {self.model or 'any model'}")

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


def policy_from_mapping(mapping: Mapping[str, Any], source: str = "given as a mapping") -> Policy:
    """Read the grammar of a policy file from plain values.

    Args:
        mapping: What YAML, JSON or Python gave.
        source: How error messages call it.

    Raises:
        InvalidPolicyError: With all faults at once, each with its path (`rules[2].at_least`).
    """
    if not isinstance(mapping, Mapping):
        raise InvalidPolicyError.with_faults(source, [f"rules: expected a mapping that holds rules; found {mapping!r}."])
    faults = Faults()
    known = _known_keys("", mapping, POLICY_KEYS, faults)
    rules = _read_rules(known.pop("rules", None), faults)
    if "burn_in" in known:
        known["burn_in"] = _read_burn_in(known["burn_in"], faults)
    policy = faults.attempt("", lambda: Policy(rules=rules, **known))
    faults.refuse(source)
    return cast(Policy, policy)


def _check_schema(schema: object, faults: Faults) -> None:
    if isinstance(schema, bool) or schema != SCHEMA:
        faults.add("schema", f"this release reads schema {SCHEMA}; found {schema!r}. Install a release that knows it.")


def _check_rules(rules: tuple[Rule, ...], faults: Faults) -> None:
    for number, rule in enumerate(rules):
        if not isinstance(rule, (Threshold, Comparison, Require)):
            faults.add(f"rules[{number}]", f"expected a Threshold, a Comparison or a Require; found {rule!r}.")
    thresholds = [rule for rule in rules if isinstance(rule, Threshold)]
    for metric in dict.fromkeys(rule.metric for rule in thresholds):
        _check_overlap(metric, [rule for rule in thresholds if rule.metric == metric], faults)
    _check_goals([rule for rule in rules if isinstance(rule, Comparison) and rule.goal], faults)


def _check_overlap(metric: str, rules: list[Threshold], faults: Faults) -> None:
    floor = max((rule.at_least for rule in rules if rule.at_least is not None), default=-math.inf)
    ceiling = min((rule.at_most for rule in rules if rule.at_most is not None), default=math.inf)
    if floor > ceiling:
        faults.add("rules", f"no value of {metric!r} can be at least {floor!r} and at most {ceiling!r}.")


def _check_goals(rules: list[Comparison], faults: Faults) -> None:
    goals = {(rule.metric, rule.goal) for rule in rules}
    for metric in sorted({metric for metric, goal in goals if goal == "maximize" and (metric, "minimize") in goals}):
        faults.add("rules", f"one rule has the goal to maximize {metric!r} and another one to minimize it.")


def _bound(name: object, value: object, faults: Faults) -> Threshold | None:
    match known_goal(name):
        case "maximize":
            return faults.attempt(str(name), lambda: Threshold(str(name), at_least=cast(float, value)))
        case "minimize":
            return faults.attempt(str(name), lambda: Threshold(str(name), at_most=cast(float, value)))
    faults.add(str(name), "whether higher or lower is better is not known. Write a policy with a rule that says at_least or at_most.")
    return None


def _read_rules(listed: object, faults: Faults) -> tuple[Rule, ...]:
    if not isinstance(listed, (list, tuple)) or not listed:
        faults.add("rules", f"expected a list with at least one rule, because a policy without rules approves nothing; found {listed!r}.")
        return ()
    rules = [_read_rule(f"rules[{number}]", rule, faults) for number, rule in enumerate(listed)]
    return tuple(rule for rule in rules if rule is not None)


def _read_rule(path: str, mapping: object, faults: Faults) -> Rule | None:
    if not isinstance(mapping, Mapping) or not mapping:
        faults.add(path, f"expected a mapping such as {{metric: roc_auc, at_least: 0.7}}; found {mapping!r}.")
        return None
    known = _known_keys(f"{path}.", mapping, _ALL_RULE_KEYS, faults)
    if not known:
        return None
    kind = next((kind for kind, keys in RULE_KEYS.items() if known.keys() & (set(keys) - {"metric"})), Threshold)
    for key in [key for key in known if key not in RULE_KEYS[kind]]:
        faults.add(f"{path}.{key}", f"does not go with {one_of(RULE_KEYS[kind])}. Make it a rule of its own.")
        del known[key]
    if kind is Require:
        return faults.attempt(path, lambda: Require(known["require"]))
    if kind is Comparison:
        _check_comparison(path, known, faults)
    return faults.attempt(path, lambda: kind(**{"metric": None, **known}))


def _read_burn_in(mapping: object, faults: Faults) -> BurnIn | None:
    if not isinstance(mapping, Mapping):
        faults.add("burn_in", f"expected a mapping such as {{for: 3d, failed_partitions: 0}}; found {mapping!r}.")
        return None
    known = _known_keys("burn_in.", mapping, BURN_IN_KEYS, faults)
    known["lasts"] = known.pop("for", None)
    return faults.attempt("burn_in", lambda: BurnIn(**known))


def _check_comparison(path: str, known: Mapping[str, Any], faults: Faults) -> None:
    """What a file must say, while in Python it has a default or is left to the gate."""
    if "against" not in known:
        faults.add(f"{path}.against", "missing. Write against: champion.")
    metric = known.get("metric")
    if metric and "goal" not in known and known_goal(metric) is None:
        faults.add(f"{path}.goal", f"whether higher or lower {metric!r} is better is not known. Write goal: maximize or goal: minimize.")


def _known_keys(path: str, mapping: Mapping[Any, Any], allowed: Collection[str], faults: Faults) -> dict[str, Any]:
    """The entries with a known key; a misspelt one counts as what was meant, so that its value is checked in the same go."""
    known = {}
    for key, value in mapping.items():
        meant = key if key in allowed else closest(key, allowed)
        if key not in allowed:
            faults.add(f"{path}{key}", f"this release has no such key here; it knows {one_of(allowed)}.{hint(key, allowed)}")
        if value is None:
            faults.add(f"{path}{key}", "has no value. Give one, or leave the key out.")
        elif meant is not None and (meant == key or meant not in mapping):
            known[meant] = value
    return known
