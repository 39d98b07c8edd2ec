from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from airflow_registry.modeling import Model


class Mean(Model):
    def __init__(self, factor=1.0):
        self.factor = factor

    def fit(self, features, target):
        self.mean = float(np.mean(target)) * self.factor
        return self

    def predict(self, input_features):
        assert np.shape(input_features)[0] == 1
        return np.asarray(input_features)[:, 0] + self.mean


def test_a_subclass_without_predict_cannot_be_made():
    class Half(Model):
        def fit(self):
            return self

    with pytest.raises(TypeError, match="predict"):
        Half()


def test_one_row_gives_one_prediction_and_many_rows_give_as_many():
    model = Mean().fit(None, [1.0, 3.0])
    rows = np.array([[1.0, 9.0], [2.0, 9.0], [3.0, 9.0]])
    assert model.predict(rows[:1]).tolist() == [3.0]
    assert model.predict_batch(rows).tolist() == [3.0, 4.0, 5.0]
    assert model.predict_batch(pd.DataFrame(rows, index=[7, 7, 9])).tolist() == [3.0, 4.0, 5.0]
    assert model.predict_batch(rows[:0]).shape == (0,)


def test_features_go_in_as_they_are_unless_preprocess_says_otherwise():
    rows = object()
    assert Mean().preprocess(rows) is rows


def test_what_persist_saves_load_brings_back(tmp_path):
    Mean(factor=2.0).fit(None, [1.0, 3.0]).persist(str(tmp_path / "mean.bin"))
    loaded = Mean().load(str(tmp_path / "mean.bin"))
    assert (loaded.factor, loaded.mean) == (2.0, 4.0)
    assert [file.name for file in tmp_path.iterdir()] == ["mean.bin"]


def test_a_failed_persist_leaves_the_earlier_file_as_it_was(tmp_path):
    path = tmp_path / "mean.bin"
    Mean().fit(None, [1.0]).persist(str(path))
    broken = Mean().fit(None, [9.0])
    broken.connection = (row for row in [])
    with pytest.raises(TypeError, match="generator"):
        broken.persist(str(path))
    assert Mean().load(str(path)).mean == 1.0


def test_the_default_upload_says_that_the_registry_stores_the_model():
    with pytest.raises(NotImplementedError, match="Mean has no to_remote of its own: the registry stores"):
        Mean().to_remote("s3://bucket/mean")
    with pytest.raises(NotImplementedError, match="Mean has no from_remote of its own"):
        Mean.from_remote("s3://bucket/mean")
