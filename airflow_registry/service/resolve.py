"""Pins and bells: which version a run uses, and who must be told that there is a new one."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_registry.domain.bell import next_ring
from airflow_registry.domain.names import ModelName
from airflow_registry.domain.stage import Stage
from airflow_registry.errors import NoChampionError, VersionNotFoundError
from airflow_registry.service import identity
from airflow_registry.service.protocol import Bell
from airflow_registry.service.read import bound
from airflow_registry.sql import catalog, rows
from airflow_registry.sql.statements import ledger, models

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy.engine import RowMapping

    from airflow_registry.domain.model import ModelVersion
    from airflow_registry.domain.names import RunKey
    from airflow_registry.service.core import Core
    from airflow_registry.service.protocol import Subscription
    from airflow_registry.sql.store import Transaction

_TOUCH_AFTER = timedelta(hours=1)  # a pin that is used does not expire; more precise would be a write for every look-up


def pin(core: Core, model: str, run: RunKey, *, stage: str, repin: bool, acknowledges: Iterable[str], hands_out: bool) -> ModelVersion:
    """The version that a run uses: decided at the first call, the same for every later one.

    With `hands_out` the version's path leaves us, so `recall` lists the run unless the ledger knows what it wrote.

    Raises:
        NoChampionError: If nothing is in PRODUCTION and the run is not pinned yet; then no pin is made.
    """
    wanted = Stage.parse(stage)
    # The bell rings for PRODUCTION only. Sorted: two runs that answer the same bells lock them in the same order.
    consumers = tuple(sorted(set(acknowledges))) if wanted is Stage.PRODUCTION else ()
    if not repin and (found := _existing(core, model, run, wanted, consumers, hands_out=hands_out)) is not None:
        return found
    with core.store.write() as tx:
        row = catalog.need_model(tx, model)
        key = (core.settings.deployment, run.dag_id, run.run_id, row.id, str(wanted))
        target, revision = _target(tx, row, wanted)
        is_moved = _point(core, tx, key, target, revision, run, repin=repin)
        if hands_out:
            tx.run(ledger.touch_pin(key, core.now(), hands_out=True))
        pinned = tx.one(ledger.pin_of(*key))
        _refuse_foreign(core, pinned, run, row.name)
        for consumer in consumers:
            tx.run(ledger.acknowledge(core.settings.deployment, consumer, row.id, pinned["revision"]))
        version = bound(core, rows.model_version(tx.one(models.version_by_id(pinned["version_id"]))))
        if is_moved:
            core.record(tx, "repin", version.ref, {"dag_id": run.dag_id, "run_id": run.run_id, "revision": revision}, by=core.user)
        return version


def _existing(core: Core, model: str, run: RunKey, stage: Stage, consumers: tuple[str, ...], *, hands_out: bool) -> ModelVersion | None:
    """The ordinary case, for every task after the first: one read. It answers bells too, if this run was not seen answering."""
    with core.store.read() as tx:
        row = catalog.need_model(tx, model)
        key = (core.settings.deployment, run.dag_id, run.run_id, row.id, str(stage))
        pinned = tx.first(ledger.pin_of(*key))
        if pinned is None:
            return None
        _refuse_foreign(core, pinned, run, row.name)
        unanswered = [name for name in consumers if _is_unanswered(core, tx, name, row.name, pinned["revision"])]
        version = rows.model_version(tx.one(models.version_by_id(pinned["version_id"])))
    is_first = hands_out and pinned["handed_out_at"] is None
    if unanswered or is_first or core.now() - pinned["last_used_at"] > _TOUCH_AFTER:
        with core.store.write() as tx:
            tx.run(ledger.touch_pin(key, core.now(), hands_out=hands_out))
            for name in unanswered:
                tx.run(ledger.acknowledge(core.settings.deployment, name, row.id, pinned["revision"]))
    return bound(core, version)


def _is_unanswered(core: Core, tx: Transaction, consumer: str, model: ModelName, revision: int) -> bool:
    waiting = _unanswered(core, tx, consumer, model)
    return waiting is not None and waiting["revision"] <= revision


def _target(tx: Transaction, model: catalog.ModelRow, stage: Stage) -> tuple[catalog.VersionRow, int]:
    cell = catalog.champion_cell(tx, model)
    if stage is Stage.PRODUCTION:
        if cell.number is None:
            raise NoChampionError.of(model.name)
        return catalog.need_version(tx, model, cell.number), cell.revision
    row = tx.first(models.newest_in_stage(model.id, stage))
    if row is None:
        raise VersionNotFoundError(f"No version of {model.name!r} is in {stage}, so the run cannot be pinned to one.")
    return catalog.version_row(row, model), cell.revision


def _refuse_foreign(core: Core, pinned: RowMapping, run: RunKey, model: ModelName) -> None:
    """A pin that another Airflow's run of the same name has made; within one clear a run begins once."""
    if pinned["run_clear_number"] == run.clear_number:
        identity.refuse_other_run(run, core.settings.deployment, pinned["run_started_at"], f"The pin on {model!r}")


def _point(
    core: Core,
    tx: Transaction,
    key: tuple[str, str, str, int, str],
    target: catalog.VersionRow,
    revision: int,
    run: RunKey,
    *,
    repin: bool,
) -> bool:
    """Pin, or with `repin` move the pin there is; whether one was moved."""
    now = core.now()
    columns = dict(zip(("deployment", "dag_id", "run_id", "model_id", "stage"), key, strict=True))
    facts = {"pinned_at": now, "last_used_at": now, "run_started_at": run.started_at, "run_clear_number": run.clear_number}
    fresh = ledger.add_pin({**columns, **facts, "version_id": target.id, "revision": revision})
    return tx.first(fresh) is None and repin and tx.run(ledger.move_pin(key, target.id, revision, now)) > 0


def revisions(core: Core) -> dict[str, int]:
    """The champion's revision of every model that has one."""
    with core.store.read() as tx:
        return {row["name"]: row["revision"] for row in tx.all(models.revisions())}


def bells_due(core: Core, subscriptions: Sequence[Subscription]) -> tuple[Bell, ...]:
    """Which consumers must be rung now; each bell is given out once, also when several triggerers ask."""
    with core.store.read() as tx:
        waiting = [(one, _unanswered(core, tx, one.consumer, ModelName(one.model))) for one in subscriptions]
    due = [(one, row, ring) for one, row in waiting if row is not None and (ring := _next_ring(core, row)) is not None]
    return tuple(bell for one, row, ring in due if (bell := _rung(core, one, row, ring)) is not None)


def _rung(core: Core, subscription: Subscription, waiting: RowMapping, ring: int) -> Bell | None:
    """The bell, unless another triggerer rang it at the same moment."""
    cell = (core.settings.deployment, subscription.consumer, waiting["model_id"])
    with core.store.write() as tx:
        tx.run(ledger.add_delivery(*cell))
        rung = tx.run(ledger.ring(*cell, waiting["revision"], ring, core.now()))
    return Bell(subscription=subscription, revision=waiting["revision"], number=waiting["number"], ring=ring) if rung else None


def _unanswered(core: Core, tx: Transaction, consumer: str, model: ModelName) -> RowMapping | None:
    return tx.first(ledger.unanswered(core.settings.deployment, consumer, model.key))


def _next_ring(core: Core, waiting: RowMapping) -> int | None:
    return next_ring(
        changed_at=waiting["changed_at"],
        revision=waiting["revision"],
        rung_revision=waiting["rung_revision"] or 0,
        rings=waiting["rings"] or 0,
        rung_at=waiting["rung_at"],
        now=core.now(),
    )
