"""The stage changes themselves, inside somebody's transaction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.promotion import previous_holder
from airflow_registry.domain.stage import Stage, check_transition
from airflow_registry.errors import ChampionChangedError, ConflictError
from airflow_registry.service import identity
from airflow_registry.service.core import new_uid
from airflow_registry.sql import rows
from airflow_registry.sql.catalog import need_version
from airflow_registry.sql.statements import judgements, models, recalls

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_registry.domain.promotion import Decision, Promotion
    from airflow_registry.service.core import Core
    from airflow_registry.service.promote import Order
    from airflow_registry.sql.catalog import ChampionCell, ModelRow, VersionRow
    from airflow_registry.sql.store import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """One line of the promotions table, before it has an id."""

    row: VersionRow
    target: Stage
    revision: int | None = None
    replaced_id: int | None = None
    decision_id: int | None = None


def to_production(
    core: Core,
    tx: Transaction,
    row: VersionRow,
    cell: ChampionCell,
    order: Order,
    *,
    action: str,
    decision: Decision | None = None,
    decision_id: int | None = None,
    about: Mapping[str, Any] | None = None,
) -> Promotion:
    """Replace the champion by `row`, if it still is the one in `cell`; `about` is what the audit should know besides.

    Raises:
        ChampionChangedError: If it is not.
        IllegalTransitionError: If the version may not go to PRODUCTION.
    """
    check_transition(row.value.ref, row.value.stage, Stage.PRODUCTION, is_rollback=action == "rollback")
    _swap(core, tx, row, cell, version_id=row.id)
    if cell.version_id is not None:
        _retire(core, tx, row, cell, order)
    _set_stage(tx, row.id, row.value.stage, Stage.PRODUCTION, row.value.ref)
    change = _Change(row=row, target=Stage.PRODUCTION, revision=cell.revision + 1, replaced_id=cell.version_id, decision_id=decision_id)
    promotion = _write(core, tx, change, order)
    body = {
        "promotion": promotion.uid,
        "from": str(row.value.stage),
        "to": "PRODUCTION",
        "replaced": cell.number,
        "revision": cell.revision + 1,
        "decision": None if decision is None else decision.uid,
    }
    return _publish(core, tx, action, row.model.id, promotion, body | dict(about or {}), order)


def previous_holder_of(tx: Transaction, model: ModelRow) -> int | None:
    """Who held PRODUCTION before and was not recalled: not `number - 1`, which may never have been there. None if nobody did."""
    recalled = {row["number"] for row in tx.all(recalls.recalled(model.id))}
    return previous_holder((rows.holding(holder) for holder in reversed(tx.all(models.holders(model.id)))), recalled)


def made_by(core: Core, tx: Transaction, model: ModelRow, target: Stage, order: Order) -> Promotion | None:
    """The newest change to a stage that this very task instance has made, or None."""
    key = _identity(core, model, order)
    row = None if key is None else tx.first(judgements.promotion_by_identity(key, target))
    if row is None:
        return None
    made = replace(rows.promotion(row), created=False)
    identity.refuse_other_run(order.run, core.settings.deployment, row["run_started_at"], f"The stage change of {made.model}:{made.number}")
    return made


def within(core: Core, tx: Transaction, row: VersionRow, cell: ChampionCell, target: Stage, order: Order) -> Promotion:
    """Any other stage change; archiving the champion leaves the model without one.

    Raises:
        IllegalTransitionError: If the table of transitions does not allow it.
    """
    check_transition(row.value.ref, row.value.stage, target)
    revision = None
    if row.value.stage is Stage.PRODUCTION:
        _swap(core, tx, row, cell, version_id=None)
        revision = cell.revision + 1
    _set_stage(tx, row.id, row.value.stage, target, row.value.ref)
    promotion = _write(core, tx, _Change(row=row, target=target, revision=revision), order)
    body = {"promotion": promotion.uid, "from": str(row.value.stage), "to": str(target), "revision": revision}
    return _publish(core, tx, "move", row.model.id, promotion, body, order)


def _swap(core: Core, tx: Transaction, row: VersionRow, cell: ChampionCell, *, version_id: int | None) -> None:
    """The compare-and-set; everything else follows only if it hit."""
    if tx.run(models.replace_champion(row.model.id, seen_revision=cell.revision, version_id=version_id, now=core.now())) == 0:
        found = tx.first(models.champion_of(row.model.id))
        now = "nobody" if found is None or found["number"] is None else f"v{found['number']} (revision {found['revision']})"
        before = "no champion" if cell.number is None else f"v{cell.number} (revision {cell.revision})"
        raise ChampionChangedError.between(row.value.ref, expected=before, found=now)


def _retire(core: Core, tx: Transaction, row: VersionRow, cell: ChampionCell, order: Order) -> None:
    """The replaced champion is archived; its line in the history points to whom it made room for."""
    replaced = need_version(tx, row.model, cell.number)
    _set_stage(tx, replaced.id, Stage.PRODUCTION, Stage.ARCHIVED, replaced.value.ref)
    change = _Change(row=replaced, target=Stage.ARCHIVED)
    tx.run(judgements.add_promotion(_values(core, change, order) | {"reason": f"replaced by {row.value.ref}", "identity_key": None}))


def _set_stage(tx: Transaction, version_id: int, seen: Stage, target: Stage, ref: str) -> None:
    if tx.run(models.change_stage(version_id, seen=seen, target=target)) == 0:
        raise ConflictError(f"{ref} was moved out of {seen} by somebody else at the same moment. Look at its stage, then try again.")


def _write(core: Core, tx: Transaction, change: _Change, order: Order) -> Promotion:
    values = _values(core, change, order)
    tx.run(judgements.add_promotion(values))
    return rows.promotion(tx.one(judgements.promotion_by_uid(values["uid"])))


def _values(core: Core, change: _Change, order: Order) -> dict[str, Any]:
    return {
        **core.run_columns(order.run),
        "uid": new_uid(),
        "model_id": change.row.model.id,
        "version_id": change.row.id,
        "from_stage": str(change.row.value.stage),
        "to_stage": str(change.target),
        "revision": change.revision,
        "replaced_version_id": change.replaced_id,
        "decision_id": change.decision_id,
        "identity_key": _identity(core, change.row.model, order),
        "reason": order.reason,
        "promoted_by": order.by or core.user,
        "promoted_at": core.now(),
        "run_started_at": None if order.run is None else order.run.started_at,
    }


def _identity(core: Core, model: ModelRow, order: Order) -> str | None:
    return None if order.run is None else identity.of_run(order.run, core.settings.deployment, model.name)


def _publish(
    core: Core, tx: Transaction, action: str, model_id: int, promotion: Promotion, body: dict[str, Any], order: Order
) -> Promotion:
    event = {"uid": new_uid(), "kind": action, "model_id": model_id, "revision": promotion.revision, "body": body, "at": core.now()}
    tx.run(judgements.add_event(event))
    head = core.record(tx, action, f"{promotion.model}:{promotion.number}", body, by=promotion.by, text=order.reason)
    return replace(promotion, audit_head=head)
