"""RegisterModelOperator."""

from __future__ import annotations

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_registry.domain.model import Dataset
from airflow_registry.operators import RegisterModelOperator


@pytest.fixture
def artifact(tmp_path):
    path = tmp_path / "model.bin"
    path.write_bytes(b"weights")
    return path


def test_a_file_becomes_a_version_with_all_that_was_said_about_it(registry, context, artifact):
    operator = RegisterModelOperator(
        model="lead",
        artifact=str(artifact),
        metrics={"auc": 0.7},
        evaluated_on="holdout",
        datasets=[{"name": "train", "rows": 10}, Dataset(name="extra"), "third"],
        description="a file",
        change_note="first",
        parameters={"depth": 3},
        tags={"team": "risk"},
    )
    result = operator.execute(context("register"))
    version = registry.get("lead:1")
    assert result == version.to_json()
    assert result["created"] is True
    assert (version.metrics, version.description, version.change_note) == ({"auc": 0.7}, "a file", "first")
    assert (version.parameters, version.tags) == ({"depth": 3}, {"team": "risk"})
    assert [data.name for data in version.datasets] == ["train", "extra", "third"]
    assert (version.lineage.dag_id, version.lineage.task_id, version.lineage.trained_by) == ("dag", "register", "approver")
    assert version.artifact.is_stored


def test_a_retry_returns_the_version_of_the_earlier_try_as_if_it_were_new(registry, context, artifact):
    operator = RegisterModelOperator(model="lead", artifact=str(artifact))
    first = operator.execute(context("register"))
    artifact.write_bytes(b"other weights")
    assert operator.execute(context("register")) == first
    assert len(registry.versions("lead")) == 1


def test_after_a_clear_other_bytes_are_a_new_version_and_the_same_bytes_are_not(registry, context, artifact):
    operator = RegisterModelOperator(model="lead", artifact=str(artifact))
    operator.execute(context("register"))
    assert operator.execute(context("register", clear_number=1))["version"] == 1
    artifact.write_bytes(b"other weights")
    assert operator.execute(context("register", clear_number=2))["version"] == 2


def test_mapped_instances_register_one_version_each(registry, context, artifact):
    operator = RegisterModelOperator(model="lead", artifact=str(artifact))
    assert [operator.execute(context("register", map_index=index))["version"] for index in range(3)] == [1, 2, 3]


def test_bytes_may_stay_where_they_are(registry, context, artifact):
    result = RegisterModelOperator(model="lead", artifact=str(artifact), copy=False).execute(context("register"))
    assert result["remote_path"] == str(artifact)
    assert registry.get("lead:1").artifact.is_stored is False


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"artifact": "/no/such/file"}, "/no/such/file"),
        ({"metrics": {"auc": "0.7"}}, "not a number"),
        ({"model": "../lead"}, "not a model name"),
        ({"model": "{{ model }}"}, "not rendered"),
        ({"datasets": "train"}, "is a list"),
        ({"datasets": [3]}, "not a data set"),
        ({"datasets": [{"title": "train"}]}, "Expected the keys name"),
        ({"evaluated_on": "{{ data }}"}, "not rendered"),
    ],
)
def test_bad_input_fails_without_a_retry_and_registers_nothing(registry, context, artifact, wrong, message):
    operator = RegisterModelOperator(**{"model": "lead", "artifact": str(artifact), **wrong})
    with pytest.raises(AirflowFailException, match=message):
        operator.execute(context("register"))
    assert registry.models() == ()


def test_rows_of_the_training_are_what_later_ones_are_compared_with(registry, context, artifact, frame, tmp_path):
    frame.to_parquet(tmp_path / "train.parquet")
    RegisterModelOperator(model="lead", artifact=str(artifact), reference=str(tmp_path / "train.parquet")).execute(context("register"))
    assert registry.drift_reference("lead:1").rows == len(frame)
