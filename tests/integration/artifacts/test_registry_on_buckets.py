"""A registry whose artifacts lie in a bucket, or come from one: on S3 and on Google Cloud Storage alike."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_registry import config
from airflow_registry.errors import ArtifactNotFoundError, DigestMismatchError, InvalidInputError, StorageRefusedError
from airflow_registry.objects.dispatch import open_bucket
from airflow_registry.objects.options import StorageOptions
from airflow_registry.service.registry import ModelRegistry

FAST = StorageOptions(attempts=3, first_delay_s=0.05, read_timeout_s=20)


@pytest.fixture(params=[pytest.param("s3", marks=pytest.mark.s3), pytest.param("gs", marks=pytest.mark.gcs)])
def scheme(request):
    return request.param


@pytest.fixture
def options(scheme, request):
    if scheme == "gs":
        return FAST
    server = request.getfixturevalue("s3_server")
    return replace(FAST, endpoint_url=server.endpoint_url, s3_session=server.session)


@pytest.fixture
def bucket(scheme, request):
    return f"{scheme}://{request.getfixturevalue('s3_bucket' if scheme == 's3' else 'gcs_bucket')}"


@pytest.fixture
def client(bucket, options):
    return open_bucket(bucket, options)[0]


@pytest.fixture
def open_registry(tmp_path, options):
    def build(artifacts):
        settings = config.resolve(database_url=f"sqlite:///{tmp_path / 'registry.db'}", artifacts=str(artifacts), environ={})
        return ModelRegistry.from_settings(replace(settings, storage=options), create=True)

    return build


def test_models_go_into_the_bucket_and_come_back_verified(open_registry, bucket, client, tmp_path):
    from sklearn.linear_model import LogisticRegression

    registry = open_registry(f"{bucket}/models")
    fitted = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    version = registry.register("lead", fitted, metrics={"accuracy": 0.9})
    assert version.remote_path == f"{bucket}/models/plain/lead/{version.digest.short}/model.skops"
    assert list(version.load().predict([[0.0], [1.0]])) == [0, 1]
    assert hashlib.sha256(Path(version.download(str(tmp_path / "out"))).read_bytes()).hexdigest() == version.digest.hex
    registry.promote("lead", 1, reason="first")
    pointer = json.loads(client.read("models/production/lead.json"))
    assert (pointer["version"], pointer["remote_path"]) == (1, version.remote_path)
    client.write(version.remote_path.removeprefix(f"{bucket}/"), b"other bytes")
    with pytest.raises(DigestMismatchError):
        registry.production("lead").load()


def test_what_lies_in_a_bucket_is_copied_in_and_verified(open_registry, bucket, client, tmp_path):
    client.write("raw/model.bin", b"weights")
    client.write("raw/bundle/config.json", b"{}")
    client.write("raw/bundle/weights/1.bin", b"1")
    for root in (f"{bucket}/models", tmp_path / "local"):
        registry = open_registry(root)
        file, folder = registry.register("lead", f"{bucket}/raw/model.bin"), registry.register("lead", f"{bucket}/raw/bundle/")
        assert file.digest.hex == hashlib.sha256(b"weights").hexdigest()
        assert (file.artifact.is_stored, folder.artifact.is_stored, folder.artifact.format) == (True, True, "folder")
        for version, name in ((file, "/model.bin"), (folder, "/bundle/")):
            assert version.remote_path == f"{registry.core.artifacts.root}/plain/lead/{version.digest.short}{name}"
        assert Path(folder.download(str(tmp_path / "out" / str(folder.number))), "weights", "1.bin").read_bytes() == b"1"


def test_what_stays_in_its_bucket_is_digested_there_and_verified_when_it_is_read(open_registry, bucket, client, tmp_path):
    client.write("raw/model.bin", b"weights")
    registry = open_registry(tmp_path / "local")
    version = registry.register("lead", f"{bucket}//raw/model.bin", copy=False)
    assert (version.remote_path, version.artifact.is_stored) == (f"{bucket}/raw/model.bin", False)
    assert (version.digest.hex, version.artifact.size_bytes) == (hashlib.sha256(b"weights").hexdigest(), 7)
    assert Path(version.download(str(tmp_path / "out"))).read_bytes() == b"weights"
    client.write("raw/model.bin", b"changed")
    with pytest.raises(DigestMismatchError):
        version.download(str(tmp_path / "again"))
    assert list((tmp_path / "again").iterdir()) == []


@pytest.mark.parametrize("copy", [True, False], ids=["copied", "left"])
def test_what_is_missing_empty_or_in_no_bucket_registers_nothing(open_registry, bucket, client, scheme, tmp_path, copy):
    client.write("raw/empty.bin", b"")
    client.write("raw/bundle/a", b"1")
    registry = open_registry(tmp_path / "local")
    for path, error, said in (
        (f"{bucket}/raw/nowhere.bin", ArtifactNotFoundError, "nowhere"),
        (f"{bucket}/raw/empty.bin", InvalidInputError, "empty"),
        (f"{bucket}/raw/bundle", ArtifactNotFoundError, "slash at the end"),
        (f"{scheme}://there-is-no-such-bucket/model.bin", StorageRefusedError, "there-is-no-such-bucket"),
        (f"{scheme}:///model.bin", InvalidInputError, "bucket/key"),
        (f"{bucket}/{{{{ ds }}}}/model.bin", InvalidInputError, "template"),
    ):
        with pytest.raises(error, match=said):
            registry.register("lead", path, copy=copy)
    assert registry.models() == ()
