"""The folder of the cache: what lies in it, who uses it, and what goes when there is no room.

    <folder>/user-<uid>/                   of one user, whom nobody else can change anything for
        entries/<digest>-<name>/<file or folder>
        parts/<digest>-<name>/             what is being downloaded, and how much room that will take
        gone/                              what is being removed
        locks/<digest>-<name>.use          held together by those who read the entry, alone by who removes it
        locks/<digest>-<name>.fill         held alone by who downloads it
        locks/room                         held alone by who makes room

An entry appears whole, by a rename, and disappears whole. Whoever dies leaves a part or something in `gone` at most; both are
removed by the next one who makes room, because locks die with their holder. Lock files stay: removing one would let two
processes lock two files of one name.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import tempfile
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_registry.artifacts.cache import locks
from airflow_registry.domain.names import Digest

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

__all__ = ["CacheEntry", "CacheFolder", "key_of"]

_FOLDERS = ("entries", "parts", "gone", "locks")
_RESERVED = "bytes"
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH
_ROOM_WAIT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheEntry:
    """One artifact in the cache.

    Attributes:
        key: What its folder is called.
        digest: Of the artifact.
        name: What its file or folder is called.
        size_bytes: What it takes, in bytes.
        used_at: When it was last used, in seconds since 1970 by this machine's clock.
        is_in_use: Whether a living process reads it just now.
    """

    key: str
    digest: Digest
    name: str
    size_bytes: int
    used_at: float
    is_in_use: bool = False


def key_of(digest: Digest, name: str, *, is_folder: bool) -> str:
    """What an artifact is called in the cache.

    By its name too: libraries go by endings, and a file that is the manifest of a folder has the folder's digest.
    """
    shown = f"{name}/" if is_folder else name
    return f"{digest.hex}-{hashlib.sha256(shown.encode()).hexdigest()[:12]}"


class CacheFolder:
    """The part of a cache folder that belongs to the user of this process.

    Args:
        folder: The cache folder, which may be shared.
    """

    def __init__(self, folder: Path) -> None:
        self.root = folder / f"user-{os.geteuid()}"

    def prepare(self) -> None:
        """Make the folders.

        Raises:
            OSError: If they cannot be made, or are somebody else's.
        """
        self.root.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            self.root.mkdir(mode=0o700)
        found = self.root.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & _OTHERS_MAY_WRITE:
            raise PermissionError(errno.EPERM, "Others can change what is in it, so a verified model could be replaced", str(self.root))
        for name in _FOLDERS:
            (self.root / name).mkdir(mode=0o700, exist_ok=True)

    # -- one entry -------------------------------------------------------------------------------------------------------
    def path(self, key: str) -> Path:
        """The folder of an entry, whether it is there or not."""
        return self.root / "entries" / key

    def used(self, key: str, *, wait_s: float) -> AbstractContextManager[None]:
        """While this is held, nobody removes the entry to make room.

        Raises:
            TimeoutError: If somebody has been removing it all the time.
        """
        return locks.shared(self._lock(f"{key}.use"), wait_s=wait_s)

    def filling(self, key: str, *, wait_s: float) -> AbstractContextManager[bool]:
        """While this is held, nobody else downloads the entry; False if somebody has been doing so all the time."""
        return locks.alone(self._lock(f"{key}.fill"), wait_s=wait_s)

    def touch(self, key: str) -> None:
        """Note that the entry was used now."""
        with suppress(OSError):  # a folder that became read-only can still be read
            os.utime(self.path(key))

    def remove(self, key: str) -> None:
        """Take an entry out, whoever reads it: what is open stays open."""
        self._throw_away(self.path(key))

    # -- filling ---------------------------------------------------------------------------------------------------------
    def reserve(self, key: str, size_bytes: int, limit_bytes: int) -> Path | None:
        """A new folder for a download, once there is room for it; None if there is none. Hold `filling` meanwhile.

        What was not used for the longest time goes first, and nothing that is used.
        """
        with locks.alone(self._lock("room"), wait_s=_ROOM_WAIT_S) as is_mine:
            if not is_mine:
                return None
            part = self.root / "parts" / key
            self._throw_away(part)  # of somebody who died
            self._sweep()
            if not self._make_room(size_bytes, limit_bytes):
                return None
            part.mkdir(mode=0o700)
            (part / _RESERVED).write_text(str(size_bytes), encoding="ascii")
            return Path(tempfile.mkdtemp(dir=part))

    def publish(self, key: str, filled: Path) -> None:
        """Make a folder that was filled the entry; a damaged one of that name goes."""
        for path in filled.rglob("*"):
            if path.is_file():
                path.chmod(0o400)  # no library changes by accident what others will load
        self.remove(key)
        filled.rename(self.path(key))
        self.give_up(key)

    def give_up(self, key: str) -> None:
        """Remove what was downloaded so far."""
        self._throw_away(self.root / "parts" / key)

    def _make_room(self, size_bytes: int, limit_bytes: int) -> bool:
        """Whether there is room, after the oldest entries went; none goes if that would not suffice."""
        found = sorted(self.entries(), key=lambda entry: entry.used_at)
        room = min(limit_bytes - self._reserved() - sum(entry.size_bytes for entry in found), self.free_bytes())
        going: list[CacheEntry] = []
        for entry in found:
            if room < size_bytes and not entry.is_in_use:
                going.append(entry)
                room += entry.size_bytes
        return room >= size_bytes and all(self.remove_unused(entry.key) for entry in going)

    def _reserved(self) -> int:
        return sum(int(text) for path in self.root.glob(f"parts/*/{_RESERVED}") if (text := path.read_text(encoding="ascii")).isdigit())

    def _sweep(self) -> None:
        """Remove what dead processes have left."""
        for part in (self.root / "parts").iterdir():
            with self.filling(part.name, wait_s=0) as is_abandoned:
                if is_abandoned:
                    self._throw_away(part)
        for left in (self.root / "gone").iterdir():
            _remove_tree(left)

    # -- all entries -----------------------------------------------------------------------------------------------------
    def entries(self) -> list[CacheEntry]:
        """What is in the cache, in no order."""
        folder = self.root / "entries"
        if not folder.is_dir():
            return []
        return [entry for path in folder.iterdir() if (entry := self._entry(path)) is not None]

    def remove_unused(self, key: str) -> bool:
        """Take an entry out unless a living process reads it; whether it was."""
        with locks.alone(self._lock(f"{key}.use"), wait_s=0) as is_unused:
            if is_unused:
                self.remove(key)
            return is_unused

    def free_bytes(self) -> int:
        """What the disk has left for this user."""
        disk = os.statvfs(self.root)
        return disk.f_bavail * disk.f_frsize

    def _entry(self, path: Path) -> CacheEntry | None:
        """None if it disappears meanwhile, or is nothing of ours."""
        with suppress(OSError, ValueError, StopIteration):
            digest = Digest(f"sha256:{path.name.partition('-')[0]}")
            [name] = [each.name for each in path.iterdir()]
            with locks.alone(self._lock(f"{path.name}.use"), wait_s=0) as is_unused:
                used_at, size = path.stat().st_mtime, _size(path)
            return CacheEntry(key=path.name, digest=digest, name=name, size_bytes=size, used_at=used_at, is_in_use=not is_unused)
        return None

    # -- inside ----------------------------------------------------------------------------------------------------------
    def _lock(self, name: str) -> Path:
        return self.root / "locks" / name

    def _throw_away(self, path: Path) -> None:
        """First out of the way, whole; then removed, which may take its time."""
        gone = self.root / "gone" / uuid.uuid4().hex
        with suppress(FileNotFoundError):
            path.rename(gone)
        _remove_tree(gone)


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


def _remove_tree(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
