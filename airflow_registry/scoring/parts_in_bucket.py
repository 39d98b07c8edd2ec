"""Parts in an object store; see `parts`.

Tasks upload under names that nobody else writes. The manifest is replaced by one write that demands the version that was seen, so it is
the only thing that writers can fight for. The one object of another engine stays beside it, unnamed: a delete cannot demand a version,
and so might hit what a newer writer has just put there.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from airflow_registry.artifacts.durable import private_folder
from airflow_registry.errors import ManifestMismatchError
from airflow_registry.objects.base import ABSENT, PreconditionError
from airflow_registry.scoring.bucket import ATTEMPTS, CLAIM, open_object_folder
from airflow_registry.scoring.output import MANIFEST_NAME, manifest_text, refuse_older
from airflow_registry.scoring.parts import PARTS, Part, absent, generation_of, named_parts
from airflow_registry.scoring.staging import described

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping

    from airflow_registry.objects.base import Condition
    from airflow_registry.scoring.bucket import ObjectFolder
    from airflow_registry.scoring.output import Provenance

__all__ = ["BucketParts", "open_object_folder"]


class BucketParts:
    """A partition's folder.

    Args:
        place: The folder.
    """

    def __init__(self, place: ObjectFolder) -> None:
        self.name = place.name
        self._place = place

    def begin(self, provenance: Provenance, generation: int) -> None:
        """Sweep what earlier tasks left, unless a damaged manifest cannot say what of it is output."""
        self._look(provenance, generation)
        with suppress(ManifestMismatchError):
            self._sweep({part["name"] for part in named_parts(self._place.look()[0])}, generation)

    def _sweep(self, kept: Container[str], generation: int) -> None:
        for name in self._place.part_versions():
            written_by = generation_of(name.removeprefix(f"{PARTS}/"))
            if name not in kept and written_by is not None and written_by < generation:
                self._place.client.delete(self._place.key(name))

    @contextmanager
    def staging(self, generation: int) -> Iterator[BucketPartStage]:
        """Make a folder on this machine's disk, which goes with the context."""
        with private_folder() as folder:
            yield BucketPartStage(self._place, folder, generation)

    def publish(self, manifest: Mapping[str, Any], provenance: Provenance) -> None:
        """Try until nobody came between; a newer writer ends it."""
        named = {**manifest, "files": [{**part, "version": version} for part, version in self._versions(manifest)]}
        for _ in range(ATTEMPTS):
            _, condition = self._look(provenance, manifest["generation"])
            try:
                self._place.client.write(self._place.key(MANIFEST_NAME), manifest_text(named).encode(), condition=condition)
            except PreconditionError:
                continue
            return
        raise self._place.restless()

    def _look(self, provenance: Provenance, generation: int) -> tuple[dict[str, Any], Condition]:
        """The manifest in place, unless it or the claim in it is of a newer generation."""
        found, condition = self._place.look_or_repair()
        for each in (found, found.get(CLAIM) or {}):
            refuse_older(each, provenance, generation, self.name)
        return found, condition

    def _versions(self, manifest: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
        there = self._place.part_versions()
        for part in named_parts(manifest):
            if part["name"] not in there:
                raise absent(self.name, part["name"])
            yield part, there[part["name"]]


class BucketPartStage:
    """The unfinished parts of one task, on this machine's disk."""

    def __init__(self, place: ObjectFolder, folder: str, generation: int) -> None:
        self._place = place
        self._folder = folder
        self._generation = generation

    def path(self, kind: str) -> str:
        """A path in the temporary folder."""
        return f"{self._folder}/{kind}"

    def seal(self, kind: str, rows: int) -> Part:
        """Upload it whole, unless another attempt has put the same bytes there."""
        found = described(self.path(kind), rows)
        part = Part(kind=kind, generation=self._generation, digest=found.digest, rows=rows, size_bytes=found.size_bytes)
        with suppress(PreconditionError):
            self._place.client.upload(found.path, self._place.key(part.name), digest=found.digest, condition=ABSENT)
        return part
