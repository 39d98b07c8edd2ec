"""The cache: an artifact is there, or one process downloads it while the others wait.

Nothing in it is believed. What is used is compared with its digest each time, because disks and people change files; what is
damaged goes, and is downloaded again. The cache never makes anything fail: if its folder cannot be used, artifacts are read as
if there were none, and the log says so once.
"""

from __future__ import annotations

import errno
import logging
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_registry.artifacts.cache.entries import CacheFolder, key_of
from airflow_registry.artifacts.cache.options import DEFAULT_BYTES, FREE_SHARE
from airflow_registry.artifacts.digest import content_of
from airflow_registry.errors import InvalidInputError, NotFoundError, RegistryError, StorageUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_registry.artifacts.cache.entries import CacheEntry
    from airflow_registry.artifacts.cache.options import CacheOptions
    from airflow_registry.domain.names import Digest

__all__ = ["ArtifactCache", "Wanted"]

_log = logging.getLogger(__name__)
_told: set[str] = set()

LONGEST_WAIT_S = 900.0
"""How long to wait for another process that downloads the same artifact, in seconds."""
_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """An artifact that is asked for.

    Attributes:
        digest: Of its bytes.
        name: What its file or folder is called.
        is_folder: Which of the two it is.
        size_bytes: Its size in bytes.
    """

    digest: Digest
    name: str
    is_folder: bool
    size_bytes: int

    @property
    def key(self) -> str:
        """What it is called in the cache."""
        return key_of(self.digest, self.name, is_folder=self.is_folder)


class ArtifactCache:
    """The copies of artifacts that this machine keeps for this user. Safe between threads and processes.

    Args:
        options: Where it is and how large; `is_on`.
        wait_s: How long to wait for another process that downloads the same artifact, in seconds.
    """

    def __init__(self, options: CacheOptions, *, wait_s: float = LONGEST_WAIT_S) -> None:
        self.options = options
        self.folder = CacheFolder(Path(str(options.folder)))
        self._wait_s = wait_s

    @contextmanager
    def opened(self, wanted: Wanted, download: Callable[[str], str]) -> Iterator[str | None]:
        """The path of a verified copy, which stays until the context ends; None if the cache cannot help.

        Args:
            wanted: The artifact.
            download: Writes a verified copy of it into a folder.

        Raises:
            RegistryError: What `download` raises, unless it is about this machine's disk.
        """
        with ExitStack() as held:
            yield self._open(wanted, download, held)

    def entries(self) -> list[CacheEntry]:
        """What is in the cache; what was used last comes first."""
        return sorted(self.folder.entries(), key=lambda entry: -entry.used_at)

    def clear(self) -> list[CacheEntry]:
        """Remove everything that no living process reads; returns what was removed."""
        return [entry for entry in self.folder.entries() if self.folder.remove_unused(entry.key)]

    def prepare(self) -> None:
        """Make the folder.

        Raises:
            OSError: If it cannot be made or used.
        """
        self.folder.prepare()

    def check(self) -> None:
        """Make the folder, write into it and clean up.

        Raises:
            OSError: If that is not possible.
        """
        self.prepare()
        with tempfile.TemporaryFile(dir=self.folder.root / "parts") as file:
            file.write(b"airflow-registry\n")

    @property
    def limit_bytes(self) -> int:
        """How much it may hold. Without a setting a tenth of what the disk has free, not counting what the cache itself takes."""
        if self.options.limit_bytes is not None:
            return self.options.limit_bytes
        mine = sum(entry.size_bytes for entry in self.folder.entries())
        return min(DEFAULT_BYTES, int(FREE_SHARE * (self.folder.free_bytes() + mine)))

    # -- inside ----------------------------------------------------------------------------------------------------------
    def _open(self, wanted: Wanted, download: Callable[[str], str], held: ExitStack) -> str | None:
        try:
            self.folder.prepare()
            held.enter_context(self.folder.used(wanted.key, wait_s=self._wait_s))
            return self._verified(wanted) or self._filled(wanted, download)
        except RegistryError as error:
            if not (_is_of_this_disk(error) or self._is_full(error, wanted)):
                raise
            self._tell(f"is not used: {error}")
        except OSError as error:
            self._tell(f"is not used: {error}")
        return None

    def _verified(self, wanted: Wanted) -> str | None:
        """The path of the copy, if there is a whole one. A damaged one is removed."""
        path = self.folder.path(wanted.key) / wanted.name
        if not path.exists():
            return None
        with suppress(InvalidInputError, NotFoundError):
            if path.is_dir() == wanted.is_folder and content_of(path).digest == wanted.digest:
                self.folder.touch(wanted.key)
                return str(path)
        _log.warning(
            "The copy of %s in the model cache was changed since it was downloaded: %s. It is downloaded again.", wanted.name, path
        )
        self.folder.remove(wanted.key)
        return None

    def _filled(self, wanted: Wanted, download: Callable[[str], str]) -> str | None:
        """The path of the copy, after this process has downloaded it, or another one meanwhile."""
        with self.folder.filling(wanted.key, wait_s=self._wait_s) as is_mine:
            if (found := self._verified(wanted)) is not None:
                return found
            if not is_mine:
                _log.warning("Another process has been downloading %s for %.0f s; it is read without the cache.", wanted.name, self._wait_s)
                return None
            part = self.folder.reserve(wanted.key, wanted.size_bytes, self.limit_bytes)
            if part is None:
                self._tell(f"has no room for {wanted.name} ({wanted.size_bytes:,} bytes, at most {self.limit_bytes:,} in all)")
                return None
            return self._downloaded(wanted, download, part)

    def _downloaded(self, wanted: Wanted, download: Callable[[str], str], part: Path) -> str:
        try:
            download(str(part))
            self.folder.publish(wanted.key, part)
        finally:
            self.folder.give_up(wanted.key)
        return str(self.folder.path(wanted.key) / wanted.name)

    def _is_full(self, error: RegistryError, wanted: Wanted) -> bool:
        """Whether others have filled the disk while the artifact came."""
        return isinstance(error, StorageUnavailableError) and self.folder.free_bytes() < wanted.size_bytes

    def _tell(self, what: str) -> None:
        """Once in a process: a worker that loads a model for every partition must not fill its log."""
        kind = f"{self.folder.root} {what[:12]}"
        level = logging.DEBUG if kind in _told else logging.WARNING
        _told.add(kind)
        _log.log(
            level,
            "The model cache in %s %s. Models are downloaded for every use. Set AIRFLOW_REGISTRY_CACHE to a folder that this user can "
            "write, or AIRFLOW_REGISTRY_CACHE_BYTES to another size (0: no cache).",
            self.folder.root.parent,
            what,
        )


def _is_of_this_disk(error: RegistryError) -> bool:
    """Whether what went wrong is about the folder of the cache, and not about the store."""
    cause: BaseException | None = error
    while isinstance(error, StorageUnavailableError) and cause is not None:
        if isinstance(cause, OSError) and cause.errno in _DISK:
            return True
        cause = cause.__cause__
    return False
