from __future__ import annotations

import json

import pytest
from airflow.sdk.exceptions import ErrorType
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import ErrorResponse

from airflow_registry.errors import ConfigurationError
from airflow_registry.hooks.registry import RegistryHook


@pytest.fixture
def in_a_task(monkeypatch):
    class Supervisor:
        def send(self, _question):
            return ErrorResponse(error=ErrorType.CONNECTION_NOT_FOUND)

    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", Supervisor(), raising=False)


def test_the_hook_opens_the_registry_of_the_environment(registry):
    registry.register("m", metrics={"auc": 0.7})
    assert [model.name for model in RegistryHook().registry().models()] == ["m"]


def test_the_connection_comes_before_the_environment(registry, tmp_path, monkeypatch):
    from airflow_registry.service.registry import ModelRegistry

    other = f"sqlite:///{tmp_path / 'other.db'}"
    ModelRegistry(other, artifacts=str(tmp_path / "other"), create=True).register("there", metrics={"auc": 0.7})
    extra = {"database_dsn": other, "artifacts": str(tmp_path / "other"), "deployment": "eu"}
    monkeypatch.setenv("AIRFLOW_CONN_TEAM", json.dumps({"conn_type": "airflow_registry", "extra": extra}))
    found = RegistryHook("team").registry()
    assert [model.name for model in found.models()] == ["there"]
    assert found.deployment == "eu"


def test_the_test_button_says_what_was_opened(registry):
    registry.register("m", metrics={"auc": 0.7})
    registry.register("m", metrics={"auc": 0.8}, idempotency_key="second")
    is_good, message = RegistryHook().test_connection()
    assert is_good, message
    assert "registry.db: models 1, versions 2. Artifacts: local folder " in message


def test_the_test_button_says_what_is_wrong(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW_REGISTRY_DATABASE", f"sqlite:///{tmp_path / 'nowhere.db'}")
    is_good, message = RegistryHook().test_connection()
    assert not is_good
    assert message.startswith("DatabaseNotInitializedError: ")


def test_the_test_button_looks_at_the_artifact_store_too(registry, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("AIRFLOW_REGISTRY_ARTIFACTS", str(tmp_path / "file"))
    is_good, message = RegistryHook().test_connection()
    assert not is_good
    assert str(tmp_path / "file") in message


def test_a_task_on_many_machines_needs_settings(in_a_task, monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    with pytest.raises(ConfigurationError, match="CeleryExecutor"):
        RegistryHook().registry()


def test_a_worker_pod_is_known_by_its_mark(in_a_task, monkeypatch):
    monkeypatch.setenv("AIRFLOW_IS_K8S_EXECUTOR_POD", "True")
    with pytest.raises(ConfigurationError, match="KubernetesExecutor"):
        RegistryHook().registry()


def test_a_task_on_many_machines_with_settings_is_welcome(registry, in_a_task, monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    assert RegistryHook().registry().models() == ()


def test_the_default_registry_works_on_one_machine(in_a_task, tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    assert RegistryHook().registry().models() == ()
    assert (tmp_path / "airflow_registry.db").is_file()
