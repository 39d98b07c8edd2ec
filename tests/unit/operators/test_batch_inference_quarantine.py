"""BatchInferenceOperator: rows that do not fit the signature."""

from __future__ import annotations

import pandas as pd
import pyarrow.parquet as pq
import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_registry.errors import InvalidInputError
from airflow_registry.modeling.signature import capture
from airflow_registry.operators import BatchInferenceOperator

DAY = "ds=2026-01-01"


@pytest.fixture
def strict(registry, fitted, frame):
    """`lead:1` in PRODUCTION, with all that its training frame says."""
    version = registry.register("lead", fitted, signature=capture(fitted, training_frame=frame))
    registry.promote("lead", version.number, reason="the first one")
    return version


@pytest.fixture
def deliver(tmp_path, frame):
    """A partition of twenty rows, `bad` of them without an x."""

    def make(bad):
        folder = tmp_path / "leads" / DAY
        folder.mkdir(parents=True, exist_ok=True)
        rows = frame.drop(columns="late").iloc[:20].reset_index(drop=True)
        rows.loc[rows.index[5 : 5 + bad], "x"] = None
        rows.to_parquet(folder / "part.parquet", index=False)

    return make


@pytest.fixture
def score(tmp_path):
    def make(**arguments):
        return BatchInferenceOperator(model="lead", input=str(tmp_path / "leads"), output=str(tmp_path / "out"), partition=DAY, **arguments)

    return make


def test_the_training_frame_survives_the_registry(registry, strict, fitted, frame):
    assert registry.get("lead:1").signature == capture(fitted, training_frame=frame)
    assert registry.get("lead:1").signature.inputs[0].nullable is False


def test_a_bad_row_is_set_aside_counted_and_explained(registry, strict, deliver, score, context, tmp_path, capsys):
    deliver(bad=1)
    result = score(keys=["id"]).execute(context("score"))
    assert (result["rows"], result["quarantined"]) == (19, 1)
    found = pd.read_parquet(result["uri"], partitioning=None)
    assert found["id"].tolist() == [row for row in range(20) if row != 5]
    aside = pq.ParquetFile(tmp_path / "out" / DAY / "_quarantine.parquet").read().to_pydict()
    assert aside == {"id": [5], "row": [5], "reason": ["column 'x' is null, and had no null in training"]}
    entry = registry.whois(result["uri"])
    assert (entry.rows, entry.quarantined) == (19, 1)
    log = capsys.readouterr().out
    assert "1 of 20 rows were set aside" in log
    assert "column 'x' is null, and had no null in training: 1 row (the first is row 5)" in log


def test_a_second_run_reports_the_same_counts(registry, strict, deliver, score, context):
    deliver(bad=1)
    first = score().execute(context("score"))
    again = score().execute(context("score", run_id="manual__2"))
    assert (again["skipped"], again["rows"], again["quarantined"]) == (True, first["rows"], first["quarantined"])


def test_too_many_bad_rows_fail_without_a_retry_and_the_old_output_stays_live(registry, strict, deliver, score, context):
    deliver(bad=0)
    first = score().execute(context("score"))
    deliver(bad=2)
    with pytest.raises(AirflowFailException, match="2 of 20 rows do not fit the model's signature"):
        score().execute(context("score", run_id="manual__2"))
    assert pd.read_parquet(first["uri"], partitioning=None).shape[0] == 20
    entries = registry.predictions("lead")
    assert [entry.committed_at is not None for entry in entries] == [True, False]
    result = score(max_quarantine_share=0.1).execute(context("score", run_id="manual__3"))
    assert (result["rows"], result["quarantined"]) == (18, 2)


def test_columns_that_are_not_used_are_named_in_the_log(registry, strict, deliver, score, context, capsys):
    deliver(bad=0)
    score(keys=[]).execute(context("score"))
    assert "Columns of the input that were not used: id" in capsys.readouterr().out


@pytest.mark.parametrize("share", [1.5, -0.1, "1%"])
def test_what_is_no_share_fails_when_the_dag_is_parsed(score, share):
    with pytest.raises(InvalidInputError, match="from 0 to 1"):
        score(max_quarantine_share=share)
