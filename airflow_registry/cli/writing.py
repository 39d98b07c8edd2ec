"""Commands that change the registry, and the download of an artifact."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_registry.cli import documents
from airflow_registry.cli.answer import Answer, Facts, UsageError
from airflow_registry.cli.progress import progress
from airflow_registry.cli.show import size
from airflow_registry.cli.values import together

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_registry.cli.call import Call
    from airflow_registry.domain.model import Dataset
    from airflow_registry.domain.promotion import Promotion


def register(call: Call) -> Answer:
    """Register the next version of a model."""
    facts = _facts(call)
    registry, artifact = call.registry, call["artifact"]
    with progress(f"Registering {call['model']}{_with_size(artifact)}"):
        version = registry.register(call["model"], artifact, **facts)
    said = f"Registered {version.ref}." if version.created else f"{version.ref} was registered before; nothing was added."
    return Answer(
        document={**documents.version(version), "created": version.created},
        blocks=[said, Facts(pairs={"remote path": version.remote_path, "digest": version.digest, "format": version.artifact.format})],
    )


def promote(call: Call) -> Answer:
    """Make a version the champion."""
    if (call["decision"] is None) == (call["reason"] is None):
        raise UsageError("give either --decision (the gate approved) or --reason (a person's override), and not both")
    version = call.registry.get(call["ref"])
    options = {"decision": call["decision"], "reason": call["reason"], "expected_champion": call["expected_champion"]}
    return _moved(call.registry.promote(version.model, version.number, **options))


def rollback(call: Call) -> Answer:
    """Bring back the previous champion."""
    return _moved(call.registry.rollback(call["model"], reason=call["reason"]))


def move(call: Call) -> Answer:
    """Change the stage of a version; PRODUCTION has commands of its own."""
    from airflow_registry.domain.stage import Stage

    stage = Stage.parse(call["stage"])
    if stage is Stage.PRODUCTION:
        raise UsageError("a version gets into PRODUCTION by promote (a decision, or a person's override) or rollback")
    version = call.registry.get(call["ref"])
    return _moved(call.registry.move(version.model, version.number, stage, reason=call["reason"]))


def download(call: Call) -> Answer:
    """Copy an artifact into a folder, verified."""
    version = call.registry.get(call["ref"])
    with progress(f"Downloading {version.ref} ({size(version.artifact.size_bytes) or 'size unknown'})"):
        path = version.download(call["folder"])
    verified = "its digest was verified" if version.digest else "its digest is unknown, so it was not verified"
    return Answer(
        document={"ref": version.ref, "path": path, "digest": version.digest, "verified": version.digest is not None},
        blocks=[f"{version.ref} is in {path}; {verified}."],
    )


def _facts(call: Call) -> dict[str, Any]:
    """What `register` takes besides model and artifact."""
    return {
        "metrics": together(call["metric"], "--metric"),
        "parameters": together(call["parameter"], "--parameter"),
        "tags": together(call["tag"], "--tag"),
        "datasets": _datasets(call["dataset"]),
        "evaluated_on": next(iter(_datasets([call["evaluated_on"]] if call["evaluated_on"] else ())), None),
        "description": call["description"],
        "change_note": call["change_note"],
        "format": call["format"],
        "reference": call["reference"],
        "copy": not call["no_copy"],
        "idempotency_key": call["idempotency_key"],
    }


def _datasets(given: Iterable[tuple[str, str | None]] | None) -> tuple[Dataset, ...]:
    from airflow_registry.domain.model import Dataset

    return tuple(Dataset(name, uri=uri) for name, uri in given or ())


def _with_size(artifact: str | None) -> str:
    """` from model.skops (1.2 GiB)`, where that is quickly known."""
    if artifact is None:
        return ""
    path = Path(artifact)
    return f" from {artifact} ({size(path.stat().st_size)})" if path.is_file() else f" from {artifact}"


def _moved(made: Promotion) -> Answer:
    ref = f"{made.model}:{made.number}"
    said = (
        f"{ref} went from {made.from_stage} to {made.to_stage}."
        if made.created
        else f"{ref} is in {made.to_stage} already; nothing changed."
    )
    replaced = [] if made.replaced is None else [f"{made.model}:{made.replaced} was champion before."]
    head = [] if made.audit_head is None else [f"Audit head {made.audit_head}"]  # on a line of its own, to be kept and compared later
    return Answer(
        document={**documents.promotion(made), "created": made.created, "audit_head": made.audit_head},
        blocks=[" ".join([said, *replaced]), *head],
    )
