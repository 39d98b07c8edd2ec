"""RecordPredictionsOperator: the ledger for other programs."""

from __future__ import annotations

import pandas as pd
import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from airflow_registry.operators import RecordPredictionsOperator


@pytest.fixture
def output(tmp_path):
    (tmp_path / "out").mkdir()
    pd.DataFrame({"score": [0.1, 0.2, 0.3]}).to_parquet(tmp_path / "out" / "part-0.parquet")
    return str(tmp_path / "out")


def test_the_version_of_the_run_is_recorded_with_what_can_be_seen(registry, champion, context, output):
    result = RecordPredictionsOperator(model="lead", output=output, partition="2026-01-01").execute(context("record"))
    assert (result["ref"], result["committed"], result["live"], result["rows"]) == ("lead:1", True, True, 3)
    entry = registry.whois(output)
    assert (entry.number, entry.partition, entry.run_id) == (1, "2026-01-01", "manual__1")
    assert entry.digest


def test_what_cannot_be_seen_is_taken_from_the_caller(registry, register, champion, context):
    register()
    operator = RecordPredictionsOperator(
        model="lead",
        output="hdfs://out/2026-01-01/",
        partition="p",
        version="lead:2",
        rows="12",
        quarantined=2,
        uri="hdfs://out/2026-01-01/x",
    )
    assert operator.execute(context("record"))["rows"] == 12
    (entry,) = registry.predictions("lead", 2)
    assert (entry.output, entry.uri, entry.quarantined, entry.digest) == ("hdfs://out/2026-01-01", "hdfs://out/2026-01-01/x", 2, None)


def test_a_newer_record_takes_the_partition_over(registry, register, champion, context, output):
    operator = RecordPredictionsOperator(model="lead", output=output, partition="p")
    operator.execute(context("record"))
    register()
    registry.promote("lead", 2, reason="better")
    operator.execute(context("record", run_id="manual__2"))
    assert [entry.is_live for entry in registry.predictions("lead")] == [False, True]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"output": "/no/such/output"}, "no file at /no/such/output"),
        ({"output": "relative"}, "relative path"),
        ({"rows": "many"}, "rows='many' is not a count"),
        ({"rows": -1}, "not a count"),
        ({"rows": True}, "not a count"),
        ({"model": "{{ model }}"}, "not rendered"),
    ],
)
def test_bad_input_records_nothing(registry, champion, context, output, wrong, message):
    with pytest.raises(AirflowFailException, match=message):
        RecordPredictionsOperator(**{"model": "lead", "output": output, "partition": "p", **wrong}).execute(context("record"))
    assert registry.predictions("lead") == ()


def test_without_a_champion_it_skips(registry, context, output):
    with pytest.raises(AirflowSkipException):
        RecordPredictionsOperator(model="lead", output=output, partition="p").execute(context("record"))
