"""@task.train_model: looks before it trains, and registers what the function returns."""

from __future__ import annotations

import importlib
import threading
import warnings
from types import SimpleNamespace

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException

from airflow_registry.decorators.train_model import TrainModelOperator, train_model_task
from airflow_registry.domain.model import Dataset
from airflow_registry.errors import StorageUnavailableError
from airflow_registry.modeling.signature import capture
from airflow_registry.modeling.trained import Trained


@pytest.fixture(autouse=True)
def _default_connection(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_AIRFLOW_REGISTRY_DEFAULT", '{"conn_type": "airflow_registry"}')


@pytest.fixture
def context():
    def make(*, map_index=-1, clear_number=0):
        ti = SimpleNamespace(dag_id="dag", run_id="manual__1", task_id="train", map_index=map_index, bundle_instance=None)
        run = SimpleNamespace(clear_number=clear_number, start_date=None, triggering_user_name=None)
        return {"ti": ti, "dag": SimpleNamespace(fileloc=__file__), "dag_run": run, "params": {"depth": 3}}

    return make


@pytest.fixture(scope="session")
def frame():
    import pandas as pd

    with warnings.catch_warnings():  # skops looks for its types in every module that is loaded, deprecated names of Airflow too
        warnings.simplefilter("ignore")
        importlib.import_module("skops.io")
    return pd.DataFrame({"x": range(20), "y": [float(row % 3) for row in range(20)], "late": [row > 9 for row in range(20)]})


@pytest.fixture
def fit(frame):
    from sklearn.linear_model import LogisticRegression

    return lambda strength=1.0: LogisticRegression(C=strength).fit(frame[["x", "y"]], frame["late"])


def task_of(function, *args, decorator=None, **kwargs):
    """The operator that a DAG would run."""
    with DAG("dag", schedule=None) as dag:
        train_model_task(function, model="lead", **(decorator or {}))(*args, **kwargs)
    return dag.task_dict[function.__name__]


def test_a_fitted_model_becomes_a_version_with_signature_and_cost(registry, context, fit):
    def train():
        return fit()

    task = task_of(train, decorator={"change_note": "weekly", "tags": {"team": "risk"}})
    assert isinstance(task, TrainModelOperator)
    assert task.multiple_outputs is True
    result = task.execute(context())
    version = registry.get("lead:1")
    assert result == version.to_json()
    assert result["created"] is True
    assert version.signature.names == ("x", "y")
    assert version.runtime.training_seconds >= 0
    assert version.runtime.peak_memory_bytes > 1_000_000
    assert (version.change_note, version.tags, version.lineage.task_id) == ("weekly", {"team": "risk"}, "train")
    assert version.load().C == 1.0


def test_what_the_function_says_goes_before_what_the_dag_says(registry, context, fit, frame):
    def train():
        return Trained(
            fit(),
            metrics={"auc": 0.7},
            datasets=[Dataset(name="flights", rows=20)],
            change_note="from the function",
            evaluated_on=Dataset(name="holdout"),
            example=frame[["x", "y"]],
        )

    task = task_of(train, decorator={"change_note": "from the DAG", "description": "also from the DAG", "datasets": ["other"]})
    task.execute(context())
    version = registry.get("lead:1")
    assert (version.change_note, version.description, version.metrics) == ("from the function", "also from the DAG", {"auc": 0.7})
    assert [data.name for data in version.datasets] == ["flights"]
    assert [column.type for column in version.signature.inputs] == ["int64", "double"]


def test_what_the_training_frame_holds_is_in_the_signature(registry, context, fit, frame):
    def train():
        return Trained(fit(), training_frame=frame)

    task_of(train).execute(context())
    x, y = registry.get("lead:1").signature.inputs
    assert (x.name, x.type, x.nullable, x.low, x.high) == ("x", "int64", False, 0, 19)
    assert (y.name, y.type, y.nullable, y.low, y.high) == ("y", "double", False, 0.0, 2.0)


def test_a_signature_that_the_function_made_is_taken_as_it_is(registry, context, fit, frame):
    model = fit()
    made = capture(model, training_frame=frame).with_policy("x", null="pass", range="quarantine")

    def train():
        return Trained(model, signature=made)

    task_of(train).execute(context())
    assert registry.get("lead:1").signature == made


def test_a_retry_after_the_commit_finds_the_version_and_trains_nothing(registry, context, fit):
    calls = []

    def train():
        calls.append(1)
        return fit()

    task = task_of(train)
    first = task.execute(context())
    assert task.execute(context()) == first
    assert (calls, first["created"], len(registry.versions("lead"))) == ([1], True, 1)


def test_after_a_clear_it_trains_and_the_same_bytes_are_the_same_version(registry, context, fit):
    strengths = iter([1.0, 1.0, 0.5])

    def train():
        return fit(next(strengths))

    task = task_of(train)
    assert [task.execute(context(clear_number=clear))["version"] for clear in range(3)] == [1, 1, 2]


def test_mapped_instances_make_one_version_each(registry, context, fit):
    def train(strength):
        return fit(strength)

    with DAG("dag", schedule=None) as dag:
        train_model_task(train, model="lead").expand(strength=[1.0, 0.5])
    mapped = dag.task_dict["train"]
    for index, strength in enumerate((1.0, 0.5)):
        task = mapped.unmap({"op_kwargs": {"strength": strength}})
        assert task.execute(context(map_index=index))["version"] == index + 1
    assert registry.get("lead:2").load().C == 0.5


def test_the_function_gets_its_arguments_and_the_context_it_asks_for(registry, context, fit):
    seen = {}

    def train(month, params=None, ti=None):
        seen.update(month=month, params=params, run_id=ti.run_id)
        return fit()

    task_of(train, "may").execute(context())
    assert seen == {"month": "may", "params": {"depth": 3}, "run_id": "manual__1"}


def test_the_plain_function_is_at_hand_for_a_notebook(fit):
    def train(strength):
        return fit(strength)

    assert train_model_task(train, model="lead").function(2.0).C == 2.0


def test_what_the_function_returns_need_not_be_json(registry, context, tmp_path):
    class Model:
        lock = threading.Lock()

        def predict(self, rows):
            return rows

        def to_remote(self, remote_path):
            (tmp_path / "uploaded").write_text(str(remote_path))

    def train() -> Model:
        return Model()

    task_of(train).execute(context())
    assert (tmp_path / "uploaded").exists()


@pytest.mark.parametrize("returned", [None, {"auc": 0.7}, 0.7])
def test_a_function_that_returns_no_model_fails_without_a_retry(registry, context, returned):
    def train():
        return returned

    with pytest.raises(AirflowFailException):
        task_of(train).execute(context())
    assert registry.models() == ()


def test_what_the_function_raises_is_raised_as_it_is(registry, context):
    def train():
        raise ConnectionError("the warehouse is away")

    with pytest.raises(ConnectionError, match="the warehouse is away"):
        task_of(train).execute(context())


def test_a_registry_out_of_reach_is_noticed_before_the_training(registry, context, monkeypatch):
    calls = []

    def train():
        calls.append(1)

    def away(*_):
        raise StorageUnavailableError("away")

    task = task_of(train)
    monkeypatch.setattr("airflow_registry.service.registry.ModelRegistry.find_registration", away)
    with pytest.raises(StorageUnavailableError):
        task.execute(context())
    assert calls == []


def test_metadata_of_the_decorator_can_be_templates():
    assert {"model", "change_note", "datasets", "op_kwargs"} <= set(TrainModelOperator.template_fields)


def test_airflow_finds_the_decorator_by_the_provider_metadata():
    from airflow_registry.provider import get_provider_info

    (entry,) = get_provider_info()["task-decorators"]
    module, _, name = entry["class-name"].rpartition(".")
    assert (entry["name"], getattr(importlib.import_module(module), name)) == ("train_model", train_model_task)


def test_the_training_frame_is_what_later_rows_are_compared_with(registry, context, fit, frame):
    import pandas as pd

    large = pd.concat([frame] * 10)

    def train():
        return Trained(fit(), training_frame=large)

    task_of(train).execute(context())
    frozen = registry.drift_reference("lead:1")
    assert frozen.rows == 200
    assert (set(frozen.inputs.features), set(frozen.predictions.features)) == ({"x", "y"}, {"prediction", "probability_True"})


def test_rows_that_are_only_at_hand_replace_no_reference_that_the_dag_names(registry, context, fit, frame, tmp_path):
    import pandas as pd

    frame.to_parquet(tmp_path / "train.parquet")

    def train():
        return Trained(fit(), example=pd.concat([frame] * 10))

    task_of(train, decorator={"reference": str(tmp_path / "train.parquet")}).execute(context())
    assert registry.drift_reference("lead:1").rows == 20
