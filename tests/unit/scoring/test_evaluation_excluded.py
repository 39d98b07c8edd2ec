"""Rows that not every version can be asked about are left out for all of them, and it is said so."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_registry.domain.model import Column, Signature
from airflow_registry.errors import SignatureMismatchError
from airflow_registry.scoring.evaluation import Asked, evaluate
from airflow_registry.scoring.source import open_source

ROWS = 1000


class Echo:
    """Predicts what stands in `x`, and remembers the rows that it was asked about."""

    def __init__(self):
        self.asked = []

    def predict(self, frame):
        self.asked += frame["row"].tolist()
        return frame["x"].to_numpy()


def holdout(**changes):
    columns = {
        "row": np.arange(ROWS),
        "x": np.arange(ROWS) % 7 * 1.0,
        "carrier": ["AA", "UA"] * (ROWS // 2),
        "y": np.arange(ROWS) % 5 * 1.0,
    }
    columns = {name: list(column) for name, column in columns.items()}
    for name, rows in changes.items():
        for row, value in rows.items():
            columns[name][row] = value
    return pa.table(columns)


def signature(**facts):
    columns = [Column(name="row", type="int64"), Column(name="x", type="double"), Column(name="carrier", type="string")]
    return Signature(inputs=tuple(Column(name=each.name, type=each.type, **facts.get(each.name, {})) for each in columns))


WHOLE = signature(x={"nullable": False})
KNOWN = signature(carrier={"categories": ("AA", "UA")})


@pytest.fixture
def judge(tmp_path):
    def call(table, challenger, champion=None):
        for number, start in enumerate((0, 300)):  # in two batches: positions count through all of them
            (tmp_path / "holdout").mkdir(exist_ok=True)
            pq.write_table(table.slice(start, 300 if start == 0 else None), tmp_path / "holdout" / f"{number}.parquet")
        signatures = {2: challenger} if champion is None else {2: challenger, 1: champion}
        models = {number: Echo() for number in signatures}
        return evaluate(models, signatures, open_source(tmp_path / "holdout"), Asked(target="y", metrics=("mae",))), models

    return call


def error(table, without=()):
    rows = [row for row in range(ROWS) if row not in without]
    x, y = (np.array(table[name].to_pylist(), dtype=float)[rows] for name in ("x", "y"))
    return float(np.abs(x - y).mean())


def test_champion_and_challenger_are_asked_about_the_same_rows_and_no_other(judge):
    table = holdout(x={3: None, 700: float("nan")}, carrier={3: "ZZ", 500: "B6"})
    found, models = judge(table, WHOLE, KNOWN)
    left = [row for row in range(ROWS) if row not in {3, 500, 700}]
    assert models[1].asked == models[2].asked == left
    assert (found.rows, found.excluded) == (ROWS - 3, 3)
    assert found.results[1] == found.results[2] == {"mae": pytest.approx(error(table, {3, 500, 700}))}
    assert [(reason.column, reason.rows) for reason in found.reasons] == [("carrier", 2), ("x", 2)]


def test_what_was_judged_on_fewer_rows_is_not_comparable_with_what_was_judged_on_all(judge):
    table = holdout(x={3: None}, carrier={500: "B6"})
    digests = [judge(table, *each)[0].dataset_digest for each in ((signature(),), (WHOLE,), (KNOWN,), (WHOLE, KNOWN), (KNOWN, WHOLE))]
    assert len(set(digests[:4])) == 4
    assert digests[3] == digests[4]
    assert judge(holdout(), WHOLE)[0].dataset_digest == judge(holdout(), signature())[0].dataset_digest


def test_a_challenger_that_cannot_be_asked_about_enough_rows_is_refused_with_counts(judge):
    with pytest.raises(SignatureMismatchError) as caught:
        judge(holdout(x=dict.fromkeys(range(11))), WHOLE)
    for part in ("The evaluation data", "11 of 1000 rows", "at most 10", "column 'x' is null", "evaluate on data that holds fewer"):
        assert part in str(caught.value)


def test_it_is_refused_too_where_the_rows_are_only_known_at_the_end(tmp_path):
    holdout(x=dict.fromkeys(range(11))).to_pandas().to_csv(tmp_path / "holdout.csv", index=False)
    with pytest.raises(SignatureMismatchError, match="11 of 1000 rows"):
        evaluate({2: Echo()}, {2: WHOLE}, open_source(tmp_path / "holdout.csv"), Asked(target="y", metrics=("mae",)))


def test_a_champion_that_knows_the_data_less_and_less_does_not_stand_in_the_way(judge):
    table = holdout(carrier=dict.fromkeys(range(400), "ZZ"))
    strict = KNOWN.with_policy("carrier", unseen="error")
    for champion in (KNOWN, strict):
        found, models = judge(table, WHOLE, champion)
        assert (found.rows, found.excluded, models[2].asked) == (600, 400, list(range(400, ROWS)))


def test_rows_of_which_none_is_left_are_no_evaluation(judge):
    with pytest.raises(SignatureMismatchError, match="No row is left of the 1000(?s:.*)column 'carrier'"):
        judge(holdout(carrier=dict.fromkeys(range(ROWS), "ZZ")), WHOLE, KNOWN)


class Typed(Echo):
    def __init__(self, wanted):
        super().__init__()
        self.wanted = wanted

    def predict(self, frame):
        assert frame["x"].dtype == self.wanted
        return frame["x"].to_numpy(dtype=float)


def test_each_version_gets_the_types_of_its_own_training(tmp_path):
    pq.write_table(holdout(), tmp_path / "holdout.parquet")
    models = {1: Typed("int64"), 2: Typed("float64")}
    types = {1: "int64", 2: "double"}
    signatures = {number: Signature(inputs=(Column(name="x", type=type_, nullable=False),)) for number, type_ in types.items()}
    assert evaluate(models, signatures, open_source(tmp_path / "holdout.parquet"), Asked(target="y", metrics=("mae",))).rows == ROWS
