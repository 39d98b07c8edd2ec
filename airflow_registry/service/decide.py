"""Judging: reads what the gate needs, lets the pure gate decide, and stores the decision, also when it is a no."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow_registry.domain import gate
from airflow_registry.domain.promotion import Decision
from airflow_registry.service.core import Core, new_uid
from airflow_registry.sql import catalog, rows
from airflow_registry.sql.statements import judgements as statements
from airflow_registry.sql.statements import models

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_registry.domain.names import RunKey
    from airflow_registry.domain.policy import Policy
    from airflow_registry.domain.promotion import Verdict
    from airflow_registry.sql.store import Transaction


def decide(
    core: Core,
    model: str,
    version: object,
    policy: Policy,
    *,
    dry_run: bool = False,
    run: RunKey | None = None,
    source: str | None = None,
    editor: str | None = None,
) -> Decision:
    """Judge a version by a policy, against the present champion.

    Args:
        core: The stores.
        model: The model.
        version: The challenger.
        policy: The rules.
        dry_run: Store nothing.
        run: Which task instance asks.
        source: Where the policy came from, for the record.
        editor: Who edited the policy last; that person's vote does not count.

    Raises:
        VersionNotFoundError: If there is no such version.
    """
    with core.store.write() if not dry_run else core.store.read() as tx:
        challenger = catalog.need_version(tx, catalog.need_model(tx, model), version)
        cell = catalog.champion_cell(tx, challenger.model)
        verdict = _judge(tx, policy, challenger, cell, core.now())
        decision = _decision(core, policy, challenger, cell, verdict)
        if not dry_run:
            _store(core, tx, decision, policy, challenger, cell, run=run, source=source, editor=editor)
    return decision


def _judge(tx: Transaction, policy: Policy, challenger: catalog.VersionRow, cell: catalog.ChampionCell, now: datetime) -> Verdict:
    champion = None if cell.version_id is None else tx.first(models.version_by_id(cell.version_id))
    ids = [challenger.id] if cell.version_id is None else [challenger.id, cell.version_id]
    evaluations = rows.evaluations(tx.all(statements.evaluations_with(challenger.model.id, ids)), challenger.model.name)
    value = None if champion is None else rows.model_version(champion)
    return gate.decide(policy, gate.Case(challenger=challenger.value, champion=value, evaluations=evaluations, now=now))


def _decision(core: Core, policy: Policy, challenger: catalog.VersionRow, cell: catalog.ChampionCell, verdict: Verdict) -> Decision:
    now = core.now()
    return Decision(
        uid=new_uid(),
        model=challenger.model.name,
        number=challenger.value.number,
        outcome=verdict.outcome,
        reasons=verdict.reasons,
        champion=cell.number,
        revision=cell.revision,
        policy_digest=policy.digest,
        decided_at=now,
        expires_at=None if policy.valid_for is None else now + policy.valid_for,
    )


def _store(
    core: Core,
    tx: Transaction,
    decision: Decision,
    policy: Policy,
    challenger: catalog.VersionRow,
    cell: catalog.ChampionCell,
    *,
    run: RunKey | None,
    source: str | None,
    editor: str | None,
) -> None:
    facts: dict[str, Any] = {name: getattr(decision, name) for name in ("uid", "revision", "policy_digest", "decided_at", "expires_at")}
    values = {
        **facts,
        **core.run_columns(run),
        "model_id": challenger.model.id,
        "version_id": challenger.id,
        "outcome": str(decision.outcome),
        "reasons": [asdict(reason) for reason in decision.reasons],
        "champion_version_id": cell.version_id,
        "policy": policy.to_mapping(),
        "policy_source": source,
        "policy_editor": editor,
        "decided_by": core.user,
    }
    tx.run(statements.add_decision(values))
    body = {
        "decision": decision.uid,
        "outcome": str(decision.outcome),
        "champion": cell.number,
        "revision": cell.revision,
        "policy": policy.digest,
    }
    core.record(tx, "decide", challenger.value.ref, body, by=core.user)
