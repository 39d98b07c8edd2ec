"""Judging the past again: what would this policy have decided, from what was stored then?

Nothing is changed and no artifact is loaded. A decision replayed by its own policy gives its own verdict, for ever: what it stood on
was stored with it, evaluations are never changed, and the random numbers of a bootstrap are our own. Another policy is judged by the
same votes, waivers and smoke tests; locks, freezes and cool-downs, which say nothing about its rules, are left out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airflow_registry.domain import gate
from airflow_registry.domain.grammar import policy_from_mapping
from airflow_registry.domain.people import Standing
from airflow_registry.domain.replay import Replayed
from airflow_registry.domain.stage import Stage
from airflow_registry.service.cases import anchors_of, changes_of, evaluations_of
from airflow_registry.service.evidence import Inquiry
from airflow_registry.sql import catalog, rows
from airflow_registry.sql.statements import judgements, models

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.engine import RowMapping

    from airflow_registry.domain.policy import Policy
    from airflow_registry.service.core import Core
    from airflow_registry.sql.store import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class _Moment:
    """As of when a version is judged.

    Attributes:
        at: The time.
        champion: The champion then, None if there was none.
        revision: The champion's revision then.
        decision: The row of the newest decision about it, None if there is none.
    """

    at: datetime
    champion: int | None
    revision: int
    decision: RowMapping | None


def replay(core: Core, model: str, policy: Policy | None, last: int | None) -> tuple[Replayed, ...]:
    """Judge the newest versions of a model again, each as of its newest decision.

    Args:
        core: The stores.
        model: The model.
        policy: By which policy; None for the one that each was decided by, and then only those that were decided.
        last: How many versions, None for all.

    Raises:
        ModelNotFoundError: If there is no such model.
        StorageUnavailableError: If a store is out of reach.
    """
    with core.store.read() as tx:
        found = catalog.need_model(tx, model)
        versions = [catalog.version_row(row, found) for row in reversed(tx.all(models.newest_versions(found.id, last)))]
        decided = {row["version_id"]: row for row in tx.all(judgements.decisions_of(found.id))}
        asked = [(row, decision, _by(policy, decision)) for row in versions for decision in [decided.get(row.id)]]
        cases = [_case(tx, row, decision, by) for row, decision, by in asked if by is not None]
    return tuple(_replayed(core, row, moment, by, case) for row, moment, by, case in cases)


def _by(policy: Policy | None, decision: RowMapping | None) -> Policy | None:
    """By which policy a version is judged; None for one that the gate never saw, where no policy was given."""
    if policy is not None or decision is None:
        return policy
    return policy_from_mapping(decision["policy"], f"of the decision {decision['uid']}")


def _case(
    tx: Transaction, row: catalog.VersionRow, decision: RowMapping | None, by: Policy
) -> tuple[catalog.VersionRow, _Moment, Policy, gate.Case]:
    """The case as it stood then."""
    moment = _moment(tx, row, decision)
    champion = None if moment.champion is None else catalog.need_version(tx, row.model, moment.champion)
    changes = changes_of(tx, row.model, by, moment.revision)
    anchors = anchors_of(tx, row.model, by, changes)
    case = gate.Case(
        challenger=replace(row.value, stage=Stage.DEVELOPMENT),
        now=moment.at,
        champion=None if champion is None else champion.value,
        evaluations=evaluations_of(tx, row.model, [row, *([] if champion is None else [champion]), *anchors]),
        changes=changes,
        anchors={anchor.value.number: anchor.value for anchor in anchors},
        is_replay=True,
    )
    return row, moment, by, _as_it_was(case, moment, is_own=decision is not None and by.digest == decision["policy_digest"])


def _as_it_was(case: gate.Case, moment: _Moment, *, is_own: bool) -> gate.Case:
    """Without what came after the decision; of a version that nobody judged every evaluation counts."""
    if moment.decision is None:
        return case
    if moment.decision["basis"] is None:  # an older release did not keep it
        return replace(case, evaluations=tuple(one for one in case.evaluations if one.recorded_at <= moment.at))
    was = gate.Basis.from_json(moment.decision["basis"]).applied(case)
    return was if is_own else replace(was, standing=Standing(), cool_down=None)


def _moment(tx: Transaction, row: catalog.VersionRow, decision: RowMapping | None) -> _Moment:
    if decision is not None:
        return _Moment(at=decision["decided_at"], champion=decision["champion_number"], revision=decision["revision"], decision=decision)
    at = row.value.registered_at
    held = next((change for change in tx.all(models.holders(row.model.id)) if change["promoted_at"] < at), None)
    if held is None:
        return _Moment(at=at, champion=None, revision=0, decision=None)
    champion = held["number"] if held["to_stage"] == Stage.PRODUCTION else None
    return _Moment(at=at, champion=champion, revision=held["revision"], decision=None)


def _replayed(core: Core, row: catalog.VersionRow, moment: _Moment, policy: Policy, case: gate.Case) -> Replayed:
    inquiry = Inquiry(core=core, loads=False)
    inquiry.find_out(policy, case)
    return Replayed(
        model=row.model.name,
        number=row.value.number,
        at=moment.at,
        champion=moment.champion,
        decision=None if moment.decision is None else rows.decision(moment.decision),
        verdict=gate.decide(policy, inquiry.applied(policy, case)),
    )
