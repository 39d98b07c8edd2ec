"""Contexts as Airflow hands them to `execute`, without a task runner; the registry is a real one."""

from __future__ import annotations

import importlib
import warnings
from types import SimpleNamespace

import pytest


class TaskInstance(SimpleNamespace):
    """The part of Airflow's task instance that operators use; remembers what was pushed."""

    def xcom_push(self, key, value):
        self.pushed[key] = value


@pytest.fixture
def context(tmp_path):
    from airflow.sdk.execution_time.context import OutletEventAccessors

    def make(task_id="task", *, run_id="manual__1", map_index=-1, clear_number=0, condition=None):
        ti = TaskInstance(dag_id="dag", run_id=run_id, task_id=task_id, map_index=map_index, bundle_instance=None, pushed={})
        dag = SimpleNamespace(
            fileloc=str(tmp_path / "dags" / "sub" / "dag.py"),
            relative_fileloc="sub/dag.py",
            timetable=SimpleNamespace(asset_condition=condition),
        )
        run = SimpleNamespace(
            clear_number=clear_number, start_date=None, triggering_user_name="approver", logical_date=None, partition_key=None
        )
        return {"ti": ti, "dag": dag, "dag_run": run, "outlet_events": OutletEventAccessors()}

    return make


@pytest.fixture
def rung():
    """Which URIs the task would ring if it succeeded now."""

    def uris(context):
        return [event.dest_asset_key.uri for one in context["outlet_events"]._dict.values() for event in one.asset_alias_events]

    return uris


@pytest.fixture(autouse=True)
def _default_connection(monkeypatch):
    """An empty connection, so that nobody asks a metadata database for one; the environment says where the registry is."""
    monkeypatch.setenv("AIRFLOW_CONN_AIRFLOW_REGISTRY_DEFAULT", '{"conn_type": "airflow_registry"}')


@pytest.fixture(scope="session")
def frame():
    import pandas as pd

    rows = range(40)
    return pd.DataFrame(
        {"id": rows, "x": [float(row) for row in rows], "y": [row % 7 for row in rows], "late": [row >= 20 for row in rows]}
    )


@pytest.fixture(scope="session")
def fitted(frame):
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():  # skops looks for its types in every module that is loaded, deprecated names of Airflow too
        warnings.simplefilter("ignore")
        importlib.import_module("skops.io")
    return LogisticRegression().fit(frame[["x", "y"]], frame["late"])


@pytest.fixture
def register(registry, fitted, frame):
    """Registers the next version of `lead`, with a signature."""

    def make(**facts):
        from airflow_registry.modeling.signature import capture

        facts = {"metrics": {"accuracy": 0.9}, **facts}
        return registry.register("lead", fitted, signature=capture(fitted, frame[["x", "y"]]), **facts)

    return make


@pytest.fixture
def champion(registry, register):
    """`lead:1` in PRODUCTION."""
    version = register()
    registry.promote("lead", version.number, reason="the first one")
    return registry.get(version.ref)
