"""The production pointer as the answer: for consumers that do not reach the registry's database.

What a pointer says is a claim of whoever may write into the artifact store. So the bytes are compared with the digest that it
names, and code that an artifact brings along runs only if the setting `trusted` is `all`.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_registry.artifacts.cache.reader import CachedReader
from airflow_registry.artifacts.dispatch import local_path, open_store
from airflow_registry.artifacts.failures import not_found, reading
from airflow_registry.artifacts.pointer import POINTER, parse_object
from airflow_registry.domain.names import Digest, ModelName
from airflow_registry.domain.trust import Trust
from airflow_registry.errors import ArtifactNotFoundError, InvalidInputError, StorageUnavailableError
from airflow_registry.objects.base import PreconditionError
from airflow_registry.objects.dispatch import is_object_uri, open_bucket
from airflow_registry.service.watch.seen import Seen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_registry.config import Settings
    from airflow_registry.domain.model import Signature

__all__ = ["PointedVersion", "PointerSource"]

_ROUNDS = 5
_ATTEMPTS, _TIMEOUT_S = 2, 5.0  # the next look comes in seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class PointedVersion:
    """What a production pointer says of the champion.

    Attributes:
        model: The model.
        number: The version's number.
        remote_path: Where its artifact is.
        digest: Of its artifact; None if the registry did not know it.
        format: How it is loaded; None in pointers of older releases, then the file tells.
        size_bytes: Its size in bytes, if the pointer says so.
    """

    model: str
    number: int
    remote_path: str
    digest: Digest | None
    format: str | None = None
    size_bytes: int | None = None
    _access: _Access = field(repr=False, compare=False)

    @property
    def ref(self) -> str:
        """`model:number`."""
        return f"{self.model}:{self.number}"

    @property
    def signature(self) -> Signature | None:
        """A pointer has none."""
        return None

    def load(self) -> Any:  # noqa: ANN401  whatever the model is
        """The model object, after its bytes were compared with the digest.

        Raises:
            DigestMismatchError: If the bytes are other ones.
            UntrustedArtifactError: If loading would run code, unless `trusted` is `all`.
        """
        return self._access.load(self)

    def download(self, folder: str) -> str:
        """Copy the artifact into `folder` and return the path of the verified copy."""
        return self._access.reader.fetch(self.remote_path, self._access.known_digest(self), self.size_bytes, folder)


class _Access:
    """How a pointed version reaches its bytes."""

    def __init__(self, settings: Settings) -> None:
        self.reader = CachedReader(open_store(settings.artifacts, settings.storage), settings.cache)
        self._trust = Trust(rule=settings.trusted, trusted_types=settings.trusted_types, is_own=False)  # type: ignore[arg-type]

    def known_digest(self, version: PointedVersion) -> Digest:
        if version.digest is None:
            raise InvalidInputError(
                f"The pointer names no digest for {version.ref} ({version.remote_path}), so it cannot be verified. Read it yourself from "
                "remote_path, or register it with copy=True."
            )
        return version.digest

    def load(self, version: PointedVersion) -> Any:  # noqa: ANN401  whatever the model is
        from airflow_registry.modeling import formats

        with self.reader.open_verified(version.remote_path, self.known_digest(version), version.size_bytes) as path:
            found = version.format or formats.format_of(path)
            return formats.load(path, found, self._trust, shown=f"{version.remote_path} ({version.ref})")


class PointerSource:
    """Reads a production pointer, and its text only when it has changed.

    Args:
        uri: `<root>/production/<model>.json`: a path, or s3:// or gs://.
        settings: How buckets are reached, what may be loaded, and the cache.
    """

    def __init__(self, uri: str, settings: Settings) -> None:
        self._file = _ObjectFile(uri, settings) if is_object_uri(uri) else _LocalFile(uri)
        self._access = _Access(settings)
        self._state: object = None
        self._seen: Seen | None = None

    @property
    def name(self) -> str:
        """Where the pointer is."""
        return self._file.where

    def look(self) -> Seen:
        """What the pointer says now; if it is the same file as before, it is not read again."""
        for _ in range(_ROUNDS):
            state = self._file.state()
            if self._seen is not None and state == self._state:
                return self._seen
            with suppress(PreconditionError):  # it was replaced between the look and the reading
                self._seen, self._state = self._parsed(self._file.read(state)), state
                return self._seen
        raise StorageUnavailableError(f"The pointer {self.name} is replaced all the time, so it cannot be read. Look again later.")

    def _parsed(self, data: bytes) -> Seen:
        found = parse_object(data)
        if found is None:
            raise POINTER.damaged(self.name)
        try:
            return self._of(found)
        except (InvalidInputError, KeyError, TypeError, ValueError) as error:
            raise POINTER.damaged(self.name) from error

    def _of(self, found: Mapping[str, Any]) -> Seen:
        number, digest, uid = found["version"], found.get("digest"), found.get("registry_uid")
        version = None
        if number is not None:
            version = PointedVersion(
                model=str(ModelName(found["model"])),
                number=int(number),
                remote_path=str(found["remote_path"]),
                digest=None if digest is None else Digest(digest),
                format=found.get("format"),
                size_bytes=found.get("size_bytes"),
                _access=self._access,
            )
        return Seen(revision=int(found["revision"]), registry_uid=None if uid is None else str(uid), version=version)


class _LocalFile:
    """A pointer on a disk. It is replaced by a rename, so another file stands there afterwards."""

    def __init__(self, uri: str) -> None:
        self.where = local_path(uri)

    def state(self) -> object:
        with reading(self.where):
            found = Path(self.where).stat()
        return found.st_ino, found.st_mtime_ns, found.st_size

    def read(self, _state: object) -> bytes:
        with reading(self.where):
            return Path(self.where).read_bytes()


class _ObjectFile:
    """A pointer in a bucket; its ETag or generation tells whether it was replaced."""

    def __init__(self, uri: str, settings: Settings) -> None:
        options = replace(settings.storage, attempts=_ATTEMPTS, connect_timeout_s=_TIMEOUT_S, read_timeout_s=2 * _TIMEOUT_S)
        self._client, self._key = open_bucket(uri, options)
        self.where = self._client.uri(self._key)

    def state(self) -> object:
        found = self._client.head(self._key)
        if found is None:
            raise not_found(self.where)
        return found.version

    def read(self, state: object) -> bytes:
        try:
            return self._client.read(self._key, version=str(state))
        except ArtifactNotFoundError as error:  # removed between the look and the reading
            raise PreconditionError(str(error)) from error
