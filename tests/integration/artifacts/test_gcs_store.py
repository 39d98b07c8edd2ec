"""Artifacts on Google Cloud Storage: the contract of artifact stores, on an emulator with the preconditions that Google documents."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from airflow_registry.artifacts.dispatch import open_store
from airflow_registry.errors import StorageRefusedError
from airflow_registry.objects.dispatch import open_bucket
from airflow_registry.objects.options import StorageOptions
from tests.contracts.object_artifact_store import ObjectArtifactStoreContract

MIB = 1 << 20
OPTIONS = StorageOptions(attempts=4, first_delay_s=0.01, read_timeout_s=10)
pytestmark = pytest.mark.gcs


class TestGcsArtifactStore(ObjectArtifactStoreContract):
    __test__ = True

    @pytest.fixture
    def client(self, gcs_bucket):
        return open_bucket(f"gs://{gcs_bucket}", OPTIONS)[0]

    @pytest.fixture
    def store(self, gcs_bucket):
        return open_store(f"gs://{gcs_bucket}/team/models", OPTIONS)

    # -- only here -----------------------------------------------------------------------------------------------------------
    def test_a_file_of_several_parts_comes_back(self, store, tmp_path):
        (tmp_path / "large.bin").write_bytes(os.urandom(MIB) * 40 + b"end")
        stored = self.put(store, tmp_path / "large.bin")
        copy = Path(store.fetch(stored.remote_path, stored.digest, str(tmp_path / "out")))
        assert copy.read_bytes() == (tmp_path / "large.bin").read_bytes()

    def test_the_request_that_stores_a_file_asks_that_nothing_is_there_and_a_pointer_replaces_what_was_read(self, store, file, gcs_server):
        self.put(store, file)
        store.write_pointer("lead_scoring", {}, 1)
        seen = self.client.head("team/models/production/lead_scoring.json").version
        store.write_pointer("lead_scoring", {}, 2)
        asked = [request.query["ifGenerationMatch"] for request in gcs_server.requests if request.method == "POST"]
        assert asked == ["0", "0", seen]

    def test_a_registry_on_s3_reads_what_lies_on_google(self, gcs_bucket, file):
        google = open_store(f"gs://{gcs_bucket}", OPTIONS)
        stored = self.put(google, file)
        for root in ("s3://some-bucket/models", "/srv/models"):
            store = open_store(root, OPTIONS)
            assert store.digest_of(stored.remote_path) == (stored.digest, stored.size_bytes)
            store.verify(stored.remote_path, stored.digest)


def test_a_missing_bucket_is_named_by_whatever_needs_it(gcs_bucket, tmp_path):
    store = open_store("gs://there-is-no-such-bucket/models", OPTIONS)
    (tmp_path / "model.bin").write_bytes(b"1")
    for verb in (
        store.check,
        lambda: store.put(str(tmp_path / "model.bin"), model="m"),
        lambda: store.fetch(f"{store.root}/plain/m/0/model.bin", None, str(tmp_path / "out")),
        lambda: store.digest_of(f"{store.root}/plain/m/0/folder/"),
        lambda: store.write_mark("m", {}, 1),
        lambda: store.read_pointer("m"),
        lambda: list(store.orphans(set())),
    ):
        with pytest.raises(StorageRefusedError, match="there-is-no-such-bucket"):
            verb()
