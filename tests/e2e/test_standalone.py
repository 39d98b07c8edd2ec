"""What the harness does when Airflow does not come up."""

from __future__ import annotations

import pytest

from airflow_registry.testing.standalone import Standalone, StandaloneError

pytestmark = pytest.mark.e2e


def test_an_airflow_that_dies_at_the_start_fails_at_once_with_the_end_of_its_log(tmp_path):
    airflow = Standalone(dags=tmp_path, home=tmp_path / "home", env={"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "nonsense://"})
    with pytest.raises(StandaloneError, match=r"(?s)ended with exit status 1 while starting.*nonsense"), airflow:
        pass
    assert airflow.processes() == []
