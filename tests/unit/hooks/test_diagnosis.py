"""What `airflow registry doctor` says of the Airflow around the registry."""

from __future__ import annotations

import pytest

from airflow_registry import config
from airflow_registry.domain.diagnosis import Severity
from airflow_registry.hooks.diagnosis import airflow_diagnoses

CELERY = "airflow.providers.celery.executors.celery_executor.CeleryExecutor"


@pytest.fixture
def told(monkeypatch, tmp_path):
    def run(executor, **given):
        monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", executor)
        return [(one.severity, one.found) for one in airflow_diagnoses(config.resolve(**given))]

    return run


@pytest.fixture
def anywhere(tmp_path):
    return {"database_url": f"sqlite:///{tmp_path}/r.db", "artifacts": str(tmp_path)}


def test_version_executor_and_provider_are_told(told, anywhere):
    version, provider = told("LocalExecutor", **anywhere)
    assert version[0] is provider[0] is Severity.OK
    assert "with LocalExecutor" in version[1]
    assert "the provider airflow-registry" in provider[1]


def test_an_airflow_that_does_not_see_the_provider_is_a_problem(told, anywhere, monkeypatch):
    from airflow.providers_manager import ProvidersManager

    monkeypatch.setattr(ProvidersManager, "providers", {})
    assert (Severity.PROBLEM, True) in [
        (severity, "does not load the provider" in found) for severity, found in told("LocalExecutor", **anywhere)
    ]


def test_the_defaults_under_several_machines_are_a_problem(told):
    (problem,) = [found for severity, found in told(CELERY) if severity is Severity.PROBLEM]
    assert "of which each would have a registry of its own" in problem


@pytest.mark.parametrize("executors", ["CeleryExecutor", "LocalExecutor, KubernetesExecutor"])
def test_a_file_under_several_machines_is_a_problem_and_a_folder_a_warning(told, anywhere, executors):
    found = told(executors, **anywhere)[2:]
    assert [severity for severity, _ in found] == [Severity.PROBLEM, Severity.WARNING]
    assert "SQLite is for one" in found[0][1]


def test_a_server_and_a_bucket_under_several_machines_are_fine(told):
    found = told(CELERY, database_url="postgresql://registry@db/registry", artifacts="s3://models")
    assert {severity for severity, _ in found} == {Severity.OK}
