"""`dags/recall.py` unchanged, inside one process: a person triggers it, and exactly what the bad version wrote is scored again."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

pytestmark = pytest.mark.airflow

DAGS = Path(__file__).resolve().parents[3] / "dags"
SCORING = """
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import dag

from airflow_registry import production
from airflow_registry.operators import BatchInferenceOperator, UnscoredPartitionsOperator

champion = production("lead")

@dag(schedule=None)
def score():
    unscored = UnscoredPartitionsOperator(model="lead", input="{lake}", output="{out}", rescore="latest")
    scorer = BatchInferenceOperator.partial(model="lead", input="{lake}", output="{out}", keys=["id"], proba=False)
    scorer.expand(partition=unscored.output)

@dag(schedule=None)
def spark():
    with champion.scoring(output="{foreign}", partition="all"):
        BashOperator(task_id="job", bash_command="mkdir -p {foreign} && date +%N >> {foreign}/part-0")

score()
spark()
"""


@pytest.fixture
def lake(tmp_path):
    for day in (1, 2, 3):
        folder = tmp_path / "lake" / f"day={day}"
        folder.mkdir(parents=True)
        pd.DataFrame({"id": range(4), "x": [0.0, 1.0, 2.0, 3.0]}).to_parquet(folder / "rows.parquet", index=False)
    return tmp_path / "lake"


@pytest.fixture
def loop(closed_loop, lake, tmp_path):
    file = tmp_path / "scoring.py"
    file.write_text(SCORING.format(lake=f"{lake}/", out=f"{tmp_path}/out", foreign=f"{tmp_path}/foreign"))
    closed_loop.load(file)
    closed_loop.load(DAGS / "recall.py")
    return closed_loop


@pytest.fixture
def promote(registry):
    """Promotes a version that says so much more than x."""

    def make(shift):
        from sklearn.linear_model import LinearRegression

        from airflow_registry.modeling.signature import capture

        model = LinearRegression().fit([[0.0], [1.0]], [shift, 1 + shift])
        version = registry.register("lead", model, signature=capture(model, pd.DataFrame({"x": [0.0, 1.0]})))
        registry.promote("lead", version.number, reason="better")

    return make


def said(tmp_path, day):
    found = pd.read_parquet(tmp_path / "out" / f"day={day}" / "predictions.parquet", partitioning=None)
    assert found.columns.tolist() == ["id", "prediction"]
    return found["prediction"].tolist()


def test_what_a_bad_version_wrote_is_scored_again_through_airflow(registry, loop, promote, tmp_path, capsys):
    promote(0.0)
    promote(100.0)
    (scored,) = loop.run("score")
    (foreign,) = loop.run("spark")
    assert (scored.state, foreign.state, said(tmp_path, 1)) == ("success", "success", pytest.approx([100, 101, 102, 103]))

    refused = loop.start("recall", conf={"model": "lead", "version": 2, "reason": "far too high"})
    assert (refused.state, refused.tasks["recall"]) == ("failed", "failed")
    assert registry.recalls() == ()
    ordered = {"model": "lead", "version": 2, "reason": "far too high", "and_rollback": True}
    first = loop.start("recall", conf=ordered)
    assert (first.state, registry.production("lead").number) == ("success", 1)
    assert {key: state for key, state in first.tasks.items() if key.startswith("rescore")} == {f"rescore[{n}]": "success" for n in range(3)}
    assert [said(tmp_path, day) for day in (1, 2, 3)] == [pytest.approx([0, 1, 2, 3])] * 3
    [recall] = registry.recalls("lead")
    assert (recall.reason, recall.partitions, recall.done, recall.is_closed) == ("far too high", 4, 3, False)
    assert "By hand" in (told := capsys.readouterr().out)
    assert "in run manual__" in told
    before = len(registry.predictions("lead"))
    second = loop.start("recall", conf=ordered)
    assert (second.state, second.xcom("recall"), second.tasks["rescore"]) == ("success", [], "skipped")
    assert len(registry.predictions("lead")) == before

    again = loop.clear(foreign)
    assert again.state == "success"
    assert registry.whois(str(tmp_path / "foreign")).number == 1
    assert registry.recalls("lead")[0].is_closed


def test_a_normal_run_closes_a_recall_as_well(registry, loop, promote, tmp_path):
    promote(0.0)
    promote(100.0)
    loop.run("score")
    recall = registry.apply_recall("lead", 2, reason="far too high", and_rollback=True)
    (scored,) = loop.run("score")
    assert {key: state for key, state in scored.tasks.items() if key.startswith("batch")} == {
        f"batch_inference[{n}]": "success" for n in range(3)
    }
    assert registry.recalls("lead")[0].is_closed
    late = loop.start("recall", conf={"model": "lead", "version": "lead:2", "reason": "again"})
    assert (late.state, late.xcom("recall")) == ("success", [])
    assert {entry.recall for entry in registry.predictions("lead")} == {None}
    assert recall.partitions == 3
