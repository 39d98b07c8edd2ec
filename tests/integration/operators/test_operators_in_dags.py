"""The operators as a DAG wires them: XCom, mapping, skips and bells, on a real Airflow and a real registry."""

from __future__ import annotations

import importlib
import warnings

import pandas as pd
import pytest

pytestmark = pytest.mark.airflow

TRAIN = """
import pandas as pd
from airflow.sdk import dag, task
from airflow_registry import Trained, production
from airflow_registry.operators import *

ROOT = {root!r}

@dag(schedule=None)
def train_lead():
    @task.train_model(model="lead", change_note="by {{{{ dag_run.run_id }}}}")
    def train(strength, dag_run=None):
        from sklearn.linear_model import LogisticRegression
        frame = pd.read_parquet(f"{{ROOT}}/train.parquet")
        return Trained(LogisticRegression(C=strength).fit(frame[["x", "y"]], frame["late"]), parameters={{"C": strength}})
    trained = train(1.0)
    evaluated = EvaluateModelOperator(version=trained, data=f"{{ROOT}}/train.parquet", target="late").output
    PromoteModelOperator(version=evaluated, policy="policies/lead.yaml")

@dag(schedule=None)
def train_many():
    @task.train_model(model="lead")
    def train(strength):
        from sklearn.linear_model import LogisticRegression
        frame = pd.read_parquet(f"{{ROOT}}/train.parquet")
        return LogisticRegression(C=strength).fit(frame[["x", "y"]], frame["late"])
    evaluate = EvaluateModelOperator.partial(data=f"{{ROOT}}/train.parquet", target="late")
    evaluated = evaluate.expand(version=train.expand(strength=[0.1, 2.0]))
    PromoteModelOperator.partial(thresholds={{"accuracy": 0.5}}).expand(version=evaluated.output)

@dag(schedule=None)
def refused():
    @task
    def after(gate):
        return gate
    for choice in ("skip", "fail", "continue"):
        gate = PromoteModelOperator(task_id=choice, version="lead@latest", thresholds={{"accuracy": 1.1}}, on_refusal=choice)
        after.override(task_id=f"after_{{choice}}")(gate.output)

@dag(schedule=[production("lead", consumer="score_lead").asset])
def score_lead():
    unscored = UnscoredPartitionsOperator(model="lead", input=f"{{ROOT}}/lake", output=f"{{ROOT}}/out", rescore="latest")
    scored = BatchInferenceOperator.partial(model="lead", input=f"{{ROOT}}/lake", output=f"{{ROOT}}/out").expand(partition=unscored.output)
    pinned = ResolveModelOperator(model="lead")
    RecordPredictionsOperator(model="lead", output="hdfs://elsewhere/{{{{ ti.xcom_pull('resolve_model')['version'] }}}}", partition="all",
                              version=pinned.output, rows="{{{{ 3 + 4 }}}}")

train_lead(); train_many(); refused(); score_lead()
"""


@pytest.fixture(scope="module", autouse=True)
def _skops():
    with warnings.catch_warnings():  # skops looks for its types in every module that is loaded, deprecated names of Airflow too
        warnings.simplefilter("ignore")
        importlib.import_module("skops.io")


@pytest.fixture
def dags(tmp_path):
    frame = pd.DataFrame({"x": range(40), "y": [row % 7 for row in range(40)], "late": [row >= 20 for row in range(40)]})
    frame.to_parquet(tmp_path / "train.parquet", index=False)
    for day in (1, 2):
        folder = tmp_path / "lake" / f"ds={day}"
        folder.mkdir(parents=True)
        frame.drop(columns="late").iloc[:day].to_parquet(folder / "a.parquet", index=False)
    folder = tmp_path / "dags"
    (folder / "policies").mkdir(parents=True)
    (folder / "policies" / "lead.yaml").write_text("schema: 1\nmodel: lead\nrules:\n  - {metric: accuracy, at_least: 0.5}\n")
    (folder / "lead.py").write_text(TRAIN.format(root=str(tmp_path)))
    return folder


def test_the_loop_closes_from_training_to_predictions(registry, run_loop, dags, tmp_path):
    trained, scored = run_loop(dags, "train_lead")
    assert trained.tasks == {"train": "success", "evaluate_model": "success", "promote_model": "success"}
    assert registry.production("lead").change_note == f"by {trained.run_id}"
    assert trained.xcom("train", key="ref") == "lead:1"
    gate = trained.xcom("promote_model")
    assert (gate["approved"], gate["to_stage"], gate["revision"]) == (True, "PRODUCTION", 1)
    assert registry.decisions("lead")[0].uid == gate["decision"]
    assert (scored.dag_id, scored.run_type, scored.state) == ("score_lead", "asset_triggered", "success")
    assert scored.xcom("unscored_partitions") == ["ds=1", "ds=2"]
    assert [scored.xcom("batch_inference", key="rows", map_index=index) for index in (0, 1)] == [1, 2]
    assert len(pd.read_parquet(tmp_path / "out" / "ds=2" / "predictions.parquet", partitioning=None)) == 2
    recorded = {entry.output: entry.rows for entry in registry.predictions("lead", 1)}
    assert recorded["hdfs://elsewhere/1"] == 7
    assert {uri for uri, _ in scored.events} == {"airflow-registry://lead/production"}


def test_mapped_training_gives_a_version_and_a_gate_each(registry, closed_loop, dags):
    closed_loop.load(dags)
    closed_loop.pause("score_lead")
    run = closed_loop.start("train_many")
    assert run.state == "success"
    assert [run.xcom("train", map_index=index)["version"] for index in (0, 1)] == [1, 2]
    assert [run.xcom("promote_model", map_index=index)["ref"] for index in (0, 1)] == ["lead:1", "lead:2"]
    closed_loop.pause("score_lead", paused=False)


def test_a_mapped_gate_rings_the_consumer(registry, run_loop, dags):
    runs = run_loop(dags, "train_many")
    assert [run.dag_id for run in runs][1:] != []
    assert {run.dag_id for run in runs[1:]} == {"score_lead"}


def test_a_refusal_skips_fails_or_goes_on_and_rings_nobody_in_all_three(registry, closed_loop, dags):
    registry.register("lead", metrics={"accuracy": 0.9})
    closed_loop.load(dags)
    runs = closed_loop.run("refused")
    assert [run.dag_id for run in runs] == ["refused"]
    assert runs[0].tasks == {
        "skip": "skipped", "after_skip": "skipped",
        "fail": "failed", "after_fail": "upstream_failed",
        "continue": "success", "after_continue": "success",
    }  # fmt: skip
    for choice in ("skip", "fail", "continue"):
        told = runs[0].xcom(choice)
        assert (told["outcome"], told["promotion"]) == ("REFUSED", None)
        assert runs[0].xcom(choice, key="reasons") == told["reasons"] != []
    assert len(registry.decisions("lead")) == 3


def test_a_cleared_gate_rings_again_and_nothing_is_scored_twice(registry, closed_loop, dags):
    closed_loop.load(dags)
    trained, _ = closed_loop.run("train_lead")
    again = closed_loop.clear(trained, ["promote_model"])
    assert again.xcom("promote_model")["created"] is False
    (scored,) = closed_loop.settle()
    assert scored.xcom("unscored_partitions") == []
    assert scored.tasks["batch_inference"] == "skipped"
    assert len(registry.history("lead")) == 1


def test_clearing_one_mapped_instance_keeps_the_version_of_the_run(registry, closed_loop, dags):
    closed_loop.load(dags)
    _, scored = closed_loop.run("train_lead")
    registry.register("lead", registry.get("lead:1").load(), metrics={"accuracy": 0.9})
    registry.promote("lead", 2, reason="by hand")
    again = closed_loop.clear(scored, [("batch_inference", 1)])
    assert again.xcom("batch_inference", map_index=1)["ref"] == "lead:1"
    assert again.xcom("batch_inference", map_index=1)["skipped"] is True
