"""Artifacts in a folder of this machine, or of a disk that all workers mount.

Crash safety: a copy is made in a temporary folder beside the target, flushed, compared, then renamed; whatever is killed in
between leaves a temporary folder at most. Readers never trust bytes that somebody else can still change: `fetch` and
`open_verified` copy first and compare the copy. That costs disk space of the artifact's size, and no memory.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_registry.artifacts import anchor
from airflow_registry.artifacts.base import AREAS, Stored, artifact_name
from airflow_registry.artifacts.digest import content_of
from airflow_registry.artifacts.dispatch import local_path, scheme_of
from airflow_registry.artifacts.durable import (
    TEMPORARY,
    copy_content,
    locked,
    make_folder,
    private_folder,
    sync,
    workspace,
    write_new,
    write_once,
    write_whole,
)
from airflow_registry.artifacts.failures import not_found, reading, writing
from airflow_registry.artifacts.plain import (
    compare,
    copy_verified,
    hand_over,
    has_manifest,
    is_whole,
    manifest_path,
    place,
    refuse_changed,
    unknown_below,
)
from airflow_registry.artifacts.pointer import KINDS, MARK, POINTER, read_object
from airflow_registry.domain.names import Digest, ModelName
from airflow_registry.errors import StorageUnavailableError

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping

    from airflow_registry.artifacts.base import Area
    from airflow_registry.artifacts.digest import Content
    from airflow_registry.artifacts.pointer import PointerKind

_LOCK = ".lock"


class LocalArtifactStore:
    """The artifact store in a local folder; see `ArtifactStore` for what its methods promise.

    Args:
        root: Absolute path of the folder, made at the first write.
    """

    def __init__(self, root: str) -> None:
        self.root = root

    # -- artifacts -----------------------------------------------------------------------------------------------------
    def put(self, source: str, *, model: str, name: str | None = None, area: Area = "plain") -> Stored:
        """Copy a file or folder in, verified and written once."""
        origin = Path(local_path(source))
        folder = Path(self.root, area, ModelName(model).key)
        content = content_of(origin).refuse_empty(origin)
        target = folder / content.digest.short / artifact_name(origin.name if name is None else name)
        with writing(f"store {origin} at {target}"):
            if not (is_whole(target, content) and has_manifest(target, content)):
                _write(origin, target, content)
            sync(target.parent)  # also when another writer renamed it: it may not have come this far
        remote_path = f"{target}/" if content.is_folder else str(target)
        return Stored(digest=content.digest, size_bytes=content.size_bytes, remote_path=remote_path, is_folder=content.is_folder)

    def verify(self, remote_path: str, digest: Digest) -> None:
        """Compare an artifact with its digest where it lies."""
        origin = self._present(remote_path)
        compare(origin, origin, digest)

    def exists(self, remote_path: str) -> bool:
        """Whether a file, or for a remote path that ends in `/` a folder, is there."""
        path = Path(local_path(remote_path))
        with reading(path):
            return path.exists() and path.is_dir() == remote_path.endswith("/")

    def fetch(self, remote_path: str, digest: Digest | None, target: str) -> str:
        """Copy an artifact into the folder `target`, verified before it gets its name."""
        origin, folder = self._present(remote_path), Path(local_path(target))
        final = folder / origin.name
        with writing(f"copy {remote_path} to {final}"):
            make_folder(folder)
            with workspace(folder) as temporary:
                copy_verified(origin, temporary / origin.name, digest, flush=True)
                hand_over(temporary / origin.name, final)
            sync(folder)
        return str(final)

    @contextmanager
    def open_verified(self, remote_path: str, digest: Digest) -> Iterator[str]:
        """A verified private copy in the system's temporary folder (`TMPDIR`), which only this user can enter."""
        with private_folder() as private:
            yield self.copy_into(remote_path, digest, private)

    def copy_into(self, remote_path: str, digest: Digest, folder: str) -> str:
        """A verified copy in a folder that only this process uses."""
        origin = self._present(remote_path)
        copy = Path(folder, origin.name)
        with writing(f"copy {remote_path} to {folder} (set TMPDIR to use another disk)"):
            copy_verified(origin, copy, digest, flush=False)
        return str(copy)

    def digest_of(self, uri: str) -> tuple[Digest, int] | None:
        """Digest and size of a local file or folder; None for other URIs."""
        if scheme_of(uri) not in {"", "file"}:
            return None
        path = local_path(uri)
        content = content_of(path).refuse_empty(path)
        return content.digest, content.size_bytes

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
        path = Path(self.root, kind.folder, kind.name(model))
        text = kind.text(payload, count)
        with writing(f"write the {kind.title} {path}"):
            make_folder(path.parent)
            with locked(path.with_name(f".{path.name}{_LOCK}")):
                if not kind.is_newer(read_object(path), payload, count):
                    write_whole(path, text.encode())
        return str(path)

    def _read_forward(self, kind: PointerKind, model: str) -> dict[str, Any] | None:
        path = Path(self.root, kind.folder, kind.name(model))
        if not self.exists(str(path)):
            return None
        found = read_object(path)
        if found is None:
            raise kind.damaged(str(path))
        return found

    # -- anchors -------------------------------------------------------------------------------------------------------
    def write_anchor(self, registry_uid: str, seq: int, payload: Mapping[str, Any]) -> str:
        """Write an audit anchor, once."""
        path = Path(self.root, anchor.anchor_folder(registry_uid), anchor.anchor_name(seq))
        data = anchor.anchor_text(registry_uid, seq, payload)
        with writing(f"write the audit anchor {path}"):
            make_folder(path.parent)
            if not write_once(path, data):
                anchor.refuse_other(str(path), data, path.read_bytes())
        return str(path)

    def anchors(self, registry_uid: str) -> Iterator[anchor.Anchor]:
        """The audit anchors of a registry."""
        for seq, path in self._anchor_paths(registry_uid):
            with reading(path):
                yield anchor.parse_anchor(seq, str(path), path.read_bytes())

    def newest_anchor(self, registry_uid: str) -> int:
        """The place of a registry's newest audit anchor."""
        return max((seq for seq, _ in self._anchor_paths(registry_uid)), default=0)

    def anchored_registries(self) -> Iterator[str]:
        """The uids of the registries that have audit anchors."""
        yield from sorted({path.parent.name for path in Path(self.root, anchor.FOLDER).glob("*/*.json")})

    def _anchor_paths(self, registry_uid: str) -> list[tuple[int, Path]]:
        root = Path(self.root)
        if not root.is_dir():
            raise StorageUnavailableError(f"The artifact folder {root} is not there. Mount or restore it, then try again.")
        found = root.joinpath(anchor.anchor_folder(registry_uid)).glob("*.json")
        return sorted((seq, path) for path in found if (seq := anchor.place_of(path.name)) is not None)

    def models(self) -> Iterator[str]:
        """Names of the models that have a mark or a pointer."""
        yield from sorted({path.stem for kind in KINDS for path in Path(self.root, kind.folder).glob("[!.]*.json")})

    # -- housekeeping ----------------------------------------------------------------------------------------------------
    def orphans(self, known: Container[str]) -> Iterator[str]:
        """Artifacts that are not in `known`, and temporary folders."""
        for where in (*(kind.folder for kind in KINDS), f"{anchor.FOLDER}/*"):
            yield from map(str, sorted(Path(self.root).glob(f"{where}/{TEMPORARY}*")))
        for area in AREAS:
            for folder in sorted(Path(self.root).glob(f"{area}/*/*/")):
                yield from [str(folder)] if folder.name.startswith(TEMPORARY) else unknown_below(folder, known)

    def describe(self) -> str:
        """`local folder <root>`."""
        return f"local folder {self.root}"

    def check(self) -> None:
        """Make the root if needed, write into it and clean up."""
        root = Path(self.root)
        with writing(f"write into the artifact folder {root}"):
            make_folder(root)
            with workspace(root) as temporary:
                write_new(temporary / "check", b"airflow-registry\n")

    # -- inside ----------------------------------------------------------------------------------------------------------
    def _present(self, remote_path: str) -> Path:
        """The path of an artifact that is there.

        A store whose root is gone is out of reach (a disk that is not mounted), which a retry may help; a missing artifact is not.
        """
        path, root = Path(local_path(remote_path)), Path(self.root)
        with reading(path):
            if path.exists():
                return path
        if path.is_relative_to(root) and not root.is_dir():
            raise StorageUnavailableError(f"The artifact folder {root} is not there. Mount or restore it, then try again.")
        raise not_found(remote_path)


def _write(origin: Path, target: Path, content: Content) -> None:
    """Copy, compare, then rename; nothing under the final name before that."""
    folder = target.parent.parent
    make_folder(folder)
    with workspace(folder) as temporary:
        copy = temporary / target.name
        copy_content(origin, copy, flush=True)
        refuse_changed(origin, content, content_of(copy))
        if content.manifest is not None:
            write_new(manifest_path(copy), str(content.manifest).encode())
        make_folder(target.parent)
        with locked(folder / _LOCK):
            place(copy, target, content, aside=temporary / f"{TEMPORARY}damaged")
