"""Outputs in real buckets: whole or not at all."""

import hashlib

import numpy as np
import pyarrow as pa
import pytest

from airflow_registry.errors import OutputConflictError, StorageRefusedError
from airflow_registry.scoring.writer import (
    DATA_NAME,
    MANIFEST_NAME,
    QUARANTINE_NAME,
    holds_output,
    open_output,
    read_manifest,
    read_provenance,
    write_predictions,
)

SCHEMA = pa.schema({"id": pa.int64(), "prediction": pa.float64()})
PLACE = "out/ds=2026-01-01"
NAMES = [f"{PLACE}/{name}" for name in (MANIFEST_NAME, DATA_NAME)]


def table(count):
    ids = np.arange(count)
    return pa.table({"id": ids, "prediction": np.sin(ids)}, schema=SCHEMA)


@pytest.fixture
def write(bucket, provenance):
    def call(batches, generation=1):
        target = f"{bucket.root}/{PLACE}/"
        return write_predictions(target, batches, schema=SCHEMA, provenance=provenance, generation=generation, storage=bucket.storage)

    return call


def manifest(bucket):
    return read_manifest(f"{bucket.root}/{PLACE}", bucket.storage)


def test_an_output_is_one_object_and_its_manifest_and_they_agree(bucket, write):
    written = write(table(1000).to_batches(100))
    assert bucket.keys() == NAMES
    content = bucket.client.read(NAMES[1])
    assert written.path == f"{bucket.root}/{NAMES[1]}"
    assert (written.digest, written.rows, written.size_bytes) == (f"sha256:{hashlib.sha256(content).hexdigest()}", 1000, len(content))
    assert bucket.table(NAMES[1]).replace_schema_metadata(None) == table(1000)
    (file,) = manifest(bucket)["files"]
    assert file == {"name": DATA_NAME, "sha256": written.digest.hex, "rows": 1000, "size_bytes": len(content), "version": file["version"]}
    assert file["version"] == bucket.client.head(NAMES[1]).version
    assert read_provenance(written.path, bucket.storage)["run_id"] == "run_1"
    assert holds_output(f"{bucket.root}/{PLACE}", bucket.storage)


def test_the_bytes_are_those_that_a_local_folder_would_get(bucket, write, provenance, tmp_path):
    local = write_predictions(tmp_path / "out", table(1000).to_batches(), schema=SCHEMA, provenance=provenance, generation=9)
    assert write(table(1000).to_batches(77)).digest == local.digest


def test_an_exception_in_the_middle_publishes_nothing(bucket, write):
    def failing():
        for batch in table(300_000).to_batches(100_000):
            yield batch
            assert bucket.keys() == []  # two row groups are written by now: to nowhere that anybody sees
        raise ValueError("the model's own")

    with pytest.raises(ValueError, match="the model's own"):
        write(failing())
    assert bucket.keys() == []
    assert list(bucket.client.unfinished()) == []


def test_an_exception_in_the_middle_leaves_the_old_output_as_it_was(bucket, write):
    write(table(10).to_batches())
    before = bucket.versions()

    def failing():
        yield from table(200_000).to_batches(100_000)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(failing(), generation=2)
    assert bucket.versions() == before
    assert holds_output(f"{bucket.root}/{PLACE}", bucket.storage)


def test_nothing_of_a_writer_stays_on_this_machine(bucket, write, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    write(table(10).to_batches())
    with pytest.raises(ZeroDivisionError):
        write((1 / 0 for _ in range(1)), generation=2)
    assert list(tmp_path.iterdir()) == []


def test_an_older_generation_is_refused_before_it_asks_for_a_row(bucket, write):
    write(table(10).to_batches(), generation=2)
    before = bucket.versions()
    with pytest.raises(OutputConflictError, match="Generation 1 may not write.*generation 2"):
        write((pytest.fail("asked for rows") for _ in range(1)), generation=1)
    assert bucket.versions() == before


def test_a_zombie_that_wakes_up_after_a_newer_writer_has_finished_publishes_nothing(bucket, write):
    def sleepy():
        yield from table(10).to_batches()
        write(table(20).to_batches(), generation=2)
        kept.update(bucket.versions())

    kept = {}
    with pytest.raises(OutputConflictError, match="Generation 1 may not write"):
        write(sleepy())
    assert bucket.versions() == kept
    assert bucket.table(NAMES[1]).num_rows == 20


def test_rows_set_aside_are_beside_the_predictions_until_an_output_without_them(bucket, provenance):
    target = f"{bucket.root}/{PLACE}"
    for generation, aside in ((1, 2), (2, 0)):
        with open_output(target, provenance=provenance, generation=generation, storage=bucket.storage) as out:
            for batch in table(100).to_batches():
                out.predictions(batch)
            out.quarantined(pa.RecordBatch.from_pydict({"id": [7] * aside, "reason": ["x is missing"] * aside, "row": list(range(aside))}))
            written = out.commit(rows_in=100 + aside)
        assert (written.quarantined, written.quarantine_path) == (aside, f"{target}/{QUARANTINE_NAME}" if aside else None)
        assert [file["name"] for file in manifest(bucket)["files"]] == [DATA_NAME] + [QUARANTINE_NAME] * bool(aside)
        assert holds_output(target, bucket.storage)


def test_an_output_that_somebody_replaced_or_removed_is_not_taken_for_ours(bucket, write):
    target = f"{bucket.root}/{PLACE}"
    assert not holds_output(target, bucket.storage)
    assert manifest(bucket) is None
    write(table(10).to_batches())
    bucket.put_table(NAMES[1], table(11))
    assert not holds_output(target, bucket.storage)
    write(table(10).to_batches(), generation=2)
    bucket.client.delete(NAMES[1])
    assert not holds_output(target, bucket.storage)


def test_a_bucket_that_is_missing_is_named_before_a_row_is_asked_for(bucket, provenance):
    root = bucket.root[:-1] + "-is-not-there"
    rows = (pytest.fail("asked for rows") for _ in range(1))
    with pytest.raises(StorageRefusedError, match="is-not-there"):
        write_predictions(f"{root}/out", rows, schema=SCHEMA, provenance=provenance, generation=1, storage=bucket.storage)
