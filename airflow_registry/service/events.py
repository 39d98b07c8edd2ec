"""The Notifier port: every promotion rings it, whoever made it.

A notification is a doorbell; the row is the truth. So a notifier that fails is logged and forgotten: the promotion is committed, and
consumers that missed the bell are rung again by the `PromotionTrigger`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_registry.domain.promotion import Promotion

_log = logging.getLogger(__name__)


class Notifier(Protocol):
    """Somebody who wants to hear of promotions."""

    def promoted(self, promotion: Promotion) -> None:
        """A stage change was committed."""


def notify(notifiers: Iterable[Notifier], promotion: Promotion) -> None:
    """Ring everybody; nobody's failure concerns the others or the caller."""
    for notifier in notifiers:
        try:
            notifier.promoted(promotion)
        except Exception:  # noqa: BLE001  whatever a notifier does, the promotion stands
            _log.warning("The notifier %r failed; the promotion stands.", notifier, exc_info=True)
