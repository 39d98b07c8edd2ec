"""The grammar of a policy as a plain mapping: what YAML, JSON or Python gave becomes a `Policy`.

Law: `policy_from_mapping(policy.to_mapping(), source) == policy`. A rule, key or value that this release does not know is a
fault and never ignored: a rule that silently does nothing would let a model pass that its author meant to stop.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any, TypeVar, cast

from airflow_registry.domain.conflicts import check_rules
from airflow_registry.domain.faults import Faults, closest, hint
from airflow_registry.domain.metrics import COMPUTED, HIGHER_IS_BETTER, LOWER_IS_BETTER, known_goal
from airflow_registry.domain.policy import Policy
from airflow_registry.domain.rules import Approval, BurnIn, Comparison, DriftLimit, Fresh, Gap, LiveLimit, Require, Shadow, Smoke, Threshold
from airflow_registry.errors import InvalidPolicyError, one_of

if TYPE_CHECKING:
    from airflow_registry.domain.rules import Rule

__all__ = ["BURN_IN_KEYS", "NESTED_KEYS", "POLICY_KEYS", "RULE_KEYS", "policy_from_mapping"]

T = TypeVar("T")

POLICY_KEYS = ("schema", "model", "first_model", "rules", "valid_for", "burn_in")
BURN_IN_KEYS = ("for", "failed_partitions", "null_share", "quarantine_share", "live", "prediction_drift", "cool_down")
LIMIT_KEYS: Mapping[str, tuple[type[LiveLimit | DriftLimit], tuple[str, ...]]] = {
    "live": (LiveLimit, ("metric", "at_least", "at_most", "min_rows")),
    "prediction_drift": (DriftLimit, ("at_most",)),
}
_SLICES = ("by", "values", "min_rows")
# In the order in which a rule is recognized by the keys that are its own; what has none of them is a threshold.
RULE_KEYS: Mapping[type[Rule], tuple[str, ...]] = {
    Require: ("require",),
    Fresh: ("champion_not_older_than",),
    Smoke: ("loads_within", "predicts_rows"),
    Shadow: ("shadow",),
    Approval: ("approval",),
    Gap: ("metric", "gap_at_most", *_SLICES),
    Comparison: (
        "metric", "against", "version", "promotions_ago", "no_worse_than", "improve_by", "confidence", *_SLICES, "goal", "data",
    ),
    Threshold: ("metric", "at_least", "at_most", *_SLICES),
}  # fmt: skip
# Rules whose keys stand in a mapping of their own, under the one key that `RULE_KEYS` has for them.
NESTED_KEYS: Mapping[type[Rule], tuple[str, ...]] = {
    Shadow: ("partitions", "agreement", "within"),
    Approval: ("people", "not_the_author", "groups", "within"),
}
_ALL_RULE_KEYS = tuple(dict.fromkeys(key for keys in RULE_KEYS.values() for key in keys))
_INSIDE = {key: RULE_KEYS[kind][0] for kind, keys in NESTED_KEYS.items() for key in keys} | dict.fromkeys(BURN_IN_KEYS, "burn_in")
_KNOWN_METRICS = COMPUTED | HIGHER_IS_BETTER | LOWER_IS_BETTER


def policy_from_mapping(mapping: Mapping[str, Any], source: str = "given as a mapping") -> Policy:
    """Read the grammar of a policy file from plain values.

    Args:
        mapping: What YAML, JSON or Python gave.
        source: How error messages call it.

    Raises:
        InvalidPolicyError: With all faults at once, each with its path (`rules[2].at_least`).
    """
    if not isinstance(mapping, Mapping):
        found = "nothing" if mapping is None else repr(mapping)
        raise InvalidPolicyError.with_faults(source, [f"rules: expected a mapping that holds rules; found {found}."])
    faults = Faults()
    known = _known_keys("", mapping, POLICY_KEYS, faults)
    rules = _read_rules(known.pop("rules", None), faults)
    if len(complete := tuple(rule for rule in rules if rule is not None)) < len(rules):
        check_rules([(number, rule) for number, rule in enumerate(rules) if rule is not None], faults)
        complete = ()  # a policy would number them anew
    if "burn_in" in known:
        known["burn_in"] = _read_burn_in(known["burn_in"], faults)
    policy = faults.attempt("", lambda: Policy(rules=complete, **known))
    faults.refuse(source)
    return cast(Policy, policy)


def _read_rules(listed: object, faults: Faults) -> tuple[Rule | None, ...]:
    if not isinstance(listed, (list, tuple)) or not listed:
        faults.add("rules", f"expected a list with at least one rule, because a policy without rules approves nothing; found {listed!r}.")
        return ()
    return tuple(_read_rule(f"rules[{number}]", rule, faults) for number, rule in enumerate(listed))


def _read_rule(path: str, mapping: object, faults: Faults) -> Rule | None:
    if not isinstance(mapping, Mapping) or not mapping:
        faults.add(path, f"expected a mapping such as {{metric: roc_auc, at_least: 0.7}}; found {mapping!r}.")
        return None
    known = _known_keys(f"{path}.", mapping, _ALL_RULE_KEYS, faults)
    if not known:
        return None
    kind = _kind_of(known)
    for key in [key for key in known if key not in RULE_KEYS[kind]]:
        faults.add(f"{path}.{key}", f"does not go with {one_of(RULE_KEYS[kind])}. Make it a rule of its own.")
        del known[key]
    if kind in NESTED_KEYS:
        return _read_nested(f"{path}.{RULE_KEYS[kind][0]}", kind, known[RULE_KEYS[kind][0]], faults)
    if kind is Require:
        return faults.attempt(path, lambda: Require(known["require"]))
    if kind is Comparison:
        _check_comparison(path, known, faults)
    return _make(path, kind, known, faults)


def _kind_of(known: Collection[str]) -> type[Rule]:
    """The first kind of which a key is given that no other kind has."""
    for kind, keys in RULE_KEYS.items():
        others = {key for other, theirs in RULE_KEYS.items() if other is not kind for key in theirs}
        if (set(keys) - others).intersection(known):
            return kind
    return Threshold


def _read_nested(path: str, kind: type[Rule], mapping: object, faults: Faults) -> Rule | None:
    if not isinstance(mapping, Mapping):
        faults.add(path, f"expected a mapping of {one_of(NESTED_KEYS[kind])}; found {mapping!r}.")
        return None
    return _make(path, kind, _known_keys(f"{path}.", mapping, NESTED_KEYS[kind], faults), faults)


def _read_burn_in(mapping: object, faults: Faults) -> BurnIn | None:
    if not isinstance(mapping, Mapping):
        faults.add("burn_in", f"expected a mapping such as {{for: 3d, failed_partitions: 0}}; found {mapping!r}.")
        return None
    known = _known_keys("burn_in.", mapping, BURN_IN_KEYS, faults)
    known["lasts"] = known.pop("for", None)
    for key, (kind, keys) in LIMIT_KEYS.items():
        if key in known:
            known[key] = _read_limit(f"burn_in.{key}", kind, keys, known[key], faults)
    return _make("burn_in", BurnIn, known, faults)


def _read_limit(
    path: str, kind: type[LiveLimit | DriftLimit], keys: tuple[str, ...], mapping: object, faults: Faults
) -> LiveLimit | DriftLimit | None:
    if not isinstance(mapping, Mapping):
        faults.add(path, f"expected a mapping of {one_of(keys)}; found {mapping!r}.")
        return None
    return _make(path, kind, _known_keys(f"{path}.", mapping, keys, faults), faults)


def _make(path: str, kind: type[T], known: Mapping[str, Any], faults: Faults) -> T | None:
    """The value itself; what is missing is given as None, so that its own check says so with the other faults."""
    required = [field.name for field in fields(cast(Any, kind)) if field.default is MISSING and field.default_factory is MISSING]
    return faults.attempt(path, lambda: kind(**{**dict.fromkeys(required), **known}))


def _check_comparison(path: str, known: Mapping[str, Any], faults: Faults) -> None:
    """What a file must say, while in Python it has a default or is left to the gate."""
    if "against" not in known:
        faults.add(f"{path}.against", "missing. Write against: champion.")
    metric = known.get("metric")
    if metric and "goal" not in known and known_goal(metric) is None:
        meant = hint(metric, _KNOWN_METRICS)
        sentence = f"whether higher or lower {metric!r} is better is not known. Write goal: maximize or goal: minimize.{meant}"
        faults.add(f"{path}.goal", sentence)


def _known_keys(path: str, mapping: Mapping[Any, Any], allowed: Collection[str], faults: Faults) -> dict[str, Any]:
    """The entries with a known key; a misspelt one counts as what was meant, so that its value is checked in the same go."""
    known = {}
    for key, value in mapping.items():
        meant = key if key in allowed else closest(key, allowed)
        if key not in allowed:
            faults.add(f"{path}{key}", f"this release has no such key here; it knows {one_of(allowed)}.{_advice(key, allowed)}")
        if value is None:
            faults.add(f"{path}{key}", "has no value. Give one, or leave the key out.")
        elif meant is not None and (meant == key or meant not in mapping):
            known[meant] = value
    return known


def _advice(key: object, allowed: Collection[str]) -> str:
    """What was probably meant: another key, or another place."""
    home = _INSIDE.get(key) if isinstance(key, str) else None
    return f" It stands inside {home}." if home else hint(key, allowed)
