"""The parts of a report that say what a version is: its model, itself, what changed, its data, where it came from, what it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_registry.cli.report.blocks import Facts, Grid, Listing, Section, Text
from airflow_registry.cli.show import size
from airflow_registry.domain.diff import compare
from airflow_registry.domain.report import limits

if TYPE_CHECKING:
    from airflow_registry.cli.report.blocks import Block
    from airflow_registry.domain.model import Column, Signature
    from airflow_registry.domain.report import ModelReport

_FEW = 6


def summary(report: ModelReport) -> Section:
    """The first thing that is read."""
    version, champion, newest = report.version, report.model.champion, report.newest_decision
    judged = None if newest is None else f"{newest.outcome} at {newest.decided_at:%Y-%m-%d %H:%M:%S}Z"
    facts = {
        "version": version.ref,
        "stage": version.stage,
        "newest decision of the gate": judged or "never judged",
        "champion of the model": "none" if champion is None else f"{version.model}:{champion}",
        "registered": version.registered_at,
        "artifact": version.digest,
        "facts as of": report.at,
        "registry": report.registry,
        "deployment": report.deployment,
    }
    return Section(title="Summary", blocks=[Facts(pairs=facts)])


def known_limits(report: ModelReport) -> Section:
    """What to know before trusting it."""
    return Section(title="Known limits", blocks=[Listing(items=limits(report), empty="None that follow from what is recorded.")])


def model(report: ModelReport) -> Section:
    """What the model is for and who answers for it."""
    found, standing = report.model, report.standing
    is_frozen = standing.is_frozen_at(report.at)
    facts = {
        "model": found.name,
        "purpose": found.purpose,
        "owner": found.owner,
        "risk tier": found.risk_tier,
        "versions": found.versions,
        "changes of the champion": found.revision,
        "only policy that may decide": standing.locked_policy or "any",
        "frozen until": standing.frozen_until if is_frozen else "not frozen",
    }
    if is_frozen:
        facts |= {"frozen by": standing.frozen_by, "frozen because": standing.frozen_reason}
    return Section(title="Model", blocks=[Facts(pairs=facts)])


def version(report: ModelReport) -> Section:
    """The version itself: in words, and its bytes."""
    found, artifact, cost = report.version, report.version.artifact, report.version.runtime
    facts = {
        "description": found.description,
        "change note": found.change_note,
        "published by": found.lineage.published_by,
        "trained by": found.lineage.trained_by,
        "uid": found.uid,
        "remote path": artifact.remote_path,
        "digest": artifact.digest,
        "size": size(artifact.size_bytes),
        "format": artifact.format,
        "kept and verified by this registry": artifact.is_stored,
        "training seconds": cost.training_seconds,
        "peak memory": size(cost.peak_memory_bytes),
    }
    findings = [(entry.kind, entry.where, entry.names, entry.note) for entry in artifact.findings]
    blocks: list[Block] = [
        Facts(pairs=facts),
        Grid(title="Parameters", columns=("parameter", "value"), rows=sorted(found.parameters.items()), empty="None recorded."),
        Grid(title="Tags", columns=("tag", "value"), rows=sorted(found.tags.items()), empty="None recorded."),
    ]
    if findings:
        blocks.append(Grid(title="Found in the artifact", columns=("kind", "where", "imports", "note"), rows=findings))
    if found.origin is not None:
        origin = sorted((str(name), _text(value)) for name, value in found.origin.items())
        blocks.append(Grid(title="Copied from another registry, which says", columns=("fact", "value"), rows=origin, folded=True))
    return Section(title="Version", blocks=blocks)


def what_changed(report: ModelReport) -> Section:
    """How it differs from the version that it was compared with."""
    if report.previous is None:
        return Section(title="What changed", blocks=[Text(text="There is no other version to compare it with.")])
    found = compare(report.previous, report.version)
    rows = [(change.aspect, change.name, _text(change.left), _text(change.right)) for change in found.changes]
    same = [Text(text="The artifacts are the same, bit by bit.")] if found.same_bytes else []
    columns = ("aspect", "name", found.left, found.right)
    grid = Grid(title=f"Since {found.left}", columns=columns, rows=rows, empty="No fact differs.")
    return Section(title="What changed", blocks=[*same, grid])


def data(report: ModelReport) -> Section:
    """What it was trained on."""
    rows = [(entry.name, entry.rows, entry.digest, entry.uri) for entry in report.version.datasets]
    grid = Grid(columns=("data set", "rows", "digest", "uri"), rows=rows, empty="What it was trained on is not recorded.")
    return Section(title="Training data", blocks=[grid])


def lineage(report: ModelReport) -> Section:
    """Where it came from."""
    origin = report.version.lineage
    facts = {
        "git commit": origin.git_commit,
        "container image": origin.container_image,
        "deployment": origin.deployment,
        "dag": origin.dag_id,
        "run": origin.run_id,
        "task": origin.task_id,
        "map index": None if origin.map_index in {None, -1} else origin.map_index,
        "bundle": " ".join(filter(None, (origin.bundle_name, origin.bundle_version))),
        "published by": origin.published_by,
        "trained by": origin.trained_by,
        "run triggered by": origin.triggered_by,
        "author of the commit": origin.git_author,
    }
    packages = sorted(origin.packages.items())
    grid = Grid(title="Packages", columns=("package", "version"), rows=packages, empty="None recorded.", folded=True)
    return Section(title="Lineage", blocks=[Facts(pairs=facts), grid])


def signature(report: ModelReport) -> Section:
    """What it takes and gives."""
    found = report.version.signature
    columns = ("", "column", "type", "nulls", "seen in training")
    rows = [] if found is None else _signature_rows(found)
    return Section(title="Signature", blocks=[Grid(columns=columns, rows=rows, empty="It has no signature.")])


def _signature_rows(found: Signature) -> list[tuple[object, ...]]:
    inputs: list[tuple[object, ...]] = [("input", entry.name, entry.type, entry.nullable, _seen(entry)) for entry in found.inputs]
    return inputs if found.output is None else [*inputs, ("output", "", found.output, "", "")]


def _seen(column: Column) -> str | None:
    """`0 to 5`, or the first few of the categories."""
    if column.categories is None:
        return None if column.low is None and column.high is None else f"{column.low} to {column.high}"
    more = len(column.categories) - _FEW
    return ", ".join(map(str, column.categories[:_FEW])) + (f" and {more:,} more" if more > 0 else "")


def _text(value: object) -> object:
    """Empty lists and mappings are values too."""
    return str(value) if isinstance(value, (list, tuple, dict)) else value
