from __future__ import annotations

from datetime import timedelta

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException, AirflowSensorTimeout, TaskDeferred

from airflow_registry.errors import InvalidInputError
from airflow_registry.sensors.version import ModelVersionSensor


@pytest.fixture
def registered(registry):
    registry.register("m", metrics={"auc": 0.7})
    return registry


def test_what_is_there_is_returned_at_once(registered):
    result = ModelVersionSensor(model="m", version=1).execute({})
    assert {key: result[key] for key in ("model", "version", "ref")} == {"model": "m", "version": 1, "ref": "m:1"}


def test_what_is_not_there_yet_is_waited_for_in_the_triggerer(registered):
    sensor = ModelVersionSensor(model="m", stage="production", min_version="2", timeout=90, poke_interval=3)
    with pytest.raises(TaskDeferred) as deferred:
        sensor.execute({})
    _, arguments = deferred.value.trigger.serialize()
    assert arguments == {
        "model": "m",
        "version": None,
        "stage": "PRODUCTION",
        "min_version": 2,
        "registry_conn_id": "airflow_registry_default",
        "poll_interval_s": 3.0,
    }
    assert deferred.value.timeout == timedelta(seconds=90)
    assert deferred.value.method_name == "execute_complete"


def test_after_the_wait_the_version_is_returned(registered):
    assert ModelVersionSensor(model="m", version=1).execute_complete({}, {"ref": "m:1"})["ref"] == "m:1"


def test_after_a_hopeless_wait_the_task_fails_with_the_reason(registered):
    with pytest.raises(AirflowFailException, match="no registry"):
        ModelVersionSensor(model="m", version=1).execute_complete({}, {"error": "no registry"})


def test_without_deferring_the_worker_waits_until_the_time_is_out(registered):
    sensor = ModelVersionSensor(model="m", version=2, deferrable=False, poke_interval=0, timeout=0)
    with pytest.raises(AirflowSensorTimeout):
        sensor.execute({})


def test_without_deferring_the_version_is_returned_too(registered):
    assert ModelVersionSensor(model="m", version="v1", deferrable=False).execute({})["version"] == 1


def test_a_wait_for_nothing_fails_without_retry(registered):
    sensor = ModelVersionSensor(model="m", version="{{ params.version }}")
    sensor.render_template_fields({"params": {"version": None}})
    with pytest.raises(AirflowFailException, match="give version= or stage="):
        sensor.execute({})


def test_what_can_never_be_is_an_error_at_parse_time():
    with pytest.raises(InvalidInputError):
        ModelVersionSensor(model="m")
    with pytest.raises(InvalidInputError):
        ModelVersionSensor(model="m", stage="prod")
    ModelVersionSensor(model="{{ params.model }}", stage="{{ params.stage }}")


def test_the_fields_are_templates(registered):
    sensor = ModelVersionSensor(model="{{ params.model }}", version="{{ params.version }}", stage="{{ params.stage }}")
    sensor.render_template_fields({"params": {"model": "m", "version": 1, "stage": None}})
    assert sensor.execute({})["ref"] == "m:1"


def test_sensors_have_a_task_id_of_their_own():
    with DAG("d", schedule=None) as dag:
        ModelVersionSensor(model="m", version=1)
        ModelVersionSensor(model="m", version=2)
        ModelVersionSensor.partial(stage="production").expand(model=["a", "b"])
    assert sorted(dag.task_dict) == ["wait_for_version", "wait_for_version__1", "wait_for_version__2"]
