"""The in-process loop: real DAG files and asset events, no scheduler."""

from __future__ import annotations

import pytest

from airflow_registry.testing.closed_loop import ClosedLoopError

pytestmark = pytest.mark.airflow

PRODUCER_AND_CONSUMER = """
from airflow.sdk import Asset, dag, task

bell = Asset(name="bell", uri="bell://one/")

@dag(schedule=None)
def producer():
    @task(outlets=[bell])
    def ring(outlet_events, params=None, dag_run=None):
        if dag_run.conf.get("quiet"):
            from airflow.sdk.exceptions import AirflowSkipException
            raise AirflowSkipException("quiet")
        outlet_events[bell].extra = {"number": dag_run.conf["number"]}
        return dag_run.conf["number"]
    ring()

@dag(schedule=[bell])
def consumer():
    @task
    def parts():
        return [1, 2]
    @task
    def hear(part, triggering_asset_events):
        return [part, [event.extra["number"] for events in triggering_asset_events.values() for event in events]]
    hear.expand(part=parts())

producer()
consumer()
"""


@pytest.fixture
def bells(tmp_path):
    file = tmp_path / "bells.py"
    file.write_text(PRODUCER_AND_CONSUMER)
    return file


def test_an_asset_event_runs_the_consumer_with_mapped_tasks(run_loop, bells):
    first, second = run_loop(bells, "producer", conf={"number": 7})
    assert (first.dag_id, first.run_type, first.state, first.tasks) == ("producer", "manual", "success", {"ring": "success"})
    assert first.xcom("ring") == 7
    assert (second.dag_id, second.run_type, second.state) == ("consumer", "asset_triggered", "success")
    assert second.tasks == {"parts": "success", "hear[0]": "success", "hear[1]": "success"}
    assert second.events == [("bell://one/", {"number": 7})]
    assert second.xcom("hear", map_index=1) == [2, [7]]
    assert second.xcom("hear", map_index=2) is None


def test_without_an_event_only_the_dag_itself_runs(run_loop, bells):
    (only,) = run_loop(bells, "producer", conf={"quiet": True})
    assert (only.state, only.tasks) == ("success", {"ring": "skipped"})


def test_the_next_test_finds_nothing_of_the_last_one(closed_loop, bells):
    with pytest.raises(ClosedLoopError, match="There is no DAG 'producer'"):
        closed_loop.start("producer")


def test_a_paused_consumer_is_not_run(closed_loop, bells):
    closed_loop.load(bells)
    closed_loop.pause("consumer")
    assert [run.dag_id for run in closed_loop.run("producer", conf={"number": 1})] == ["producer"]


def test_clearing_a_run_rings_again(closed_loop, bells):
    closed_loop.load(bells)
    first, heard = closed_loop.run("producer", conf={"number": 3})
    assert closed_loop.clear(first).state == "success"
    assert [run.dag_id for run in closed_loop.settle()] == ["consumer"]
    again = closed_loop.clear(heard, [("hear", 1)])
    assert again.state == "success"
    assert closed_loop.settle() == []


def test_a_task_that_fails_is_retried_without_waiting_and_then_fails_the_run(closed_loop, tmp_path):
    file = tmp_path / "failing.py"
    file.write_text(
        "from datetime import timedelta\n"
        "from airflow.sdk import dag, task\n"
        "@dag(schedule=None)\n"
        "def failing():\n"
        "    @task(retries=1, retry_delay=timedelta(hours=1))\n"
        "    def twice(ti):\n"
        "        if ti.try_number == 1: raise ValueError('first try')\n"
        "        return ti.try_number\n"
        "    @task\n"
        "    def never(): raise ValueError('always')\n"
        "    twice() >> never()\n"
        "failing()\n"
    )
    closed_loop.load(file)
    run = closed_loop.start("failing")
    assert (run.state, run.tasks, run.xcom("twice")) == ("failed", {"twice": "success", "never": "failed"}, 2)


def test_a_file_that_cannot_be_loaded_is_an_error_with_its_trace(closed_loop, tmp_path):
    file = tmp_path / "broken.py"
    file.write_text("from airflow.sdk import dag\nimport module_that_is_not_there\n")
    with pytest.raises(ClosedLoopError, match="module_that_is_not_there"):
        closed_loop.load(file)
