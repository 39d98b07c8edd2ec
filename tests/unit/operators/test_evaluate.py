"""EvaluateModelOperator: challenger and champion on the same rows."""

from __future__ import annotations

import json

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_registry.domain.grammar import policy_from_mapping
from airflow_registry.errors import InputNotReadyError, InvalidInputError
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


def test_slices_anchors_and_metrics_of_ones_own_are_passed_on(registry, register, champion, context, holdout):
    register()
    register()
    result = EvaluateModelOperator(
        version="lead:3", data=holdout, target="late", metrics=["sklearn.metrics:f1_score"], slices=["y", "x:2"], anchors=["lead:2"]
    ).execute(context("evaluate"))
    assert set(result["metrics"]) == {"1", "2", "3"}
    assert list(result["metrics"]["3"]) == ["sklearn.metrics:f1_score"]
    assert result["slices"] == ["y", "x:2"]


POLICY = {
    "schema": 1,
    "rules": [
        {"metric": "recall", "by": "y", "at_least": 0.0},
        {"metric": "log_loss", "against": "anchor", "version": 2, "no_worse_than": 1},
    ],
}


@pytest.mark.parametrize("form", ["file", "mapping", "policy"])
def test_what_the_gates_policy_asks_for_is_evaluated(registry, register, champion, context, holdout, tmp_path, form):
    register()
    register()
    beside = tmp_path / "dags" / "sub"
    beside.mkdir(parents=True)
    (beside / "lead.yaml").write_text(json.dumps(POLICY))
    given = {"file": "lead.yaml", "mapping": POLICY, "policy": policy_from_mapping(POLICY)}[form]
    operator = EvaluateModelOperator(version="lead:3", data=holdout, target="late", metrics=["accuracy"], policy=given)
    result = operator.execute(context("evaluate"))
    assert set(result["metrics"]) == {"1", "2", "3"}
    assert set(result["metrics"]["3"]) == {"accuracy", "recall", "log_loss"}
    assert result["slices"] == ["y"]


def test_a_policy_that_is_not_beside_the_dag_is_an_error_that_names_the_path(registry, register, context, holdout, tmp_path):
    register()
    operator = EvaluateModelOperator(version="lead:1", data=holdout, target="late", policy="lead.yaml")
    with pytest.raises(AirflowFailException, match=f"no policy file 'lead.yaml' beside the DAG file: expected {tmp_path}"):
        operator.execute(context("evaluate"))


@pytest.mark.parametrize("argument", ["metrics", "slices", "anchors"])
def test_a_text_where_a_list_is_expected_is_refused_when_the_dag_is_read(argument):
    with pytest.raises(InvalidInputError, match=f"{argument}= is a list, also of one"):
        EvaluateModelOperator(version="lead:1", data="holdout.parquet", target="late", **{argument: "x"})


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
        ({"slices": ["carrier"]}, "no slice column 'carrier'"),
        ({"anchors": [9]}, "no version 9"),
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
