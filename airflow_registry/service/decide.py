"""Judging: reads what the gate needs, lets the pure gate decide, and stores the decision, also when it is a no.

What takes long (rows of evaluations, loading an artifact) is found out before the transaction that decides. That one reads everything
again: if a champion, an evaluation or an anchor came between, so that answers are missing, they are found out and it is tried again.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from airflow_registry.domain import gate
from airflow_registry.domain.audit_state import DECISIONS
from airflow_registry.domain.promotion import DataUse, Decision
from airflow_registry.errors import ConflictError
from airflow_registry.service.cases import Found, read_case
from airflow_registry.service.core import Core, new_uid
from airflow_registry.service.evidence import Inquiry, needs_inquiry
from airflow_registry.sql import claimed
from airflow_registry.sql.statements import judgements as statements

if TYPE_CHECKING:
    from airflow_registry.domain.model import Dataset
    from airflow_registry.domain.names import RunKey
    from airflow_registry.domain.policy import Policy
    from airflow_registry.domain.promotion import Reason
    from airflow_registry.sql.store import Transaction

ROUNDS = 3  # how often answers are looked for again because something came between


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Who asks for a decision, by what.

    Attributes:
        policy: The rules.
        dry_run: Store nothing.
        run: Which task instance asks.
        source: Where the policy came from, for the record.
        editor: Who edited the policy last; that person's vote does not count.
    """

    policy: Policy
    dry_run: bool = False
    run: RunKey | None = None
    source: str | None = None
    editor: str | None = None


def decide(core: Core, model: str, version: object, request: Request) -> Decision:
    """Judge a version by a policy, against the present champion.

    Args:
        core: The stores.
        model: The model.
        version: The challenger.
        request: By which policy, and who asks.

    Raises:
        VersionNotFoundError: If there is no such version.
        ConflictError: If evaluations or champions kept coming while it was judged.
        StorageUnavailableError: If a store is out of reach; nothing is decided then.
    """
    policy, inquiry = request.policy, Inquiry(core=core)
    if needs_inquiry(policy):
        with core.store.read() as tx:
            found = read_case(core, tx, model, version, policy, request.editor)
        inquiry.find_out(policy, found.case)
    for _ in range(ROUNDS):
        with core.store.read() if request.dry_run else core.store.write() as tx:
            found = read_case(core, tx, model, version, policy, request.editor)
            if inquiry.is_complete(policy, found.case):
                return _decided(core, tx, found, inquiry.applied(policy, found.case), request)
        inquiry.find_out(policy, found.case)
    raise ConflictError(
        f"Version {version} could not be judged: champions or evaluations of {model} changed {ROUNDS} times meanwhile. "
        "Nothing was decided. Decide again when they have settled."
    )


def _decided(core: Core, tx: Transaction, found: Found, case: gate.Case, request: Request) -> Decision:
    """Judge, and store unless it is a dry run."""
    policy, verdict = request.policy, gate.decide(request.policy, case)
    uses = _uses(tx, found, _data_of(verdict.reasons, case))
    decision = Decision(
        uid=new_uid(),
        model=found.challenger.model.name,
        number=found.challenger.value.number,
        outcome=verdict.outcome,
        reasons=verdict.reasons,
        champion=found.cell.number,
        revision=found.cell.revision,
        policy_digest=policy.digest,
        decided_at=case.now,
        expires_at=None if policy.valid_for is None else case.now + policy.valid_for,
        data=uses,
    )
    if not request.dry_run:
        _store(core, tx, decision, found, gate.Basis.of(case, uses), request)
    return decision


def _data_of(reasons: tuple[Reason, ...], case: gate.Case) -> list[Dataset]:
    """The data sets that the reasons looked at, as far as their bytes are known, each once."""
    by_uid = {evaluation.uid: evaluation.data for evaluation in case.evaluations}
    looked_at = (by_uid.get(reason.evaluation) for reason in reasons if reason.evaluation is not None)
    return list({data.digest: data for data in looked_at if data is not None and data.digest is not None}.values())


def _uses(tx: Transaction, found: Found, looked_at: list[Dataset]) -> tuple[DataUse, ...]:
    """How often each data set has been used for this model, this decision included."""
    uses = []
    for data in looked_at:
        earlier = tx.one(statements.uses_of(found.challenger.model.id, str(data.digest), found.challenger.id))
        versions = earlier["others"] + 1
        uses.append(DataUse(name=data.name, digest=str(data.digest), decisions=earlier["decisions"] + 1, versions=versions))
    return tuple(uses)


def _store(core: Core, tx: Transaction, decision: Decision, found: Found, basis: gate.Basis, request: Request) -> None:
    facts: dict[str, Any] = {name: getattr(decision, name) for name in ("uid", "revision", "policy_digest", "decided_at", "expires_at")}
    values = {
        **facts,
        **core.run_columns(request.run),
        "model_id": found.challenger.model.id,
        "version_id": found.challenger.id,
        "outcome": str(decision.outcome),
        "reasons": [asdict(reason) for reason in decision.reasons],
        "champion_version_id": found.cell.version_id,
        "policy": request.policy.to_mapping(),
        "policy_source": request.source,
        "policy_editor": request.editor,
        "basis": basis.to_json(),
        "decided_by": core.user,
    }
    decision_id = tx.scalar(statements.add_decision(values))
    tx.run_many(statements.add_decision_data(), [{"decision_id": decision_id, "data_digest": use.digest} for use in decision.data])
    body = {
        "decision": decision.uid,
        "outcome": str(decision.outcome),
        "champion": found.cell.number,
        "revision": found.cell.revision,
        "policy": decision.policy_digest,
        "digests": claimed.named(tx, DECISIONS, decision_id)["digests"],
    }
    core.record(tx, "decide", found.challenger.value.ref, body, by=core.user)
