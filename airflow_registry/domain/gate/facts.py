"""Rules about what is known of a version beside its metrics: metadata, the champion's age, whether it loads, shadow runs."""

from __future__ import annotations

from collections.abc import Sized
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.durations import print_duration
from airflow_registry.domain.gate.numbers import counted, shown
from airflow_registry.domain.gate.reasons import no, not_applicable, unknown, waiting, yes
from airflow_registry.domain.model import Signature
from airflow_registry.domain.rules import REQUIRABLE
from airflow_registry.domain.stage import Stage

if TYPE_CHECKING:
    from datetime import timedelta

    from airflow_registry.domain.gate.case import Case
    from airflow_registry.domain.promotion import Reason
    from airflow_registry.domain.rules import Fresh, Require, Shadow, Smoke
    from airflow_registry.domain.shadow import Shadowed
    from airflow_registry.domain.smoke import SmokeResult


def judge_metadata(rule: Require, case: Case) -> Reason:
    """Whether the version has all that is required of it."""
    version = case.challenger
    missing = [name for name in rule.fields if not _is_given(REQUIRABLE[name](version))]
    if missing:
        advice = "A version does not change: register a new one that has it."
        return no(rule, f"v{version.number} lacks {', '.join(missing)}; needed {', '.join(rule.fields)}. {advice}")
    return yes(rule, f"v{version.number} has {', '.join(rule.fields)}.")


def judge_age(rule: Fresh, case: Case) -> Reason:
    """Whether the champion is young enough to be the measure; if not, a person decides. See docs/decisions/0008-old-champions.md."""
    champion, allowed = case.champion, print_duration(rule.champion_not_older_than)
    if champion is None:
        return not_applicable(rule, "Does not apply: there is no champion whose age could matter.")
    age = case.now - champion.registered_at
    text = (
        f"The champion v{champion.number} was registered {_days(age)} ago, on {champion.registered_at:%Y-%m-%d}; needed at most {allowed}"
    )
    if age <= rule.champion_not_older_than:
        return yes(rule, f"{text}: satisfied.", baseline_version=champion.number)
    advice = (
        "To be no worse than an old champion may be too little: a person decides, by a waiver of this rule or by promoting with a reason."
    )
    return unknown(rule, f"{text}: too old to be the measure. {advice}", baseline_version=champion.number)


def judge_smoke(rule: Smoke, case: Case) -> Reason:
    """Whether the artifact loaded in time and predicted, in a process of its own."""
    found, who = case.smoke.get(rule), f"v{case.challenger.number}"
    if found is not None:
        return _smoked(rule, found, who)
    if case.is_replay:
        return not_applicable(rule, f"Does not apply: {who} was not loaded for this rule then, and a replay loads nothing.")
    return unknown(rule, f"Whether {who} loads and predicts was not tried. Decide again.")


def judge_shadow(rule: Shadow, case: Case) -> Reason:
    """Whether it said what the champion said while it was in SHADOW; rows that only one of the two could score count against it."""
    if case.champion is None:
        return not_applicable(rule, "Does not apply: there is no champion that it could score beside.")
    found, who = case.shadowed, f"v{case.challenger.number}"
    champion = f"champion v{case.champion.number}"
    facts: dict[str, Any] = {"baseline_version": case.champion.number}
    if found.champion != case.champion.number or found.partitions < rule.partitions or not found.rows:
        done = found.partitions if found.champion == case.champion.number else 0
        text = f"{who} was compared with {champion} on {done:,} of {rule.partitions:,} partitions{_so_far(found) if done else ''}."
        return _not_yet(rule, case, text, facts)
    share = found.agreeing / found.rows
    facts |= {"observed": share, "rows": found.rows}
    told = (
        f"{who} says what {champion} says on {found.agreeing:,} of {counted(found.rows)} in {found.partitions:,} partitions, "
        f"a share of {shown(share, rule.agreement)}; needed at least {shown(rule.agreement, share)}"
    )
    if share < rule.agreement:
        return no(rule, f"{told}: not enough.", **facts)
    return yes(rule, f"{told}: satisfied.", **facts)


def _not_yet(rule: Shadow, case: Case, text: str, facts: dict[str, Any]) -> Reason:
    """Too few partitions: wait, unless the time for it is up."""
    opened = case.asked.opened_at
    deadline = None if rule.within is None or opened is None else opened + rule.within
    if deadline is None:
        return waiting(rule, f"{text} {_how_to_go_on(case)}", **facts)
    if case.now >= deadline:
        return no(rule, f"{text} The deadline was {deadline:%Y-%m-%d %H:%M} UTC.", **facts)
    return waiting(rule, f"{text} {_how_to_go_on(case)} The deadline is {deadline:%Y-%m-%d %H:%M} UTC.", **facts)


def _so_far(found: Shadowed) -> str:
    return f"; so far they agree on {found.agreeing:,} of {counted(found.rows)}"


def _how_to_go_on(case: Case) -> str:
    if case.challenger.stage is Stage.SHADOW:
        return "It scores beside the champion whenever the batch inference runs; wait for more."
    return f"It is in {case.challenger.stage}: move it to SHADOW, so that it scores beside the champion."


def _smoked(rule: Smoke, found: SmokeResult, who: str) -> Reason:
    allowed = print_duration(rule.loads_within)
    if found.problem is not None or found.loaded_in_s is None:
        return no(rule, f"{who} does not load or predict: {found.problem or 'it did not load'}".rstrip(".") + ".")
    told = f"{who} loaded in {found.loaded_in_s:.3g} s (needed within {allowed}) and predicted {counted(found.predicted_rows)}"
    if not found.loaded_in_s <= rule.loads_within.total_seconds():
        return no(rule, f"{told}: too slow.", observed=found.loaded_in_s)
    if found.predicted_rows < rule.predicts_rows:
        return no(rule, f"{told}, needed {rule.predicts_rows:,}: too few.", rows=found.predicted_rows)
    return yes(rule, f"{told}: satisfied.", observed=found.loaded_in_s, rows=found.predicted_rows)


def _is_given(value: object) -> bool:
    if isinstance(value, str):
        return bool(value.strip())
    if isinstance(value, Signature):
        return bool(value.inputs)
    return value is not None and (not isinstance(value, Sized) or len(value) > 0)


def _days(age: timedelta) -> str:
    return "1 day" if age.days == 1 else f"{age.days} days"
