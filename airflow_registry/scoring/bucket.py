"""Outputs in object stores: staged on this machine's disk, put in place by writes that depend on what is there.

Order of a commit: look at the objects, claim the manifest, write what was set aside, write the data object, write the manifest.
Each write demands the version that was seen, so a writer that was overtaken changes nothing.

Invariants:
    * Nothing is sent before all rows are in a whole local file, so no exception and no kill can publish a part of them.
    * A writer of an older generation never replaces the output of a newer one. The newer one claims the manifest before it
      writes data; the older one looks at the data before it looks for claims. So either it sees the claim, or the data that it
      expects to replace are not there any more, or its own are replaced by the newer one's.
    * The manifest names the store's version of each object. A crash between data and manifest leaves a claim in the manifest and
      another version than it names; so does the one case that versions cannot tell apart: a newer writer that replaced bytes by
      equal ones, in a store whose versions are digests. Who finds that scores the partition again.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_registry.artifacts.durable import private_folder
from airflow_registry.errors import InvalidInputError, ManifestMismatchError, StorageUnavailableError
from airflow_registry.objects.base import ABSENT, Condition, PreconditionError
from airflow_registry.objects.dispatch import join
from airflow_registry.scoring.clients import bucket_of
from airflow_registry.scoring.objects import check_key
from airflow_registry.scoring.output import (
    DATA_NAME,
    MANIFEST_NAME,
    QUARANTINE_NAME,
    manifest_of,
    manifest_text,
    parse_manifest,
    refuse_older,
)
from airflow_registry.scoring.parts import PARTS, named_parts
from airflow_registry.scoring.staging import described

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from airflow_registry.objects.base import ObjectClient
    from airflow_registry.objects.options import StorageOptions
    from airflow_registry.scoring.output import Provenance, Staged
    from airflow_registry.scoring.places import Record

CLAIM = "writing"
ATTEMPTS = 10  # each failed one means that another writer got on


def open_object_folder(uri: str, storage: StorageOptions | None) -> ObjectFolder:
    """The partition's folder at an address in an object store.

    Raises:
        InvalidInputError: If it is none that a folder can have.
    """
    check_key(uri)
    client, key = bucket_of(uri, storage)
    key = key.rstrip("/")
    if "" in key.split("/")[1:]:
        raise InvalidInputError(
            f"The output {uri!r} has an empty segment ('//'), which an object store takes literally. Expected single slashes."
        )
    return ObjectFolder(client, key)


class ObjectFolder:
    """Keys that begin alike.

    Args:
        client: Of the bucket.
        key: What they begin with, without a trailing slash; '' for the bucket itself.
    """

    def __init__(self, client: ObjectClient, key: str) -> None:
        self.client = client
        self.name = f"{client.root}/{key}".rstrip("/")
        self._key = key

    def key(self, name: str) -> str:
        """The key of a file in the folder."""
        return join(self._key, name)

    def uri(self, file: str) -> str:
        """The address of an object in it."""
        return f"{self.name}/{file}"

    def manifest(self) -> dict[str, Any] | None:
        """The manifest that is in place; None if there is none, or only a claim of one that never came."""
        found, _ = self.look()
        return found if "files" in found else None

    def holds_output(self) -> bool:
        """Whether the objects are those that the manifest names."""
        try:
            found = self.manifest()
        except ManifestMismatchError:
            return False
        named = {file["name"]: file.get("version") for file in (found or {}).get("files", ())}
        if named_parts(found):
            there = self.part_versions()
            return all(there.get(name) == version for name, version in named.items())
        return DATA_NAME in named and all(self.condition(name).version == version for name, version in named.items())

    def part_versions(self) -> dict[str, str]:
        """The versions of the parts that are there, by their names in the folder; one listing, however many there are."""
        start = len(self.key("x")) - 1
        return {found.key[start:]: found.version for found in self.client.list(f"{self.key(PARTS)}/")}

    def look(self) -> tuple[dict[str, Any], Condition]:
        """What stands in the manifest, {} if there is none, and what a write that replaces it must find.

        Raises:
            ManifestMismatchError: If it is not ours to read.
        """
        content, condition = self._content()
        return ({} if content is None else parse_manifest(content, self.client.uri(self.key(MANIFEST_NAME)))), condition

    def look_or_repair(self) -> tuple[dict[str, Any], Condition]:
        """The same for those who are about to replace it: a damaged one counts as none."""
        content, condition = self._content()
        try:
            return ({} if content is None else parse_manifest(content, self.name)), condition
        except ManifestMismatchError:
            return {}, condition

    def condition(self, name: str) -> Condition:
        """What a write must find that replaces a file as it is now."""
        found = self.client.head(self.key(name))
        return ABSENT if found is None else Condition(version=found.version)

    @contextmanager
    def staging(self, provenance: Provenance, generation: int) -> Iterator[ObjectStage]:
        """Make a folder on this machine's disk, which goes with the context."""
        with private_folder() as folder:
            stage = ObjectStage(self, folder, provenance, generation)
            stage.refuse_older(self.look_or_repair()[0])
            yield stage

    def _content(self) -> tuple[bytes | None, Condition]:
        for _ in range(ATTEMPTS):
            found = self.client.head(self.key(MANIFEST_NAME))
            if found is None:
                return None, ABSENT
            try:
                return self.client.read(found.key, version=found.version), Condition(version=found.version)
            except PreconditionError:  # replaced between the two
                continue
        raise self.restless()

    def restless(self) -> StorageUnavailableError:
        """The error of those who were overtaken again and again."""
        return StorageUnavailableError(
            f"{self.name} was replaced {ATTEMPTS} times while it was looked at. Nothing was published; run this again when its other "
            "writers are done."
        )


class ObjectStage:
    """The unfinished files of one writer, on this machine's disk."""

    def __init__(self, place: ObjectFolder, folder: str, provenance: Provenance, generation: int) -> None:
        self._place = place
        self._folder = folder
        self._provenance = provenance
        self._generation = generation

    def path(self, name: str) -> str:
        """A path in the temporary folder."""
        return f"{self._folder}/{name}"

    def expect(self, name: str, schema: pa.Schema) -> None:
        """An object can hold anything."""

    def seal(self, name: str, rows: int) -> Staged:
        """Look at it; the disk is only its way."""
        return described(self.path(name), rows)

    def publish(self, data: Staged, quarantine: Staged | None, record: Record | None = None) -> None:  # noqa: ARG002  for databases
        """Try until nobody came between; a newer writer ends it."""
        for _ in range(ATTEMPTS):
            try:
                self._publish(data, quarantine)
            except PreconditionError:
                continue
            return
        raise self._place.restless()

    def refuse_older(self, found: dict[str, Any]) -> None:
        """Compare with the manifest that is in place, and with the claim in it."""
        for each in (found, found.get(CLAIM) or {}):
            refuse_older(each, self._provenance, self._generation, self._place.name)

    def _publish(self, data: Staged, quarantine: Staged | None) -> None:
        files = {name: file for name, file in ((QUARANTINE_NAME, quarantine), (DATA_NAME, data)) if file is not None}
        seen = {name: self._place.condition(name) for name in files}  # before the claim: see the invariants
        replaced, manifest_seen = self._claim()
        versions = {name: self._upload(name, file, seen[name]) for name, file in files.items()}
        manifest = manifest_of(self._provenance, self._generation, data, quarantine)
        for file in manifest["files"]:
            file["version"] = versions[file["name"]]
        self._write_manifest(manifest, manifest_seen)
        for part in named_parts(replaced):  # their names are never used again, so nobody's newer ones are hit
            self._place.client.delete(self._place.key(part["name"]))

    def _upload(self, name: str, file: Staged, condition: Condition) -> str:
        return self._place.client.upload(file.path, self._place.key(name), digest=file.digest, condition=condition).version

    def _claim(self) -> tuple[dict[str, Any], Condition]:
        """Say in the manifest, beside what it says already, that this generation writes; returns what it said."""
        found, condition = self._place.look_or_repair()
        self.refuse_older(found)
        claim = {name: getattr(self._provenance, name) for name in ("model", "version", "registry", "run_id")}
        claim["generation"] = self._generation
        if found.get(CLAIM) == claim:
            return found, condition
        return found, self._write_manifest({"schema": 1, **found, CLAIM: claim}, condition)

    def _write_manifest(self, manifest: dict[str, Any], condition: Condition) -> Condition:
        content = manifest_text(manifest).encode()
        return replace(condition, version=self._place.client.write(self._place.key(MANIFEST_NAME), content, condition=condition).version)
