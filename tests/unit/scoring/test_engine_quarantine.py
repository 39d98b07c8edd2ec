"""Rows that do not fit the signature: set aside with their reasons, counted, and never too many."""

from __future__ import annotations

import json
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_registry.domain.model import Column, Signature
from airflow_registry.domain.quarantine import allowed
from airflow_registry.errors import InvalidInputError, SignatureMismatchError
from airflow_registry.modeling.signature import capture
from airflow_registry.scoring.engine import score_partition
from airflow_registry.scoring.source import open_source
from airflow_registry.scoring.writer import DATA_NAME, QUARANTINE_NAME

TRAINING = pa.table({"x": [0.5, 1.5] * 100, "n": list(range(200)), "carrier": ["AA", "UA"] * 100})


class Adder:
    """Exact, and proof against nothing: a null, a float or a new carrier would show."""

    def predict(self, frame):
        assert frame["n"].dtype == np.int64
        assert not frame.isna().any().any()
        assert set(frame["carrier"]) <= {"AA", "UA"}
        return frame["x"].to_numpy() + frame["n"].to_numpy()


@pytest.fixture(scope="module")
def signature():
    return capture(Adder(), training_frame=TRAINING)


@pytest.fixture
def score(tmp_path, provenance, signature):
    def call(table, *, model=None, signature=signature, suffix="parquet", **options):
        path = tmp_path / f"in.{suffix}"
        if suffix == "csv":
            path.write_text(table)
        else:
            pq.write_table(table, path)
        given = {"provenance": provenance, "generation": 1, **options}
        return score_partition(model or Adder(), signature, open_source(path), tmp_path / "out", **given)

    return call


def good(count):
    return {
        "id": list(range(1000, 1000 + count)),
        "x": [0.5] * count,
        "n": [float(row) for row in range(count)],
        "carrier": ["AA"] * count,
    }


def with_faults(count=1000):
    rows = good(count)
    rows["n"][203] = 1.5
    rows["x"][7] = math.nan
    rows["carrier"][7] = "ZZ"
    rows["carrier"][500] = "B6"
    return pa.table(rows)


def test_bad_rows_go_to_the_quarantine_with_all_their_reasons_and_the_others_are_scored(score, tmp_path):
    scored = score(with_faults(), batch_rows=100)
    assert (scored.rows, scored.quarantined) == (997, 3)
    out = pq.read_table(tmp_path / "out" / DATA_NAME)
    kept = [row for row in range(1000) if row not in {7, 203, 500}]
    assert out.to_pydict() == {"id": [1000 + row for row in kept], "prediction": [0.5 + row for row in kept]}
    assert scored.quarantine_uri == str(tmp_path / "out" / QUARANTINE_NAME)
    assert pq.read_table(scored.quarantine_uri).to_pydict() == {
        "id": [1007, 1203, 1500],
        "row": [7, 203, 500],
        "reason": [
            "column 'x' is null, and had no null in training; column 'carrier' has a category that training did not see: 'ZZ'",
            "column 'n' is not representable as int64: 1.5",
            "column 'carrier' has a category that training did not see: 'B6'",
        ],
    }
    manifest = json.loads((tmp_path / "out" / "_manifest.json").read_text())
    assert (manifest["rows"], manifest["quarantined"]) == (997, 3)
    assert [str(reason) for reason in scored.reasons] == [
        "column 'carrier' has a category that training did not see: 2 rows (the first is row 7: 'ZZ')",
        "column 'n' is not representable as int64: 1 row (the first is row 203: 1.5)",
        "column 'x' is null, and had no null in training: 1 row (the first is row 7)",
    ]


def test_the_same_bytes_come_out_whatever_the_batch_size(score, tmp_path):
    found = set()
    for generation, batch_rows in enumerate((50, 333, 1000), start=1):
        scored = score(with_faults(), batch_rows=batch_rows, generation=generation)
        found.add((scored.digest, (tmp_path / "out" / QUARANTINE_NAME).read_bytes(), scored.quarantined))
    assert len(found) == 1


def test_columns_that_nobody_needs_are_named(score):
    assert score(pa.table(good(3)), keys=[]).ignored == ("id",)
    assert score(pa.table(good(3)), generation=2).ignored == ()


def test_too_many_bad_rows_refuse_the_partition_and_leave_the_old_output(score, tmp_path):
    first = score(pa.table(good(100)))
    rows = good(1000)
    rows["carrier"][:11] = ["ZZ"] * 11
    rows["x"][0] = None
    with pytest.raises(SignatureMismatchError) as caught:
        score(pa.table(rows), generation=2)
    message = str(caught.value)
    for part in (
        "in.parquet was refused: 11 of 1000 rows do not fit the model's signature, and at most 10 (1.00%) may be set aside",
        "column 'carrier' has a category that training did not see: 11 rows (the first is row 0: 'ZZ')",
        "column 'x' is null, and had no null in training: 1 row (the first is row 0)",
        "max_quarantine_share=",
        "signature.with_policy('carrier', unseen='pass')",
    ):
        assert part in message
    assert pq.read_table(first.uri).num_rows == 100
    assert sorted(entry.name for entry in (tmp_path / "out").iterdir()) == ["_manifest.json", DATA_NAME]
    assert score(pa.table(rows), generation=3, max_quarantine_share=0.02).quarantined == 11


def test_ten_in_a_thousand_may_be_bad(score):
    rows = good(1000)
    rows["carrier"][:10] = ["ZZ"] * 10
    assert score(pa.table(rows)).quarantined == 10


@pytest.mark.parametrize(
    ("rows", "share", "is_scored"), [(10, 0.01, True), (2, 0.01, True), (1, 0.01, False), (10, 0.0, False), (1, 1.0, True)]
)
def test_one_stray_row_of_several_does_not_refuse_a_small_partition(score, rows, share, is_scored):
    columns = good(rows)
    columns["x"][0] = None
    if is_scored:
        scored = score(pa.table(columns), max_quarantine_share=share)
        assert (scored.rows, scored.quarantined) == (rows - 1, 1)
    else:
        with pytest.raises(SignatureMismatchError, match=f"1 of {rows} rows"):
            score(pa.table(columns), max_quarantine_share=share)


def test_reading_ends_as_soon_as_the_rest_cannot_mend_it(score):
    rows = good(1000)
    rows["x"][:20] = [None] * 20
    seen = []
    with pytest.raises(SignatureMismatchError, match=r"at least \(after 100 rows\) 20 of 1000 rows"):
        score(pa.table(rows), batch_rows=100, progress=seen.append)
    assert seen == []


def test_where_the_rows_are_not_known_beforehand_all_are_read(score):
    lines = "".join(f"{row},0.5,{row},{'ZZ' if row < 20 else 'AA'}\n" for row in range(1000))
    with pytest.raises(SignatureMismatchError, match="refused: 20 of 1000 rows"):
        score(f"id,x,n,carrier\n{lines}", suffix="csv", batch_rows=100)


def test_csv_rows_are_held_against_the_signature_too(score, tmp_path):
    scored = score("id,x,n,carrier\na,0.5,1,AA\nb,,2,AA\nc,1.5,3,UA\n", suffix="csv")
    assert (scored.rows, scored.quarantined) == (2, 1)
    assert pq.read_table(tmp_path / "out" / QUARANTINE_NAME).column("row").to_pylist() == [1]


def test_a_column_for_which_one_row_is_too_many_refuses_at_once(score, signature, tmp_path):
    strict = signature.with_policy("carrier", unseen="error")
    with pytest.raises(SignatureMismatchError) as caught:
        score(with_faults(), signature=strict, max_quarantine_share=1.0, batch_rows=100)
    assert "lets no such row pass" in str(caught.value)
    assert "training did not see: 1 row (the first is row 7: 'ZZ')" in str(caught.value)
    assert "max_quarantine_share" not in str(caught.value)
    assert list((tmp_path / "out").iterdir()) == []


def test_what_may_pass_reaches_the_model(score, signature):
    class Counter:
        def predict(self, frame):
            return np.full(len(frame), float(frame.isna().any(axis=1).sum()))

    lenient = signature.with_policy(null="pass", unseen="pass", unrepresentable="pass")
    assert score(with_faults(), signature=lenient, model=Counter()).quarantined == 0


def test_a_partition_of_bad_rows_only_is_an_empty_output_where_that_is_allowed(score, tmp_path):
    rows = good(5)
    rows["carrier"] = ["ZZ"] * 5
    scored = score(pa.table(rows), max_quarantine_share=1.0)
    assert (scored.rows, scored.quarantined) == (0, 5)
    assert pq.read_table(tmp_path / "out" / DATA_NAME).schema.names == ["id", "prediction"]


def test_a_first_batch_of_bad_rows_only_does_not_decide_the_types(score, tmp_path):
    rows = good(100)
    rows["x"][:1] = [None]
    scored = score(pa.table(rows), batch_rows=1)
    assert (scored.rows, scored.quarantined) == (99, 1)
    assert pq.read_table(tmp_path / "out" / DATA_NAME).schema.field("prediction").type == pa.float64()


def test_keys_are_copied_as_they_came_also_where_the_model_gets_them_otherwise(score, tmp_path):
    score(pa.table(good(3)), keys=["n", "carrier"])
    assert pq.read_table(tmp_path / "out" / DATA_NAME).schema.field("n").type == pa.float64()


def test_keys_that_are_called_as_the_columns_of_the_quarantine_stay_apart(score, tmp_path):
    rows = {**good(10), "row": list("abcdefghij"), "reason": ["why"] * 10, "key_row": [0] * 10}
    rows["x"][4] = None
    score(pa.table(rows))
    found = pq.read_table(tmp_path / "out" / QUARANTINE_NAME).to_pydict()
    assert (found["key_key_row"], found["key_row"], found["key_reason"], found["row"], found["id"]) == (["e"], [0], ["why"], [4], [1004])
    assert pq.read_table(tmp_path / "out" / DATA_NAME).schema.names == ["id", "row", "reason", "key_row", "prediction"]


@pytest.mark.parametrize("share", [-1, 2, math.nan, True])
def test_a_share_that_is_none_is_refused_before_anything_is_read(score, share, tmp_path):
    with pytest.raises(InvalidInputError, match="from 0 to 1"):
        score(pa.table(good(3)), max_quarantine_share=share)
    assert not (tmp_path / "out").exists()


def test_a_signature_of_names_and_types_sets_nothing_aside(score, tmp_path):
    class Any:
        def predict(self, frame):
            return np.zeros(len(frame))

    plain = Signature(
        inputs=tuple(Column(name=name, type=type_) for name, type_ in (("x", "double"), ("n", "int64"), ("carrier", "string")))
    )
    scored = score(with_faults(), signature=plain, model=Any())
    assert (scored.rows, scored.quarantined, scored.reasons) == (1000, 0, ())
    assert not (tmp_path / "out" / QUARANTINE_NAME).exists()


values = st.fixed_dictionaries(
    {
        "x": st.none() | st.floats(),
        "n": st.none() | st.floats(-1e30, 1e30) | st.integers(-9, 9).map(float),
        "carrier": st.none() | st.sampled_from(["AA", "UA", "ZZ"]),
    }
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(values, max_size=40), batch_rows=st.integers(1, 50), share=st.floats(0, 1))
def test_every_row_is_scored_or_set_aside_once_or_the_partition_is_refused(
    rows, batch_rows, share, provenance, signature, tmp_path_factory
):
    folder = tmp_path_factory.mktemp("property")
    types = {"x": pa.float64(), "n": pa.float64(), "carrier": pa.string()}
    table = pa.table({name: pa.array([row[name] for row in rows], type_) for name, type_ in types.items()})
    pq.write_table(table.append_column("id", pa.array(range(len(rows)), pa.int64())), folder / "in.parquet")

    class Zero:
        def predict(self, frame):
            return np.zeros(len(frame))

    def is_bad(row):
        is_whole = row["n"] is not None and -(2.0**63) <= row["n"] < 2.0**63 and row["n"] == int(row["n"])
        return row["x"] is None or math.isnan(row["x"]) or not is_whole or row["carrier"] not in {"AA", "UA"}

    bad = [number for number, row in enumerate(rows) if is_bad(row)]
    arguments = {"provenance": provenance, "generation": 1, "batch_rows": batch_rows, "max_quarantine_share": share}
    try:
        scored = score_partition(Zero(), signature, open_source(folder / "in.parquet"), folder / "out", **arguments)
    except SignatureMismatchError:
        assert len(bad) > allowed(len(rows), share)
        assert list((folder / "out").iterdir()) == []
        return
    assert len(bad) <= allowed(len(rows), share)
    assert (scored.rows, scored.quarantined) == (len(rows) - len(bad), len(bad))
    assert pq.read_table(scored.uri).column("id").to_pylist() == [number for number in range(len(rows)) if number not in bad]
    if bad:
        assert pq.read_table(scored.quarantine_uri).column("row").to_pylist() == bad
