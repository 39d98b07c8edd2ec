"""Copying a version into another registry: it arrives in DEVELOPMENT with its provenance, and that side's gate decides.

Metrics and decision of the first registry travel as facts about the past. They are no evaluation over there: data and champion are
other ones, so a gate that took them for its own would approve what nobody has looked at.
"""

from __future__ import annotations

import json
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.model import Lineage
from airflow_registry.errors import InvalidInputError
from airflow_registry.service import read, register
from airflow_registry.sql import rows

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from airflow_registry.domain.model import ModelVersion
    from airflow_registry.service.core import Core


def copy_version(source: Core, target: Core, ref: str) -> ModelVersion:
    """Copy a version and its bytes, verified; the same version again returns the copy there is, with `created=False`.

    Args:
        source: The registry that has it.
        target: The registry that gets it, as the next version of the model of that name.
        ref: `lead_scoring:7`, `lead_scoring@production`.

    Raises:
        DigestMismatchError: If the bytes are not those that were registered; nothing arrives then.
        InvalidInputError: If both are the same registry, or the version's bytes are kept by nobody whom we can ask.
    """
    version = read.get(source, ref)
    origin = origin_of(source, version)
    if source.registry_uid == target.registry_uid:
        raise InvalidInputError(
            f"{version.ref} cannot be copied into its own registry ({target.store.address}). Name another one with --to."
        )
    with _bytes_of(source, version) as path:
        request = register.Registration(
            model=version.model,
            artifact=path,
            format=None if path is None else version.artifact.format,
            lineage=_lineage(version),
            origin=origin,
            **{name: getattr(version, name) for name in _CARRIED},
        )
        return read.bound(target, register.register(target, request))


_CARRIED = ("signature", "description", "change_note", "datasets", "parameters", "tags", "runtime")


def origin_of(source: Core, version: ModelVersion) -> dict[str, Any]:
    """What the source knows of a version, as JSON; an origin of its own stays inside."""
    lineage = version.lineage
    return {
        "registry_uid": source.registry_uid,
        "uid": version.uid,
        "ref": version.ref,
        "stage": str(version.stage),
        "registered_at": version.registered_at.isoformat(),
        "digest": None if version.digest is None else str(version.digest),
        "metrics": json.loads(rows.metrics_to_text(version.metrics)),
        "decision": _decision(source, version),
        "datasets": [rows.dataset_to_json(dataset) for dataset in version.datasets],
        **{name: getattr(lineage, name) for name in _LINEAGE if getattr(lineage, name) is not None},
        "origin": None if version.origin is None else dict(version.origin),
    }


_LINEAGE = (
    "deployment", "dag_id", "run_id", "task_id", "map_index", "bundle_name", "bundle_version",
    "published_by", "trained_by", "triggered_by", "git_author", "git_commit",
)  # fmt: skip


def _decision(source: Core, version: ModelVersion) -> dict[str, Any] | None:
    """The newest decision about the version, None if there is none."""
    about = [one for one in read.decisions(source, version.model) if one.number == version.number]
    if not about:
        return None
    newest = about[-1]
    return {
        "uid": newest.uid,
        "outcome": str(newest.outcome),
        "reasons": [reason.text for reason in newest.reasons],
        "policy_digest": newest.policy_digest,
        "decided_at": newest.decided_at.isoformat(),
    }


def _lineage(version: ModelVersion) -> Lineage:
    """What is true of the bytes wherever they are; DAG and run belong to the origin."""
    known = version.lineage
    return Lineage(
        trained_by=known.trained_by,
        git_author=known.git_author,
        git_commit=known.git_commit,
        container_image=known.container_image,
        packages=known.packages,
    )


def _bytes_of(source: Core, version: ModelVersion) -> AbstractContextManager[str | None]:
    """A verified local copy of the artifact, as long as the context lasts; None for a version that is metadata only."""
    artifact = version.artifact
    if artifact.format == "none":
        return nullcontext(None)
    if artifact.format == "remote" or artifact.digest is None:
        raise InvalidInputError(
            f"{version.ref} cannot be copied: its bytes are at {artifact.remote_path}, and this registry never saw them, so nobody could "
            "verify what arrives. Register it over there from where it was made."
        )
    return source.artifacts.open_verified(artifact.remote_path, artifact.digest)
