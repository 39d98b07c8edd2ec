"""A bucket in memory that keeps what `ObjectClient` promises, one request at a time."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from airflow_registry.domain.names import Digest
from airflow_registry.objects.base import ObjectInfo, PreconditionError


class FakeBucket:
    """What all clients of one bucket see."""

    def __init__(self):
        self.objects = {}
        self.versions = count(1)

    def info(self, key):
        version, data = self.objects[key]
        return ObjectInfo(key=key, size_bytes=len(data), version=version, modified_at=datetime(2026, 1, 1, tzinfo=UTC))


class FakeClient:
    """One writer's client; `before` is called ahead of every request with its name."""

    root = "s3://fake"

    def __init__(self, bucket, before=lambda request: None):
        self.bucket = bucket
        self.before = before

    def uri(self, key):
        return f"{self.root}/{key}"

    def head(self, key):
        self.before(f"head {key}")
        return self.bucket.info(key) if key in self.bucket.objects else None

    def read(self, key, *, start=0, length=None, version=None):
        self.before(f"read {key}")
        there, data = self.bucket.objects.get(key, (None, b""))
        if version is not None and there != version:
            raise PreconditionError(key)
        return data[start:][:length]

    def write(self, key, data, *, condition=None):
        self.before(f"write {key}")
        there = self.bucket.objects.get(key, (None,))[0]
        if condition is not None and there != condition.version:
            raise PreconditionError(key)
        self.bucket.objects[key] = (str(next(self.bucket.versions)), data)
        return self.bucket.info(key)

    def upload(self, path, key, *, digest, condition=None):
        data = Path(path).read_bytes()
        assert digest == Digest(f"sha256:{hashlib.sha256(data).hexdigest()}")
        return self.write(key, data, condition=condition)

    def list(self, prefix=""):
        self.before(f"list {prefix}")
        return [self.bucket.info(key) for key in sorted(self.bucket.objects) if key.startswith(prefix)]

    def download(self, key, path, *, version=None):
        Path(path).write_bytes(self.read(key, version=version))
