"""Parts on a file system that the driver and all executors mount; see `parts`."""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_registry.artifacts.durable import make_folder, sync, write_whole
from airflow_registry.errors import ManifestMismatchError
from airflow_registry.scoring.output import DATA_NAME, MANIFEST_NAME, QUARANTINE_NAME, conflict, manifest_text, refuse_older
from airflow_registry.scoring.parts import ASIDE, DATA, PARTS, Part, absent, generation_of, named_parts
from airflow_registry.scoring.places import Folder, locked_folder
from airflow_registry.scoring.staging import described, writing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_registry.scoring.output import Provenance


class FolderParts:
    """A partition's folder.

    Args:
        name: Its absolute path.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._folder = Folder(name)

    def begin(self, provenance: Provenance, generation: int) -> None:
        """Make the folder, and sweep what killed tasks left in it."""
        with writing(self.name):
            make_folder(Path(self.name, PARTS))
            self._refuse_older(provenance, generation)
            sweep_parts(self._folder, generation)

    @contextmanager
    def staging(self, generation: int) -> Iterator[FolderPartStage]:
        """Hidden names beside the finished ones: a rename must not cross file systems."""
        stage = FolderPartStage(self.name, generation)
        with writing(self.name):
            make_folder(Path(self.name, PARTS))
        try:
            yield stage
        finally:
            stage.remove()

    def publish(self, manifest: Mapping[str, Any], provenance: Provenance) -> None:
        """Replace the manifest under a lock; then the one object of another engine, which it does not name any more, goes."""
        with writing(self.name), locked_folder(self.name):
            self._refuse_older(provenance, manifest["generation"])
            for part in named_parts(manifest):
                if not _is_there(self.name, part):
                    raise absent(self.name, part["name"])
            write_whole(Path(self.name, MANIFEST_NAME), manifest_text(dict(manifest)).encode())
            for name in (DATA_NAME, QUARANTINE_NAME):
                Path(self.name, name).unlink(missing_ok=True)

    def _refuse_older(self, provenance: Provenance, generation: int) -> None:
        """Compare with the manifest; a damaged one is about to be replaced by a whole one."""
        with suppress(ManifestMismatchError):
            refuse_older(self._folder.manifest() or {}, provenance, generation, self.name)


class FolderPartStage:
    """The unfinished parts of one task."""

    def __init__(self, folder: str, generation: int) -> None:
        self._folder = folder
        self._generation = generation
        self._token = secrets.token_hex(8)  # two attempts of one task may write at once

    def path(self, kind: str) -> str:
        """A hidden path."""
        return f"{self._folder}/{PARTS}/.{kind}-{self._generation}-{self._token}.tmp"

    def seal(self, kind: str, rows: int) -> Part:
        """Bring it to the disk, and rename it."""
        path = Path(self.path(kind))
        with writing(self._folder), self._not_taken_away():
            sync(path)
            found = described(str(path), rows)
            part = Part(kind=kind, generation=self._generation, digest=found.digest, rows=rows, size_bytes=found.size_bytes)
            path.replace(Path(self._folder, part.name))
            sync(path.parent)
        return part

    @contextmanager
    def _not_taken_away(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            overtaken = "a newer generation is being written and removed the unfinished part"
            raise conflict(self._folder, self._generation, overtaken) from error

    def remove(self) -> None:
        """Whatever happens; what was renamed is not there any more."""
        for kind in (DATA, ASIDE):
            with suppress(OSError):
                Path(self.path(kind)).unlink(missing_ok=True)


def sweep_parts(folder: Folder, generation: int) -> None:
    """Remove the parts of older generations that the manifest in place does not name, finished or not: whoever writes them is late."""
    place = Path(folder.name, PARTS)
    names = os.listdir(place) if place.is_dir() else []  # noqa: PTH208  names are what is looked at
    older = [name for name in names if (found := generation_of(name)) is not None and found < generation]
    if not older:
        return
    try:
        kept = {part["name"] for part in named_parts(folder.manifest())}
    except ManifestMismatchError:  # nobody can say which of them are output
        return
    for name in older:
        if f"{PARTS}/{name}" not in kept:
            (place / name).unlink(missing_ok=True)


def are_there(folder: str, manifest: Mapping[str, Any]) -> bool:
    """Whether all parts that a manifest names are in place, as long as they were."""
    return all(_is_there(folder, part) for part in named_parts(manifest))


def _is_there(folder: str, part: Mapping[str, Any]) -> bool:
    try:
        return Path(folder, part["name"]).stat().st_size == int(part["size_bytes"])
    except (FileNotFoundError, NotADirectoryError):
        return False
