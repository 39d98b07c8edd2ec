"""Notifiers that pass on one kind of notice to any notifier of Airflow's."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseNotifier

from airflow_registry.hooks.notices import KEY, checked_notifiers

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.sdk import Context


class _SelectingNotifier(BaseNotifier):
    """Passes a notice on if it is of the right kind.

    Args:
        notifier: Any notifier of Airflow's (Slack, e-mail, PagerDuty, …), or a function that takes the context. Its templates
            find the notice as `model_event`: `.text`, `.ref`, `.model`, `.version`, `.replaced`, `.reasons`, `.remote_path`, `.url`.
    """

    kind: ClassVar[str]

    def __init__(self, notifier: Callable[..., object]) -> None:
        super().__init__()
        (self.notifier,) = checked_notifiers(notifier)

    def notify(self, context: Context) -> None:
        """Call the other notifier, if the notice in the context is one that it wants."""
        found: dict[str, Any] = context.get(KEY) or {}  # type: ignore[assignment]  # Airflow's type of a context knows its own keys
        if found.get("kind") == self.kind:
            copy.copy(self.notifier)(context)


class PromotionNotifier(_SelectingNotifier):
    """Tells of versions that became the champion: `PromoteModelOperator(notifiers=[PromotionNotifier(SlackNotifier(…))])`."""

    kind = "promotion"


class RefusalNotifier(_SelectingNotifier):
    """Tells of versions that the gate did not approve."""

    kind = "refusal"


class RollbackNotifier(_SelectingNotifier):
    """Tells of champions that were brought back."""

    kind = "rollback"


class PendingNotifier(_SelectingNotifier):
    """Tells that people are asked about a version."""

    kind = "pending"
