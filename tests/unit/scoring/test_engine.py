import threading
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_registry.domain.model import Column, Signature
from airflow_registry.errors import InvalidInputError, SignatureMismatchError
from airflow_registry.scoring.engine import read_ahead, score_partition
from airflow_registry.scoring.source import open_source
from airflow_registry.scoring.writer import DATA_NAME, MANIFEST_NAME, read_provenance


@pytest.fixture
def score(tmp_path, signature, provenance):
    def call(model, path, signature=signature, generation=1, **options):
        return score_partition(
            model, signature, open_source(path), tmp_path / "out", provenance=provenance, generation=generation, **options
        )

    return call


def readers():
    return [thread for thread in threading.enumerate() if thread.name == "scoring-reader"]


def test_a_partition_is_scored_row_by_row_as_the_model_says(score, doubler, parquet, tmp_path, make_rows):
    scored = score(doubler, parquet(1000, row_group_size=300), batch_rows=128)
    out = pq.read_table(tmp_path / "out" / DATA_NAME)
    rows = make_rows(1000)
    assert out.schema.names == ["id", "carrier", "prediction"]
    assert out.column("id") == rows.column("id")
    np.testing.assert_array_equal(out["prediction"].to_numpy(), rows["x"].to_numpy() * 2 + rows["y"].to_numpy())
    assert (scored.rows, scored.non_finite, scored.uri) == (1000, 0, str(tmp_path / "out" / DATA_NAME))
    assert scored.seconds > 0
    assert read_provenance(scored.uri)["model"] == "leads"


@pytest.mark.parametrize("batch_rows", [1_000, 4_096, 65_536, 200_000])
def test_the_same_work_gives_the_same_bytes_whatever_the_batch_size(score, coin, parquet, batch_rows):
    path = parquet(150_000, row_group_size=40_000)
    first = score(coin, path, generation=1)
    assert score(coin, path, generation=2, batch_rows=batch_rows).digest == first.digest


def test_another_version_gives_other_bytes(score, coin, parquet, tmp_path, signature, provenance):
    path = parquet(10)
    digests = {
        score_partition(coin, signature, open_source(path), tmp_path / "out", provenance=made, generation=1).digest
        for made in (provenance, replace(provenance, version=8), replace(provenance, input_digest="sha256:" + "c" * 64))
    }
    assert len(digests) == 3


def test_csv_is_scored_with_the_types_of_the_signature(score, doubler, tmp_path):
    (tmp_path / "in.csv").write_text("id,x,y\na,1,\nb,2,\n")
    assert score(doubler, tmp_path / "in.csv").non_finite == 2
    (tmp_path / "in.csv").write_text("id,x,y\na,1,2\nb,2,3\n")
    score(doubler, tmp_path / "in.csv", generation=2)
    assert pq.read_table(tmp_path / "out" / DATA_NAME).to_pydict() == {"id": ["a", "b"], "prediction": [4.0, 7.0]}


def test_a_folder_is_scored_as_one_partition(score, doubler, parquet, tmp_path):
    for name in ("in/a.parquet", "in/b.parquet"):
        parquet(100, name)
    assert score(doubler, tmp_path / "in").rows == 200


def test_no_rows_make_an_output_without_rows_and_the_model_is_not_asked(score, parquet, tmp_path):
    class Refuses:
        classes_ = np.array(["a", "b"])

        def predict(self, rows):
            raise AssertionError(rows)

        predict_proba = predict

    assert score(Refuses(), parquet(0)).rows == 0
    out = pq.read_table(tmp_path / "out" / DATA_NAME)
    assert out.num_rows == 0
    assert out.schema.names == ["id", "carrier", "prediction", "probability_a", "probability_b"]
    assert str(out.schema.field("prediction").type) == "string"


def test_non_finite_predictions_are_counted_and_kept(score, doubler, tmp_path):
    pq.write_table(pa.table({"x": [1.0, None, np.inf, 2.0], "y": [0.0, 0.0, 0.0, np.nan]}), tmp_path / "gaps.parquet")
    scored = score(doubler, tmp_path / "gaps.parquet")
    assert (scored.rows, scored.non_finite) == (4, 3)


def test_progress_counts_the_rows(score, doubler, parquet):
    seen = []
    score(doubler, parquet(1000), batch_rows=400, progress=seen.append)
    assert seen == [400, 800, 1000]


class FailsAt:
    def __init__(self, number, error):
        self.number = number
        self.error = error
        self.calls = 0

    def predict(self, frame):
        self.calls += 1
        if self.calls == self.number:
            raise self.error
        return np.zeros(len(frame))


def test_a_model_that_raises_in_batch_7_leaves_nothing_and_no_thread(score, parquet, tmp_path):
    path = parquet(2000)
    with pytest.raises(InvalidInputError, match=rf"batch 7 of {path} \(100 rows\): ValueError: NaN.*x double, y double"):
        score(FailsAt(7, ValueError("NaN")), path, batch_rows=100)
    assert list((tmp_path / "out").iterdir()) == []
    assert readers() == []


def test_an_interrupt_in_batch_7_leaves_the_old_output_and_no_thread(score, doubler, parquet, tmp_path):
    path = parquet(2000)
    first = score(doubler, path)
    with pytest.raises(KeyboardInterrupt):
        score(FailsAt(7, KeyboardInterrupt()), path, batch_rows=100, generation=2)
    assert sorted(entry.name for entry in (tmp_path / "out").iterdir()) == [MANIFEST_NAME, DATA_NAME]
    assert score(doubler, path, generation=3).digest == first.digest
    assert readers() == []


def test_damage_in_the_input_leaves_nothing_and_no_thread(score, doubler, parquet, tmp_path):
    path = parquet(200_000, row_group_size=10_000, compression="zstd")
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 4000] = bytes(4000)
    path.write_bytes(content)
    with pytest.raises(InvalidInputError, match=r"input\.parquet cannot be read"):
        score(doubler, path, batch_rows=5_000)
    assert list((tmp_path / "out").iterdir()) == []
    assert readers() == []


def test_an_output_that_cannot_be_written_ends_the_reader_too(score, doubler, parquet, tmp_path):
    (tmp_path / "out").write_text("in the way")
    with pytest.raises(InvalidInputError, match="Writing predictions"):
        score(doubler, parquet(10_000), batch_rows=100)
    assert readers() == []


def test_a_mismatch_is_known_before_the_first_row(score, parquet, tmp_path):
    model = FailsAt(1, AssertionError("asked"))
    wanted = Signature(inputs=(Column(name="carrier", type="double"), Column(name="speed", type="double")))
    with pytest.raises(SignatureMismatchError, match=r"(?s)missing column 'speed' \(double\).*'carrier': expected double, found string"):
        score(model, parquet(), signature=wanted)
    assert model.calls == 0
    assert not (tmp_path / "out").exists()


def test_a_model_without_predict_is_refused_before_the_first_row(score, parquet, tmp_path):
    with pytest.raises(InvalidInputError, match="dict cannot score rows"):
        score({}, parquet())
    assert not (tmp_path / "out").exists()


def test_predictions_that_change_their_type_are_refused(score, parquet, tmp_path):
    class Moody:
        answers = iter([[1] * 500, ["late"] * 500])

        def predict(self, _):
            return next(self.answers)

    with pytest.raises(InvalidInputError, match="batch 2 has other types"):
        score(Moody(), parquet(1000), batch_rows=500)
    assert list((tmp_path / "out").iterdir()) == []


def test_the_reader_stays_at_most_two_items_ahead():
    made = []
    gate = threading.Semaphore(0)

    def items():
        for number in range(100):
            made.append(number)
            gate.release()
            yield number

    with read_ahead(items(), depth=2) as ahead:
        for _ in range(3):  # two that wait and one in the reader's hand
            assert gate.acquire(timeout=30)
        assert not gate.acquire(timeout=0.05)
        assert next(ahead) == 0
        assert gate.acquire(timeout=30)
        assert not gate.acquire(timeout=0.05)
        assert made == [0, 1, 2, 3]
    assert readers() == []


def test_the_reader_closes_what_it_reads_when_nobody_wants_the_rest():
    closed = threading.Event()

    def items():
        try:
            while True:
                yield 1
        finally:
            closed.set()

    with read_ahead(items()) as ahead:
        assert next(ahead) == 1
    assert closed.is_set()
    assert readers() == []


def test_what_the_reader_raises_comes_in_its_place():
    def items():
        yield 1
        raise OSError("disk")

    with read_ahead(items()) as ahead:
        assert next(ahead) == 1
        with pytest.raises(OSError, match="disk"):
            next(ahead)
