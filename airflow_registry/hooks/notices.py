"""What operators tell Airflow's notifiers: promotions, refusals, rollbacks, and that people are asked.

A notice is a side observation: the registry's row is the truth, so a notifier that fails is a warning in the task's log and nothing
else. It is told at least once: a try that died after its promotion is followed by one that tells again.
"""

from __future__ import annotations

import copy
import logging
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from airflow_registry.errors import InvalidInputError
from airflow_registry.hooks.pages import version_page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from airflow_registry.domain.model import ModelVersion
    from airflow_registry.domain.promotion import Promotion

log = logging.getLogger(__name__)

Kind = Literal["promotion", "refusal", "rollback", "pending"]
KEY = "model_event"
"""Under this name a notifier's templates find the notice: `{{ model_event.text }}`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing that happened to a version.

    Attributes:
        kind: What happened.
        model: The model's name.
        version: The version that was promoted, refused, or brought back.
        ref: `model:version`.
        text: One sentence for people.
        reasons: What the gate said, a sentence each; of a rollback, the person's words.
        replaced: The champion before; None if there was none, or nothing changed.
        remote_path: Where the version's artifact is.
        url: The version's page in Airflow.
    """

    kind: Kind
    model: str
    version: int
    ref: str
    text: str
    reasons: tuple[str, ...] = ()
    replaced: int | None = None
    remote_path: str = ""
    url: str = ""


def promotion_notice(version: ModelVersion, promotion: Promotion, reasons: Sequence[str]) -> Notice:
    """A version became the champion."""
    before = f"replacing version {promotion.replaced}" if promotion.replaced else "as the first champion"
    return _notice("promotion", version, f"{version.ref} was promoted to PRODUCTION, {before}.", tuple(reasons), promotion.replaced)


def rollback_notice(version: ModelVersion, promotion: Promotion) -> Notice:
    """The previous champion was brought back."""
    text = f"{promotion.model} was rolled back from version {promotion.replaced} to version {version.number}: {promotion.reason}"
    return _notice("rollback", version, text, (promotion.reason or "",), promotion.replaced)


def pending_notice(version: ModelVersion, reasons: Sequence[str]) -> Notice:
    """People are asked about a version."""
    return _notice("pending", version, f"{version.ref} waits for people: {' '.join(reasons)}", tuple(reasons), None)


def refusal_notice(version: ModelVersion, outcome: str, reasons: Sequence[str]) -> Notice:
    """The gate did not approve a version."""
    return _notice(
        "refusal", version, f"{version.ref} was not promoted, the gate says {outcome}: {' '.join(reasons)}", tuple(reasons), None
    )


def _notice(kind: Kind, version: ModelVersion, text: str, reasons: tuple[str, ...], replaced: int | None) -> Notice:
    return Notice(
        kind=kind,
        model=str(version.model),
        version=version.number,
        ref=version.ref,
        text=text,
        reasons=reasons,
        replaced=replaced,
        remote_path=version.remote_path,
        url=version_page(version.model, version.number),
    )


def checked_notifiers(notifiers: object) -> tuple[Callable[..., object], ...]:
    """The argument `notifiers=` of an operator.

    Raises:
        InvalidInputError: If one of them cannot be called with a context.
    """
    given = tuple(notifiers) if isinstance(notifiers, (list, tuple)) else () if notifiers is None else (notifiers,)
    for notifier in given:
        if isinstance(notifier, type) or not callable(notifier):
            raise InvalidInputError(
                f"notifiers= holds {notifier!r}. Expected Airflow notifiers such as SlackNotifier(text='{{{{ {KEY}.text }}}}'), "
                "or functions that take the context."
            )
    return given


def tell(notifiers: Iterable[Callable[..., object]], context: Mapping[str, Any], notice: Notice) -> None:
    """Call every notifier with the task's context and the notice in it; nobody's failure concerns the others or the task."""
    for notifier in notifiers:
        try:
            copy.copy(notifier)({**context, KEY: asdict(notice)})  # a copy: rendering its templates changes it for good
        except Exception:  # whatever a notifier does, the decision stands
            log.warning("The notifier %s failed; what it should have told stands: %s", type(notifier).__name__, notice.text, exc_info=True)
