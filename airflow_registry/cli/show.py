"""`show`: one version with everything that is known about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_registry.cli import documents
from airflow_registry.cli.answer import Answer, Facts, Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_registry.cli.call import Call
    from airflow_registry.domain.model import Column, ModelVersion, Signature
    from airflow_registry.domain.promotion import Decision

_KIB = 1024
_FEW = 6


def show(call: Call) -> Answer:
    """One version, with the decisions about it."""
    version = call.registry.get(call["ref"])
    decisions = [entry for entry in call.registry.decisions(version.model) if entry.number == version.number]
    return Answer(
        document={**documents.version(version), "decisions": [documents.decision(entry) for entry in decisions]},
        blocks=[Facts(pairs=_facts(version)), *_origin(version), *_tables(version), *decision_tables(decisions)],
    )


def decision_tables(decisions: Sequence[Decision]) -> list[Table]:
    """Each decision with its reasons, and how often its data sets have been used."""
    return [
        Table(
            title=f"{entry.outcome} {entry.decided_at:%Y-%m-%d %H:%M:%S}Z{against(entry)} (decision {entry.uid})",
            columns=("ruling", "rule", "reason"),
            rows=[
                *((str(reason.ruling), reason.rule, reason.text) for reason in entry.reasons),
                *(("", "", f"This is {use}.") for use in entry.data),
            ],
            empty="The policy has no rules.",
        )
        for entry in decisions
    ]


def against(decision: Decision) -> str:
    """Whom the gate compared with."""
    return " with no champion" if decision.champion is None else f" against v{decision.champion}"


def metrics_text(metrics: Mapping[str, float]) -> str:
    """`auc 0.91, log_loss 0.3`."""
    return ", ".join(f"{name} {value:.6g}" for name, value in sorted(metrics.items()))


def size(size_bytes: int | None) -> str:
    """Bytes for people, in powers of 1024.

    >>> size(1536), size(7), size(None)
    ('1.5 KiB', '7 B', '')
    """
    if size_bytes is None:
        return ""
    value, unit = float(size_bytes), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if value < _KIB:
            break
        value, unit = value / _KIB, larger
    return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"


def _facts(version: ModelVersion) -> dict[str, object]:
    artifact, origin, cost = version.artifact, version.lineage, version.runtime
    run = None if origin.map_index in {None, -1} else origin.map_index
    return {
        "version": version.ref,
        "stage": version.stage,
        "registered": version.registered_at,
        "published by": origin.published_by,
        "trained by": origin.trained_by if origin.trained_by != origin.published_by else None,
        "description": version.description,
        "change note": version.change_note,
        "remote path": artifact.remote_path,
        "digest": artifact.digest,
        "size": size(artifact.size_bytes),
        "format": artifact.format,
        "kept by this registry": artifact.is_stored,
        "deployment": origin.deployment,
        "dag": origin.dag_id,
        "run": origin.run_id,
        "task": origin.task_id,
        "map index": run,
        "bundle": " ".join(filter(None, (origin.bundle_name, origin.bundle_version))),
        "git commit": origin.git_commit,
        "container image": origin.container_image,
        "training seconds": cost.training_seconds,
        "peak memory": size(cost.peak_memory_bytes),
        "packages": ", ".join(f"{name} {number}" for name, number in sorted(origin.packages.items())),
    }


def _origin(version: ModelVersion) -> list[Facts]:
    return [] if version.origin is None else [Facts(title="Copied from another registry", pairs=version.origin)]


def _tables(version: ModelVersion) -> list[Table]:
    datasets = [(entry.name, entry.uri, entry.rows, entry.digest) for entry in version.datasets]
    findings = [(entry.kind, entry.where, ", ".join(entry.names), entry.note) for entry in version.artifact.findings]
    tables = [
        Table(title="Metrics", columns=("metric", "value"), rows=sorted(version.metrics.items())),
        Table(title="Parameters", columns=("parameter", "value"), rows=sorted(version.parameters.items())),
        Table(title="Tags", columns=("tag", "value"), rows=sorted(version.tags.items())),
        Table(title="Data sets", columns=("data set", "uri", "rows", "digest"), rows=datasets),
        Table(title="Signature", columns=("", "column", "type", "nulls", "seen in training"), rows=_signature_rows(version.signature)),
        Table(title="Found in the artifact", columns=("kind", "where", "imports", "note"), rows=findings),
    ]
    return [table for table in tables if table.rows]


def _signature_rows(signature: Signature | None) -> list[tuple[object, ...]]:
    if signature is None:
        return []
    inputs: list[tuple[object, ...]] = [("input", entry.name, entry.type, entry.nullable, _seen(entry)) for entry in signature.inputs]
    return inputs if signature.output is None else [*inputs, ("output", None, signature.output, None, None)]


def _seen(column: Column) -> str:
    """`0 to 5`, or the first few of the categories."""
    if column.categories is None:
        return "" if column.low is None and column.high is None else f"{column.low} to {column.high}"
    more = len(column.categories) - _FEW
    return ", ".join(map(str, column.categories[:_FEW])) + (f" and {more} more" if more > 0 else "")
