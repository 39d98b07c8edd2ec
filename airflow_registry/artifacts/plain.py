"""Plain files and folders under their final names: are they what they should be, and how do they get there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from airflow_registry.artifacts.base import MANIFEST_SUFFIX
from airflow_registry.artifacts.digest import Manifest, content_of
from airflow_registry.artifacts.durable import copy_content
from airflow_registry.errors import CorruptionError, DigestMismatchError, InvalidInputError, ManifestMismatchError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Container, Iterator
    from pathlib import Path

    from airflow_registry.artifacts.digest import Content
    from airflow_registry.domain.names import Digest


def manifest_path(path: Path) -> Path:
    """Where the manifest of the folder at `path` stands."""
    return path.with_name(path.name + MANIFEST_SUFFIX)


def compare(path: Path, origin: Path, digest: Digest) -> None:
    """Raise unless the bytes at `path`, which is the artifact at `origin` or a copy of it, have the digest."""
    try:
        found = content_of(path)
    except InvalidInputError as error:
        raise mismatch(str(origin), str(error)) from error
    if found.digest != digest:
        raise other_content(str(origin), digest, found, _registered_manifest(origin, digest))


def other_content(where: str, digest: Digest, found: Content, registered: Manifest | None) -> CorruptionError:
    """What was read is not what was registered; names the files if the registered manifest is at hand."""
    if registered is None or found.manifest is None:
        return DigestMismatchError.at(where, expected=digest, found=found.digest)
    listed = "\n".join(f"  - {difference}" for difference in registered.differences(found.manifest))
    return mismatch(where, f"expected {digest}, found {found.digest}\n{listed}")


def copy_verified(origin: Path, copy: Path, digest: Digest | None, *, flush: bool) -> None:
    """Copy, then compare the copy: nobody else can change it any more. Without digest nothing is compared."""
    try:
        copy_content(origin, copy, flush=flush)
    except InvalidInputError as error:
        if digest is None:
            raise
        raise mismatch(str(origin), str(error)) from error
    if digest is not None:
        compare(copy, origin, digest)


def is_whole(path: Path, content: Content) -> bool:
    """Whether exactly this content stands at `path`."""
    if not os.path.lexists(path):
        return False
    try:
        return content_of(path) == content
    except (InvalidInputError, NotFoundError):  # a pipe, a link to nowhere: damage like any other
        return False


def has_manifest(path: Path, content: Content) -> bool:
    """Whether a folder's manifest is beside it; a file needs none."""
    return not content.is_folder or _registered_manifest(path, content.digest) is not None


def refuse_changed(origin: Path, first: Content, copy: Content) -> None:
    """Raise if the copy is not what was read before it."""
    if copy != first:
        raise InvalidInputError(
            f"{origin} changed while it was read: first {first.digest} ({first.size_bytes} bytes), then {copy.digest} "
            f"({copy.size_bytes} bytes). Nothing was kept. Register it after whatever writes it has finished."
        )


def place(copy: Path, target: Path, content: Content, *, aside: Path) -> None:
    """Give the copy its name. What stands there is either the same already (another writer's) or damaged, and then goes aside."""
    if content.is_folder:
        manifest_path(copy).replace(manifest_path(target))
    if is_whole(target, content):
        return
    if os.path.lexists(target):
        target.rename(aside)
    copy.rename(target)


def hand_over(copy: Path, final: Path) -> None:
    """Give a fetched copy its name: a file replaces a file, a folder never replaces anything."""
    if not copy.is_dir() and not final.is_dir():
        copy.replace(final)
    elif not os.path.lexists(final):
        copy.rename(final)
    elif not is_whole(final, content_of(copy)):
        raise InvalidInputError(f"Other files stand at {final} already and would be lost. Remove them, or choose an empty folder.")


def unknown_below(folder: Path, known: Container[str]) -> Iterator[str]:
    """Remote paths of what stands in one digest's folder and is not known; a folder's manifest goes with the folder."""
    for path in sorted(folder.iterdir()):
        owner = f"{str(path).removesuffix(MANIFEST_SUFFIX)}/"
        remote_path = f"{path}/" if path.is_dir() else str(path)
        if remote_path not in known and not (path.name.endswith(MANIFEST_SUFFIX) and owner in known):
            yield remote_path


def mismatch(where: str, found: str) -> ManifestMismatchError:
    """The files of a folder are not those of its manifest."""
    return ManifestMismatchError(
        f"The files at {where} are not those that were registered: {found}\nNothing was loaded. Restore them from a backup, "
        "or roll back to a version whose artifact is whole."
    )


def _registered_manifest(path: Path, digest: Digest) -> Manifest | None:
    """The manifest that was stored beside a folder; believed only if its own digest is the folder's."""
    try:
        manifest = Manifest.parse(manifest_path(path).read_bytes().decode())
    except (OSError, ValueError):  # gone or damaged: then nobody can say which file changed, only that one did
        return None
    return manifest if manifest.digest == digest else None
