"""Small inputs, and models that are quick and exact."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_registry.domain.model import Column, Signature
from airflow_registry.scoring.writer import Provenance


class Doubler:
    """Exact whatever the batch: so that bytes can be compared."""

    def predict(self, frame):
        return frame["x"].to_numpy(dtype=float) * 2 + frame["y"].to_numpy(dtype=float)


class Coin(Doubler):
    """Binary, with probabilities."""

    classes_ = np.array([0, 1])

    def predict_proba(self, frame):
        chance = 1 / (1 + np.exp(-frame["x"].to_numpy(dtype=float)))
        return np.column_stack([1 - chance, chance])

    def predict(self, frame):
        return (self.predict_proba(frame)[:, 1] >= 0.5).astype(np.int64)


@pytest.fixture
def doubler():
    return Doubler()


@pytest.fixture
def coin():
    return Coin()


@pytest.fixture
def signature():
    return Signature(inputs=(Column(name="x", type="double"), Column(name="y", type="double")), output="double")


@pytest.fixture
def provenance():
    return Provenance(model="leads", version=7, digest="sha256:" + "a" * 64, partition="ds=1", dag_id="score", run_id="run_1")


def rows(count, start=0):
    ids = np.arange(start, start + count)
    return pa.table({"y": ids * 0.5, "id": ids, "x": np.sin(ids), "carrier": [("UA", "AA", None)[number % 3] for number in ids]})


@pytest.fixture
def make_rows():
    return rows


@pytest.fixture
def parquet(tmp_path):
    """A parquet file of `count` rows, columns in another order than the model's."""

    def make(count=1000, name="input.parquet", **options):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(rows(count), path, **options)
        return path

    return make
