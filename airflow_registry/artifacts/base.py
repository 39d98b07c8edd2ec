"""The `ArtifactStore` protocol: what every place that keeps bytes promises.

Layout, the same everywhere, so that people and tools find their way without this package:

    <root>/plain/<model>/<16 hex of digest>/<name>               a file, written once
    <root>/plain/<model>/<16 hex of digest>/<name>/              a folder; its remote path ends in `/`
    <root>/plain/<model>/<16 hex of digest>/<name>.sha256sums    its manifest, whose own SHA-256 is the folder's digest
    <root>/evaluations/<model>/<16 hex of digest>/rows.arrow     labels, scores and slices of each row of an evaluation, written once
    <root>/production/<model>.json                               the champion, for consumers that speak neither SQL nor HTTP
    <root>/numbers/<model>.json                                  the highest version number given out, for a database that was restored
    <root>/audit/<registry uid>/<seq>.json                       a head of the audit chain, written once

`<model>` is the model's name in lower case, because names are unique regardless of case.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

from airflow_registry.artifacts.digest import name_fault
from airflow_registry.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping
    from contextlib import AbstractContextManager

    from airflow_registry.artifacts.anchor import Anchor
    from airflow_registry.domain.names import Digest

__all__ = ["AREAS", "MANIFEST_SUFFIX", "Area", "ArtifactStore", "Stored", "artifact_name"]

Area = Literal["plain", "evaluations"]
AREAS: tuple[Area, ...] = get_args(Area)
MANIFEST_SUFFIX = ".sha256sums"
_LONGEST_NAME_BYTES = 200  # leaves room for the suffix where names end at 255 bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """An artifact that a store keeps.

    Attributes:
        digest: SHA-256 of the file, or of the folder's manifest.
        size_bytes: Size of all its files in bytes.
        remote_path: Where any consumer can read it; a folder's ends in `/`.
        is_folder: Whether it is a folder.
    """

    digest: Digest
    size_bytes: int
    remote_path: str
    is_folder: bool


class ArtifactStore(Protocol):
    """Where bytes are kept: content-addressed, written once.

    Every method raises `StorageUnavailableError` when the store is out of reach, full or forbidden.
    """

    @property
    def root(self) -> str:
        """URI of the store, without a trailing slash."""

    def put(self, source: str, *, model: str, name: str | None = None, area: Area = "plain") -> Stored:
        """Copy a file or folder in, verified; the same bytes again are verified where they lie and not written a second time.

        Args:
            source: Path or file:// URI of the file or folder.
            model: Whose artifact it is.
            name: What it is called in the store; default: the source's name.
            area: The folder below the root: `plain` for models, `evaluations` for the rows of an evaluation.

        Raises:
            ArtifactNotFoundError: If the source is not there.
            InvalidInputError: If it is empty, changes while it is read, or holds something that cannot be kept.
        """

    def verify(self, remote_path: str, digest: Digest) -> None:
        """Compare an artifact with its digest; nothing is returned when they agree.

        Raises:
            ArtifactNotFoundError: If it is not there.
            ManifestMismatchError: If files of a folder are missing, extra or changed; they are named.
            DigestMismatchError: If the bytes are other ones.
        """

    def exists(self, remote_path: str) -> bool:
        """Whether an artifact is there; its bytes are not looked at."""

    def fetch(self, remote_path: str, digest: Digest | None, target: str) -> str:
        """Copy an artifact into the local folder `target` and return the path of the copy, which appears whole or not at all.

        A file of the same name there is replaced. A folder of the same name is kept if it holds the same bytes, else refused.

        Args:
            remote_path: The artifact.
            digest: What its bytes must be; None if nobody knows, then nothing is compared.
            target: A folder, made if it is not there.

        Raises:
            InvalidInputError: If other files stand where the copy of a folder shall go.
        """

    def open_verified(self, remote_path: str, digest: Digest) -> AbstractContextManager[str]:
        """A local path whose bytes have been verified and that nobody else can change until the context ends."""

    def copy_into(self, remote_path: str, digest: Digest, folder: str) -> str:
        """Write a verified copy into a folder that is there and that nobody else looks into; returns its path. Not flushed to the disk."""

    def digest_of(self, uri: str) -> tuple[Digest, int] | None:
        """Digest and size in bytes of what stays where it is (`copy=False`); None if this store cannot read that URI.

        Raises:
            ArtifactNotFoundError: If it could be read and is not there.
            InvalidInputError: If it is empty or holds something that cannot be digested.
        """

    def write_pointer(self, model: str, payload: Mapping[str, Any], revision: int) -> str:
        """Write `<root>/production/<model>.json` whole, and return its URI.

        The keys `schema` and `revision` are added. A pointer with a newer revision stays as it is, unless both name a
        `registry_uid` and they differ: then another registry has taken over the store.
        """

    def read_pointer(self, model: str) -> dict[str, Any] | None:
        """What the pointer says, None if there is none.

        Raises:
            CorruptionError: If it is not a pointer.
        """

    def write_mark(self, model: str, payload: Mapping[str, Any], number: int) -> str:
        """Write `<root>/numbers/<model>.json` whole, and return its URI.

        The keys `schema` and `number` are added. It only goes forward, as the pointer does: a higher number of the same registry stays.
        """

    def read_mark(self, model: str) -> dict[str, Any] | None:
        """What the mark says, None if there is none.

        Raises:
            CorruptionError: If it is not a mark.
        """

    def write_anchor(self, registry_uid: str, seq: int, payload: Mapping[str, Any]) -> str:
        """Write the audit anchor `<root>/audit/<registry_uid>/<seq, 12 digits>.json` once, and return its URI.

        The keys `schema`, `registry_uid` and `seq` are added. Whoever comes later with the same content finds it done.

        Raises:
            CorruptionError: If another one is there; it stays as it is.
        """

    def anchors(self, registry_uid: str) -> Iterator[Anchor]:
        """The audit anchors of a registry, by their place in its chain."""

    def newest_anchor(self, registry_uid: str) -> int:
        """The highest place that an audit anchor of a registry stands for, 0 if it has none; what they say is not read."""

    def anchored_registries(self) -> Iterator[str]:
        """The uids of the registries that have audit anchors here."""

    def models(self) -> Iterator[str]:
        """Lower-case names of the models that have a mark or a pointer; for what compares the database with the store."""

    def orphans(self, known: Container[str]) -> Iterator[str]:
        """Remote paths of artifacts that are not in `known`, and temporary files; those of evaluations too, below `evaluations/`.

        An artifact whose row is about to be committed, and the temporary file of a running writer, are among them: who deletes
        must leave them a time of grace.
        """

    def describe(self) -> str:
        """One line for people: what kind of store, and where."""

    def check(self) -> None:
        """Raise unless the store can be written; what the connection's test does."""


def artifact_name(name: str) -> str:
    """The last part of an artifact's remote path, checked.

    Raises:
        InvalidInputError: If it could leave its folder, or a consumer could not use it.
    """
    fault = name_fault(name) or _path_fault(name)
    if fault:
        raise InvalidInputError(f"{name!r} cannot name an artifact: {fault}. Pass name='…', for example name='model.skops'.")
    return name


def _path_fault(name: str) -> str | None:
    if name in {"", ".", ".."} or "/" in name:
        return "it must be the name of one file or folder, not a path"
    if name.startswith(".tmp-"):
        return "names that start with '.tmp-' are temporary"
    if len(name.encode()) > _LONGEST_NAME_BYTES:
        return f"it has {len(name.encode())} bytes, at most {_LONGEST_NAME_BYTES} are allowed"
    return None
