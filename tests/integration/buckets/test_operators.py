"""The operators with s3:// and gs:// where local paths stood."""

from __future__ import annotations

import json

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_registry.domain.ledger import Written
from airflow_registry.errors import InputNotReadyError, OutputConflictError, StorageUnavailableError
from airflow_registry.operators import (
    BatchInferenceOperator,
    EvaluateModelOperator,
    RecordPredictionsOperator,
    UnscoredPartitionsOperator,
)
from airflow_registry.scoring.source import find_input
from tests.integration.buckets.conftest import BOTH

pytestmark = pytest.mark.s3

DAY = "ds=2026-01-01"


@pytest.fixture
def score(lake):
    def make(**arguments):
        given = {"model": "lead", "input": f"{lake.root}/leads", "output": f"{lake.root}/out/", "partition": DAY}
        return BatchInferenceOperator(**{**given, **arguments})

    return make


@pytest.fixture
def requests(lake, monkeypatch):
    """What is sent to the store."""
    from airflow_registry.objects.gcs import GcsClient
    from airflow_registry.objects.s3 import S3Client

    sent = []
    for kind in (S3Client, GcsClient):
        for name in ("head", "read", "download", "write", "upload", "list"):
            monkeypatch.setattr(kind, name, counted(getattr(kind, name), name, sent))
    return sent


def counted(method, name, sent):
    def call(self, key="", *args, **kwargs):
        sent.append(f"{name} {key}")
        return method(self, key, *args, **kwargs)

    return call


@BOTH
def test_the_predictions_are_those_of_the_model_and_the_ledger_names_them(registry, champion, score, context, lake, frame, fitted):
    result = score().execute(context("score"))
    target = f"{lake.root}/out/{DAY}"
    assert (result["output"], result["uri"]) == (target, f"{target}/predictions.parquet")
    assert (result["rows"], result["quarantined"], result["skipped"]) == (10, 0, False)
    found, rows = lake.frame(result["uri"]), frame.iloc[10:20]
    assert found["id"].tolist() == rows["id"].tolist()
    assert found["prediction"].tolist() == fitted.predict(rows[["x", "y"]]).tolist()
    entry = registry.whois(result["uri"])
    assert (entry.number, entry.rows, entry.is_live, entry.output, entry.partition) == (1, 10, True, target, DAY)
    manifest = json.loads(lake.client.read(f"out/{DAY}/_manifest.json"))
    assert (manifest["input_digest"], manifest["input_digest_kind"]) == (entry.input_digest, "versions")
    assert manifest["files"][0]["sha256"] == entry.digest.removeprefix("sha256:")
    assert result == json.loads(json.dumps(result))


@BOTH
def test_what_was_scored_before_costs_one_listing_and_nothing_is_read_of_it(registry, champion, score, context, lake, requests):
    score().execute(context("score"))
    before, _ = lake.versions(), requests.clear()
    for given in ({}, {"input": f"{lake.root}/leads/{DAY}"}):
        again = score(**given).execute(context("score", run_id="manual__2"))
        assert (again["skipped"], again["rows"]) == (True, 10)
        assert [each for each in requests if each.startswith("list")] == [f"list leads/{DAY}/"]  # not of all partitions
        assert not any("part.parquet" in each for each in requests)
        assert len(requests) <= 6
        requests.clear()
    assert lake.versions() == before


def test_other_rows_are_scored_and_the_old_output_is_replaced(registry, champion, score, context, lake, frame):
    first = score().execute(context("score"))
    lake.put(f"leads/{DAY}/part.parquet", frame.drop(columns="late").iloc[:3])
    second = score().execute(context("score", run_id="manual__2"))
    assert (second["skipped"], second["rows"], second["uri"]) == (False, 3, first["uri"])
    assert len(lake.frame(first["uri"])) == 3


def test_unscored_partitions_are_found_and_scored_until_none_is_left(registry, champion, score, context, lake):
    missing = UnscoredPartitionsOperator(model="lead", input=f"{lake.root}/leads/", output=f"{lake.root}/out")
    keys = missing.execute(context("find"))
    assert keys == [f"ds=2026-01-0{day}" for day in (1, 2, 3)]
    for key in keys:
        score(partition=key).execute(context("score"))
    assert missing.execute(context("find")) == []


def test_after_a_failure_in_the_middle_nothing_is_published_and_the_intent_stays(
    registry, champion, score, context, lake, frame, monkeypatch
):
    from sklearn.linear_model import LogisticRegression

    first = score().execute(context("score"))
    before = lake.versions("out/")
    lake.put(f"leads/{DAY}/part.parquet", frame.drop(columns="late"))
    ask = LogisticRegression.predict_proba  # the class follows from it

    def failing(self, rows):
        assert lake.versions("out/") == before
        ask(self, rows)
        raise MemoryError

    monkeypatch.setattr(LogisticRegression, "predict_proba", failing)
    with pytest.raises((AirflowFailException, MemoryError)):
        score().execute(context("score", run_id="manual__2"))
    assert lake.versions("out/") == before
    assert [entry.committed_at is not None for entry in registry.predictions("lead")] == [True, False]
    monkeypatch.undo()
    assert len(lake.frame(first["uri"])) == 10


def test_an_output_that_a_writer_tore_or_somebody_removed_is_written_again(registry, champion, score, context, lake):
    first = score().execute(context("score"))
    key = first["uri"].removeprefix(f"{lake.root}/")
    for tear in (lambda: lake.client.write(key, b"half"), lambda: lake.client.delete(key)):
        tear()
        assert score().execute(context("score"))["skipped"] is False
        assert len(lake.frame(first["uri"])) == 10
        assert score().execute(context("score"))["skipped"] is True


def test_of_two_runs_over_one_partition_the_newer_one_is_live_and_the_zombie_is_refused(registry, champion, score, context, lake):
    from airflow_registry.scoring.writer import Provenance, write_predictions

    target = f"{lake.root}/out/{DAY}"
    zombie = registry.open_output(target, partition=DAY, model="lead", version=1, input_digest=f"sha256:{'b' * 64}")
    score().execute(context("score"))
    before = lake.versions("out/")
    import pyarrow as pa

    rows = pa.table({"prediction": [1.0]})
    provenance = Provenance(model="lead", version=1, registry=str(registry.describe()["registry_uid"]))
    with pytest.raises(OutputConflictError, match="may not write"):
        write_predictions(target, rows.to_batches(), schema=rows.schema, provenance=provenance, generation=zombie.generation)
    assert lake.versions("out/") == before
    with pytest.raises(OutputConflictError):
        registry.commit_output(zombie, Written(uri="/late"))


def test_an_input_that_changes_while_it_is_scored_is_tried_again_and_nothing_is_published(
    registry, champion, score, context, lake, frame, monkeypatch
):
    from airflow_registry.scoring import objects

    whole = objects.ObjectFiles.whole

    def replaced(self, name):
        lake.put(f"leads/{DAY}/part.parquet", frame.drop(columns="late").iloc[:2])
        return whole(self, name)

    with monkeypatch.context() as patch:
        patch.setattr(objects.ObjectFiles, "whole", replaced)
        with pytest.raises(InputNotReadyError, match="changed while it was read"):
            score().execute(context("score"))
    assert lake.versions("out/") == {}
    assert score().execute(context("score"))["rows"] == 2


@pytest.mark.parametrize(("wrong", "message"), [({"partition": "ds=2030-01-01"}, "no partition"), ({"input": "no/such"}, "no/such")])
def test_a_partition_that_has_not_arrived_is_tried_again(registry, champion, score, context, lake, wrong, message):
    wrong = {name: f"{lake.root}/{value}" if name == "input" else value for name, value in wrong.items()}
    with pytest.raises(InputNotReadyError, match=message):
        score(**wrong).execute(context("score"))
    assert registry.predictions("lead") == ()


def test_a_key_that_would_lead_elsewhere_is_refused_where_a_path_holds_it(registry, champion, score, context, lake):
    key = "../../secrets"
    with pytest.raises(AirflowFailException, match="would lead elsewhere"):
        score(input=f"{lake.root}/leads/{key}/", partition=key).execute(context("score"))
    with pytest.raises(AirflowFailException, match="would lead elsewhere"):
        score(input=f"{lake.root}/leads/{DAY}/", output=f"{lake.root}/out/{key}", partition=key).execute(context("score"))
    assert set(lake.versions()) == {f"leads/ds=2026-01-0{day}/part.parquet" for day in (1, 2, 3)}


def test_a_store_that_is_out_of_reach_is_tried_again(registry, champion, score, context, lake, monkeypatch):
    from airflow_registry.objects.options import StorageOptions

    options = StorageOptions(endpoint_url="http://127.0.0.1:9", attempts=1, connect_timeout_s=1)
    monkeypatch.setattr(BatchInferenceOperator, "_storage", lambda self: options)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
    with pytest.raises(StorageUnavailableError):
        score().execute(context("score"))
    assert registry.predictions("lead") == ()


def test_a_version_is_evaluated_on_data_in_a_bucket(registry, champion, context, lake, frame):
    lake.put("holdout.parquet", frame)
    result = EvaluateModelOperator(version="lead:1", data=f"{lake.root}/holdout.parquet", target="late").execute(context("evaluate"))
    assert result["rows"] == 40
    assert result["metrics"]["1"]["accuracy"] > 0.9
    again = registry.evaluate("lead", 1, data=f"{lake.root}/holdout.parquet", target="late")
    assert again.data.digest == find_input(f"{lake.root}/holdout.parquet").digest()


def test_what_another_program_wrote_into_a_bucket_is_looked_at_and_recorded(registry, champion, context, lake, frame):
    record = RecordPredictionsOperator(model="lead", output=f"{lake.root}/theirs/{DAY}/", partition=DAY)
    with pytest.raises(AirflowFailException, match="no file at"):
        record.execute(context("record"))
    for part in ("part-0", "part-1"):
        lake.put(f"theirs/{DAY}/{part}.parquet", frame)
    lake.client.write(f"theirs/{DAY}/_SUCCESS", b"")
    result = record.execute(context("record"))
    assert (result["rows"], result["live"], result["output"]) == (80, True, f"{lake.root}/theirs/{DAY}")
