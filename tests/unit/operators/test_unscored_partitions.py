"""UnscoredPartitionsOperator: what was missed once is not missed for ever."""

from __future__ import annotations

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from airflow_registry.domain.ledger import Written
from airflow_registry.errors import InputNotReadyError
from airflow_registry.operators import UnscoredPartitionsOperator


@pytest.fixture
def lake(tmp_path):
    for day in range(1, 6):
        folder = tmp_path / "lake" / f"ds={day}"
        folder.mkdir(parents=True)
        (folder / "a.csv").write_text("x,y\n1,2\n")
    return tmp_path / "lake"


@pytest.fixture
def unscored(lake, tmp_path, context):
    def keys(run_id="manual__1", **arguments):
        operator = UnscoredPartitionsOperator(model="lead", input=str(lake), output=str(tmp_path / "out"), **arguments)
        return operator.execute(context("unscored", run_id=run_id))

    return keys


@pytest.fixture
def record(registry, tmp_path):
    def scored(day, version, *, commit=True):
        output = f"{tmp_path}/out/ds={day}"
        intent = registry.open_output(output, partition=f"ds={day}", model="lead", version=version)
        if commit:
            registry.commit_output(intent, Written(uri=f"{output}/predictions.parquet"))

    return scored


def test_partitions_without_live_output_are_listed_and_an_intent_is_no_output(registry, champion, unscored, record):
    record(2, 1)
    record(3, 1, commit=False)
    assert unscored() == ["ds=1", "ds=3", "ds=4", "ds=5"]


def test_latest_adds_what_another_version_wrote_and_all_adds_the_rest(registry, register, champion, unscored, record):
    register()
    record(1, 1)
    record(2, 2)
    registry.promote("lead", 2, reason="better")
    assert unscored() == ["ds=3", "ds=4", "ds=5"]
    assert unscored(rescore="latest") == ["ds=3", "ds=4", "ds=5", "ds=1"]
    assert unscored(rescore="all") == ["ds=3", "ds=4", "ds=5", "ds=1", "ds=2"]


def test_the_version_of_the_run_counts_not_the_newest(registry, register, champion, unscored, record):
    for day in range(1, 6):
        record(day, 1)
    assert unscored(rescore="latest") == []
    register()
    registry.promote("lead", 2, reason="better")
    assert unscored(rescore="latest") == []
    assert len(unscored(run_id="manual__2", rescore="latest")) == 5


def test_what_exceeds_the_limit_is_logged_and_comes_next_time(registry, champion, unscored, record, capsys):
    assert unscored(limit=2) == ["ds=1", "ds=2"]
    assert "3 of them are left for the next run" in capsys.readouterr().out
    record(1, 1)
    record(2, 1)
    assert unscored(limit=2) == ["ds=3", "ds=4"]


def test_a_small_limit_does_not_starve_new_partitions(registry, register, champion, unscored, record):
    register()
    registry.promote("lead", 2, reason="better")
    for day in range(1, 5):
        record(day, 1)
    assert unscored(rescore="latest", limit=1) == ["ds=5"]


def test_before_the_first_promotion_it_skips_or_fails(registry, unscored):
    with pytest.raises(AirflowSkipException):
        unscored()
    with pytest.raises(AirflowFailException):
        unscored(if_no_champion="fail")


def test_an_input_that_is_not_there_is_tried_again(registry, champion, context):
    operator = UnscoredPartitionsOperator(model="lead", input="/no/such/lake", output="/out")
    with pytest.raises(InputNotReadyError, match="/no/such/lake"):
        operator.execute(context("unscored"))
