"""Reading what the gate looks at: one case, inside somebody's transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_registry.domain import gate
from airflow_registry.domain.anchors import anchor_number
from airflow_registry.domain.rules import Comparison
from airflow_registry.errors import VersionNotFoundError
from airflow_registry.service import people
from airflow_registry.service.burn_in import cool_down_of
from airflow_registry.service.shadow import shadowed
from airflow_registry.sql import catalog, rows
from airflow_registry.sql.statements import judgements, models

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_registry.domain.evaluation import Evaluation
    from airflow_registry.domain.policy import Policy
    from airflow_registry.domain.promotion import Holding
    from airflow_registry.service.core import Core
    from airflow_registry.sql.store import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was read: the version with its row, the champion's cell, and the case that the gate judges."""

    challenger: catalog.VersionRow
    cell: catalog.ChampionCell
    case: gate.Case


def read_case(core: Core, tx: Transaction, model: str, version: object, policy: Policy, editor: str | None) -> Found:
    """Everything but evidence about a version, as it is now.

    Args:
        core: The stores.
        tx: The transaction.
        model: The model.
        version: The challenger.
        policy: By which it is to be judged; says which anchors matter.
        editor: Who edited the policy last.

    Raises:
        ModelNotFoundError: If there is no such model.
        VersionNotFoundError: If there is no such version.
    """
    challenger = catalog.need_version(tx, catalog.need_model(tx, model), version)
    cell = catalog.champion_cell(tx, challenger.model)
    champion = None if cell.number is None else catalog.need_version(tx, challenger.model, cell.number)
    changes = changes_of(tx, challenger.model, policy)
    anchors = anchors_of(tx, challenger.model, policy, changes)
    case = gate.Case(
        challenger=challenger.value,
        now=core.now(),
        champion=None if champion is None else champion.value,
        evaluations=evaluations_of(tx, challenger.model, [challenger, *([] if champion is None else [champion]), *anchors]),
        changes=changes,
        anchors={row.value.number: row.value for row in anchors},
        shadowed=shadowed(tx, challenger, champion),
        asked=people.asked(core, tx, challenger, policy.digest, editor),
        waivers=people.waivers_of(tx, challenger),
        standing=people.standing(tx, challenger.model),
        cool_down=cool_down_of(tx, challenger),
    )
    return Found(challenger=challenger, cell=cell, case=case)


def changes_of(tx: Transaction, model: catalog.ModelRow, policy: Policy, revision: int | None = None) -> tuple[Holding, ...]:
    """Every change of the champion up to a revision, oldest first; read only for a policy with anchors."""
    if not any(isinstance(rule, Comparison) and rule.anchor is not None for rule in policy.rules):
        return ()
    held = [row for row in tx.all(models.holders(model.id)) if revision is None or row["revision"] <= revision]
    return tuple(rows.holding(row) for row in reversed(held))


def anchors_of(tx: Transaction, model: catalog.ModelRow, policy: Policy, changes: Iterable[Holding]) -> list[catalog.VersionRow]:
    """The versions that the policy's anchors are; one that does not exist is left out, and the gate says so."""
    anchors = {rule.anchor for rule in policy.rules if isinstance(rule, Comparison) and rule.anchor is not None}
    told = list(changes)
    numbers = {number for anchor in anchors if (number := anchor_number(told, anchor)) is not None}
    return [row for number in sorted(numbers) if (row := _version(tx, model, number)) is not None]


def evaluations_of(tx: Transaction, model: catalog.ModelRow, versions: Iterable[catalog.VersionRow]) -> tuple[Evaluation, ...]:
    """All that was measured of these versions, oldest first."""
    ids = sorted({row.id for row in versions})
    return rows.evaluations(tx.all(judgements.evaluations_with(model.id, ids)), model.name)


def _version(tx: Transaction, model: catalog.ModelRow, number: int) -> catalog.VersionRow | None:
    try:
        return catalog.need_version(tx, model, number)
    except VersionNotFoundError:
        return None
