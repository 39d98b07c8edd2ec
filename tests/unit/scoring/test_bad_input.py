"""What goes wrong in the middle of a partition: nothing half is published, and the old output stays."""

from __future__ import annotations

import threading

import numpy as np
import pyarrow.parquet as pq
import pytest

from airflow_registry.errors import InputNotReadyError, InvalidInputError, OutputConflictError
from airflow_registry.scoring.engine import score_partition
from airflow_registry.scoring.source import open_source
from airflow_registry.scoring.writer import read_manifest


@pytest.fixture
def score(signature, provenance, tmp_path):
    def run(model, source, *, generation=1, **options):
        facts = {"provenance": provenance, "generation": generation}
        return score_partition(model, signature, open_source(source), tmp_path / "out", **facts, **options)

    return run


class InBatch7:
    """A model that is as told to be in its seventh batch."""

    def __init__(self, model, then):
        self.model, self.then, self.calls = model, then, 0

    def predict(self, frame):
        self.calls += 1
        return self.then(frame) if self.calls == 7 else self.model.predict(frame)


def left(tmp_path):
    return sorted(path.name for path in (tmp_path / "out").iterdir())


@pytest.mark.parametrize("change", [lambda n: n - 1, lambda n: n + 1, lambda _: 0])
def test_another_number_of_predictions_than_rows_in_batch_7_keeps_the_old_output(score, doubler, parquet, tmp_path, change):
    source = parquet(100)
    before = score(doubler, source).digest
    wrong = InBatch7(doubler, lambda frame: np.zeros(change(len(frame))))
    with pytest.raises(InvalidInputError, match="predictions of shape .* at batch 7"):
        score(wrong, source, generation=2, batch_rows=10)
    assert (read_manifest(tmp_path / "out")["files"][0]["sha256"], left(tmp_path)) == (
        before.hex,
        ["_manifest.json", "predictions.parquet"],
    )


def test_a_file_that_changes_while_it_is_scored_keeps_the_old_output(score, doubler, parquet, make_rows, tmp_path):
    source = parquet(100)
    before = score(doubler, source).digest

    def replace(frame):
        pq.write_table(make_rows(100, start=5), source.with_name("new"))
        source.with_name("new").rename(source)
        return doubler.predict(frame)

    with pytest.raises(InputNotReadyError, match="was changed while it was read"):
        score(InBatch7(doubler, replace), source, generation=2, batch_rows=5)
    assert read_manifest(tmp_path / "out")["files"][0]["sha256"] == before.hex
    assert score(doubler, source, generation=3).digest != before


def test_rows_of_one_key_are_each_scored_and_kept_in_their_order(score, doubler, make_rows, tmp_path):
    table = make_rows(6)
    doubled = table.set_column(table.schema.get_field_index("id"), "id", [[1, 1, 2, 2, 2, 3]])
    pq.write_table(doubled, tmp_path / "doubled.parquet")
    found = pq.read_table(score(doubler, tmp_path / "doubled.parquet").uri, partitioning=None)
    assert found.column("id").to_pylist() == [1, 1, 2, 2, 2, 3]
    assert found.column("prediction").to_pylist() == doubler.predict(doubled.to_pandas()).tolist()


def test_of_two_runs_at_once_the_newer_one_stays_and_the_files_belong_together(score, doubler, parquet, tmp_path):
    source, ended, barrier = parquet(500), {}, threading.Barrier(2)

    def run(generation):
        model = InBatch7(doubler, lambda frame: (barrier.wait(30), doubler.predict(frame))[1])
        try:
            score(model, source, generation=generation, batch_rows=50)
            ended[generation] = "done"
        except OutputConflictError:
            ended[generation] = "overtaken"
            barrier.abort()
        except threading.BrokenBarrierError:
            score(doubler, source, generation=generation)
            ended[generation] = "done"

    threads = [threading.Thread(target=run, args=(generation,)) for generation in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    manifest = read_manifest(tmp_path / "out")
    assert (ended[2], manifest["generation"], manifest["rows"]) == ("done", 2, 500)
    assert left(tmp_path) == ["_manifest.json", "predictions.parquet"]
