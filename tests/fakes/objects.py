"""A bucket in memory: what an object store promises, and what it does when something goes wrong."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_registry.domain.names import Digest
from airflow_registry.errors import ArtifactNotFoundError, DigestMismatchError
from airflow_registry.objects.base import ObjectInfo, PreconditionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_registry.objects.base import Condition

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


class MemoryObjects:
    """An `ObjectClient` on a dictionary.

    `before` is called ahead of every request with its verb and key; raising there is a fault of the store, writing there is another
    writer who comes between. `requests` counts what was asked.
    """

    def __init__(self, root: str = "s3://bucket") -> None:
        self.root = root
        self.data: dict[str, tuple[bytes, int]] = {}
        self.requests: Counter[str] = Counter()
        self.before: Callable[[str, str], None] = lambda verb, key: None
        self.most_at_once = 0
        self._now = 0
        self._clock = 0
        self._lock = threading.RLock()

    def uri(self, key: str) -> str:
        return f"{self.root}/{key}"

    def put(self, key: str, data: bytes) -> None:
        """Somebody else's write."""
        with self._lock:
            self._clock += 1
            self.data[key] = (data, self._clock)

    def head(self, key: str) -> ObjectInfo | None:
        self._ask("head", key)
        return self._info(key) if key in self.data else None

    def read(self, key: str, *, start: int = 0, length: int | None = None, version: str | None = None) -> bytes:
        self._ask("read", key)
        data, clock = self._get(key)
        if version is not None and version != str(clock):
            raise PreconditionError
        return data[start : None if length is None else start + length]

    def download(self, key: str, path: str, *, version: str | None = None) -> Digest:
        data = self._working("download", key, lambda: self.read(key, version=version))
        with Path(path).open("xb") as file:
            file.write(data)
        return digest(data)

    def digest(self, key: str) -> tuple[Digest, int]:
        self._ask("digest", key)
        data, _ = self._get(key)
        return digest(data), len(data)

    def write(self, key: str, data: bytes, *, condition: Condition | None = None) -> ObjectInfo:
        self._ask("write", key)
        with self._lock:
            found = str(self.data[key][1]) if key in self.data else None
            if condition is not None and condition.version != found:
                raise PreconditionError
            self.put(key, data)
            return self._info(key)

    def upload(self, path: str, key: str, *, digest: Digest, condition: Condition | None = None) -> ObjectInfo:
        return self._working("upload", key, lambda: self._upload(path, key, digest, condition))

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        self._ask("list", prefix)
        for key in sorted(self.data):
            if key.startswith(prefix):
                yield self._info(key)

    def folders(self, prefix: str = "") -> Iterator[str]:
        self._ask("folders", prefix)
        below = (key[len(prefix) :] for key in self.data if key.startswith(prefix))
        yield from sorted({f"{prefix}{path.split('/')[0]}/" for path in below if "/" in path})

    def delete(self, key: str) -> None:
        self._ask("delete", key)
        self.data.pop(key, None)

    def check(self) -> None:
        self._ask("check", "")

    def unfinished(self, prefix: str = "") -> Iterator[str]:
        return iter(())

    def _upload(self, path: str, key: str, expected: Digest, condition: Condition | None) -> ObjectInfo:
        data = Path(path).read_bytes()
        if digest(data) != expected:
            raise DigestMismatchError.at(path, expected=expected, found=digest(data))
        return self.write(key, data, condition=condition)

    def _working(self, verb: str, key: str, work: Callable[[], object]):
        with self._lock:
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        try:
            self._ask(verb, key)
            return work()
        finally:
            with self._lock:
                self._now -= 1

    def _ask(self, verb: str, key: str) -> None:
        with self._lock:
            self.requests[verb] += 1
        self.before(verb, key)

    def _get(self, key: str) -> tuple[bytes, int]:
        try:
            return self.data[key]
        except KeyError:
            raise ArtifactNotFoundError(f"There is nothing at {self.uri(key)}.") from None

    def _info(self, key: str) -> ObjectInfo:
        data, clock = self.data[key]
        return ObjectInfo(key=key, size_bytes=len(data), version=str(clock), modified_at=LONG_AGO + timedelta(seconds=clock))


def digest(data: bytes) -> Digest:
    return Digest(f"sha256:{hashlib.sha256(data).hexdigest()}")
