"""Outputs of several files: parts that many tasks write, and the one manifest that says which of them count.

A task may run twice, on two machines at once, or die after it wrote: it leaves a part that nobody asked for. So parts are hidden in
`.parts/`, named by their content, and only those that the manifest names are output. Whoever collects what the tasks returned writes it.

Invariants:
    * The manifest is the commit: it is replaced whole, never by a writer of an older generation, and only when all of its parts are there.
    * A part is never replaced: its name holds its writer's generation and its own digest.
    * A newer generation removes the parts of older ones that the manifest in place does not name; the output that a commit replaces
      stays until then, so that whoever reads it can finish.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from airflow_registry.domain.names import Digest
from airflow_registry.errors import InvalidInputError
from airflow_registry.objects.dispatch import is_object_uri
from airflow_registry.scoring.files import local_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from airflow_registry.objects.options import StorageOptions
    from airflow_registry.scoring.output import Provenance

PARTS = ".parts"
DATA = "part"
ASIDE = "quarantine"
_NAME = re.compile(rf"\.?({DATA}|{ASIDE})-(\d+)-.+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A whole parquet file in `.parts/`, which counts as soon as a manifest names it.

    Attributes:
        kind: `part`, rows that were scored, or `quarantine`, rows that were set aside.
        generation: Of its writer.
        digest: SHA-256 of its bytes.
        rows: Rows in it (count).
        size_bytes: Its size in bytes.
    """

    kind: str
    generation: int
    digest: Digest
    rows: int
    size_bytes: int

    @property
    def name(self) -> str:
        """Its path in the partition's folder."""
        return f"{PARTS}/{self.kind}-{self.generation}-{self.digest.hex}.parquet"

    def to_json(self) -> dict[str, Any]:
        """As the manifest names it."""
        return {"name": self.name, "sha256": self.digest.hex, "rows": self.rows, "size_bytes": self.size_bytes}

    @classmethod
    def from_json(cls, file: Mapping[str, Any]) -> Part:
        """The part again."""
        kind, generation, _ = str(file["name"]).removeprefix(f"{PARTS}/").split("-")
        digest = Digest(f"sha256:{file['sha256']}")
        return cls(kind=kind, generation=int(generation), digest=digest, rows=file["rows"], size_bytes=file["size_bytes"])


class PartStage(Protocol):
    """The unfinished parts of one task."""

    def path(self, kind: str) -> str:
        """A local path for the unfinished part of that kind."""

    def seal(self, kind: str, rows: int) -> Part:
        """Put a finished part in place, under the name of its content.

        Raises:
            OutputConflictError: If a newer generation removed it.
        """


class PartsPlace(Protocol):
    """A partition's folder that is filled by several tasks."""

    @property
    def name(self) -> str:
        """Its absolute path or URI, without a trailing slash."""

    def begin(self, provenance: Provenance, generation: int) -> None:
        """Make ready for the tasks of a generation, and remove what older ones left.

        Raises:
            OutputConflictError: If a newer generation is in place.
        """

    def staging(self, generation: int) -> AbstractContextManager[PartStage]:
        """Make ready for one task, and remove at last what it did not finish."""

    def publish(self, manifest: Mapping[str, Any], provenance: Provenance) -> None:
        """Replace the manifest by one that names parts.

        Raises:
            InvalidInputError: If one of the parts is not there.
            OutputConflictError: If a newer generation wrote meanwhile.
        """


def open_parts(target: str | os.PathLike[str], storage: StorageOptions | None = None) -> PartsPlace:
    """The place that a path or URI means.

    Raises:
        InvalidInputError: If it means none.
    """
    text = os.fspath(target)
    if is_object_uri(text):
        from airflow_registry.scoring.parts_in_bucket import BucketParts, open_object_folder

        return BucketParts(open_object_folder(text, storage))
    from airflow_registry.scoring.parts_in_folder import FolderParts

    return FolderParts(local_path(target, "output"))


def parts_manifest(provenance: Provenance, generation: int, parts: Sequence[Part], facts: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest that names these parts; those of one kind in the order in which their rows are read.

    Args:
        provenance: Who made them, out of what.
        generation: Of the writer.
        parts: Without doubles.
        facts: What else is known of the output: `null_predictions`, `seconds`.
    """
    rows = {kind: sum(part.rows for part in parts if part.kind == kind) for kind in (DATA, ASIDE)}
    counts = {"rows": rows[DATA], "quarantined": rows[ASIDE], "generation": generation}
    digest = str(parts_digest(part.digest for part in parts if part.kind == DATA))
    files = [part.to_json() for kind in (DATA, ASIDE) for part in parts if part.kind == kind]
    return {"schema": 1, **provenance.manifest(), **counts, **facts, "digest": digest, "files": files}


def parts_digest(digests: Iterable[Digest]) -> Digest:
    """What stands for the content of all data parts: SHA-256 of their digests in hexadecimal, a line each, in their order."""
    lines = "".join(f"{digest.hex}\n" for digest in digests)
    return Digest(f"sha256:{hashlib.sha256(lines.encode()).hexdigest()}")


def named_parts(manifest: Mapping[str, Any] | None, kind: str | None = None) -> tuple[dict[str, Any], ...]:
    """The parts that a manifest names, as it names them; none if its output is one object.

    Args:
        manifest: From `read_manifest`; None if there is none.
        kind: `part` or `quarantine`; None for both.
    """
    start = f"{PARTS}/" if kind is None else f"{PARTS}/{kind}-"
    return tuple(file for file in (manifest or {}).get("files", ()) if str(file.get("name", "")).startswith(start))


def output_files(target: str | os.PathLike[str], kind: str = DATA, storage: StorageOptions | None = None) -> tuple[str, ...]:
    """The parquet files that hold a partition's predictions, in the order of its rows; () if there is no output.

    Args:
        target: The partition's folder, whichever engine wrote it.
        kind: `part` for the predictions, `quarantine` for the rows that were set aside.
        storage: How object stores are reached.

    Raises:
        ManifestMismatchError: If there is a manifest that is not ours to read.
    """
    from airflow_registry.scoring.output import DATA_NAME, QUARANTINE_NAME
    from airflow_registry.scoring.places import open_place

    place = open_place(target, storage)
    single = {DATA: DATA_NAME, ASIDE: QUARANTINE_NAME}[kind]
    manifest = place.manifest()
    names = [file["name"] for file in (manifest or {}).get("files", ()) if file["name"] == single]
    return tuple(f"{place.name}/{name}" for name in [*names, *(part["name"] for part in named_parts(manifest, kind))])


def generation_of(name: str) -> int | None:
    """Which generation wrote the file of that name in `.parts/`, finished or not; None if it is none of ours."""
    found = _NAME.fullmatch(name)
    return int(found[2]) if found else None


def absent(where: str, part: str) -> InvalidInputError:
    """The error of a part that a task wrote, and that is not there."""
    return InvalidInputError(
        f"{where} was not written: the part {part}, which a task wrote, is not there. Expected an output that the driver and all executors "
        "reach under the same name, such as a mounted disk or an object store; or a newer run has removed the parts, and its output counts."
    )
