"""Locks: a model is promoted by one policy only, and two people change which.

The first lock of a model that has none holds at once: it only takes freedom away. Another policy, or none, needs two people who say
the same since the last change; the first of the two may be who edited the policy, and alone nobody is enough.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_registry.domain.people import PolicyLock, aliases
from airflow_registry.errors import InvalidInputError, NotApprovedError
from airflow_registry.service.people.words import remark, said, speaker
from airflow_registry.sql import catalog
from airflow_registry.sql.statements import models
from airflow_registry.sql.statements import people as statements

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import RowMapping

    from airflow_registry.domain.policy import Policy
    from airflow_registry.domain.promotion import Decision
    from airflow_registry.service.core import Core
    from airflow_registry.sql.catalog import ModelRow, VersionRow
    from airflow_registry.sql.store import Transaction


def lock(core: Core, model: str, policy: Policy | None, *, by: str | None, reason: object) -> PolicyLock:
    """Say that a model is promoted by this policy only, or (None) by any again.

    Returns:
        What holds, or what waits for a second person; the same again by the same person adds nothing.

    Raises:
        InvalidInputError: If the policy is for another model, or there is no lock to take away.
    """
    person, text = speaker(core, by), remark(reason, "reason")
    with core.store.write() as tx:
        found = catalog.need_model(tx, model)
        locked = tx.one(models.locked_model(found.name.key))["locked_policy"]  # and nobody else changes it before we commit
        _check(found, policy, locked)
        digest = None if policy is None else policy.digest
        since = _since_last_change(tx.all(statements.locks_of(found.id)))
        same = _said_before(since, digest, person) if digest != locked else _in_force(since)
        if same is not None:
            return _lock(same)
        values = {**said(core, person, text), "model_id": found.id, "policy_digest": digest, "policy": policy and policy.to_mapping()}
        return _store(core, tx, found, values, text, locked, is_effective=locked is None or _somebody_else(since, digest, person))


def locks(core: Core, model: str) -> tuple[PolicyLock, ...]:
    """What people said about the policy of a model, oldest first."""
    with core.store.read() as tx:
        return tuple(_lock(row) for row in tx.all(statements.locks_of(catalog.need_model(tx, model).id)))


def refuse_other_policy(row: VersionRow, decision: Decision) -> None:
    """A decision that was made before the model was locked to another policy promotes nothing any more.

    Raises:
        NotApprovedError: If it is by another policy than the locked one.
    """
    locked = row.model.locked_policy
    if locked is not None and decision.policy_digest != locked:
        raise NotApprovedError(
            f"{row.value.ref} is not promoted: {row.model.name} is locked to the policy {locked}, and the decision is by "
            f"{decision.policy_digest}. Decide by the locked policy, or let two people lock the other one."
        )


def _check(model: ModelRow, policy: Policy | None, locked: str | None) -> None:
    if policy is None and locked is None:
        raise InvalidInputError(f"The policy of {model.name} is not locked, so there is nothing to unlock.")
    if policy is not None and policy.model is not None and policy.model.key != model.name.key:
        raise InvalidInputError(
            f"The policy is for the model {policy.model!r}, and {model.name} would be locked to it. Nothing was changed."
        )


def _since_last_change(rows: Sequence[RowMapping]) -> Sequence[RowMapping]:
    """The last word that holds, and what was proposed since; older proposals are void."""
    changes = [position for position, row in enumerate(rows) if row["is_effective"]]
    return rows[changes[-1] :] if changes else ()


def _in_force(since: Sequence[RowMapping]) -> RowMapping | None:
    return since[0] if since else None


def _said_before(since: Sequence[RowMapping], digest: str | None, person: str) -> RowMapping | None:
    """That person's own proposal: said twice it is still one person's."""
    own = [row for row in since[1:] if row["policy_digest"] == digest and aliases(row["person"]) & aliases(person)]
    return own[0] if own and not _somebody_else(since, digest, person) else None


def _somebody_else(since: Sequence[RowMapping], digest: str | None, person: str) -> bool:
    return any(row["policy_digest"] == digest and not aliases(row["person"]) & aliases(person) for row in since[1:])


def _store(
    core: Core, tx: Transaction, model: ModelRow, values: dict[str, Any], text: str | None, before: str | None, *, is_effective: bool
) -> PolicyLock:
    tx.run(statements.add_lock({**values, "is_effective": is_effective}))
    if is_effective:
        tx.run(statements.lock_policy(model.id, values["policy_digest"]))
    body = {
        "lock": values["uid"],
        "policy": values["policy_digest"],
        "before": before,
        "is_effective": is_effective,
        "entered_by": core.user,
    }
    action = "unlock_policy" if values["policy_digest"] is None else "lock_policy"
    core.record(tx, action, model.name, body, by=values["person"], text=text)
    return _lock({**values, "is_effective": is_effective, "text": text})


def _lock(row: RowMapping | dict[str, Any]) -> PolicyLock:
    return PolicyLock(
        uid=row["uid"],
        digest=row["policy_digest"],
        is_effective=bool(row["is_effective"]),
        by=row["person"],
        at=row["at"],
        reason=row["text"],
    )
