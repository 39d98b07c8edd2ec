"""`show`: one version with everything that is known about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_registry.cli import documents
from airflow_registry.cli.answer import Answer, Facts, Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_registry.cli.call import Call
    from airflow_registry.domain.model import ModelVersion
    from airflow_registry.domain.promotion import Decision

_KIB = 1024


def show(call: Call) -> Answer:
    """One version, with the decisions about it."""
    version = call.registry.get(call["ref"])
    decisions = [entry for entry in call.registry.decisions(version.model) if entry.number == version.number]
    return Answer(
        document={**documents.version(version), "decisions": [documents.decision(entry) for entry in decisions]},
        blocks=[Facts(pairs=_facts(version)), *_tables(version), *decision_tables(decisions)],
    )


def decision_tables(decisions: Sequence[Decision]) -> list[Table]:
    """Each decision with its reasons."""
    return [
        Table(
            title=f"{entry.outcome} {entry.decided_at:%Y-%m-%d %H:%M:%S}Z{against(entry)} (decision {entry.uid})",
            columns=("passed", "reason"),
            rows=[(reason.passed, reason.text) for reason in entry.reasons],
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


def _tables(version: ModelVersion) -> list[Table]:
    signature = version.signature
    inputs = [] if signature is None else [("input", column.name, column.type) for column in signature.inputs]
    output = [] if signature is None or signature.output is None else [("output", "", signature.output)]
    tables = [
        Table(title="Metrics", columns=("metric", "value"), rows=sorted(version.metrics.items())),
        Table(title="Parameters", columns=("parameter", "value"), rows=sorted(version.parameters.items())),
        Table(title="Tags", columns=("tag", "value"), rows=sorted(version.tags.items())),
        Table(
            title="Data sets",
            columns=("data set", "uri", "rows", "digest"),
            rows=[(entry.name, entry.uri, entry.rows, entry.digest) for entry in version.datasets],
        ),
        Table(title="Signature", columns=("", "column", "type"), rows=[*inputs, *output]),
    ]
    return [table for table in tables if table.rows]
