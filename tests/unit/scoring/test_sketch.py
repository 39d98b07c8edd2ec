"""Sketches of partitions and references of versions: what is counted is what went into the model and what it said."""

import json
import logging

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_registry.domain.drift.bins import Reference
from airflow_registry.domain.drift.sketch import merge
from airflow_registry.domain.model import Column, Signature
from airflow_registry.errors import InputNotReadyError, InvalidInputError, SignatureMismatchError
from airflow_registry.scoring.reference import freeze, rows_of
from airflow_registry.scoring.sketch import Sketcher


@pytest.fixture
def reference(coin, make_rows):
    return freeze(make_rows(2000), coin, None)


def said_by(model, table):
    rows = table.to_pandas()
    chances = model.predict_proba(rows)
    return pa.record_batch({"prediction": model.predict(rows), "probability_0": chances[:, 0], "probability_1": chances[:, 1]})


def sketched(reference, model, table, *, batch=300, rows=None, most=50_000, digest="sha256:1"):
    sketcher = Sketcher([reference], digest=digest, rows=rows, most=most)
    for part in table.to_batches(max_chunksize=batch):
        sketcher.take(part, said_by(model, pa.Table.from_batches([part])))
    return sketcher.sketch()


def test_the_reference_holds_inputs_and_predictions(reference):
    assert set(reference.inputs.features) == {"x", "y", "id", "carrier"}
    assert set(reference.predictions.features) == {"prediction", "probability_1"}
    assert reference.inputs.features["carrier"].bins.categories == ("AA", "UA")
    assert reference.inputs.features["carrier"].counts == (667, 667, 0, 666)
    assert reference.inputs.features["x"].counts == (200,) * 10 + (0,)
    assert reference.predictions.features["prediction"].bins.categories == ("0", "1")
    assert (reference.rows, reference.sampled) == (2000, 2000)
    assert Reference.from_json(json.loads(json.dumps(reference.to_json()))) == reference


def test_the_sketch_of_the_same_rows_is_the_reference(reference, coin, make_rows):
    sketch = sketched(reference, coin, make_rows(2000))
    assert (sketch.rows, sketch.sampled) == (2000, 2000)
    for profile in reference.profiles:
        assert sketch.of(profile) == {name: feature.counts for name, feature in profile.features.items()}


def test_the_sketches_of_parts_add_up_to_that_of_the_whole(reference, coin, make_rows):
    table = make_rows(2000)
    parts = [sketched(reference, coin, part) for part in (table.slice(0, 700), table.slice(700, 5), table.slice(705))]
    assert merge(parts) == sketched(reference, coin, table)


@pytest.mark.parametrize("rows", [20_000, None])
def test_of_many_rows_a_sample_is_counted_and_the_same_input_gives_the_same(reference, coin, make_rows, rows):
    table = make_rows(20_000)
    sketch = sketched(reference, coin, table, rows=rows, most=1000, batch=4096)
    assert sketch == sketched(reference, coin, table, rows=rows, most=1000, batch=4096)
    assert sketch.rows == 20_000
    assert 400 < sketch.sampled <= 1000
    assert all(sum(counts) == sketch.sampled for profile in reference.profiles for counts in sketch.of(profile).values())
    assert sketch != sketched(reference, coin, table, rows=rows, most=1000, batch=4096, digest="sha256:2")


def test_predictions_are_also_counted_by_the_bins_of_another_version(reference, coin, doubler, make_rows):
    before = freeze(make_rows(500), doubler, None)
    sketcher = Sketcher([reference, Reference(predictions=before.predictions)], digest="", rows=None)
    table = make_rows(100)
    sketcher.take(table.to_batches()[0], said_by(coin, table))
    sketch = sketcher.sketch()
    assert set(sketch.counts) == {reference.inputs.digest, reference.predictions.digest, before.predictions.digest}
    assert sum(sketch.of(before.predictions)["prediction"]) == 100


def test_columns_that_changed_their_kind_are_not_counted(reference, coin, make_rows):
    table = make_rows(100)
    odd = pa.record_batch({"x": pa.array(["a"] * 100), "y": pa.array([[1]] * 100), "carrier": pa.array([1] * 100)})
    sketcher = Sketcher([reference], digest="", rows=None)
    sketcher.take(odd, said_by(coin, table))
    assert sketcher.sketch().of(reference.inputs) == {"carrier": (0, 0, 100, 0)}


def test_nobody_asked_or_no_rows_is_no_sketch(reference, coin, make_rows):
    nobody = Sketcher([Reference()], digest="", rows=None)
    nobody.take(make_rows(3).to_batches()[0], said_by(coin, make_rows(3)))
    assert nobody.sketch() is None
    assert Sketcher([reference], digest="", rows=None).sketch() is None


def test_what_goes_wrong_is_said_and_costs_the_counts_only(reference, caplog):
    sketcher = Sketcher([reference], digest="", rows=None)
    with caplog.at_level(logging.WARNING):
        sketcher.take("no batch", None)
    sketcher.take("nor is this", None)
    assert sketcher.sketch() is None
    assert [record.message for record in caplog.records] == [
        "The partition is scored, but its features are not counted for drift: AttributeError: 'str' object has no attribute 'num_rows'"
    ]


def test_a_frame_an_arrow_table_and_a_file_give_the_same_reference(coin, make_rows, signature, tmp_path, parquet):
    path = parquet(500)
    table = pq.read_table(path)
    found = {freeze(data, coin, signature).inputs.digest for data in (table, table.to_pandas(), path, str(path), table.to_batches()[0])}
    assert len(found) == 1
    assert set(freeze(path, coin, signature).inputs.features) == {"x", "y"}


def test_rows_that_the_model_would_not_get_are_not_in_it(doubler, make_rows):
    bounded = Signature(inputs=(Column(name="x", type="double"), Column(name="y", type="double", low=0.0, high=49.5)))
    found = freeze(make_rows(200), doubler, bounded.with_policy(range="quarantine"))
    assert (found.rows, found.sampled) == (200, 100)


def test_of_a_large_frame_a_sample_is_looked_at(doubler, make_rows):
    frame = pd.concat([make_rows(60_000).to_pandas()] * 4)
    found = freeze(frame, doubler, None)
    assert (found.rows, found.sampled) == (240_000, pytest.approx(60_000, rel=0.05))


def test_a_model_that_cannot_predict_leaves_the_inputs(make_rows, caplog):
    found = freeze(make_rows(50), object(), None)
    assert found.predictions.features == {}
    assert found.inputs.features
    assert "without predictions" in caplog.text


def test_of_many_classes_the_first_twenty_are_watched(make_rows):
    class Many:
        classes_ = np.arange(30)

        def predict(self, rows):
            return np.zeros(len(rows), dtype=int)

        def predict_proba(self, rows):
            return np.full((len(rows), 30), 1 / 30)

    assert len(freeze(make_rows(50), Many(), None).predictions.features) == 21


@pytest.mark.parametrize(
    ("data", "error", "says"),
    [
        ([1, 2], InvalidInputError, "pandas frame, an Arrow table"),
        (pa.table({"x": [], "y": []}), InvalidInputError, "no rows"),
        (pd.DataFrame({"x": [1.0]}), SignatureMismatchError, "missing column 'y'"),
        (pd.DataFrame({"x": [1.0, "a"], "y": [1.0, 2.0]}), InvalidInputError, "cannot be read"),
        ("nowhere.parquet", InputNotReadyError, "nowhere.parquet"),
    ],
)
def test_a_reference_that_cannot_be_used_is_refused(data, error, says, doubler, signature):
    with pytest.raises(error, match=says):
        freeze(data, doubler, signature)


def test_a_reference_of_bad_rows_only_is_refused(doubler, make_rows):
    bounded = Signature(inputs=(Column(name="y", type="double", low=-2.0, high=-1.0),)).with_policy(range="quarantine")
    with pytest.raises(InvalidInputError, match="no row that fits"):
        freeze(make_rows(20), doubler, bounded)


def test_rows_are_counted_where_that_costs_nothing(make_rows):
    assert [rows_of(data) for data in (make_rows(3), make_rows(3).to_pandas(), "path", [1])] == [3, 3, None, None]
