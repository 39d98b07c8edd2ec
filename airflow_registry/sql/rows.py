"""Rows to domain values. Nothing else knows which column holds what."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.evaluation import Evaluation
from airflow_registry.domain.findings import Finding
from airflow_registry.domain.gate.basis import data_uses
from airflow_registry.domain.ledger import LedgerEntry
from airflow_registry.domain.metrics import Metric
from airflow_registry.domain.model import Artifact, Dataset, Lineage, ModelVersion, RegisteredModel, RuntimeMetrics, Signature
from airflow_registry.domain.names import Digest, ModelName
from airflow_registry.domain.promotion import Decision, Holding, Outcome, Promotion, Reason
from airflow_registry.domain.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy.engine import RowMapping


def registered_model(row: RowMapping) -> RegisteredModel:
    """A row of the models table joined with its champion."""
    return RegisteredModel(
        name=ModelName(row["name"]),
        created_at=row["created_at"],
        versions=row["versions"],
        champion=row["champion"],
        revision=row["revision"],
        purpose=row["purpose"],
        owner=row["owner"],
        risk_tier=row["risk_tier"],
    )


def model_version(row: RowMapping) -> ModelVersion:
    """A row of the versions table joined with its model and stage."""
    return ModelVersion(
        uid=row["uid"],
        model=ModelName(row["model_name"]),
        number=row["number"],
        stage=Stage(row["stage"]),
        registered_at=row["registered_at"],
        artifact=_artifact(row),
        metrics=metrics_from_text(row["metrics"]),
        signature=None if row["signature"] is None else Signature.from_json(row["signature"]),
        description=row["description"],
        change_note=row["change_note"],
        parameters=row["parameters"],
        tags=row["tags"],
        datasets=tuple(Dataset(**entry) for entry in row["datasets"]),
        lineage=_lineage(row),
        runtime=RuntimeMetrics(training_seconds=row["training_seconds"], peak_memory_bytes=row["peak_memory_bytes"]),
        origin=row["origin"],
    )


def version_values(version: ModelVersion) -> dict[str, Any]:
    """The columns of a version that come from the value itself; the law is `model_version(row) == version`."""
    artifact, lineage, runtime = version.artifact, version.lineage, version.runtime
    return {
        "uid": version.uid,
        "registered_at": version.registered_at,
        **{name: getattr(artifact, name) for name in ("remote_path", "digest", "size_bytes", "format", "is_stored", "loader")},
        "findings": [_finding_to_json(finding) for finding in artifact.findings] or None,
        "metrics": metrics_to_text(version.metrics),
        "signature": None if version.signature is None else version.signature.to_json(),
        **{name: getattr(version, name) for name in ("description", "change_note")},
        "parameters": dict(version.parameters),
        "tags": dict(version.tags),
        "datasets": [dataset_to_json(entry) for entry in version.datasets],
        **{name: getattr(lineage, name) for name in _LINEAGE},
        "packages": dict(lineage.packages),
        "training_seconds": runtime.training_seconds,
        "peak_memory_bytes": runtime.peak_memory_bytes,
        "origin": None if version.origin is None else dict(version.origin),
    }


_LINEAGE = (
    "deployment", "dag_id", "run_id", "task_id", "map_index", "bundle_name", "bundle_version",
    "published_by", "trained_by", "triggered_by", "git_author", "git_commit", "container_image",
)  # fmt: skip


def metrics_to_text(metrics: Mapping[str, float]) -> str:
    """JSON as the original interface shows it, in the given order; NaN and infinities become text, because JSON has none."""
    return json.dumps(metrics_to_json(metrics), ensure_ascii=False)


def metrics_to_json(metrics: Mapping[str, float]) -> dict[str, float | str]:
    """As JSON can hold them."""
    return {name: value if _is_finite(value) else str(value) for name, value in metrics.items()}


def metrics_from_text(text: str) -> dict[str, float]:
    """The metrics again, NaN and infinities included."""
    return {name: float(value) for name, value in json.loads(text).items()}


def _is_finite(value: float) -> bool:
    return value - value == 0


def dataset_to_json(dataset: Dataset) -> dict[str, Any]:
    """Only what is known."""
    facts = {"name": dataset.name, "uri": dataset.uri, "digest": dataset.digest, "rows": dataset.rows}
    return {name: value for name, value in facts.items() if value is not None}


def _artifact(row: RowMapping) -> Artifact:
    return Artifact(
        remote_path=row["remote_path"],
        digest=None if row["digest"] is None else Digest(row["digest"]),
        size_bytes=row["size_bytes"],
        format=row["format"],
        is_stored=bool(row["is_stored"]),
        loader=row["loader"],
        findings=tuple(Finding(**entry) for entry in row["findings"] or ()),
    )


def _finding_to_json(finding: Finding) -> dict[str, Any]:
    return {"kind": finding.kind, "where": finding.where, "names": list(finding.names), "note": finding.note}


def _lineage(row: RowMapping) -> Lineage:
    return Lineage(**{name: row[name] for name in _LINEAGE}, packages=row["packages"])


def evaluations(rows: Iterable[RowMapping], model: ModelName) -> tuple[Evaluation, ...]:
    """Metric rows, grouped into the evaluations they belong to; oldest first."""
    grouped: dict[int, list[RowMapping]] = defaultdict(list)
    for row in rows:
        grouped[row["evaluation_id"]].append(row)
    return tuple(_evaluation(group, model) for group in grouped.values())


def _evaluation(rows: list[RowMapping], model: ModelName) -> Evaluation:
    head = rows[0]
    results: dict[int, list[Metric]] = defaultdict(list)
    for row in rows:
        results[row["number"]].append(
            Metric(name=row["name"], value=row["value"], non_finite=row["non_finite"], slice=row["slice"], rows=row["rows"])
        )
    return Evaluation(
        uid=head["uid"],
        model=model,
        sequence=head["evaluation_id"],
        source=head["source"],
        data=_dataset(head),
        recorded_at=head["recorded_at"],
        results={number: tuple(metrics) for number, metrics in results.items()},
        kind=head["kind"],
        target=head["target"],
        slices=tuple(head["slices"] or ()),
        trivial={name: float(value) for name, value in (head["trivial"] or {}).items()},
        rows_uri=head["artifact_uri"],
        rows_digest=None if head["artifact_digest"] is None else Digest(head["artifact_digest"]),
    )


def _dataset(row: RowMapping) -> Dataset | None:
    if row["data_name"] is None:
        return None
    digest = None if row["data_digest"] is None else Digest(row["data_digest"])
    return Dataset(name=row["data_name"], uri=row["data_uri"], digest=digest, rows=row["data_rows"])


def decision(row: RowMapping) -> Decision:
    """A row of the decisions table joined with its versions."""
    return Decision(
        uid=row["uid"],
        model=ModelName(row["model_name"]),
        number=row["number"],
        outcome=Outcome(row["outcome"]),
        reasons=tuple(Reason(**entry) for entry in row["reasons"]),
        champion=row["champion_number"],
        revision=row["revision"],
        policy_digest=row["policy_digest"],
        decided_at=row["decided_at"],
        expires_at=row["expires_at"],
        data=data_uses(row["basis"]),
    )


def promotion(row: RowMapping) -> Promotion:
    """A row of the promotions table joined with its versions and decision."""
    return Promotion(
        uid=row["uid"],
        model=ModelName(row["model_name"]),
        number=row["number"],
        from_stage=Stage(row["from_stage"]),
        to_stage=Stage(row["to_stage"]),
        revision=row["revision"],
        replaced=row["replaced_number"],
        decision=row["decision_uid"],
        reason=row["reason"],
        by=row["promoted_by"],
        at=row["promoted_at"],
    )


def holding(row: RowMapping) -> Holding:
    """One change of a model's champion."""
    return Holding(number=row["number"], from_stage=Stage(row["from_stage"]), to_stage=Stage(row["to_stage"]))


def ledger_entry(row: RowMapping) -> LedgerEntry:
    """A row of the ledger joined with its commit and its partition."""
    return LedgerEntry(
        uid=row["uid"],
        output=row["output"],
        partition=row["partition_key"],
        generation=row["generation"],
        model=ModelName(row["model_name"]),
        number=row["number"],
        dag_id=row["dag_id"],
        run_id=row["run_id"],
        input_digest=row["input_digest"],
        started_at=row["opened_at"],
        committed_at=row["committed_at"],
        is_live=bool(row["is_live"]),
        uri=row["uri"],
        digest=row["digest"],
        rows=row["rows"],
        quarantined=row["quarantined"] or 0,
        null_predictions=row["null_predictions"],
        seconds=row["seconds"],
        input_digest_kind=row["input_digest_kind"],
        is_shadow=bool(row["is_shadow"]),
        recipe=row["recipe"],
        deployment=row["deployment"],
        task_id=row["task_id"],
        map_index=row["map_index"],
        size_bytes=row["size_bytes"],
        decision=row["decision_uid"],
        pinned_revision=row["pinned_revision"],
        recall=row["recall_uid"],
        is_quarantined=bool(row["is_live"]) and row["state"] == "quarantined",
    )
