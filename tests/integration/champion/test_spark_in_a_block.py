"""The script for spark-submit inside a scoring block, on a real Airflow: its arguments are rendered, and what it wrote is committed.

Spark itself is this process here; `make spark` has the real one.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from airflow_registry.modeling.signature import capture
from airflow_registry.scoring.parts import output_files
from airflow_registry.scoring.writer import read_manifest

pytestmark = pytest.mark.airflow

DAG = """
import pathlib
from airflow.sdk import dag, task, task_group
from airflow_registry.champion import production

OUT = pathlib.Path({out!r})
champion = production("lead", consumer="spark")

@dag(schedule=None, render_template_as_native_obj={native})
def sparked():
    @task_group
    def one(day):
        with champion.scoring(output=f"{{OUT}}/{{{{{{{{ ti.map_index }}}}}}}}", partition="d") as block:
            @task
            def submit(application, arguments):
                import contextlib, runpy
                from unittest import mock
                from airflow_registry.scoring import spark, spark_job, spark_session
                from tests.fakes.spark_here import here
                assert application == spark_job.__file__
                with mock.patch.object(spark, "_spread", lambda session, asked: here(asked)):
                    with mock.patch.object(spark_job, "spark_session", lambda *given, **named: contextlib.nullcontext()):
                        assert spark_job.main(arguments) == 0
            submit(block.spark_application, block.spark_arguments(input=str(OUT.parent / "leads.parquet"), keys=["id"]))
    one.expand(day=["a", "b"])
sparked()
"""


@pytest.fixture
def promoted(registry):
    frame = pd.DataFrame({"x": np.linspace(-1, 1, 40), "y": np.arange(40) % 7.0})
    model = LogisticRegression().fit(frame, frame["x"] > 0)
    registry.register("lead", model, signature=capture(model, frame), metrics={"auc": 0.9})
    registry.promote("lead", 1, reason="first")
    return registry


@pytest.mark.parametrize("native", [False, True])
def test_spark_writes_what_the_block_commits(promoted, closed_loop, tmp_path, native):
    frame = pd.DataFrame({"x": np.linspace(-2, 2, 30), "y": 1.0, "id": range(30), "other": "z"})
    frame.to_parquet(tmp_path / "leads.parquet", index=False)
    file = tmp_path / "dags_of_test.py"
    file.write_text(DAG.format(out=str(tmp_path / "out"), native=native))
    closed_loop.load(file)
    run = closed_loop.start("sparked")
    assert (run.state, set(run.tasks.values())) == ("success", {"success"})
    entries = promoted.predictions("lead")
    assert [(entry.output, entry.rows, entry.is_live, entry.quarantined) for entry in entries] == [
        (str(tmp_path / "out" / str(index)), 30, True, 0) for index in (0, 1)
    ]
    for entry in entries:
        manifest = read_manifest(entry.output)
        assert (entry.digest, entry.generation, entry.run_id) == (manifest["digest"], manifest["generation"], manifest["run"]["run_id"])
        assert promoted.whois(output_files(entry.output)[0]).uid == entry.uid
        assert pd.read_parquet(output_files(entry.output)[0]).columns.tolist() == [
            "id",
            "prediction",
            "probability_False",
            "probability_True",
        ]
    assert promoted.recall("lead", 1).unrecorded == ()
