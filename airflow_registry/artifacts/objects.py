"""Artifacts in a bucket of an object store: the same layout as in a local folder, so that either can be copied into the other.

What `put` promises: the source is read once for its digest; what is there already under that digest is read back and compared byte for
byte (metadata is never believed); what is not there is written with checksums that the store compares, on the condition that nobody else
was faster, and afterwards the store is asked for its size. What is damaged is written again. A crash leaves single objects of a folder
without its manifest at most, which no version speaks of and `orphans` finds.

Reading copies to the local disk and compares the copy, because anybody with rights on the bucket can replace an object at any time.
"""

from __future__ import annotations

import random
import time
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_registry.artifacts import anchor
from airflow_registry.artifacts.base import AREAS, MANIFEST_SUFFIX, Stored, artifact_name
from airflow_registry.artifacts.digest import Content, Manifest, content_of
from airflow_registry.artifacts.dispatch import local_path
from airflow_registry.artifacts.durable import TEMPORARY, make_folder, private_folder, sync, workspace
from airflow_registry.artifacts.failures import reading, writing
from airflow_registry.artifacts.object_files import (
    LARGE_BYTES,
    files_below,
    manifest_key,
    put_file,
    put_folder,
    read_file,
    read_folder,
    registered_manifest,
)
from airflow_registry.artifacts.parallel import each
from airflow_registry.artifacts.plain import hand_over, mismatch, other_content, refuse_changed
from airflow_registry.artifacts.pointer import KINDS, MARK, POINTER, parse_object
from airflow_registry.domain.names import ModelName
from airflow_registry.errors import (
    ArtifactNotFoundError,
    DigestMismatchError,
    InvalidInputError,
    StorageRefusedError,
    StorageUnavailableError,
)
from airflow_registry.objects.base import ABSENT, Condition, MeasuringClient, PreconditionError
from airflow_registry.objects.dispatch import is_object_uri, join, split_uri

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping

    from airflow_registry.artifacts.base import Area
    from airflow_registry.artifacts.pointer import PointerKind
    from airflow_registry.domain.names import Digest
    from airflow_registry.objects.base import Measured, ObjectClient, ObjectInfo

_ROUNDS = 50
_LONGEST_PAUSE_S = 0.2
_NO_FILES = Manifest(entries=())


class ObjectArtifactStore:
    """The artifact store in a bucket; see `ArtifactStore` for what its methods promise.

    Args:
        client: The bucket.
        prefix: Where in the bucket the store begins; '' for its root.
    """

    def __init__(self, client: ObjectClient, prefix: str = "") -> None:
        self.client = client
        self.prefix = prefix.strip("/")
        self.root = client.uri(self.prefix) if self.prefix else client.root

    # -- artifacts -----------------------------------------------------------------------------------------------------
    def put(self, source: str, *, model: str, name: str | None = None, area: Area = "plain") -> Stored:
        """Copy a local file or folder in, verified and written once."""
        origin = Path(local_path(source))
        model = ModelName(model).key
        content, measured = self._read_source(origin)
        key = join(self.prefix, area, model, content.digest.short, artifact_name(origin.name if name is None else name))
        key = f"{key}/" if content.is_folder else key
        with writing(f"store {origin} at {self.client.uri(key)}"), _unchanged(origin, content):
            if content.is_folder:
                put_folder(self.client, origin, key, content)
            else:
                put_file(self.client, origin, key, content, measured)
        return Stored(digest=content.digest, size_bytes=content.size_bytes, remote_path=self.client.uri(key), is_folder=content.is_folder)

    def _read_source(self, origin: Path) -> tuple[Content, Measured | None]:
        """What a source holds; a large file is read by the client, which then need not read it for its digest again."""
        with reading(origin):
            large = origin.is_file() and origin.stat().st_size >= LARGE_BYTES
        if not large or not isinstance(self.client, MeasuringClient):
            return content_of(origin).refuse_empty(origin), None
        measured = self.client.measure(str(origin))
        return Content(digest=measured.digest, size_bytes=measured.size_bytes), measured

    def verify(self, remote_path: str, digest: Digest) -> None:
        """Compare an artifact with its digest; it is read as a stream and not kept."""
        self._read(remote_path, digest, None)

    def exists(self, remote_path: str) -> bool:
        """Whether a file, or for a remote path that ends in `/` a folder, is there; a folder of this store is once it has its manifest."""
        key = self._key(remote_path)
        if not key.endswith("/"):
            return self.client.head(key) is not None
        is_ours = any(key.startswith(join(self.prefix, area) + "/") for area in AREAS)
        has_files = any(True for _ in files_below(self.client, key))
        return has_files and (not is_ours or self.client.head(manifest_key(key)) is not None)

    def fetch(self, remote_path: str, digest: Digest | None, target: str) -> str:
        """Copy an artifact into the local folder `target`, verified before it gets its name."""
        name, folder = self._name(remote_path), Path(local_path(target))
        final = folder / name
        with writing(f"copy {remote_path} to {final}"):
            make_folder(folder)
            with workspace(folder) as temporary:
                self._read(remote_path, digest, temporary / name, flush=True)
                hand_over(temporary / name, final)
            sync(folder)
        return str(final)

    @contextmanager
    def open_verified(self, remote_path: str, digest: Digest) -> Iterator[str]:
        """A verified private copy in the system's temporary folder (`TMPDIR`), which only this user can enter."""
        with private_folder() as private:
            yield self.copy_into(remote_path, digest, private)

    def copy_into(self, remote_path: str, digest: Digest, folder: str) -> str:
        """A verified copy in a folder that only this process uses."""
        copy = Path(folder, self._name(remote_path))
        with writing(f"copy {remote_path} to {folder} (set TMPDIR to use another disk)"):
            self._read(remote_path, digest, copy)
        return str(copy)

    def digest_of(self, uri: str) -> tuple[Digest, int] | None:
        """Digest and size of an object or folder of this bucket; None for other URIs."""
        if not self.holds(uri):
            return None
        content = self._content(uri, None).refuse_empty(uri)
        return content.digest, content.size_bytes

    def holds(self, uri: str) -> bool:
        """Whether a URI lies in this bucket."""
        return is_object_uri(uri) and "://".join(split_uri(uri)[:2]) == self.client.root

    # -- pointers ------------------------------------------------------------------------------------------------------
    def write_pointer(self, model: str, payload: Mapping[str, Any], revision: int) -> str:
        """Write the champion's pointer, unless a newer one is there."""
        return self._write_forward(POINTER, model, payload, revision)

    def read_pointer(self, model: str) -> dict[str, Any] | None:
        """What the pointer says, None if there is none."""
        return self._read_forward(POINTER, model)

    def write_mark(self, model: str, payload: Mapping[str, Any], number: int) -> str:
        """Write the mark of the highest number, unless a higher one is there."""
        return self._write_forward(MARK, model, payload, number)

    def read_mark(self, model: str) -> dict[str, Any] | None:
        """What the mark says, None if there is none."""
        return self._read_forward(MARK, model)

    def _write_forward(self, kind: PointerKind, model: str, payload: Mapping[str, Any], count: int) -> str:
        """Replace exactly what was read: a writer who comes between makes the store refuse, and everything is looked at again."""
        key = join(self.prefix, kind.folder, kind.name(model))
        text = kind.text(payload, count).encode()
        for _ in range(_ROUNDS):
            try:
                info, found = self._current(key)
                if not kind.is_newer(found, payload, count):
                    self.client.write(key, text, condition=ABSENT if info is None else Condition(version=info.version))
            except (PreconditionError, ArtifactNotFoundError):
                time.sleep(random.uniform(0, _LONGEST_PAUSE_S))  # noqa: S311  spreads writers, hides nothing
            else:
                return self.client.uri(key)
        raise StorageUnavailableError(
            f"Cannot write the {kind.title} {self.client.uri(key)}: others write it all the time. Try again later."
        )

    def _read_forward(self, kind: PointerKind, model: str) -> dict[str, Any] | None:
        key = join(self.prefix, kind.folder, kind.name(model))
        try:
            found = parse_object(self.client.read(key))
        except ArtifactNotFoundError:
            return None
        if found is None:
            raise kind.damaged(self.client.uri(key))
        return found

    def _current(self, key: str) -> tuple[ObjectInfo | None, dict[str, Any] | None]:
        info = self.client.head(key)
        return info, None if info is None else parse_object(self.client.read(key))  # a newer one than `info`: then the write is refused

    # -- anchors -------------------------------------------------------------------------------------------------------
    def write_anchor(self, registry_uid: str, seq: int, payload: Mapping[str, Any]) -> str:
        """Write an audit anchor, once."""
        key = join(self.prefix, anchor.anchor_folder(registry_uid), anchor.anchor_name(seq))
        data = anchor.anchor_text(registry_uid, seq, payload)
        try:
            self.client.write(key, data, condition=ABSENT)
        except PreconditionError:
            anchor.refuse_other(self.client.uri(key), data, self.client.read(key))
        return self.client.uri(key)

    def anchors(self, registry_uid: str) -> Iterator[anchor.Anchor]:
        """The audit anchors of a registry; several are read at once."""
        yield from each(
            lambda item: anchor.parse_anchor(item[0], self.client.uri(item[1]), self.client.read(item[1])), self._anchors(registry_uid)
        )

    def newest_anchor(self, registry_uid: str) -> int:
        """The place of a registry's newest audit anchor."""
        return max((seq for seq, _ in self._anchors(registry_uid)), default=0)

    def anchored_registries(self) -> Iterator[str]:
        """The uids of the registries that have audit anchors."""
        start = join(self.prefix, anchor.FOLDER) + "/"
        yield from (folder[len(start) :].rstrip("/") for folder in self.client.folders(start))

    def _anchors(self, registry_uid: str) -> Iterator[tuple[int, str]]:
        """Place and key of each."""
        start = join(self.prefix, anchor.anchor_folder(registry_uid)) + "/"
        for info in self.client.list(start):
            seq = anchor.place_of(info.key[len(start) :])
            if seq is not None:
                yield seq, info.key

    def models(self) -> Iterator[str]:
        """Names of the models that have a mark or a pointer."""
        folders = [join(self.prefix, kind.folder) + "/" for kind in KINDS]
        keys = {info.key[len(folder) :] for folder in folders for info in self.client.list(folder)}
        yield from sorted(
            key.removesuffix(".json") for key in keys if key.endswith(".json") and not key.startswith(TEMPORARY) and "/" not in key
        )

    # -- housekeeping ----------------------------------------------------------------------------------------------------
    def orphans(self, known: Container[str]) -> Iterator[str]:
        """Artifacts that are not in `known`, a folder once, whatever it holds; and temporary objects."""
        for kind in KINDS:
            yield from (self.client.uri(info.key) for info in self.client.list(join(self.prefix, kind.folder, TEMPORARY)))
        for area in AREAS:
            yield from self._unknown_below(join(self.prefix, area) + "/", known)

    def _unknown_below(self, start: str, known: Container[str]) -> Iterator[str]:
        last = ""
        for info in self.client.list(start):
            remote_path = self.client.uri(start + _artifact_path(info.key[len(start) :]))
            owner = f"{remote_path.removesuffix(MANIFEST_SUFFIX)}/"
            is_manifest_of_known = remote_path.endswith(MANIFEST_SUFFIX) and owner in known
            if remote_path != last and remote_path not in known and not is_manifest_of_known:
                yield remote_path
            last = remote_path

    def describe(self) -> str:
        """`object store <root>`."""
        return f"object store {self.root}"

    def check(self) -> None:
        """List, write, read back and delete a small object; an error says which of these is not allowed."""
        key = join(self.prefix, MARK.folder, f"{TEMPORARY}check-{uuid.uuid4().hex}")  # where a policy for the store's folders allows it
        with self._step("list"):
            self.client.check()
        with self._step("write into"):
            self.client.write(key, b"airflow-registry\n", condition=ABSENT)
        try:
            with self._step("read"):
                self.client.read(key)
        finally:
            with self._step("delete from"):
                self.client.delete(key)

    # -- inside ----------------------------------------------------------------------------------------------------------
    @contextmanager
    def _step(self, verb: str) -> Iterator[None]:
        try:
            yield
        except StorageRefusedError as error:
            raise StorageRefusedError(f"Cannot {verb} the artifact store {self.root}: {error}") from error

    def _key(self, remote_path: str) -> str:
        if not self.holds(remote_path):
            raise InvalidInputError(f"{remote_path!r} is not in the bucket {self.client.root} of this artifact store.")
        return split_uri(remote_path)[2]

    def _name(self, remote_path: str) -> str:
        """What a local copy of an artifact is called."""
        return artifact_name(self._key(remote_path).removesuffix("/").rpartition("/")[2])

    def _read(self, remote_path: str, digest: Digest | None, copy: Path | None, *, flush: bool = False) -> None:
        """Read all of an artifact, into `copy` where one is wanted; raise unless it has the digest."""
        try:
            found = self._content(remote_path, copy, flush=flush)
        except InvalidInputError as error:
            if digest is None:
                raise
            raise mismatch(remote_path, str(error)) from error
        if digest is not None and found.digest != digest:
            raise other_content(remote_path, digest, found, self._registered(remote_path, digest))

    def _content(self, remote_path: str, copy: Path | None, *, flush: bool = False) -> Content:
        key = self._key(remote_path)
        try:
            if not key.endswith("/"):
                return read_file(self.client, key, copy, flush=flush)
            found = read_folder(self.client, key, copy, flush=flush)
        except ArtifactNotFoundError as error:
            raise self._missing(remote_path) from error
        if found.manifest == _NO_FILES and self.client.head(manifest_key(key)) is None:
            raise self._missing(remote_path)
        return found

    def _registered(self, remote_path: str, digest: Digest) -> Manifest | None:
        key = self._key(remote_path)
        return registered_manifest(self.client, key, digest) if key.endswith("/") else None

    def _missing(self, remote_path: str) -> ArtifactNotFoundError:
        """The error for what is not there, unless the bucket itself is not there or closed: then that is raised."""
        self.client.check()
        key = self._key(remote_path)
        hint = "Check the spelling; if it was deleted, restore it from a backup or an earlier version of the object."
        if not key.endswith("/") and any(True for _ in files_below(self.client, f"{key}/")):
            hint = "It is a folder: write its address with a slash at the end."
        return ArtifactNotFoundError(f"There is no artifact at {remote_path}. {hint}")


def _artifact_path(path: str) -> str:
    """The artifact that an object belongs to: model, digest, name; below that are the files of a folder."""
    parts = path.split("/")
    return "/".join([*parts[:3], ""]) if len(parts) > 3 else path


@contextmanager
def _unchanged(origin: Path, content: Content) -> Iterator[None]:
    """A source whose digest changed while it was uploaded was changed; the client only says that it is another one."""
    try:
        yield
    except DigestMismatchError:
        refuse_changed(origin, content, content_of(origin))
        raise
