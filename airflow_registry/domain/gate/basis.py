"""What a decision stood on besides versions and evaluations, small enough to be stored with it: so that it can be made again.

Votes, waivers, freezes and smoke tests change with time; a decision that keeps them replays exactly, whatever people said afterwards.
Comments of votes are not kept. Laws: `Basis.from_json(basis.to_json()) == basis`; `Basis.of(case, …).applied(case)` judges like `case`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.burn_in import CoolDown
from airflow_registry.domain.durations import parse_duration, print_duration
from airflow_registry.domain.people import Asked, Choice, Standing, Vote, Waiver
from airflow_registry.domain.promotion import DataUse
from airflow_registry.domain.rules import Smoke
from airflow_registry.domain.shadow import Shadowed
from airflow_registry.domain.smoke import SmokeResult
from airflow_registry.domain.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_registry.domain.gate.case import Case

_TIMES = frozenset({"at", "expires_at", "withdrawn_at", "frozen_until", "since", "until"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What a decision stood on.

    Attributes:
        stage: The challenger's.
        last_evaluation: Sequence of the newest evaluation that was looked at, 0 for none.
        smoke: What happened when the artifact was loaded, by rule.
        shadowed: What was said beside the champion.
        asked: Votes and authors.
        waivers: Waivers for the version.
        standing: A locked policy, a freeze.
        cool_down: The newest automatic rollback of the challenger's bytes.
        data: The data sets that were looked at, and how often they have been used.
    """

    stage: Stage
    last_evaluation: int = 0
    smoke: Mapping[Smoke, SmokeResult] = field(default_factory=lambda: MappingProxyType({}))
    shadowed: Shadowed = field(default_factory=Shadowed)
    asked: Asked = field(default_factory=Asked)
    waivers: tuple[Waiver, ...] = ()
    standing: Standing = field(default_factory=Standing)
    cool_down: CoolDown | None = None
    data: tuple[DataUse, ...] = ()

    @classmethod
    def of(cls, case: Case, data: tuple[DataUse, ...] = ()) -> Basis:
        """What is to be kept of a case."""
        votes = tuple(replace(vote, comment=None, policy_digest="", created=True) for vote in case.asked.votes)
        return cls(
            stage=case.challenger.stage,
            last_evaluation=max((evaluation.sequence for evaluation in case.evaluations), default=0),
            smoke=dict(case.smoke),
            shadowed=case.shadowed,
            asked=replace(case.asked, votes=votes),
            waivers=case.waivers,
            standing=case.standing,
            cool_down=case.cool_down,
            data=data,
        )

    def applied(self, case: Case) -> Case:
        """The case as it was, but for evidence; evaluations that came later are left out."""
        return replace(
            case,
            challenger=replace(case.challenger, stage=self.stage),
            evaluations=tuple(one for one in case.evaluations if one.sequence <= self.last_evaluation),
            smoke=self.smoke,
            shadowed=self.shadowed,
            asked=self.asked,
            waivers=self.waivers,
            standing=self.standing,
            cool_down=self.cool_down,
        )

    def to_json(self) -> dict[str, Any]:
        """As it is stored."""
        opened = self.asked.opened_at
        return {
            "stage": str(self.stage),
            "last_evaluation": self.last_evaluation,
            "smoke": [{**_smoke_rule(rule), **asdict(found)} for rule, found in self.smoke.items()],
            "shadowed": asdict(self.shadowed),
            "opened_at": None if opened is None else opened.isoformat(),
            "votes": [{"person": vote.person, "choice": str(vote.choice), "at": vote.at.isoformat()} for vote in self.asked.votes],
            "authors": sorted(self.asked.authors),
            "waivers": [_plain(waiver) for waiver in self.waivers],
            "standing": _plain(self.standing),
            "cool_down": None if self.cool_down is None else _plain(self.cool_down),
            "data": [asdict(use) for use in self.data],
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Basis:
        """From what was stored; what an older release did not keep is empty."""
        opened, cool_down = stored.get("opened_at"), stored.get("cool_down")
        votes = (Vote(person=vote["person"], choice=Choice(vote["choice"]), at=_moment(vote["at"])) for vote in stored.get("votes", ()))
        asked = Asked(
            opened_at=None if opened is None else _moment(opened), votes=tuple(votes), authors=frozenset(stored.get("authors", ()))
        )
        return cls(
            stage=Stage(stored["stage"]),
            last_evaluation=stored["last_evaluation"],
            smoke=dict(_smoked(entry) for entry in stored.get("smoke", ())),
            shadowed=Shadowed(**stored.get("shadowed", {})),
            asked=asked,
            waivers=tuple(Waiver(**_timed(entry)) for entry in stored.get("waivers", ())),
            standing=Standing(**_timed(stored.get("standing", {}))),
            cool_down=None if cool_down is None else CoolDown(**_timed(cool_down)),
            data=data_uses(stored),
        )


def data_uses(stored: Mapping[str, Any] | None) -> tuple[DataUse, ...]:
    """How often the data sets of a stored decision had been used; () where nobody counted."""
    return tuple(DataUse(**entry) for entry in (stored or {}).get("data", ()))


def _smoke_rule(rule: Smoke) -> dict[str, Any]:
    return {"loads_within": print_duration(rule.loads_within), "predicts_rows": rule.predicts_rows}


def _smoked(entry: Mapping[str, Any]) -> tuple[Smoke, SmokeResult]:
    rule = Smoke(loads_within=parse_duration(entry["loads_within"]), predicts_rows=entry["predicts_rows"])
    return rule, SmokeResult(**{one.name: entry[one.name] for one in fields(SmokeResult)})


def _plain(value: Waiver | Standing | CoolDown) -> dict[str, Any]:
    told = {one.name: getattr(value, one.name) for one in fields(value)}
    return {name: entry.isoformat() if isinstance(entry, datetime) else entry for name, entry in told.items()}


def _timed(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _moment(value) if name in _TIMES and value is not None else value for name, value in entry.items()}


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
