"""A registry whose artifacts lie on a real S3 server, with the credentials of an Airflow connection."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_registry.errors import StorageRefusedError
from airflow_registry.hooks.registry import RegistryHook

pytestmark = pytest.mark.s3


@pytest.fixture
def hook(s3_server, s3_bucket, tmp_path, monkeypatch):
    from airflow_registry.service.registry import ModelRegistry

    url = f"sqlite:///{tmp_path / 'registry.db'}"
    ModelRegistry(url, artifacts=str(tmp_path), create=True)
    extra = {"database_dsn": url, "artifacts": f"s3://{s3_bucket}/registry", "aws_conn_id": "lake"}
    monkeypatch.setenv("AIRFLOW_CONN_TEAM", json.dumps({"conn_type": "airflow_registry", "extra": extra}))
    define_keys(monkeypatch, s3_server, s3_server.access_key, s3_server.secret_key)
    return RegistryHook("team")


def define_keys(monkeypatch, s3_server, access_key, secret_key):
    fields = {"conn_type": "aws", "login": access_key, "password": secret_key}
    fields["extra"] = {"endpoint_url": s3_server.endpoint_url, "region_name": "us-east-1"}
    monkeypatch.setenv("AIRFLOW_CONN_LAKE", json.dumps(fields))


def test_a_model_is_registered_and_loaded_with_the_connections_credentials(hook, s3_bucket, tmp_path):
    (tmp_path / "model.bin").write_bytes(b"weights")
    version = hook.registry().register("lead_scoring", str(tmp_path / "model.bin"), metrics={"auc": 0.9})
    assert version.remote_path.startswith(f"s3://{s3_bucket}/registry/plain/lead_scoring/")
    (tmp_path / "out").mkdir()
    assert Path(version.download(tmp_path / "out")).read_bytes() == b"weights"


def test_the_test_button_says_yes_and_why_not(hook, s3_bucket, s3_server, monkeypatch):
    is_good, message = hook.test_connection()
    assert is_good, message
    assert f"s3://{s3_bucket}/registry" in message
    define_keys(monkeypatch, s3_server, s3_server.access_key, "wrong")
    is_good, message = hook.test_connection()
    assert not is_good
    assert message.startswith("StorageRefusedError: "), message
    assert "the secret key does not belong to the access key" in message


def test_keys_that_were_corrected_in_the_connection_hold_at_once(hook, s3_server, monkeypatch, tmp_path):
    (tmp_path / "model.bin").write_bytes(b"weights")
    define_keys(monkeypatch, s3_server, s3_server.access_key, "wrong")
    with pytest.raises(StorageRefusedError):
        hook.registry().register("lead_scoring", str(tmp_path / "model.bin"), metrics={"auc": 0.9})
    define_keys(monkeypatch, s3_server, s3_server.access_key, s3_server.secret_key)
    assert hook.registry().register("lead_scoring", str(tmp_path / "model.bin"), metrics={"auc": 0.9}).number == 1
