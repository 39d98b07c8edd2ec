"""What a task that waits for people must look at: one cheap read, so that the gate itself runs only when it may say something else."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from airflow_registry.domain.people import Circumstances
from airflow_registry.domain.rules import Shadow
from airflow_registry.service.people.standing import standing, waivers_of
from airflow_registry.service.people.votes import question
from airflow_registry.sql import catalog
from airflow_registry.sql.statements import people as statements
from airflow_registry.sql.types import canonical_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from airflow_registry.service.core import Core
    from airflow_registry.service.people.votes import GivenPolicy, Question
    from airflow_registry.sql.catalog import VersionRow
    from airflow_registry.sql.store import Transaction


def circumstances(core: Core, model: str, version: object, policy: GivenPolicy) -> Circumstances:
    """When a decision about the version may come out differently; without a policy its deadline is not known."""
    with core.store.read() as tx:
        row = catalog.need_version(tx, catalog.need_model(tx, model), version)
        found = dict(tx.one(statements.circumstances(row.model.id, row.id)))
        moments = list(_ends(tx, row))
        if policy is not None:
            moments += _deadlines(question(core, tx, model, version, policy))
    now = core.now()
    ahead = [moment for moment in moments if moment is not None and moment > now]
    return Circumstances(mark=hashlib.sha256(canonical_json(found).encode()).hexdigest()[:16], change_at=min(ahead, default=None))


def _deadlines(about: Question) -> Iterator[datetime | None]:
    """Of the votes, and of shadow runs."""
    yield about.deadline
    opened = about.asked.opened_at
    for rule in about.policy.rules:
        if isinstance(rule, Shadow) and rule.within is not None and opened is not None:
            yield opened + rule.within


def _ends(tx: Transaction, row: VersionRow) -> Iterator[datetime | None]:
    yield standing(tx, row.model).frozen_until
    yield from (waiver.expires_at for waiver in waivers_of(tx, row))
