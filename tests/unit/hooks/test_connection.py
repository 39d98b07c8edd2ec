from __future__ import annotations

import json

import pytest
from airflow.sdk.exceptions import ErrorType
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import ErrorResponse

from airflow_registry.config import ConnectionFields
from airflow_registry.errors import ConfigurationError, StorageUnavailableError
from airflow_registry.hooks.connection import connection_fields


def connect(monkeypatch, conn_id, **connection):
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps({"conn_type": "airflow_registry", **connection}))


class AnsweringSupervisor:
    """Airflow's channel to its API server, which knows no connection and says so in its own way."""

    def __init__(self, error):
        self.error = error

    def send(self, _question):
        return ErrorResponse(error=self.error, detail={"asked": True})


def test_all_fields_are_read(monkeypatch):
    extra = {
        "database_dsn": "postgresql+psycopg://reg@db/registry",
        "artifacts": "/mnt/models",
        "aws_conn_id": "lake",
        "deployment": "eu",
        "trusted": "none",
        "trusted_types": "a.B, c.D ,",
        "cache": "/var/cache/models",
        "cache_bytes": "20GiB",
    }
    connect(monkeypatch, "team_registry", password="pw", extra=extra)
    expected = {**extra, "trusted_types": ("a.B", "c.D")}
    assert connection_fields("team_registry") == ConnectionFields(conn_id="team_registry", password="pw", **expected)


def test_fields_that_were_left_empty_say_nothing(monkeypatch):
    connect(monkeypatch, "airflow_registry_default", extra={"database_dsn": None, "artifacts": "", "trusted_types": None})
    assert connection_fields("airflow_registry_default") == ConnectionFields(conn_id="airflow_registry_default")


def test_trusted_types_may_be_a_list(monkeypatch):
    connect(monkeypatch, "team_registry", extra={"trusted_types": ["a.B", "c.D"]})
    assert connection_fields("team_registry").trusted_types == ("a.B", "c.D")


def test_without_the_default_connection_the_environment_decides():
    assert connection_fields("airflow_registry_default") is None


def test_any_other_connection_must_exist():
    with pytest.raises(ConfigurationError, match="no Airflow connection 'team_registry'"):
        connection_fields("team_registry")


def test_a_connection_of_another_type_is_refused(monkeypatch):
    connect(monkeypatch, "team_registry", conn_type="postgres")
    with pytest.raises(ConfigurationError, match="is of type 'postgres'"):
        connection_fields("team_registry")


def test_in_a_task_a_default_connection_that_does_not_exist_is_no_error(monkeypatch):
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", AnsweringSupervisor(ErrorType.CONNECTION_NOT_FOUND), raising=False)
    assert connection_fields("airflow_registry_default") is None


def test_in_a_task_an_api_server_out_of_reach_is_not_taken_for_a_missing_connection(monkeypatch):
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", AnsweringSupervisor(ErrorType.API_SERVER_ERROR), raising=False)
    with pytest.raises(StorageUnavailableError, match="could not say whether the connection") as error:
        connection_fields("airflow_registry_default")
    assert error.value.retryable
