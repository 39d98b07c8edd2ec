"""Faults that no rule has alone: rules of one policy that contradict or repeat each other."""

from __future__ import annotations

import math
from itertools import combinations
from typing import TYPE_CHECKING, cast, get_args

from airflow_registry.domain.rules import Approval, Comparison, Fresh, Rule, Shadow, Smoke, Threshold
from airflow_registry.errors import one_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_registry.domain.faults import Faults

RULES = get_args(Rule)
ONCE = (Fresh, Smoke, Shadow, Approval)


def check_rules(numbered: Iterable[tuple[int, object]], faults: Faults) -> None:
    """Note what is no rule, what stands there twice, and what cannot hold together; the numbers are those of the policy."""
    known: list[tuple[int, Rule]] = []
    for number, rule in numbered:
        if not isinstance(rule, RULES):
            faults.add(f"rules[{number}]", f"expected a rule ({one_of(kind.__name__ for kind in RULES)}); found {rule!r}.")
            continue
        checked = cast(Rule, rule)  # pyright does not narrow by a tuple of classes
        _check_repetition(number, checked, known, faults)
        known.append((number, checked))
    thresholds = [(number, rule) for number, rule in known if isinstance(rule, Threshold)]
    for (first, one), (number, other) in combinations(thresholds, 2):
        if _look_at_the_same(one, other) and (bounds := _empty_bounds(one, other)):
            faults.add(f"rules[{number}]", f"with rules[{first}], no value of {bounds}.")
    _check_goals([rule for _, rule in known if isinstance(rule, Comparison)], faults)


def _check_repetition(number: int, rule: Rule, earlier: list[tuple[int, Rule]], faults: Faults) -> None:
    """A waiver names a rule by its text, so that no two rules of a policy may have the same."""
    path = f"rules[{number}]"
    same = next((position for position, other in earlier if str(other) == str(rule)), None)
    alike = next((position for position, other in earlier if type(other) is type(rule) and isinstance(rule, ONCE)), None)
    if same is not None:
        faults.add(path, f"says the same as rules[{same}], {str(rule)!r}. Keep one of the two.")
    elif alike is not None:
        faults.add(path, f"rules[{alike}] is a rule of this kind already, and a policy has one at most. Make one of the two.")


def _look_at_the_same(one: Threshold, other: Threshold) -> bool:
    if (one.metric, one.by) != (other.metric, other.by):
        return False
    return one.values is None or other.values is None or not set(one.values).isdisjoint(other.values)


def _empty_bounds(one: Threshold, other: Threshold) -> str | None:
    """The bounds of both in words if no value lies between them."""
    floor = max(-math.inf if rule.at_least is None else rule.at_least for rule in (one, other))
    ceiling = min(math.inf if rule.at_most is None else rule.at_most for rule in (one, other))
    where = "" if one.by is None else f" by {one.by!r}"
    return f"{one.metric!r}{where} can be at least {floor!r} and at most {ceiling!r}" if floor > ceiling else None


def _check_goals(rules: list[Comparison], faults: Faults) -> None:
    goals = {(rule.metric, rule.goal) for rule in rules}
    for metric in sorted({metric for metric, goal in goals if goal == "maximize" and (metric, "minimize") in goals}):
        faults.add("rules", f"one rule has the goal to maximize {metric!r} and another one to minimize it.")
