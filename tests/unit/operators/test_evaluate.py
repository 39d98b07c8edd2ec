"""EvaluateModelOperator: challenger and champion on the same rows."""

from __future__ import annotations

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_registry.errors import InputNotReadyError
from airflow_registry.operators import EvaluateModelOperator, PromoteModelOperator


@pytest.fixture
def holdout(tmp_path, frame):
    path = tmp_path / "holdout.parquet"
    frame.to_parquet(path, index=False)
    return str(path)


def test_the_version_comes_back_with_its_metrics_beside_the_champions(registry, register, champion, context, holdout):
    register()
    result = EvaluateModelOperator(version="lead:2", data=holdout, target="late", metrics=["accuracy"], name="may").execute(
        context("evaluate")
    )
    assert {key: result[key] for key in registry.get("lead:2").to_json()} == registry.get("lead:2").to_json()
    assert set(result["metrics"]) == {"1", "2"}
    assert result["metrics"]["1"] == result["metrics"]["2"]
    assert result["metrics"]["2"]["accuracy"] > 0.5
    assert (result["data"], result["rows"]) == ("may", 40)


def test_the_gate_takes_it_whole_and_compares_on_these_rows(registry, register, champion, context, holdout):
    register()
    evaluated = EvaluateModelOperator(version="lead:2", data=holdout, target="late").execute(context("evaluate"))
    policy = {"schema": 1, "rules": [{"metric": "accuracy", "against": "champion", "no_worse_than": 0.01}]}
    assert PromoteModelOperator(version=evaluated, policy=policy).execute(context("promote"))["approved"] is True


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"target": "converted"}, "converted"),
        ({"metrics": ["niceness"]}, "niceness"),
        ({"version": "lead:9"}, "no version 9"),
        ({"data": "{{ data }}"}, "not rendered"),
    ],
)
def test_bad_input_fails_without_a_retry(registry, register, context, holdout, wrong, message):
    register()
    operator = EvaluateModelOperator(**{"version": "lead:1", "data": holdout, "target": "late", **wrong})
    with pytest.raises(AirflowFailException, match=message):
        operator.execute(context("evaluate"))


def test_data_that_has_not_arrived_is_tried_again(registry, register, context):
    register()
    operator = EvaluateModelOperator(version="lead:1", data="/no/such/holdout.parquet", target="late")
    with pytest.raises(InputNotReadyError, match="/no/such/holdout"):
        operator.execute(context("evaluate"))
