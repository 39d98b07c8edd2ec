"""The store in a bucket, on a bucket in memory: the contract, and what only an object store can get wrong."""

from __future__ import annotations

import pytest

from airflow_registry.artifacts.objects import ObjectArtifactStore
from airflow_registry.artifacts.routed import RoutedArtifactStore
from airflow_registry.objects.options import StorageOptions
from tests.contracts.artifact_store import ArtifactStoreContract
from tests.fakes.objects import MemoryObjects


class TestObjectArtifactStore(ArtifactStoreContract):
    __test__ = True

    @pytest.fixture
    def bucket(self):
        return MemoryObjects()

    @pytest.fixture
    def store(self, bucket):
        return RoutedArtifactStore(ObjectArtifactStore(bucket, "team/models"), StorageOptions())

    @pytest.fixture(autouse=True)
    def _bucket_for_the_hooks(self, bucket):
        self.bucket = bucket

    def key(self, path):
        return path.removeprefix("s3://bucket/")

    def read(self, path):
        return self.bucket.data[self.key(path)][0]

    def overwrite(self, path, data):
        self.bucket.put(self.key(path), data)

    def remove(self, path):
        del self.bucket.data[self.key(path)]

    def listing(self, store):
        return {f"s3://bucket/{key}": version for key, (_, version) in self.bucket.data.items()}
