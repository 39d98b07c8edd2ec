"""What people may do in a registry, as far as `ModelRegistry` and the client of a registry server have it in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta

    from airflow_registry.domain.names import RunKey
    from airflow_registry.domain.people import Asked, Circumstances, PolicyLock, Standing, Vote, Waiver
    from airflow_registry.domain.policy import Policy


class PeopleVerbs(Protocol):
    """Votes, waivers, locks of policies and freezes."""

    def vote(
        self,
        model: str,
        version: object,
        *,
        policy: Policy | Mapping[str, object] | str | None = None,
        choice: str = "approve",
        by: str | None = None,
        comment: str | None = None,
        run: RunKey | None = None,
    ) -> Vote:
        """Approve or reject a version under a policy; of one person the last vote counts, and the same again adds nothing."""

    def votes(self, model: str, version: object) -> tuple[Vote, ...]:
        """All votes about a version, under whichever policy, oldest first."""

    def asked(self, model: str, version: object, *, policy: Policy | Mapping[str, object] | str | None = None) -> Asked:
        """How people stand to a version under a policy: since when the gate asks, who voted, and who may not."""

    def circumstances(self, model: str, version: object, *, policy: Policy | Mapping[str, object] | str | None = None) -> Circumstances:
        """When the gate may come to another decision about a version: one cheap read for those who wait."""

    def waive(
        self, model: str, version: object, *, rule: str, reason: str, expires: datetime | timedelta | str, by: str | None = None
    ) -> Waiver:
        """Lift one rule for one version, until `expires` (an aware time or `7d`, at most 90 days). Not by an author of the version."""

    def waivers(self, model: str, version: object = None) -> tuple[Waiver, ...]:
        """All waivers for a version, or for every version of a model; also those that have ended. Oldest first."""

    def withdraw_waiver(self, uid: str, reason: str, *, by: str | None = None) -> Waiver:
        """End a waiver before it expires."""

    def lock_policy(
        self, model: str, policy: Policy | Mapping[str, object] | str, *, by: str | None = None, reason: str | None = None
    ) -> PolicyLock:
        """Say that the model is promoted by this policy only: at once if it is not locked yet, else when a second person says so too."""

    def unlock_policy(self, model: str, *, by: str | None = None, reason: str | None = None) -> PolicyLock:
        """Say that the model is promoted by any policy again; it is when a second person says so too."""

    def policy_locks(self, model: str) -> tuple[PolicyLock, ...]:
        """What people said about the policy of a model, oldest first."""

    def freeze(self, model: str, *, until: datetime | timedelta | str, reason: str, by: str | None = None) -> Standing:
        """Refuse automatic promotion until then (an aware time or `7d`); a rollback stays possible."""

    def unfreeze(self, model: str, *, reason: str, by: str | None = None) -> Standing:
        """Allow automatic promotion again."""

    def standing(self, model: str) -> Standing:
        """What people have laid down for a model: a locked policy, a freeze."""
