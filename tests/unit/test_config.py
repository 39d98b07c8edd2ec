"""Settings: who says where the registry is, in which order, and when the defaults are not enough."""

from __future__ import annotations

import json

import pytest

from airflow_registry import ModelRegistry, config
from airflow_registry.config import ConnectionFields, Settings, refuse_defaults, resolve
from airflow_registry.errors import ConfigurationError
from airflow_registry.objects.options import StorageOptions

CONNECTION = ConnectionFields(
    conn_id="registry", database_dsn="postgresql://conn/db", artifacts="/conn", deployment="conn", trusted="all", trusted_types=("a.B",)
)
ENVIRONMENT = {
    "AIRFLOW_REGISTRY_DATABASE": "postgresql://env/db",
    "AIRFLOW_REGISTRY_ARTIFACTS": "/env",
    "AIRFLOW_REGISTRY_DEPLOYMENT": "env",
    "AIRFLOW_HOME": "/opt/airflow",
}
ARGUMENTS = {"database_url": "postgresql://arg/db", "artifacts": "/arg", "deployment": "arg"}


def where(settings):
    return settings.database_url, settings.artifacts, settings.deployment


def test_an_argument_goes_before_everything():
    settings = resolve(**ARGUMENTS, connection=CONNECTION, environ=ENVIRONMENT)
    assert where(settings) == ("postgresql://arg/db", "/arg", "arg")
    assert settings.origins == {"database": "argument", "artifacts": "argument", "deployment": "argument", "trusted": "connection registry"}


def test_the_connection_goes_before_the_environment():
    settings = resolve(connection=CONNECTION, environ=ENVIRONMENT)
    assert where(settings) == ("postgresql://conn/db", "/conn", "conn")
    assert set(settings.origins.values()) == {"connection registry"}
    assert (settings.trusted, settings.trusted_types) == ("all", ("a.B",))


@pytest.mark.parametrize(
    "text",
    [
        '{"conn_type": "airflow_registry", "password": "p@ss", "extra": {"database_dsn": "postgresql://u@h/db", "trusted_types": ["a.B"]}}',
        '{"password": "p@ss", "extra": "{\\"database_dsn\\": \\"postgresql://u@h/db\\", \\"trusted_types\\": \\"a.B\\"}"}',
        "airflow-registry://:p%40ss@/?database_dsn=postgresql%3A%2F%2Fu%40h%2Fdb&trusted_types=a.B",
        "airflow-registry://:p%40ss@/?__extra__=%7B%22database_dsn%22%3A%22postgresql%3A%2F%2Fu%40h%2Fdb%22%2C%22trusted_types%22%3A%22a.B%22%7D",
    ],
    ids=["json", "json-in-json", "uri", "uri-extra"],
)
def test_outside_airflow_the_default_connection_is_read_from_the_environment(text):
    settings = resolve(environ=ENVIRONMENT | {"AIRFLOW_CONN_AIRFLOW_REGISTRY_DEFAULT": text})
    assert where(settings) == ("postgresql://u:p%40ss@h/db", "/env", "env")
    assert settings.trusted_types == ("a.B",)
    assert settings.origins["database"] == "environment AIRFLOW_CONN_AIRFLOW_REGISTRY_DEFAULT"
    assert settings.origins["artifacts"] == "environment AIRFLOW_REGISTRY_ARTIFACTS"


@pytest.mark.parametrize(
    "text", ['{"password": "hidden"', "[]", '{"extra": "hidden"}', '{"extra": [1]}', "hidden", "airflow-registry://[hidden"]
)
def test_a_connection_in_the_environment_that_is_none_is_refused_and_not_shown(text):
    with pytest.raises(ConfigurationError, match="AIRFLOW_CONN_AIRFLOW_REGISTRY_DEFAULT is not a connection") as caught:
        resolve(environ={"AIRFLOW_CONN_AIRFLOW_REGISTRY_DEFAULT": text})
    assert "hidden" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_the_environment_goes_before_the_default():
    settings = resolve(environ=ENVIRONMENT)
    assert where(settings) == ("postgresql://env/db", "/env", "env")
    assert settings.origins == {
        "database": "environment AIRFLOW_REGISTRY_DATABASE",
        "artifacts": "environment AIRFLOW_REGISTRY_ARTIFACTS",
        "deployment": "environment AIRFLOW_REGISTRY_DEPLOYMENT",
        "trusted": "default",
    }


def test_the_default_is_in_airflow_home():
    settings = resolve(environ={"AIRFLOW_HOME": "/opt/airflow"})
    assert where(settings) == ("sqlite:////opt/airflow/airflow_registry.db", "/opt/airflow/airflow_registry_artifacts", "default")
    assert (settings.trusted, settings.uses_default_database, settings.uses_default_artifacts) == ("own", True, True)


def test_without_airflow_home_it_is_in_the_user_s_folder(monkeypatch):
    monkeypatch.setenv("HOME", "/home/approver")
    assert resolve(environ={}).database_url == "sqlite:////home/approver/airflow/airflow_registry.db"
    assert resolve(environ={"AIRFLOW_HOME": "~/other"}).artifacts == "/home/approver/other/airflow_registry_artifacts"


@pytest.mark.parametrize("empty", ["", None])
def test_what_is_empty_says_nothing(empty):
    blank = ConnectionFields(conn_id="blank", database_dsn=empty, artifacts=empty, deployment=empty, trusted=empty)
    settings = resolve(database_url=empty, artifacts=empty, deployment=empty, connection=blank, environ={"AIRFLOW_HOME": "/x"})
    assert set(settings.origins.values()) == {"default"}


def test_each_setting_is_looked_for_on_its_own():
    settings = resolve(artifacts="/arg", connection=ConnectionFields(conn_id="c", deployment="conn"), environ=ENVIRONMENT)
    assert where(settings) == ("postgresql://env/db", "/arg", "conn")


def test_the_process_s_own_environment_is_read_when_none_is_given(monkeypatch):
    monkeypatch.setenv("AIRFLOW_REGISTRY_DATABASE", "sqlite:////tmp/x.db")
    assert resolve().database_url == "sqlite:////tmp/x.db"


@pytest.mark.parametrize(
    ("dsn", "complete"),
    [
        ("postgresql://approver@host/db", "postgresql://approver:p%40ss%2F%3A@host/db"),
        ("postgresql://approver:@host/db", "postgresql://approver:p%40ss%2F%3A@host/db"),
        ("postgresql://approver:own@host/db", "postgresql://approver:own@host/db"),
        ("postgresql://approver@host:5432/db?sslmode=require", "postgresql://approver:p%40ss%2F%3A@host:5432/db?sslmode=require"),
        ("postgresql://approver@[::1]:5432/db", "postgresql://approver:p%40ss%2F%3A@[::1]:5432/db"),
        ("postgresql://approver@/db?host=/run/postgres", "postgresql://approver:p%40ss%2F%3A@/db?host=/run/postgres"),
        ("postgresql:///db?host=/run/x@y", "postgresql:///db?host=/run/x@y"),
        ("postgresql://host/db", "postgresql://host/db"),
        ("sqlite:////srv/a@b.db", "sqlite:////srv/a@b.db"),
        ("not a url", "not a url"),
    ],
)
def test_the_password_field_completes_an_address_without_one(dsn, complete):
    connection = ConnectionFields(conn_id="c", database_dsn=dsn, password="p@ss/:")
    assert resolve(connection=connection, environ={}).database_url == complete


def test_the_password_arrives_as_it_was_typed():
    from airflow_registry.sql.engine import parse_url

    for password in ("p@ss", "a/b:c?d#e", "%41", "größe 🦉", "'; DROP--"):
        connection = ConnectionFields(conn_id="c", database_dsn="postgresql://approver@host/db", password=password)
        assert parse_url(resolve(connection=connection, environ={}).database_url).password == password


def test_no_secret_is_shown():
    connection = ConnectionFields(conn_id="c", database_dsn="postgresql://approver@host/db", password="s3cret")
    assert "s3cret" not in repr(connection) + repr(resolve(connection=connection, environ={}))


@pytest.mark.parametrize("rule", ["none", "own", "all"])
def test_what_may_be_loaded_is_one_of_three_rules(rule):
    assert resolve(connection=ConnectionFields(conn_id="c", trusted=rule), environ={}).trusted == rule


def test_another_rule_is_refused():
    with pytest.raises(ConfigurationError, match="'maybe'. Expected none, own or all"):
        resolve(connection=ConnectionFields(conn_id="c", trusted="maybe"), environ={})


@pytest.mark.parametrize(
    ("environ", "image"),
    [({}, None), ({"CONTAINER_IMAGE": "a"}, "a"), ({"CONTAINER_IMAGE": "a", "AIRFLOW_REGISTRY_CONTAINER_IMAGE": "b"}, "b")],
)
def test_the_container_image_is_what_the_environment_says(environ, image):
    assert resolve(environ=environ).container_image == image


# -- defaults on several machines ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("executor", ["LocalExecutor", "airflow.executors.local_executor.LocalExecutor", "SequentialExecutor"])
def test_on_one_machine_the_defaults_are_enough(executor):
    refuse_defaults(resolve(environ={}), executor)


@pytest.mark.parametrize(
    "executor", ["CeleryExecutor", "airflow.providers.celery.executors.celery_executor.CeleryExecutor", "KubernetesExecutor"]
)
def test_on_several_machines_the_defaults_are_refused_with_the_remedy(executor):
    with pytest.raises(ConfigurationError, match="AIRFLOW_REGISTRY_DATABASE.*AIRFLOW_REGISTRY_ARTIFACTS.*every worker"):
        refuse_defaults(resolve(environ={}), executor)


@pytest.mark.parametrize(("given", "missing"), [("database_url", "AIRFLOW_REGISTRY_ARTIFACTS"), ("artifacts", "AIRFLOW_REGISTRY_DATABASE")])
def test_only_what_is_missing_is_asked_for(given, missing):
    with pytest.raises(ConfigurationError) as caught:
        refuse_defaults(resolve(**{given: "x"}, environ={}), "CeleryExecutor")
    named = [name for name in ("AIRFLOW_REGISTRY_DATABASE", "AIRFLOW_REGISTRY_ARTIFACTS") if name in str(caught.value)]
    assert named == [missing]


def test_on_several_machines_settings_of_one_s_own_are_enough():
    refuse_defaults(resolve(environ=ENVIRONMENT), "CeleryExecutor")
    refuse_defaults(resolve(connection=CONNECTION, environ={}), "CeleryExecutor")


# -- what the registry makes of them -----------------------------------------------------------------------------------------------
def test_the_registry_tells_where_it_is_and_who_said_so(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW_REGISTRY_ARTIFACTS", str(tmp_path / "env"))
    told = ModelRegistry(f"sqlite:///{tmp_path}/r.db", deployment="mine", create=True).describe()
    assert told["artifacts"] == str(tmp_path / "env")
    assert told["deployment"] == "mine"
    assert told["origins"] == {
        "database": "argument",
        "artifacts": "environment AIRFLOW_REGISTRY_ARTIFACTS",
        "deployment": "argument",
        "trusted": "default",
    }


def test_a_registry_is_made_from_settings_that_somebody_else_resolved(tmp_path):
    settings = Settings(database_url=f"sqlite:///{tmp_path}/r.db", artifacts=str(tmp_path / "a"), deployment="mine")
    registry = ModelRegistry.from_settings(settings, create=True)
    assert (registry.deployment, registry.register("lead").lineage.deployment) == ("mine", "mine")


def test_a_database_from_the_environment_is_not_made_by_accident(tmp_path, monkeypatch):
    from airflow_registry.errors import DatabaseNotInitializedError

    monkeypatch.setenv(config.DATABASE_VARIABLE, f"sqlite:///{tmp_path}/r.db")
    with pytest.raises(DatabaseNotInitializedError):
        ModelRegistry()
    assert list(tmp_path.iterdir()) == []


# -- object stores -------------------------------------------------------------------------------------------------------------
def test_the_connection_says_where_s3_is_and_what_goes_with_every_object():
    extra = {"endpoint_url": "https://minio:9000", "region": "eu-west-1", "s3_extra_args": '{"ACL": "private"}', "aws_conn_id": "lake"}
    fields = ConnectionFields.of("team", password=None, extra=extra)
    settings = resolve(connection=fields, environ={"AIRFLOW_REGISTRY_S3_EXTRA_ARGS": '{"ACL": "public-read"}'})
    storage = settings.storage
    assert (storage.endpoint_url, storage.region, storage.s3_extra_args) == ("https://minio:9000", "eu-west-1", {"ACL": "private"})
    assert {settings.origins[name] for name in extra} == {"connection team"}


def test_extra_args_may_be_an_object_in_a_connection_written_as_json():
    text = json.dumps({"extra": {"s3_extra_args": {"StorageClass": "STANDARD_IA"}}})
    settings = resolve(environ={"AIRFLOW_CONN_AIRFLOW_REGISTRY_DEFAULT": text})
    assert settings.storage.s3_extra_args == {"StorageClass": "STANDARD_IA"}


def test_extra_args_may_come_from_the_environment():
    settings = resolve(environ={"AIRFLOW_REGISTRY_S3_EXTRA_ARGS": '{"ServerSideEncryption": "aws:kms"}'})
    assert settings.storage.s3_extra_args == {"ServerSideEncryption": "aws:kms"}
    assert settings.origins["s3_extra_args"] == "environment AIRFLOW_REGISTRY_S3_EXTRA_ARGS"


def test_where_nobody_says_anything_boto3_decides():
    settings = resolve(environ={})
    assert settings.storage == StorageOptions()
    assert not {"endpoint_url", "region", "aws_conn_id", "s3_extra_args"} & set(settings.origins)


@pytest.mark.parametrize("text", ["hidden", '"hidden"', '["hidden"]', '{"SSECustomerKey": "hidden"'])
def test_extra_args_that_are_no_json_object_are_refused_and_not_shown(text):
    with pytest.raises(
        ConfigurationError, match=r"s3_extra_args \(environment AIRFLOW_REGISTRY_S3_EXTRA_ARGS\) is not an object"
    ) as caught:
        resolve(environ={"AIRFLOW_REGISTRY_S3_EXTRA_ARGS": text})
    assert "hidden" not in str(caught.value)


def test_extra_args_that_no_object_takes_are_refused_by_name_wherever_they_stand():
    with pytest.raises(ConfigurationError, match="'Bucket', 'Speed', which cannot be given"):
        resolve(environ={"AIRFLOW_REGISTRY_S3_EXTRA_ARGS": '{"Speed": 1, "Bucket": "x"}'})


def test_settings_do_not_show_a_key_of_extra_args():
    settings = resolve(environ={"AIRFLOW_REGISTRY_S3_EXTRA_ARGS": '{"SSECustomerKey": "hidden"}'})
    assert "hidden" not in repr(settings) + repr(settings.storage)
