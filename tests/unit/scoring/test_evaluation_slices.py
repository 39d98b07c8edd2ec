"""Slices, the best constant and a policy's questions, in the one pass over the data."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_registry.domain.model import Column, Signature
from airflow_registry.errors import InvalidInputError
from airflow_registry.scoring.evaluation import MAX_CLASSES, Asked, evaluate, judged_of
from airflow_registry.scoring.metrics import compute
from airflow_registry.scoring.slices import parse_slices
from airflow_registry.scoring.source import open_source

WHOLE = Signature(inputs=(Column(name="x", type="double"),))
CARRIERS = Signature(inputs=(Column(name="x", type="double"), Column(name="carrier", type="string", categories=("AA", "UA"))))


class Sure:
    """Says class 1 with the probability `x`."""

    classes_ = np.array([0, 1])

    def predict(self, rows):
        return (rows["x"] > 0.5).astype(int)

    def predict_proba(self, rows):
        return np.column_stack([1 - rows["x"], rows["x"]])


class Echo:
    def __init__(self):
        self.asked = 0

    def predict(self, rows):
        self.asked += len(rows)
        return rows["x"].to_numpy()


@pytest.fixture
def holdout(tmp_path):
    random = np.random.default_rng(0)
    n = 2000
    x = random.random(n)
    table = pa.table(
        {
            "x": x,
            "late": (random.random(n) < x).astype(int),
            "minutes": x * 3,
            "carrier": random.choice(["AA", "UA"], n),
            "distance": random.integers(0, 1000, n),
        }
    )
    return write(tmp_path, table)


def write(folder, table):
    pq.write_table(table, folder / "holdout.parquet", row_group_size=300)
    return table


def judge(folder, models, *, target="late", slices=(), signatures=None, **asked):
    known = dict.fromkeys(models, WHOLE) if signatures is None else signatures
    order = Asked(target=target, slices=parse_slices(slices), **{name: tuple(value) for name, value in asked.items()})
    return evaluate(models, known, open_source(folder / "holdout.parquet"), order)


def test_slices_need_not_be_inputs_and_each_version_has_metrics_in_each(holdout, tmp_path):
    found = judge(tmp_path, {1: Sure(), 2: Sure()}, slices=["carrier", "distance:2"], metrics=["accuracy", "roc_auc"])
    assert sum(found.slice_rows[name] for name in ("carrier=AA", "carrier=UA")) == 2000
    assert found.sliced[1] == found.sliced[2]
    assert [name.partition("=")[0] for name in found.sliced[1]] == ["carrier", "carrier", "distance:2", "distance:2"]
    is_aa = np.array(holdout["carrier"].to_pylist()) == "AA"
    alone = compute(judged_of(found.table, 1).take(is_aa), ["accuracy", "roc_auc"], "binary")
    assert found.sliced[1]["carrier=AA"] == pytest.approx(alone)
    assert set(found.table.slices) == {"carrier", "distance:2"}


def test_the_labels_themselves_and_an_input_can_be_slices(holdout, tmp_path):
    found = judge(tmp_path, {1: Sure()}, slices=["late", "x:3"], metrics=["accuracy", "roc_auc"])
    assert list(found.sliced[1])[:2] == ["late=0", "late=1"]
    assert math.isnan(found.sliced[1]["late=0"]["roc_auc"])
    assert 0 < found.sliced[1]["late=0"]["accuracy"] < 1


def test_rows_that_were_left_out_are_in_no_slice(tmp_path):
    table = pa.table({"x": [0.1, 0.9, 0.8, 0.2] * 50, "late": [0, 1, 1, 0] * 50, "carrier": ["AA", "UA", "ZZ", "AA"] * 50})
    write(tmp_path, table)
    found = judge(tmp_path, {1: Sure(), 2: Sure()}, slices=["carrier", "x:2"], signatures={1: WHOLE, 2: CARRIERS}, metrics=["accuracy"])
    assert (found.rows, found.excluded) == (150, 50)
    assert found.table.slices["carrier"].names == ("carrier=AA", "carrier=UA")
    assert found.slice_rows["carrier=AA"] == 100
    assert all(len(codes.codes) == 150 for codes in found.table.slices.values())
    assert found.sliced[1]["carrier=AA"]["accuracy"] == 1


def test_a_slice_column_with_a_million_values_is_refused_before_the_first_answer(tmp_path):
    write(tmp_path, pa.table({"x": np.arange(3000.0), "y": np.arange(3000.0), "id": np.arange(3000)}))
    model = Echo()
    with pytest.raises(InvalidInputError, match="'id' of .* has more than 1,000 different values"):
        evaluate({1: model}, {1: WHOLE}, open_source(tmp_path / "holdout.parquet"), Asked(target="y", slices=parse_slices(["id"])))
    assert model.asked <= 3000


def test_a_slice_column_that_is_missing_is_named_with_those_there_are(holdout, tmp_path):
    model = Echo()
    with pytest.raises(InvalidInputError, match="no slice column 'airport'. It has x, late, minutes, carrier, distance"):
        judge(tmp_path, {1: model}, slices=["airport"])
    assert model.asked == 0


def test_the_best_constant_stands_beside_the_versions(holdout, tmp_path):
    found = judge(tmp_path, {1: Sure()}, metrics=["accuracy", "roc_auc"])
    late = np.mean(holdout["late"].to_numpy())
    assert found.trivial == pytest.approx({"accuracy": max(late, 1 - late), "roc_auc": 0.5})


def test_what_a_policy_looks_at_is_added_and_what_suits_another_kind_of_model_is_left_out(holdout, tmp_path):
    found = judge(tmp_path, {1: Sure()}, of_policy=["fpr", "rmse", "roc_auc"])
    assert list(found.results[1]) == ["roc_auc", "log_loss", "accuracy", "average_precision", "brier_score", "fpr"]
    found = judge(tmp_path, {1: Sure()}, metrics=["f1"], of_policy=["fpr", "f1"])
    assert list(found.results[1]) == ["f1", "fpr"]


def test_a_function_that_a_policy_names_must_be_there(holdout, tmp_path):
    with pytest.raises(InvalidInputError, match="no_such_module"):
        judge(tmp_path, {1: Sure()}, of_policy=["no_such_module:cost"])


def test_no_rows_and_one_row_make_an_evaluation_of_nan(holdout, tmp_path):
    for rows in (0, 1):
        write(tmp_path, holdout.slice(0, rows))
        found = judge(tmp_path, {1: Sure()}, slices=["carrier", "distance:3"], metrics=["roc_auc"])
        assert found.rows == rows
        assert math.isnan(found.results[1]["roc_auc"])
        assert len(found.table.slices["carrier"].names) == rows
        assert math.isnan(found.trivial["roc_auc"])


@pytest.mark.parametrize("metric", ["accuracy", "log_loss", "roc_auc", "average_precision", "matthews_corrcoef"])
def test_of_no_rows_no_metric_has_slices_however_it_is_computed(holdout, tmp_path, metric):
    write(tmp_path, holdout.slice(0, 0))
    found = judge(tmp_path, {1: Sure()}, slices=["carrier"], metrics=[metric])
    assert math.isnan(found.results[1][metric])
    assert found.sliced[1] == {}


def test_labels_that_are_infinite_are_refused(tmp_path):
    write(tmp_path, pa.table({"x": [1.0, 2.0], "y": [1.0, math.inf]}))
    with pytest.raises(InvalidInputError, match="'y' of .* is infinite in 1 of 2 rows"):
        judge(tmp_path, {1: Echo()}, target="y")


def test_numbers_are_no_labels_of_a_classifier(tmp_path):
    n = MAX_CLASSES + 10
    write(tmp_path, pa.table({"x": np.linspace(0, 1, n), "y": np.arange(n) * 1.5}))
    with pytest.raises(InvalidInputError, match="have 1,011 different values, which are too many for classes"):
        judge(tmp_path, {1: Sure()}, target="y")


def test_labels_of_a_class_that_no_model_knows_are_wrong_for_all(tmp_path):
    write(tmp_path, pa.table({"x": [0.1, 0.9, 0.9], "y": [0, 1, 7]}))
    found = judge(tmp_path, {1: Sure()}, target="y", metrics=["accuracy", "log_loss"])
    assert found.table.classes == (0, 1, 7)
    assert found.results[1]["accuracy"] == pytest.approx(2 / 3)
    assert found.results[1]["log_loss"] > 10
