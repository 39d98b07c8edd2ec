"""On one machine nothing has to be configured."""

from __future__ import annotations

import pytest

from airflow_registry.testing import AirflowRequestError

pytestmark = pytest.mark.e2e


def test_all_of_this_works_without_a_variable_or_a_connection(world):
    assert [name for name in world.airflow.environment() if name.startswith(("AIRFLOW_REGISTRY", "AIRFLOW_CONN"))] == []
    with pytest.raises(AirflowRequestError) as error:
        world.client.get("connections/airflow_registry_default")
    assert error.value.status == 404
    # This version was registered by a task that was told nothing about where the registry is.
    assert world.started_by_hand("killed_training")["state"] == "success"
    version = world.registry.production("killed")
    assert (version.lineage.dag_id, version.lineage.deployment) == ("killed_training", "default")
    assert version.remote_path.startswith(f"{world.airflow.home}/airflow_registry_artifacts/")
