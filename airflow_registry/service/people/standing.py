"""How people stand to a version and a model, inside somebody's transaction."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from airflow_registry.domain.people import Asked, Choice, Standing, Vote, Waiver, authors_of
from airflow_registry.domain.promotion import Outcome, Ruling
from airflow_registry.sql.statements import people as statements

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from sqlalchemy.engine import RowMapping

    from airflow_registry.domain.model import ModelVersion
    from airflow_registry.service.core import Core
    from airflow_registry.sql.catalog import ModelRow, VersionRow
    from airflow_registry.sql.store import Transaction

ERASED = "(erased)"


def asked(core: Core, tx: Transaction, version_row: VersionRow, policy_digest: str, policy_editor: str | None) -> Asked:  # noqa: ARG001  core: as every verb
    """Who voted about a version under a policy, since when the gate asks, and who may not vote.

    Args:
        core: The stores.
        tx: The transaction in which the gate judges.
        version_row: The version.
        policy_digest: The policy.
        policy_editor: Who edited the policy last; None if nobody knows.
    """
    return Asked(
        opened_at=opened_at(tx.all(statements.decisions_about(version_row.id, policy_digest))),
        votes=tuple(vote(row) for row in tx.all(statements.votes_about(version_row.id, policy_digest))),
        authors=authors_of([*makers(version_row.value), policy_editor]),
    )


def waivers_of(tx: Transaction, version_row: VersionRow) -> tuple[Waiver, ...]:
    """The waivers for a version that were not withdrawn, expired ones included; oldest first."""
    return tuple(found for row in tx.all(statements.waivers_about(version_row.id)) if (found := waiver(row)).withdrawn_at is None)


def standing(tx: Transaction, model_row: ModelRow) -> Standing:
    """What people have laid down for a model."""
    freeze = tx.first(statements.newest_freeze(model_row.id))
    if freeze is None or freeze["frozen_until"] is None:
        return Standing(locked_policy=model_row.locked_policy)
    return Standing(
        locked_policy=model_row.locked_policy,
        frozen_until=freeze["frozen_until"],
        frozen_reason=freeze["text"] or ERASED,
        frozen_by=freeze["person"],
    )


def last_editor_of(policy: object) -> str | None:
    """Who edited a policy last, where it is a file; None for a policy in Python."""
    from airflow_registry.modeling.environment import last_editor

    return last_editor(os.fspath(policy)) if isinstance(policy, (str, os.PathLike)) else None


def opened_at(decisions: Iterable[RowMapping]) -> datetime | None:
    """When the gate first waited for people: at the first decision that was pending, or had a pending rule."""
    return next((row["decided_at"] for row in decisions if _is_pending(row)), None)


def makers(version: ModelVersion) -> tuple[str | None, ...]:
    """Those who made a version, where it was made first if it was copied from another registry."""
    lineage, origin = version.lineage, version.origin or {}
    here = (lineage.published_by, lineage.trained_by, lineage.triggered_by, lineage.git_author)
    return (*here, *(origin.get(name) for name in ("published_by", "trained_by", "triggered_by", "git_author")))


def vote(row: RowMapping) -> Vote:
    """A row of the votes with its text."""
    return Vote(person=row["person"], choice=Choice(row["vote"]), at=row["at"], comment=row["text"], policy_digest=row["policy_digest"])


def waiver(row: RowMapping) -> Waiver:
    """A row of the waivers with its text and its withdrawal."""
    return Waiver(
        uid=row["uid"],
        rule=row["rule"],
        number=row["number"],
        person=row["person"],
        reason=row["text"] or ERASED,
        expires_at=row["expires_at"],
        withdrawn_at=row["withdrawn_at"],
    )


def _is_pending(row: RowMapping) -> bool:
    return row["outcome"] == Outcome.PENDING or any(reason.get("ruling") == Ruling.PENDING for reason in row["reasons"])
