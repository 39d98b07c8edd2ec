"""The rule that asks people, the waivers that lift rules, and what stops a model whatever the rules say.

Of one person the last vote counts; votes of authors and votes after the deadline are not counted, and named. A standing reject
blocks, however many approve. A waiver is one person's word, so it lifts no rule that asks for several.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airflow_registry.domain.durations import print_duration
from airflow_registry.domain.gate.numbers import listed
from airflow_registry.domain.gate.reasons import no, waiting, yes
from airflow_registry.domain.people import Choice, aliases, is_author, last_votes, person_key
from airflow_registry.domain.promotion import Reason, Ruling
from airflow_registry.domain.rules import Approval

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from airflow_registry.domain.gate.case import Case
    from airflow_registry.domain.people import Asked, Standing, Vote
    from airflow_registry.domain.policy import Policy
    from airflow_registry.domain.rules import Rule


def judge_approval(rule: Approval, case: Case, name: str = "") -> Reason:
    """Whether enough people approve, nobody rejects, and every group has spoken."""
    title, count = name or str(rule), _Count.of(rule, case.asked)
    who = f"v{case.challenger.number}"
    if count.rejects:
        said = " ".join(f"{vote.person} rejected {who} on {_minute(vote.at)}." for vote in count.rejects)
        return no(title, f"{said} A reject blocks until that person approves.{count.ignored}")
    missing = count.missing(rule)
    if not missing:
        return yes(title, f"{_approved(count, who)}: satisfied.{count.ignored}", observed=float(len(count.approvals)))
    text = f"{_approved(count, who)}; missing: {missing}"
    if count.deadline is not None and case.now >= count.deadline:
        return no(title, f"{text}. The deadline was {_minute(count.deadline)}.{count.ignored}")
    until = (
        ""
        if rule.within is None
        else f", within {print_duration(rule.within)}"
        if count.deadline is None
        else f", until {_minute(count.deadline)}"
    )
    return waiting(title, f"{text}{until}.{count.ignored}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Count:
    """The votes that count."""

    approvals: tuple[Vote, ...]
    rejects: tuple[Vote, ...]
    deadline: datetime | None
    ignored: str

    @classmethod
    def of(cls, rule: Approval, asked: Asked) -> _Count:
        """Sort the votes out."""
        opened, within = asked.opened_at, rule.within
        deadline = None if within is None or opened is None else opened + within
        by_authors = [vote for vote in asked.votes if rule.not_the_author and is_author(vote.person, asked.authors)]
        late = [vote for vote in asked.votes if deadline is not None and vote.at >= deadline]
        last = last_votes(vote for vote in asked.votes if vote not in by_authors and vote not in late and vote.person.strip())
        return cls(
            approvals=tuple(vote for vote in last if vote.choice is Choice.APPROVE),
            rejects=tuple(vote for vote in last if vote.choice is not Choice.APPROVE),
            deadline=deadline,
            ignored=_not_counted("made the version or the policy", by_authors) + _not_counted("voted after the deadline", late),
        )

    def missing(self, rule: Approval) -> str:
        """What an approval still needs, '' if nothing."""
        people = [vote.person for vote in self.approvals]
        groups = [name for name, members in rule.groups.items() if not any(_is_member(person, members) for person in people)]
        short = rule.people - _distinct(people)
        told = ["1 more person"] if short == 1 else [f"{short} more people"] if short > 0 else []
        return " and ".join([*told, *(f"one of the group {name}" for name in groups)])


def _is_member(person: str, members: Iterable[str]) -> bool:
    return person_key(person) in {person_key(member) for member in members}


def _distinct(people: Sequence[str]) -> int:
    """How many people these certainly are: who shares a name with somebody before counts as that one."""
    seen: set[str] = set()
    count = 0
    for person in people:
        count += seen.isdisjoint(aliases(person))
        seen |= aliases(person)
    return count


def _approved(count: _Count, who: str) -> str:
    names = [vote.person for vote in count.approvals]
    return f"{listed(names)} approved {who}" if names else f"Nobody has approved {who} yet"


def _not_counted(why: str, votes: Iterable[Vote]) -> str:
    names = list(dict.fromkeys(vote.person for vote in votes if vote.person.strip()))
    return f" Not counted: {listed(names)}, who {why}." if names else ""


def waived(rule: Rule, reason: Reason, case: Case) -> Reason:
    """The reason of a rule, lifted if a valid waiver names it and it did not pass; what was found stays."""
    if reason.ruling in {Ruling.PASSED, Ruling.NOT_APPLICABLE} or isinstance(rule, Approval):
        return reason
    number, now = case.challenger.number, case.now
    valid = [one for one in case.waivers if one.rule == reason.rule and one.number == number and one.holds_at(now)]
    if not valid:
        return reason
    waiver = valid[-1]
    text = f"{reason.text} Waived by {waiver.person} until {_minute(waiver.expires_at)}: {waiver.reason.rstrip('. ')}."
    return replace(reason, passed=True, ruling=Ruling.WAIVED, text=text, waiver=waiver.uid)


def stops(policy: Policy, case: Case) -> Iterable[Reason]:
    """A locked policy, a freeze, a cool-down: nothing is promoted by itself, whatever the rules say."""
    model, standing = case.challenger.model, case.standing
    if standing.locked_policy is not None and standing.locked_policy != policy.digest:
        yield waiting(
            "policy lock",
            f"{model} is locked to the policy {standing.locked_policy}, and this one is {policy.digest}. When a second person has locked "
            "this one too, decide again.",
        )
    if standing.is_frozen_at(case.now):
        yield no("freeze", f"{model} is frozen until {_frozen(standing)}. A rollback stays possible.")
    if case.cool_down is not None and case.cool_down.holds_at(case.now):
        yield case.cool_down.reason(case.challenger.number)


def _frozen(standing: Standing) -> str:
    until = "" if standing.frozen_until is None else _minute(standing.frozen_until)
    by = f" by {standing.frozen_by}" if standing.frozen_by else ""
    return f"{until}{by}" + (f": {standing.frozen_reason.rstrip('. ')}" if standing.frozen_reason else "")


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
