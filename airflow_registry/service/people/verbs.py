"""What people may do in the registry, as verbs of `ModelRegistry`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_registry.policy_file import load_policy
from airflow_registry.service.people import circumstances, freezes, locks, votes, waivers

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta

    from airflow_registry.domain.names import RunKey
    from airflow_registry.domain.people import Asked, Circumstances, PolicyLock, Standing, Vote, Waiver
    from airflow_registry.domain.policy import Policy
    from airflow_registry.service.core import Core


class PeopleInterface:
    """Votes, waivers, locks of policies and freezes. `by` is who says it; default: the process's user."""

    core: Core

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
        """Approve or reject a version under a policy; of one person the last vote counts, and the same again adds nothing.

        Args:
            model: The model.
            version: The version.
            policy: A file, a mapping or a `Policy`; default: that of the newest decision about the version.
            choice: `approve` or `reject`.
            by: Who votes.
            comment: In their words.
            run: The task instance that asked, so that a retry of it casts the vote once.

        Raises:
            VoteRefusedError: If the person made the version or the policy, nobody is asked, the time is up, or the version is archived.
        """
        return votes.vote(self.core, model, version, policy=policy, choice=choice, by=by, comment=comment, run=run)

    def votes(self, model: str, version: object) -> tuple[Vote, ...]:
        """All votes about a version, under whichever policy, oldest first."""
        return votes.votes(self.core, model, version)

    def asked(self, model: str, version: object, *, policy: Policy | Mapping[str, object] | str | None = None) -> Asked:
        """How people stand to a version under a policy: since when the gate asks, who voted, and who may not."""
        return votes.asked(self.core, model, version, policy)

    def circumstances(self, model: str, version: object, *, policy: Policy | Mapping[str, object] | str | None = None) -> Circumstances:
        """When the gate may come to another decision about a version: one cheap read for those who wait."""
        return circumstances.circumstances(self.core, model, version, policy)

    def waive(
        self, model: str, version: object, *, rule: str, reason: str, expires: datetime | timedelta | str, by: str | None = None
    ) -> Waiver:
        """Lift one rule for one version, until `expires` (an aware time or `7d`, at most 90 days). Not by an author of the version."""
        return waivers.waive(self.core, model, version, rule=rule, reason=reason, expires=expires, by=by)

    def waivers(self, model: str, version: object = None) -> tuple[Waiver, ...]:
        """All waivers for a version, or for every version of a model; also those that have ended. Oldest first."""
        return waivers.waivers(self.core, model, version)

    def withdraw_waiver(self, uid: str, reason: str, *, by: str | None = None) -> Waiver:
        """End a waiver before it expires."""
        return waivers.withdraw(self.core, uid, reason=reason, by=by)

    def lock_policy(
        self, model: str, policy: Policy | Mapping[str, object] | str, *, by: str | None = None, reason: str | None = None
    ) -> PolicyLock:
        """Say that the model is promoted by this policy only: at once if it is not locked yet, else when a second person says so too."""
        return locks.lock(self.core, model, load_policy(policy), by=by, reason=reason)

    def unlock_policy(self, model: str, *, by: str | None = None, reason: str | None = None) -> PolicyLock:
        """Say that the model is promoted by any policy again; it is when a second person says so too."""
        return locks.lock(self.core, model, None, by=by, reason=reason)

    def policy_locks(self, model: str) -> tuple[PolicyLock, ...]:
        """What people said about the policy of a model, oldest first."""
        return locks.locks(self.core, model)

    def freeze(self, model: str, *, until: datetime | timedelta | str, reason: str, by: str | None = None) -> Standing:
        """Refuse automatic promotion until then (an aware time or `7d`); a rollback stays possible."""
        return freezes.freeze(self.core, model, until=until, reason=reason, by=by)

    def unfreeze(self, model: str, *, reason: str, by: str | None = None) -> Standing:
        """Allow automatic promotion again."""
        return freezes.unfreeze(self.core, model, reason=reason, by=by)

    def standing(self, model: str) -> Standing:
        """What people have laid down for a model: a locked policy, a freeze."""
        return freezes.how_it_stands(self.core, model)
