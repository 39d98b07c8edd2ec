"""Models with several outputs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression

from airflow_registry.errors import InvalidInputError
from airflow_registry.scoring.engine import score_partition
from airflow_registry.scoring.predict import count_non_finite, plan, predict_arrays, predict_batch
from airflow_registry.scoring.source import open_source

ROWS = pd.DataFrame({"x": np.arange(30.0), "y": np.arange(30) % 7 * 1.0})


def predicted(model, keys=(), **options):
    batch = pa.RecordBatch.from_pandas(ROWS, preserve_index=False)
    return predict_batch(model, plan(None, batch.schema, keys), batch, **options)


@pytest.fixture(scope="module")
def regression():
    return LinearRegression().fit(ROWS, np.column_stack([ROWS["x"] * 2, ROWS["y"] - 1]))


@pytest.fixture(scope="module")
def forest():
    labels = np.column_stack([np.where(ROWS["x"] > 9, "late", "early"), (ROWS["y"] > 3).astype(int).astype(str)])
    return RandomForestClassifier(3, random_state=0).fit(ROWS, labels)


def test_each_output_has_a_column(regression):
    found = predicted(regression)
    assert found.schema.names == ["prediction_0", "prediction_1"]
    assert found.column("prediction_0").to_pylist() == pytest.approx((ROWS["x"] * 2).tolist())
    assert found.column("prediction_1").to_pylist() == pytest.approx((ROWS["y"] - 1).tolist(), abs=1e-9)


def test_outputs_are_called_as_the_columns_of_a_frame(regression):
    class Named:
        def predict(self, rows):
            return pd.DataFrame(regression.predict(rows), columns=["delay", "cost"])

    assert predicted(Named()).schema.names == ["prediction_delay", "prediction_cost"]


def test_each_class_of_each_output_has_a_probability(forest):
    found = predicted(forest)
    names = ["probability_0_early", "probability_0_late", "probability_1_0", "probability_1_1"]
    assert found.schema.names == ["prediction_0", "prediction_1", *names]
    assert found.column("prediction_0").to_pylist() == forest.predict(ROWS)[:, 0].tolist()
    expected = np.concatenate(forest.predict_proba(ROWS), axis=1)
    assert np.column_stack([found.column(name) for name in names]).tolist() == expected.tolist()
    assert predicted(forest, proba=False).schema.names == ["prediction_0", "prediction_1"]


def test_probabilities_that_do_not_belong_to_the_outputs_are_refused(forest):
    class Wrong:
        classes_ = forest.classes_

        def predict(self, rows):
            return forest.predict(rows)

        def predict_proba(self, rows):
            return forest.predict_proba(rows)[0]

    with pytest.raises(InvalidInputError, match="no matrix of probabilities for each"):
        predicted(Wrong())


def test_a_key_with_the_name_of_an_output_is_refused(regression):
    rows = ROWS.assign(prediction_1=1)
    batch = pa.RecordBatch.from_pandas(rows, preserve_index=False)
    with pytest.raises(InvalidInputError, match="prediction_1 have the names of outputs"):
        predict_batch(regression, plan(None, batch.schema, ("prediction_1",)), batch)


def test_a_row_is_not_finite_if_one_of_its_outputs_is_not():
    found = pa.RecordBatch.from_pydict(
        {"prediction_0": [1.0, None, 2.0], "prediction_1": [1.0, 1.0, float("inf")], "prediction_day": [None] * 3}
    )
    assert count_non_finite(found, ["prediction_day"]) == 2


def test_where_one_answer_a_row_is_needed_several_are_refused(regression):
    batch = pa.RecordBatch.from_pandas(ROWS, preserve_index=False)
    with pytest.raises(InvalidInputError, match=r"shape \(30, 2\)"):
        predict_arrays(regression, plan(None, batch.schema, ()), batch)


def test_a_partition_is_scored(regression, provenance, tmp_path):
    ROWS.assign(id=range(30)).to_parquet(tmp_path / "in.parquet")
    scored = score_partition(
        regression, None, open_source(tmp_path / "in.parquet"), tmp_path / "out", provenance=provenance, generation=1, keys=["id"]
    )
    assert scored.rows == 30
    assert pq.read_table(scored.uri, partitioning=None).column_names == ["id", "prediction_0", "prediction_1"]


def test_without_rows_the_forest_knows_its_outputs(forest, provenance, tmp_path):
    ROWS.iloc[:0].assign(id=pd.Series(dtype="int64")).to_parquet(tmp_path / "in.parquet")
    source = open_source(tmp_path / "in.parquet")
    scored = score_partition(forest, None, source, tmp_path / "out", provenance=provenance, generation=1, keys=["id"])
    assert pq.read_schema(scored.uri).names == ["id", "prediction_0", "prediction_1"]
