"""Retrainings that are asked for: looked at, decided and written in one transaction, so that two monitors ask once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_registry.domain.drift.retraining import MonitorReport, Retraining, Wish, decide
from airflow_registry.domain.names import ModelName
from airflow_registry.service import identity
from airflow_registry.service.core import new_uid
from airflow_registry.service.drift.report import report as look
from airflow_registry.sql import catalog
from airflow_registry.sql.statements import drift as statements
from airflow_registry.sql.statements import models

if TYPE_CHECKING:
    from sqlalchemy.engine import RowMapping

    from airflow_registry.domain.drift.retraining import RetrainTerms
    from airflow_registry.domain.drift.verdict import Limits
    from airflow_registry.domain.names import RunKey
    from airflow_registry.service.core import Core
    from airflow_registry.sql.catalog import ModelRow
    from airflow_registry.sql.store import Transaction


def monitor(core: Core, model: str, terms: RetrainTerms, limits: Limits, *, by: str | None, run: RunKey | None) -> MonitorReport:
    """Look at the champion's last partitions, and ask for a retraining if enough of them drifted.

    A retry of the same task instance finds what its earlier try asked for, and asks for nothing more.

    Raises:
        NoChampionError: If nothing is in PRODUCTION.
    """
    with core.store.write() as tx:
        found = catalog.need_model(tx, model)
        report = look(tx, found, limits, _looked_at(terms))
        key = None if run is None else identity.of_run(run, core.settings.deployment, found.name)
        made = None if key is None else tx.first(statements.retraining_by_identity(found.id, key))
        if made is not None:
            return MonitorReport(report=report, wish=_asked_before(made), retraining=_retraining(made))
        last, newest = _newest(tx, found), tx.scalar(models.newest_number(found.id)) or 0
        wish = decide(report.partitions, terms, last, newest_version=newest, now=core.now())
        if not wish.asks:
            return MonitorReport(report=report, wish=wish)
        number = 1 if last is None else last.number + 1  # of the same look: whoever asked since has taken it
        facts = {**core.run_columns(run), "model_id": found.id, "number": number, "newest_version": newest, "identity_key": key}
        asked = _ask(core, tx, found, wish, {**facts, "asked_by": by or core.user, "expires_at": core.now() + terms.within})
        return MonitorReport(report=report, wish=wish if asked else _overtaken(wish), retraining=asked)


def retrainings(core: Core, model: str) -> tuple[Retraining, ...]:
    """All retrainings of a model that were asked for, oldest first."""
    with core.store.read() as tx:
        return tuple(_retraining(row) for row in tx.all(statements.retrainings_of(catalog.need_model(tx, model).id)))


def _looked_at(terms: RetrainTerms) -> int:
    """More than `n`, because those that are too small do not count."""
    return 4 * terms.n


def _ask(core: Core, tx: Transaction, model: ModelRow, wish: Wish, facts: dict[str, Any]) -> Retraining | None:
    """Write it down; None if another monitor did so at the same moment."""
    values = {**facts, "uid": new_uid(), "reasons": list(wish.reasons), "asked_at": core.now()}
    if tx.scalar(statements.add_retraining(values)) is None:
        return None
    body = {"retraining": values["uid"], "number": values["number"], "newest_version": values["newest_version"], "note": wish.note}
    core.record(tx, "retrain", model.name, body, by=values["asked_by"])
    return _newest(tx, model)


def _newest(tx: Transaction, model: ModelRow) -> Retraining | None:
    row = tx.first(statements.newest_retraining(model.id))
    return None if row is None else _retraining(row)


def _asked_before(row: RowMapping) -> Wish:
    note = f"An earlier try of this task asked for retraining {row['number']}; its bell is rung again."
    return Wish(asks=True, note=note, reasons=tuple(row["reasons"]))


def _overtaken(wish: Wish) -> Wish:
    return Wish(asks=False, note=f"{wish.note} Another monitor asked for it at the same moment.", reasons=wish.reasons)


def _retraining(row: RowMapping) -> Retraining:
    same = ("uid", "number", "newest_version", "asked_at", "expires_at", "asked_by", "dag_id", "run_id")
    return Retraining(model=ModelName(row["model_name"]), reasons=tuple(row["reasons"]), **{name: row[name] for name in same})
