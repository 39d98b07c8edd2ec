"""What a policy would have decided about a version in its time, beside what was decided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.promotion import Ruling

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_registry.domain.names import ModelName
    from airflow_registry.domain.promotion import Decision, Outcome, Reason, Verdict

_SAYS_NOTHING = frozenset({Ruling.PASSED, Ruling.NOT_APPLICABLE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """One version, judged again as things stood then.

    Attributes:
        model: The model.
        number: The version.
        at: The moment as of which it was judged: of the newest decision about it, else of its registration.
        champion: The champion of that moment, None if there was none.
        decision: The newest decision about it, None if the gate never saw it.
        verdict: What the policy says.
    """

    model: ModelName
    number: int
    at: datetime
    champion: int | None
    decision: Decision | None
    verdict: Verdict

    @property
    def before(self) -> Outcome | None:
        """What was decided then."""
        return None if self.decision is None else self.decision.outcome

    @property
    def is_changed(self) -> bool:
        """Whether the outcome is another one than then; a version that nobody judged has none that could change."""
        return self.decision is not None and self.decision.outcome is not self.verdict.outcome

    @property
    def first_reason(self) -> Reason | None:
        """The first rule that did not simply pass; if all did, the first rule."""
        told = [reason for reason in self.verdict.reasons if reason.ruling not in _SAYS_NOTHING]
        return next(iter([*told, *self.verdict.reasons]), None)

    def to_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "model": str(self.model),
            "version": self.number,
            "ref": f"{self.model}:{self.number}",
            "at": self.at,
            "champion": self.champion,
            "decision": None if self.decision is None else self.decision.uid,
            "before": None if self.before is None else str(self.before),
            "outcome": str(self.verdict.outcome),
            "changed": self.is_changed,
            "reasons": [
                {"rule": reason.rule, "ruling": str(reason.ruling), "text": reason.text, "observed": reason.observed}
                for reason in self.verdict.reasons
            ],
        }
