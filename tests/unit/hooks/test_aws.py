"""S3 credentials from an Airflow connection: looked up late, again when they expire, and never silently somebody else's."""

from __future__ import annotations

import json
import sys

import pytest
from airflow.sdk.exceptions import ErrorType
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import ErrorResponse

from airflow_registry.errors import ConfigurationError, MissingDependencyError, StorageUnavailableError
from airflow_registry.hooks.aws import open_session
from airflow_registry.hooks.registry import RegistryHook


@pytest.fixture
def define(monkeypatch):
    """Defines an Airflow connection."""

    def make(conn_id, **fields):
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(fields))

    return make


@pytest.fixture
def team(define):
    define("team", conn_type="airflow_registry", extra={"artifacts": "s3://models", "aws_conn_id": "lake"})
    return RegistryHook("team")


def test_the_session_has_what_the_connection_says(define, team):
    extra = {"endpoint_url": "http://minio:9000", "region_name": "eu-west-1", "aws_session_token": "token"}
    define("lake", conn_type="aws", login="AKEY", password="secret", extra=extra)
    session = team.settings().storage.s3_session()
    client = session.client("s3")
    assert (client.meta.endpoint_url, client.meta.region_name) == ("http://minio:9000", "eu-west-1")
    keys = session.session.get_credentials()
    assert (keys.access_key, keys.secret_key, keys.token) == ("AKEY", "secret", "token")


def test_what_the_registrys_connection_says_goes_first(define):
    define("lake", conn_type="aws", login="AKEY", password="secret", extra={"endpoint_url": "http://aws:1", "region_name": "eu-west-1"})
    define("team", conn_type="airflow_registry", extra={"aws_conn_id": "lake", "endpoint_url": "http://team:2", "region": "us-east-2"})
    storage = RegistryHook("team").settings().storage
    client = storage.s3_session().client("s3", endpoint_url=storage.endpoint_url, region_name=storage.region)
    assert (client.meta.endpoint_url, client.meta.region_name) == ("http://team:2", "us-east-2")


def test_boto3s_settings_of_the_connection_hold_beside_ours(define):
    from botocore.config import Config

    settings = {"proxies": {"http": "http://proxy:3128"}, "s3": {"addressing_style": "virtual"}, "read_timeout": 1}
    define("lake", conn_type="aws", login="AKEY", password="secret", extra={"config_kwargs": settings})
    ours = Config(read_timeout=60, s3={"addressing_style": "path", "payload_signing_enabled": False})
    config = open_session("lake").client("s3", region_name="us-east-1", config=ours).meta.config
    assert config.proxies == {"http": "http://proxy:3128"}
    assert (config.read_timeout, config.s3["addressing_style"], config.s3["payload_signing_enabled"]) == (60, "virtual", False)


def test_every_session_asks_for_the_connection_again(define, team):
    define("lake", conn_type="aws", login="OLD", password="secret")
    make = team.settings().storage.s3_session
    assert make().session.get_credentials().access_key == "OLD"
    define("lake", conn_type="aws", login="NEW", password="secret")
    assert make().session.get_credentials().access_key == "NEW"


def test_without_an_aws_connection_boto3_finds_credentials_itself(define):
    define("team", conn_type="airflow_registry", extra={"artifacts": "s3://models"})
    assert RegistryHook("team").settings().storage.s3_session is None


def test_settings_can_be_read_where_the_aws_connection_cannot(team):
    assert team.settings().artifacts == "s3://models"


def test_a_missing_aws_connection_is_named_and_boto3s_own_chain_is_not_used_instead(team):
    with pytest.raises(ConfigurationError, match=r"There is no Airflow connection 'lake', which .* aws_conn_id\. .*AIRFLOW_CONN_LAKE"):
        team.settings().storage.s3_session()


def test_an_aws_connection_that_cannot_be_asked_for_is_not_taken_for_missing(team, monkeypatch):
    class Supervisor:
        def send(self, _question):
            return ErrorResponse(error=ErrorType.API_SERVER_ERROR)

    make = team.settings().storage.s3_session
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", Supervisor(), raising=False)
    with pytest.raises(StorageUnavailableError, match="could not say whether the connection 'lake' exists"):
        make()


def test_a_connection_of_another_type_is_refused(define, team):
    define("lake", conn_type="google_cloud_platform")
    with pytest.raises(ConfigurationError, match=r"'lake' is of type 'google_cloud_platform'\. .* takes one of type 'aws'"):
        team.settings().storage.s3_session()


def test_without_the_amazon_provider_the_extra_is_named(define, team, monkeypatch):
    define("lake", conn_type="aws", login="AKEY", password="secret")
    monkeypatch.setitem(sys.modules, "airflow.providers.amazon.aws.hooks.base_aws", None)
    with pytest.raises(MissingDependencyError, match=r"'lake' \(aws_conn_id .* pip install 'airflow-registry\[amazon\]'"):
        team.settings().storage.s3_session()
