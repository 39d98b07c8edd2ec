"""Decisions of the gate, and the promotions that follow from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from airflow_registry.domain.audit import AuditHead
    from airflow_registry.domain.names import ModelName


class Outcome(StrEnum):
    """What a gate may say."""

    APPROVED = "APPROVED"
    REFUSED = "REFUSED"
    INCONCLUSIVE = "INCONCLUSIVE"
    PENDING = "PENDING"

    @property
    def advice(self) -> str:
        """What to do next."""
        return {
            Outcome.APPROVED: "Promote it.",
            Outcome.REFUSED: "Train a better version, or override with a reason.",
            Outcome.INCONCLUSIVE: "Evaluate on more rows and decide again, or override with a reason.",
            Outcome.PENDING: "When what is missing has come, decide again.",
        }[self]


class Ruling(StrEnum):
    """How one rule came out."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    PENDING = "pending"
    WAIVED = "waived"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """What one rule found.

    Attributes:
        rule: The rule in short, `roc_auc at least 0.55`.
        passed: Whether the rule is satisfied; None if it does not apply (a first version has nobody to compare with).
        text: One sentence for people: observed, needed, baseline's version, rows.
        observed: The number that was looked at, None if there was none.
        baseline_version: The version it was compared with.
        rows: Rows behind the number (count).
        ruling: More exactly than `passed`: waived passes; inconclusive and pending do not; '' takes it from `passed`.
        lower: One-sided lower limit of the gain, where the rule has a confidence.
        method: The statistical method behind that limit.
        evaluation: uid of the evaluation that was looked at.
        waiver: uid of the waiver that lifted the rule.
    """

    rule: str
    passed: bool | None
    text: str
    observed: float | None = None
    baseline_version: int | None = None
    rows: int | None = None
    ruling: Ruling | str = ""
    lower: float | None = None
    method: str | None = None
    evaluation: str | None = None
    waiver: str | None = None

    def __post_init__(self) -> None:
        told = {True: Ruling.PASSED, False: Ruling.FAILED, None: Ruling.NOT_APPLICABLE}[self.passed]
        object.__setattr__(self, "ruling", Ruling(self.ruling or told))


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the pure gate returns; a `Decision` is a verdict that was stored."""

    outcome: Outcome
    reasons: tuple[Reason, ...]

    @property
    def approved(self) -> bool:
        """Whether the version may be promoted."""
        return self.outcome is Outcome.APPROVED


@dataclass(frozen=True, slots=True, kw_only=True)
class DataUse:
    """How often a data set has been used for decisions about one model: the more often, the less it proves.

    Attributes:
        name: What people call the data set.
        digest: `sha256:…` of its bytes.
        decisions: Decisions that looked at it, this one included (count).
        versions: Versions that they were about, this one included (count).
    """

    name: str
    digest: str
    decisions: int
    versions: int

    def __str__(self) -> str:
        versions = "1 version" if self.versions == 1 else f"{self.versions} versions"
        return f"decision number {self.decisions} by the data set {self.name!r}, which has judged {versions}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A stored verdict about one version, bound to the champion it was compared with.

    Attributes:
        uid: UUIDv7.
        model: The model.
        number: The version that was judged.
        outcome: APPROVED, REFUSED, INCONCLUSIVE or PENDING.
        reasons: One for every rule.
        champion: The champion at that moment, None if there was none.
        revision: The champion's revision at that moment, 0 if there never was one; the promotion compares and sets it.
        policy_digest: SHA-256 of the policy.
        decided_at: When.
        expires_at: After this the decision is void; None for never.
        data: The data sets that it looked at, and how often they have been used.
    """

    uid: str
    model: ModelName
    number: int
    outcome: Outcome
    reasons: tuple[Reason, ...]
    champion: int | None
    revision: int
    policy_digest: str
    decided_at: datetime
    expires_at: datetime | None = None
    data: tuple[DataUse, ...] = ()

    @property
    def approved(self) -> bool:
        """Whether the version may be promoted."""
        return self.outcome is Outcome.APPROVED

    def to_json(self) -> dict[str, Any]:
        """Small JSON for XCom."""
        return {
            "decision": self.uid,
            "outcome": str(self.outcome),
            "approved": self.approved,
            "model": str(self.model),
            "version": self.number,
            "champion": self.champion,
            "revision": self.revision,
            "reasons": [reason.text for reason in self.reasons],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """One stage change of one version.

    Attributes:
        revision: The champion's revision after the change; None if the champion did not change.
        replaced: The version that was champion before, None if there was none.
        decision: uid of the decision it followed, None for an override.
        reason: Why, in a person's words; None when a decision says it.
        created: False if this call found the promotion already made.
        audit_head: The audit chain's head after this call; None where the promotion was read from the history.
    """

    uid: str
    model: ModelName
    number: int
    from_stage: Stage
    to_stage: Stage
    revision: int | None
    replaced: int | None
    decision: str | None
    reason: str | None
    by: str
    at: datetime
    created: bool = True
    audit_head: AuditHead | None = field(default=None, compare=False)

    @property
    def is_champion_change(self) -> bool:
        """Whether the version in PRODUCTION is another one (or none) afterwards."""
        return self.revision is not None

    @property
    def is_override(self) -> bool:
        """Whether a person promoted it without a decision of the gate; bringing an archived version back is a rollback."""
        return self.to_stage is Stage.PRODUCTION and self.decision is None and self.from_stage is not Stage.ARCHIVED

    def to_json(self) -> dict[str, Any]:
        """Small JSON for XCom."""
        return {
            "promotion": self.uid,
            "model": str(self.model),
            "version": self.number,
            "ref": f"{self.model}:{self.number}",
            "from_stage": str(self.from_stage),
            "to_stage": str(self.to_stage),
            "replaced": self.replaced,
            "revision": self.revision,
            "created": self.created,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """One change of a model's champion: this version came into PRODUCTION, or left it empty."""

    number: int
    from_stage: Stage
    to_stage: Stage


def previous_holder(changes: Iterable[Holding], recalled: Collection[int] = ()) -> int | None:
    """Which version a rollback brings back; None if nobody held PRODUCTION before.

    Rolling back is going back in a stack: after v1, v2, v3 the first rollback brings v2 and the second v1, never v3 again. A champion
    that was archived without a successor comes back itself. What was recalled does not come back by itself.

    Args:
        changes: Every change of the champion, oldest first.
        recalled: Versions that are left out.

    >>> up = [Holding(number=n, from_stage=Stage.DEVELOPMENT, to_stage=Stage.PRODUCTION) for n in (1, 2, 3)]
    >>> previous_holder([*up, Holding(number=2, from_stage=Stage.ARCHIVED, to_stage=Stage.PRODUCTION)])
    1
    """
    told = list(changes)
    stack = champions_in_order(told)
    is_empty = not told or told[-1].to_stage is not Stage.PRODUCTION
    below = stack if is_empty else stack[:-1]
    return next((number for number in reversed(below) if number not in recalled), None)


def champions_in_order(changes: Iterable[Holding | Promotion]) -> list[int]:
    """Who held PRODUCTION, oldest first, without what a rollback took back.

    Args:
        changes: Every change of the champion, oldest first; changes of other stages may stand between them.
    """
    stack: list[int] = []
    for change in changes:
        if change.to_stage is not Stage.PRODUCTION:
            continue
        if change.from_stage is Stage.ARCHIVED:  # only a rollback does that: what stood above is undone
            while stack and stack[-1] != change.number:
                stack.pop()
        if not stack or stack[-1] != change.number:
            stack.append(change.number)
    return stack


def production_changed(promotion: Promotion) -> bool:
    """Whether consumers have a new champion to use: the only thing that rings them."""
    return promotion.is_champion_change and promotion.to_stage is Stage.PRODUCTION
