"""What an output is: its files, its manifest, and which writer may replace which.

Readers go by the manifest: a file that it does not name is left over from an earlier or unfinished writer.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from airflow_registry.errors import CorruptionError, ManifestMismatchError, OutputConflictError

if TYPE_CHECKING:
    from airflow_registry.domain.names import Digest

DATA_NAME = "predictions.parquet"
QUARANTINE_NAME = "_quarantine.parquet"
MANIFEST_NAME = "_manifest.json"
PREFIX = "airflow_registry."
BYTES = "sha256"
"""The usual kind of input digest: of the bytes, as `sha256sum` prints it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Who made an output, out of what; what a lonely file can still tell.

    Attributes:
        model: Its name.
        version: Its number.
        digest: Of the artifact, None if the registry does not know it.
        partition: The key.
        input_digest: Of what was read.
        input_digest_kind: What it is a digest of: `sha256`, the bytes; `versions`, names, sizes and versions in an object store.
        registry: Which registry counts the generations; '' if there is only one.
        deployment: The Airflow installation, '' outside Airflow; so the rest of the run.
    """

    model: str
    version: int
    digest: str | None = None
    partition: str = ""
    input_digest: str | None = None
    input_digest_kind: str = BYTES
    registry: str = ""
    deployment: str = ""
    dag_id: str | None = None
    run_id: str | None = None
    task_id: str | None = None
    map_index: int | None = None

    def metadata(self) -> dict[str, str]:
        """What stands in the parquet metadata, under `airflow_registry.<name>`; unknown facts and the usual kind are left out."""
        facts = asdict(self)
        if facts["input_digest_kind"] == BYTES:
            del facts["input_digest_kind"]
        return {PREFIX + name: str(value) for name, value in facts.items() if value not in {None, ""}}

    def manifest(self) -> dict[str, Any]:
        """What stands in the manifest."""
        facts = asdict(self)
        run = {name: facts.pop(name) for name in ("deployment", "dag_id", "run_id", "task_id", "map_index")}
        return facts | {"run": run}


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """A whole file on this machine's disk that nobody sees yet.

    Attributes:
        path: Where it is.
        digest: SHA-256 of its bytes.
        rows: Rows in it (count).
        size_bytes: Its size in bytes.
    """

    path: str
    digest: Digest
    rows: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenFile:
    """A data object that is in place.

    Attributes:
        path: Absolute local path, or the object's URI.
        digest: SHA-256 of its bytes.
        rows: Rows in it (count).
        size_bytes: Its size in bytes.
        quarantined: Rows that were set aside (count).
        quarantine_path: Where they are, with their reasons; None if there are none.
    """

    path: str
    digest: Digest
    rows: int
    size_bytes: int
    quarantined: int = 0
    quarantine_path: str | None = None


def manifest_of(provenance: Provenance, generation: int, data: Staged, quarantine: Staged | None) -> dict[str, Any]:
    """The manifest of an output that is about to be published."""
    named = [(DATA_NAME, data)] + ([] if quarantine is None else [(QUARANTINE_NAME, quarantine)])
    files = [{"name": name, "sha256": file.digest.hex, "rows": file.rows, "size_bytes": file.size_bytes} for name, file in named]
    counts = {"rows": data.rows, "quarantined": 0 if quarantine is None else quarantine.rows, "generation": generation}
    return {"schema": 1, **provenance.manifest(), **counts, "files": files}


def manifest_text(manifest: dict[str, Any]) -> str:
    """A manifest as it is stored."""
    return json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"


def parse_manifest(text: str | bytes, where: str) -> dict[str, Any]:
    """A manifest from what is stored.

    Raises:
        ManifestMismatchError: If it is not ours to read.
    """
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or found.get("schema") != 1:
        raise ManifestMismatchError(
            f"The manifest {where} is damaged or of a newer release. Expected JSON with schema: 1. Score the partition again."
        )
    return found


def refuse_older(found: dict[str, Any], provenance: Provenance, generation: int, where: str) -> None:
    """Let nobody write who was overtaken by a newer generation of the same registry.

    Args:
        found: The manifest that is in place, or the claim in it; empty if there is none.
        provenance: Of the one who wants to write.
        generation: Of the one who wants to write.
        where: The output, for the message.

    Raises:
        OutputConflictError: If the output that is in place is newer.
    """
    newest = found.get("generation")
    if isinstance(newest, int) and newest > generation and found.get("registry") == provenance.registry:
        what = "is in place" if "files" in found else "is being written"
        raise conflict(where, generation, f"generation {newest} (version {found.get('version')} of {found.get('model')!r}) {what}")


def conflict(where: str, generation: int, found: str) -> OutputConflictError:
    """The error of a writer that was overtaken."""
    return OutputConflictError(
        f"Generation {generation} may not write {where}: {found}. The newer output was left as it is. "
        f"Run this again to write a newer generation; if the registry was made anew, remove {MANIFEST_NAME} from that folder."
    )


def check_rows(where: str, *, rows_in: int, scored: int, quarantined: int) -> None:
    """Every row that came in must have gone somewhere, once.

    Raises:
        CorruptionError: If the numbers do not add up.
    """
    if rows_in != scored + quarantined:
        raise CorruptionError(
            f"Nothing was written to {where}: {rows_in} rows came in, but {scored} were scored and {quarantined} quarantined "
            f"({scored + quarantined - rows_in:+d}). Expected each row once. Score the partition again; if it stays so, report it with the "
            "model and the input."
        )
