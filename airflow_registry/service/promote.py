"""Moving versions between stages.

A change of champion is a compare-and-set on the champion's revision: whoever compared with a champion that is no longer there, loses
and is told why. Decision, stage changes, promotion, event and audit entry are one transaction; the pointer file and the notifiers
follow it, because they can be repeated and the row is the truth.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airflow_registry.domain.names import parse_version
from airflow_registry.domain.promotion import Decision, production_changed
from airflow_registry.domain.stage import Stage
from airflow_registry.errors import (
    ChampionChangedError,
    InvalidInputError,
    NoChampionError,
    NotApprovedError,
    NotFoundError,
    RegistryError,
)
from airflow_registry.service import burn_in, move
from airflow_registry.service.audit.anchoring import anchor_promotion
from airflow_registry.service.events import notify
from airflow_registry.service.people.freezes import refuse_frozen
from airflow_registry.service.people.locks import refuse_other_policy
from airflow_registry.service.pointer import point
from airflow_registry.sql import catalog, rows
from airflow_registry.sql.statements import judgements as statements

if TYPE_CHECKING:
    from airflow_registry.domain.burn_in import BurnInReport, Terms
    from airflow_registry.domain.names import RunKey
    from airflow_registry.domain.promotion import Promotion
    from airflow_registry.service.core import Core
    from airflow_registry.sql.store import Transaction

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Who wants a stage change, and why.

    Attributes:
        decision: The gate's decision, or its id.
        reason: A person's words, for an override.
        expected_champion: Number of the version that the person believes to be champion.
        by: Who; None for the process's user.
        run: The task instance that asks.
    """

    decision: Decision | str | None = None
    reason: str | None = None
    expected_champion: int | None = None
    by: str | None = None
    run: RunKey | None = None


def promote(core: Core, model: str, version: object, order: Order) -> Promotion:
    """Make a version the champion.

    Raises:
        InvalidInputError: If there is neither a decision nor a reason.
        NotApprovedError: If the decision is a no, has expired, or is about another version.
        ChampionChangedError: If the champion is not the one that was compared with.
        IllegalTransitionError: If the version may not go to PRODUCTION from where it is.
    """
    if (order.decision is None) == (not _says(order.reason)):
        raise InvalidInputError(
            "A promotion needs either decision= (from decide(), the gate) or reason= (a person's override, recorded as such); "
            f"found {'both' if order.decision is not None else 'neither'}."
        )
    with core.store.write() as tx:
        row, cell = _locked(tx, model, version)
        made = _made_before(core, tx, row, Stage.PRODUCTION, order)
        if made is None:
            made = _by_decision(core, tx, row, cell, order) if order.decision is not None else _by_person(core, tx, row, cell, order)
    return announce(core, made)


def change_stage(core: Core, model: str, version: object, stage: Stage | str, order: Order) -> Promotion:
    """Change the stage of a version as the table of transitions allows; PRODUCTION is a person's override.

    Raises:
        IllegalTransitionError: If the table does not allow it.
    """
    target = Stage.parse(stage)
    with core.store.write() as tx:
        row, cell = _locked(tx, model, version)
        made = _made_before(core, tx, row, target, order)
        if made is None and target is Stage.PRODUCTION:
            made = _by_person(core, tx, row, cell, replace(order, reason=order.reason or "moved to PRODUCTION by hand"))
        elif made is None:
            made = move.within(core, tx, row, cell, target, order)
    return announce(core, made)


def rollback(core: Core, model: str, order: Order) -> Promotion:
    """Bring back the previous holder of PRODUCTION, also when it is archived.

    Raises:
        NoChampionError: If there is nothing to roll back from or to.
    """
    if not _says(order.reason):
        raise InvalidInputError("A rollback needs reason= in words: somebody will ask for it later. Nothing was changed.")
    with core.store.write() as tx:
        found = catalog.need_model(tx, model)
        cell = catalog.champion_cell(tx, found, lock=True)
        made = move.made_by(core, tx, found, Stage.PRODUCTION, order)  # a retry must not roll back the rollback
        if made is None:
            made = move.to_production(core, tx, _previous_holder(tx, found), cell, order, action="rollback")
    return announce(core, made)


def roll_back_if_bad(core: Core, model: str, order: Order, terms: Terms) -> BurnInReport:
    """Judge the champion's burn-in, and bring the previous holder back if a limit is broken.

    Raises:
        ModelNotFoundError: If there is no such model.
    """
    with core.store.read() as tx:
        report = burn_in.made_before(core, tx, catalog.need_model(tx, model), order)
    if report is None:
        report = burn_in.check(core, model, terms)
        if report.is_broken:
            with core.store.write() as tx:
                report = burn_in.roll_back(core, tx, report, order)
    return report if report.rolled_back is None else replace(report, rolled_back=announce(core, report.rolled_back))


def announce(core: Core, promotion: Promotion) -> Promotion:
    """After the commit: pointer file, audit anchor, bells. A failure here is a warning, because the promotion stands.

    Returns:
        The promotion with the audit chain's head.
    """
    if promotion.is_champion_change:
        try:
            _write_pointer(core, promotion)
        except (RegistryError, OSError):
            _log.warning("The pointer file of %s could not be written; the promotion stands.", promotion.model, exc_info=True)
        promotion = anchor_promotion(core, promotion)
    notify(core.notifiers, promotion)
    return promotion


def _write_pointer(core: Core, promotion: Promotion) -> None:
    """The new champion; nobody if it was archived."""
    point(core, promotion.model, promotion.number if production_changed(promotion) else None, int(promotion.revision or 0))


def _locked(tx: Transaction, model: str, version: object) -> tuple[catalog.VersionRow, catalog.ChampionCell]:
    """The version and the champion's cell, moved by nobody else from here on."""
    found = catalog.need_model(tx, model)
    cell = catalog.champion_cell(tx, found, lock=True)
    return catalog.need_version(tx, found, version), cell


def _made_before(core: Core, tx: Transaction, row: catalog.VersionRow, target: Stage, order: Order) -> Promotion | None:
    """What an earlier try of the same task instance has committed: a retry finds it, whatever happened since."""
    made = move.made_by(core, tx, row.model, target, order)
    return made if made is not None and made.number == row.value.number else None


def _by_decision(core: Core, tx: Transaction, row: catalog.VersionRow, cell: catalog.ChampionCell, order: Order) -> Promotion:
    decision, decision_id = _stored(tx, order.decision)
    _check_subject(row, decision)
    made = tx.first(statements.promotion_by_decision(decision_id))
    if made is not None and cell.version_id == row.id:  # a retry whose earlier try committed; the decision may have expired since
        return replace(rows.promotion(made), created=False)
    _check_approval(core, row, decision)
    _check_cool_down(core, tx, row)
    refuse_other_policy(row, decision)
    refuse_frozen(core, tx, row)
    if cell.revision != decision.revision:
        raise _moved(row, expected=_described(decision.champion, decision.revision), cell=cell)
    return move.to_production(core, tx, row, cell, order, action="promote", decision=decision, decision_id=decision_id)


def _by_person(core: Core, tx: Transaction, row: catalog.VersionRow, cell: catalog.ChampionCell, order: Order) -> Promotion:
    if row.model.locked_policy is not None:
        raise NotApprovedError(
            f"{row.value.ref} cannot be promoted by hand: the policy of {row.model.name} is locked, so only a decision by it promotes. "
            "Use decide() and promote(decision=…)."
        )
    expected = None if order.expected_champion is None else parse_version(order.expected_champion)
    if expected is not None and expected != cell.number:
        raise _moved(row, expected=_described(expected, None), cell=cell)
    return move.to_production(core, tx, row, cell, order, action="override")


def _stored(tx: Transaction, decision: Decision | str | None) -> tuple[Decision, int]:
    uid = decision.uid if isinstance(decision, Decision) else decision
    row = tx.first(statements.decision_by_uid(str(uid)))
    if row is None:
        raise NotFoundError(f"There is no decision {uid!r} in this registry. A dry run stores none; call decide() without dry_run.")
    return rows.decision(row), row["id"]


def _check_subject(row: catalog.VersionRow, decision: Decision) -> None:
    ref = row.value.ref
    if (decision.model.key, decision.number) != (row.model.name.key, row.value.number):
        raise NotApprovedError(
            f"The decision {decision.uid} is about {decision.model}:{decision.number}, not about {ref}. Decide about {ref}."
        )


def _check_approval(core: Core, row: catalog.VersionRow, decision: Decision) -> None:
    ref = row.value.ref
    if not decision.approved:
        reasons = " ".join(reason.text for reason in decision.reasons if reason.passed is False)  # each is a sentence
        raise NotApprovedError(f"{ref} was not approved ({decision.outcome}): {reasons} {decision.outcome.advice}")
    if decision.expires_at is not None and core.now() >= decision.expires_at:
        raise NotApprovedError(f"The decision about {ref} expired at {decision.expires_at:%Y-%m-%d %H:%M} UTC. Decide again.")


def _check_cool_down(core: Core, tx: Transaction, row: catalog.VersionRow) -> None:
    """A decision from before the rollback, or by a gate that did not look, brings nobody back by itself."""
    cooling = burn_in.cool_down_of(tx, row)
    if cooling is not None and cooling.holds_at(core.now()):
        why = cooling.reason(row.value.number).text
        raise NotApprovedError(
            f"{row.value.ref} cannot be promoted by a decision. {why} Train a better version, or override with a reason."
        )


def _previous_holder(tx: Transaction, model: catalog.ModelRow) -> catalog.VersionRow:
    found = move.previous_holder_of(tx, model)
    if found is None:
        raise NoChampionError(f"Model {model.name!r} cannot be rolled back: no other version held PRODUCTION before. Promote one instead.")
    return catalog.need_version(tx, model, found)


def _says(reason: str | None) -> bool:
    """Whether there is a reason in it; blanks are none."""
    return isinstance(reason, str) and bool(reason.strip())


def _described(number: int | None, revision: int | None) -> str:
    at = "" if revision is None else f" (revision {revision})"
    return f"no champion{at}" if number is None else f"champion v{number}{at}"


def _moved(row: catalog.VersionRow, *, expected: str, cell: catalog.ChampionCell) -> ChampionChangedError:
    since = "" if cell.changed_at is None else f" (since {cell.changed_at:%H:%M:%S} UTC)"
    return ChampionChangedError.between(row.value.ref, expected=expected, found=_described(cell.number, cell.revision) + since)
