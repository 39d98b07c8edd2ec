"""The burn-in of a champion: read what the ledger knows, let the pure rules judge, roll back if a limit is broken.

Judging writes nothing. The rollback is a compare-and-set on the revision that was judged, so a champion that came meanwhile stays.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from airflow_registry.domain import burn_in as rules
from airflow_registry.domain.burn_in import BurnInReport, CoolDown, LedgerFacts, Standing, Terms
from airflow_registry.domain.clock import utc
from airflow_registry.domain.drift.report import PARTITIONS
from airflow_registry.domain.drift.verdict import Limits as DriftLimits
from airflow_registry.domain.grammar import policy_from_mapping
from airflow_registry.domain.promotion import Reason
from airflow_registry.domain.stage import Stage
from airflow_registry.service import move
from airflow_registry.service.drift import report as drift
from airflow_registry.service.outcomes import live_since
from airflow_registry.sql import catalog
from airflow_registry.sql.statements import burn_in as statements

if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any

    from airflow_registry.domain.promotion import Promotion
    from airflow_registry.domain.rules import BurnIn
    from airflow_registry.service.core import Core
    from airflow_registry.service.promote import Order
    from airflow_registry.sql.catalog import ChampionCell, ModelRow, VersionRow
    from airflow_registry.sql.store import Transaction


def check(core: Core, model: str, terms: Terms, now: datetime | None = None) -> BurnInReport:
    """Judge the champion by the limits of the policy that promoted it.

    Args:
        core: The stores.
        model: The model.
        terms: How long a writer may take, and how many rows are enough.
        now: The (aware) moment for which is asked; None for the clock's.

    Raises:
        ModelNotFoundError: If there is no such model.
    """
    moment = core.now() if now is None else utc(now)
    with core.store.read() as tx:
        found = catalog.need_model(tx, model)
        return _judged(tx, found, catalog.champion_cell(tx, found), terms, moment)


def made_before(core: Core, tx: Transaction, model: ModelRow, order: Order) -> BurnInReport | None:
    """What an earlier try of the same task instance rolled back, or None; a retry must not judge the one that it brought back."""
    made = move.made_by(core, tx, model, Stage.PRODUCTION, order)
    row = None if made is None else tx.first(statements.cool_down_by_promotion(made.uid))
    if made is None or row is None:
        return None
    return BurnInReport(
        model=model.name,
        number=row["number"],
        revision=int(made.revision or 0) - 1,
        standing=Standing.BROKEN,
        note=_brought_back(made),
        reasons=tuple(Reason(**reason) for reason in row["reasons"]),
        previous=made.number,
        rolled_back=made,
    )


def roll_back(core: Core, tx: Transaction, report: BurnInReport, order: Order) -> BurnInReport:
    """Undo the promotion that was judged, unless the champion has changed since; the version begins to cool down.

    The report is returned with what was done, and why nothing was done if so.
    """
    found = catalog.need_model(tx, report.model)
    cell = catalog.champion_cell(tx, found, lock=True)
    if cell.revision != report.revision:
        return replace(report, note=f"{report.note} Nothing was changed: {_now_champion(cell)} meanwhile.")
    if report.previous is None:
        return replace(report, note=f"{report.note} Nothing was changed: no other version held PRODUCTION before. Promote or archive one.")
    because = "; ".join(reason.text.rstrip(".") for reason in report.broken)
    told = replace(order, reason=f"The burn-in of {report.model}:{report.number} broke its limits: {because}.")
    since = core.now()
    until = None if report.limits is None or report.limits.cool_down is None else since + report.limits.cool_down
    back, gone = (catalog.need_version(tx, found, number) for number in (report.previous, report.number))
    made = move.to_production(core, tx, back, cell, told, action="rollback", about=_facts(report, until))
    _cool_down(tx, gone, made, report, {"because": because, "since": since, "until": until})
    return replace(report, rolled_back=made, note=_brought_back(made))


def cool_down_of(tx: Transaction, row: VersionRow) -> CoolDown | None:
    """The newest automatic rollback of a version, or of one of the same model with the same bytes; it may be over."""
    digest = None if row.value.digest is None else str(row.value.digest)
    found = tx.first(statements.cool_downs_of(row.model.id, row.id, digest))
    return None if found is None else CoolDown(**{name: found[name] for name in ("number", "since", "until", "because")})


def _judged(tx: Transaction, model: ModelRow, cell: ChampionCell, terms: Terms, now: datetime) -> BurnInReport:
    limits, promoted_at = _limits(tx, model, cell)
    known: dict[str, Any] = {"model": model.name, "number": cell.number, "revision": cell.revision}
    if limits is None or promoted_at is None or cell.version_id is None:
        return BurnInReport(**known, standing=Standing.NONE, note=_not_watched(model, cell))
    ends_at = promoted_at + limits.lasts
    known |= {"promoted_at": promoted_at, "ends_at": ends_at, "limits": limits, "previous": move.previous_holder_of(tx, model)}
    ref, end = f"{model.name}:{cell.number}", f"{ends_at:%Y-%m-%d %H:%M} UTC"
    if now >= ends_at:
        return BurnInReport(**known, standing=Standing.OVER, note=f"The burn-in of {ref} ended at {end}.")
    facts = _facts_of(tx, cell.version_id, promoted_at, now - terms.grace)
    reasons = rules.judge(
        limits, _with_labels(tx, _with_drift(tx, facts, model, limits), model, cell.version_id, limits, promoted_at), terms
    )
    if rules.broken(reasons):
        return BurnInReport(**known, standing=Standing.BROKEN, reasons=reasons, note=f"The burn-in of {ref} broke its limits.")
    return BurnInReport(**known, standing=Standing.RUNNING, reasons=reasons, note=f"{ref} is within its limits; its burn-in ends at {end}.")


def _limits(tx: Transaction, model: ModelRow, cell: ChampionCell) -> tuple[BurnIn | None, datetime | None]:
    """The limits of the policy whose decision made the champion, and when; an override and a rollback have none."""
    row = tx.first(statements.promotion_at(model.id, cell.revision))
    if row is None or row["policy"] is None:
        return None, None
    return policy_from_mapping(row["policy"], f"of the decision that promoted {model.name}:{cell.number}").burn_in, row["promoted_at"]


def _facts_of(tx: Transaction, version_id: int, since: datetime, opened_before: datetime) -> LedgerFacts:
    sums = tx.one(statements.written_since(version_id, since))
    unfinished = tx.all(statements.unfinished_since(version_id, since, opened_before))
    counts: dict[str, Any] = {name: int(value) for name, value in sums.items()}
    return LedgerFacts(failed=tuple(row["output"] for row in unfinished), **counts)


def _with_labels(tx: Transaction, facts: LedgerFacts, model: ModelRow, version_id: int, limits: BurnIn, since: datetime) -> LedgerFacts:
    """Labels that have arrived of what the champion wrote since its promotion; read only where a limit asks for them."""
    if limits.live is None:
        return facts
    value, labelled = live_since(tx, model.id, version_id, since, limits.live.metric)
    return replace(facts, live=value, labelled=labelled)


def _with_drift(tx: Transaction, facts: LedgerFacts, model: ModelRow, limits: BurnIn) -> LedgerFacts:
    """Predictions against those of the champion before, or of the registration where there was none that was counted."""
    if limits.prediction_drift is None:
        return facts
    found = drift.report(tx, model, DriftLimits(floor=limits.prediction_drift.at_most), PARTITIONS)
    known = [one for one in found.since_previous or found.together.predictions if one.psi is not None]
    told = [*known, *found.since_previous, *found.together.predictions]
    return replace(facts, prediction_drift=max(known, key=lambda one: one.psi or 0.0) if known else next(iter(told), None))


def _not_watched(model: ModelRow, cell: ChampionCell) -> str:
    if cell.number is None:
        return f"{model.name} has no champion, so there is nothing to watch."
    return f"{model.name}:{cell.number} has no burn-in: it was not promoted by a policy with the key burn_in."


def _now_champion(cell: ChampionCell) -> str:
    return "the champion was archived" if cell.number is None else f"v{cell.number} became champion (revision {cell.revision})"


def _brought_back(made: Promotion) -> str:
    return f"{made.model} was rolled back from v{made.replaced} to v{made.number}. {made.reason}"


def _facts(report: BurnInReport, until: datetime | None) -> dict[str, Any]:
    """For the audit: numbers, and no text that anybody could want to erase."""
    told = [{"rule": reason.rule, "observed": reason.observed, "rows": reason.rows} for reason in report.broken]
    return {"automatic": True, "broken": told, "cool_down_until": None if until is None else until.isoformat()}


def _cool_down(tx: Transaction, gone: VersionRow, made: Promotion, report: BurnInReport, facts: dict[str, Any]) -> None:
    about = {"promotion_id": tx.scalar(statements.promotion_id(made.uid)), "model_id": gone.model.id, "version_id": gone.id}
    tx.run(statements.add_cool_down({**about, **facts, "reasons": [asdict(reason) for reason in report.reasons]}))
