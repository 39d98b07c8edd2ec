"""Artifacts on S3: the contract of artifact stores on a real server, and what metadata of S3 must not be believed of."""

from __future__ import annotations

import hashlib
import os
import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_registry.artifacts.dispatch import open_store
from airflow_registry.artifacts.objects import ObjectArtifactStore
from airflow_registry.artifacts.routed import RoutedArtifactStore
from airflow_registry.errors import DigestMismatchError, StorageRefusedError
from airflow_registry.objects.dispatch import open_bucket
from airflow_registry.objects.options import StorageOptions
from tests.contracts.object_artifact_store import ObjectArtifactStoreContract

MIB = 1 << 20
pytestmark = pytest.mark.s3


@pytest.fixture(scope="module")
def options(s3_server):
    return StorageOptions(
        endpoint_url=s3_server.endpoint_url, s3_session=s3_server.session, attempts=4, first_delay_s=0.05, read_timeout_s=20
    )


@pytest.fixture(scope="module")
def bucket(s3_server):
    return s3_server.make_bucket()


@pytest.fixture(scope="module")
def shared(bucket, options):
    return open_bucket(f"s3://{bucket}", options)[0]  # making boto3's client costs more than most of these tests


class TestS3ArtifactStore(ObjectArtifactStoreContract):
    __test__ = True

    # SeaweedFS keeps names as paths and refuses the others, which AWS does not; they are tested on the other stores.
    evil_names = ("config.json/evil",)

    @pytest.fixture
    def base(self):
        return uuid.uuid4().hex  # one bucket for all tests: the first write to a new one costs this server a second

    @pytest.fixture
    def client(self, shared):
        return shared

    @pytest.fixture
    def store(self, shared, options, base):
        return RoutedArtifactStore(ObjectArtifactStore(shared, f"{base}/models"), options)

    # -- only here -----------------------------------------------------------------------------------------------------------
    def test_bytes_that_were_changed_beside_their_metadata_are_found_and_replaced(self, store, file, tmp_path, s3_server, bucket):
        stored = self.put(store, file)
        key, raw = self.key(stored.remote_path), s3_server.client()
        metadata = raw.head_object(Bucket=bucket, Key=key)["Metadata"]
        evil = bytes(reversed(file.read_bytes()))
        raw.put_object(Bucket=bucket, Key=key, Body=evil, Metadata=metadata)
        for read in (store.verify, lambda path, digest: store.fetch(path, digest, str(tmp_path / "out"))):
            with pytest.raises((DigestMismatchError, Exception), match=hashlib.sha256(evil).hexdigest()) as refused:
                read(stored.remote_path, stored.digest)
            assert refused.value.code in {"digest_mismatch", "corruption"}
        assert list((tmp_path / "out").iterdir()) == []
        self.put(store, file)
        store.verify(stored.remote_path, stored.digest)

    def test_a_file_of_several_parts_comes_back(self, store, tmp_path):
        (tmp_path / "large.bin").write_bytes(os.urandom(MIB) * 40 + b"end")
        stored = self.put(store, tmp_path / "large.bin")
        copy = Path(store.fetch(stored.remote_path, stored.digest, str(tmp_path / "out")))
        assert copy.read_bytes() == (tmp_path / "large.bin").read_bytes()
        with store.open_verified(stored.remote_path, stored.digest) as path:
            assert Path(path).stat().st_size == 40 * MIB + 3

    def test_a_reader_can_read_and_is_told_what_it_may_not(self, store, file, tmp_path, s3_server, bucket, base, options):
        stored = self.put(store, file)
        reader = open_store(f"s3://{bucket}/{base}/models", replace(options, s3_session=lambda: s3_server.session(s3_server.reader)))
        reader.verify(stored.remote_path, stored.digest)
        for write in (reader.check, lambda: self.put(reader, file, name="other"), lambda: reader.write_pointer("m", {}, 1)):
            with pytest.raises(StorageRefusedError, match="right"):
                write()
        assert len(self.listing(store)) == 1


def test_a_missing_bucket_is_named_by_whatever_needs_it(s3_server, options, tmp_path):
    store = open_store("s3://there-is-no-such-bucket/models", options)
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
