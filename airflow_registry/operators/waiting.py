"""Waiting for people without a worker slot: when a task that could not decide is woken, and when it gives up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from airflow_registry.domain.clock import ends_at

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_registry.domain.model import ModelVersion
    from airflow_registry.operators.policies import FoundPolicy
    from airflow_registry.service.protocol import Registry


def checked_timeout(timeout: timedelta | str | None) -> timedelta | None:
    """A length of time from a timedelta or text such as `3d`.

    Raises:
        InvalidInputError: If it is neither, or not positive.
    """
    now = datetime.now(UTC)
    return None if timeout is None else ends_at(timeout, now=now, what="timeout") - now


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a task waits in all, over however many wake-ups."""

    gives_up_at: datetime | None = None

    @classmethod
    def of(cls, timeout: timedelta | None) -> Patience:
        """The patience of a task that begins to wait now."""
        return cls(gives_up_at=None if timeout is None else datetime.now(UTC) + timeout)

    @classmethod
    def from_json(cls, gives_up_at: str | None) -> Patience:
        """As the task that wakes up was handed it."""
        return cls(gives_up_at=None if gives_up_at is None else datetime.fromisoformat(gives_up_at))

    def to_json(self) -> str | None:
        """Text for Airflow to keep while the task waits."""
        return None if self.gives_up_at is None else self.gives_up_at.isoformat()

    @property
    def is_over(self) -> bool:
        """Whether the task waits no longer."""
        return self.gives_up_at is not None and datetime.now(UTC) >= self.gives_up_at

    def wakes_at(self, registry: Registry, version: ModelVersion, policy: FoundPolicy) -> str | None:
        """When time alone may change the gate's mind or ends the wait, ISO 8601; None for never."""
        ahead = (registry.circumstances(version.model, version.number, policy=policy.policy).change_at, self.gives_up_at)
        known = [moment for moment in ahead if moment is not None]
        return min(known).isoformat() if known else None


def check_event(event: Mapping[str, Any] | None) -> None:
    """What woke a task that waited.

    Raises:
        AirflowFailException: If it was an error that waiting cannot mend.
    """
    if event and "error" in event:
        raise AirflowFailException(event["error"])
