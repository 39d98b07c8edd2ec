"""The block `with champion.scoring(...)` around tasks that write into a bucket, on a real Airflow and a real S3 server."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.airflow, pytest.mark.s3]

DAG = """
import boto3
from airflow.sdk import dag, get_current_context, task
from airflow_registry.champion import PARTITION, production

champion = production("m", consumer="score")

@dag(schedule=None)
def score():
    with champion.scoring(output="s3://{bucket}/out/day=" + PARTITION, partition=PARTITION):
        @task
        def work(place):
            client, folder = boto3.client("s3"), place.removeprefix("s3://{bucket}/")
            text = get_current_context()["dag_run"].conf.get("text")
            if text is not None:
                client.put_object(Bucket="{bucket}", Key=folder + "/part-0.csv", Body=text.encode())
            client.put_object(Bucket="{bucket}", Key=folder + "/_SUCCESS", Body=b"")
            client.close()
        work("s3://{bucket}/out/day=" + PARTITION)
score()
"""


@pytest.fixture
def promoted(registry, tmp_path):
    (tmp_path / "model.bin").write_bytes(b"weights")
    registry.register("m", str(tmp_path / "model.bin"), metrics={"auc": 0.7})
    registry.promote("m", 1, reason="the first one")
    return registry


@pytest.fixture
def loop(closed_loop, tmp_path, s3_server, s3_bucket, monkeypatch):
    """The loop with the DAG loaded, in an environment that leads to the bucket."""
    for name, value in s3_server.env().items():
        monkeypatch.setenv(name, value)
    file = tmp_path / "dags_of_test.py"
    file.write_text(DAG.replace("{bucket}", s3_bucket))
    closed_loop.load(file)
    return closed_loop


def entries(registry):
    return [(entry.output.rpartition("/")[2], entry.is_live, entry.committed_at is not None) for entry in registry.predictions("m")]


def test_what_was_written_is_committed_and_what_was_not_is_not(promoted, loop, s3_bucket):
    first = loop.start("score", conf={"text": "a,b"})
    assert first.state == "success"
    (entry,) = promoted.predictions("m")
    assert entry.output == f"s3://{s3_bucket}/out/day={entry.partition}"
    assert (entry.is_live, entry.run_id) == (True, first.run_id)
    idle = loop.start("score", conf={})
    assert (idle.state, idle.tasks["work"], idle.tasks["scoring_commit"]) == ("failed", "success", "failed")
    again = loop.start("score", conf={"text": "c,d"})
    assert again.state == "success"
    assert [live for _, live, _ in entries(promoted)] == [False, False, True]


def test_a_task_that_wrote_only_a_marker_wrote_nothing(promoted, loop):
    run = loop.start("score", conf={})
    assert (run.state, run.tasks["work"], run.tasks["scoring_commit"]) == ("failed", "success", "failed")
    assert [committed for _, _, committed in entries(promoted)] == [False]
