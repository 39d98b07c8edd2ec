"""Extra links lead from a task to the version that it was about, whatever became of it."""

from __future__ import annotations

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from airflow_registry.operators import (
    ArchiveModelOperator,
    EvaluateModelOperator,
    PromoteModelOperator,
    RegisterModelOperator,
    ResolveModelOperator,
    RollbackModelOperator,
)


def links(operator):
    return {link.name: link.get_link(operator, ti_key=None) for link in operator.operator_extra_links}


def both(number, model="lead"):
    return {"Model version": f"/registry/models/{model}/versions/{number}", "Model": f"/registry/models/{model}"}


def test_a_registration_links_to_its_version(context, tmp_path):
    (tmp_path / "m.bin").write_bytes(b"1")
    operator = RegisterModelOperator(model="risk.lead", artifact=str(tmp_path / "m.bin"))
    assert links(operator) == {"Model version": "", "Model": ""}
    operator.execute(context())
    assert links(operator) == both(1, "risk.lead")


def test_every_verb_links_to_the_version_it_was_about(registry, register, context, frame, tmp_path):
    register(), register()
    data = tmp_path / "holdout.parquet"
    frame.to_parquet(data)
    for operator, number in (
        (EvaluateModelOperator(version="lead:2", data=str(data), target="late"), 2),
        (PromoteModelOperator(version="lead:1", thresholds={"accuracy": 0.1}), 1),
        (PromoteModelOperator(version="lead:2", thresholds={"accuracy": 0.1}), 2),
        (ResolveModelOperator(model="lead"), 2),
        (RollbackModelOperator(model="lead", reason="worse"), 1),
        (ArchiveModelOperator(version="lead:1", reason="old"), 1),
    ):
        operator.execute(context(operator.task_id, run_id=f"{operator.task_id}{number}"))
        assert links(operator) == both(number), operator


def test_a_refusal_that_skips_links_to_what_it_refused(register, context):
    register()
    operator = PromoteModelOperator(version="lead:1", thresholds={"accuracy": 0.99})
    with pytest.raises(AirflowSkipException):
        operator.execute(context())
    assert links(operator) == both(1)


def test_the_path_under_which_a_proxy_shows_airflow_is_kept(register, context, monkeypatch):
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://example.org/airflow/")
    register()
    operator = PromoteModelOperator(version="lead:1", thresholds={"accuracy": 0.1})
    operator.execute(context())
    assert links(operator)["Model"] == "/airflow/registry/models/lead"
