"""Values of the domain as documents for `--json`; their names stay the same from release to release (a test holds them)."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_registry.domain.burn_in import BurnInReport
    from airflow_registry.domain.diff import Diff
    from airflow_registry.domain.evaluation import Evaluation
    from airflow_registry.domain.ledger import LedgerEntry, RecallPlan
    from airflow_registry.domain.model import ModelVersion, RegisteredModel
    from airflow_registry.domain.promotion import Decision, Promotion
    from airflow_registry.domain.recall import Recall

_INNER = frozenset({"access", "audit_head", "created", "model", "number"})  # said in other words, or by the command that knows


def model(found: RegisteredModel) -> dict[str, Any]:
    """A model."""
    return _fields(found)


def version(found: ModelVersion) -> dict[str, Any]:
    """A version with everything that is known about it."""
    return {
        **_numbered(found),
        "artifact": {**_fields(found.artifact), "findings": [_fields(finding) for finding in found.artifact.findings]},
        "signature": None if found.signature is None else found.signature.to_json(),
        "datasets": [_fields(dataset) for dataset in found.datasets],
        "lineage": _fields(found.lineage),
        "runtime": _fields(found.runtime),
    }


def promotion(found: Promotion) -> dict[str, Any]:
    """A stage change."""
    return {**_numbered(found), "override": found.is_override}


def decision(found: Decision) -> dict[str, Any]:
    """A decision with every reason, and how often its data sets have been used."""
    reasons, data = [_fields(reason) for reason in found.reasons], [_fields(use) for use in found.data]
    return {**_numbered(found), "approved": found.approved, "reasons": reasons, "data": data}


def evaluation(found: Evaluation) -> dict[str, Any]:
    """An evaluation: metrics of each version on the same rows, and on each slice of them."""
    results = {str(number): found.of(number) for number in found.results}
    by_slice = {by: [_slice(found, name, rows) for name, rows in found.slices_of(by).items()] for by in found.slices}
    data = None if found.data is None else _fields(found.data)
    return {**_fields(found), "data": data, "results": results, "slices": by_slice, "trivial": dict(found.trivial)}


def _slice(found: Evaluation, name: str, rows: int | None) -> dict[str, Any]:
    return {"slice": name, "rows": rows, "results": {str(number): found.of(number, name) for number in found.results}}


def entry(found: LedgerEntry) -> dict[str, Any]:
    """A line of the ledger."""
    return _numbered(found)


def recall(plan: RecallPlan) -> dict[str, Any]:
    """What a recall would score again."""
    return {
        "model": plan.model,
        "version": plan.number,
        "ref": f"{plan.model}:{plan.number}",
        "rows": plan.rows,
        "size_bytes": plan.size_bytes,
        "partitions": [entry(found) for found in plan.entries],
        "unrecorded": [_numbered(use) for use in plan.unrecorded],
        "by_hand": [{"output": found.output, "why": why} for found, why in plan.by_hand],
    }


def recalled(found: Recall) -> dict[str, Any]:
    """A recall and how far it has come."""
    uses = [_numbered(use) for use in found.unrecorded]
    return {**found.to_json(), "target_ref": found.target_ref, "at": found.at, "closed_at": found.closed_at, "unrecorded": uses}


def burn_in(found: BurnInReport) -> dict[str, Any]:
    """A champion's burn-in with every limit, and the rollback if there was one."""
    made = None if found.rolled_back is None else {**promotion(found.rolled_back), "created": found.rolled_back.created}
    return {
        **found.to_json(),
        "promoted_at": found.promoted_at,
        "ends_at": found.ends_at,
        "reasons": [_fields(reason) for reason in found.reasons],
        "promotion": made,
    }


def diff(found: Diff) -> dict[str, Any]:
    """Two versions side by side."""
    return {
        "left": found.left,
        "right": found.right,
        "same_bytes": found.same_bytes,
        "metrics": [{**_fields(pair), "difference": pair.difference, "better": pair.is_better} for pair in found.metrics],
        "changes": [_fields(change) for change in found.changes],
    }


def _numbered(found: Any) -> dict[str, Any]:  # noqa: ANN401  any value with a model and a number
    """A value that is about one version: model, version and reference first."""
    about = {"model": found.model, "version": found.number, "ref": f"{found.model}:{found.number}"}
    return {**about, **{name: value for name, value in _fields(found).items() if name not in _INNER}}


def _fields(found: Any) -> dict[str, Any]:  # noqa: ANN401  any dataclass
    return {field.name: getattr(found, field.name) for field in fields(found)}
