"""Predictions that go to tables of SQLite and PostgreSQL."""

from __future__ import annotations

import datetime as dt
import math
import sqlite3
import threading
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
import sqlalchemy as sa

from airflow_registry.domain.model import Column, Signature
from airflow_registry.errors import (
    ConfigurationError,
    CorruptionError,
    InvalidInputError,
    MissingDependencyError,
    OutputConflictError,
    RegistryError,
    StorageUnavailableError,
)
from airflow_registry.scoring.sql_place import sql_target
from airflow_registry.scoring.sql_values import SqlOutput
from airflow_registry.scoring.writer import Provenance, holds_output, open_output, read_manifest, write_predictions
from tests.integration.scoring.databases import DAY, PROVENANCE

ALL = "SELECT day, id, prediction, model_version FROM predictions ORDER BY day, id"


class Doubler:
    def predict(self, frame):
        return frame["x"].to_numpy(dtype=float) * 2


class Coin(Doubler):
    classes_ = np.array(["no", "50%: yes"])

    def predict_proba(self, frame):
        return np.column_stack([frame["x"] / 100, 1 - frame["x"] / 100])


@pytest.fixture
def write(data):
    """Write some columns into the table `predictions`."""

    def make(columns, *, generation=1, registry="r", version=7, target=None):
        batch = pa.RecordBatch.from_pydict(columns)
        provenance = Provenance(model="leads", version=version, registry=registry)
        where = target or data.target()
        return write_predictions(where, [batch], schema=batch.schema, provenance=provenance, generation=generation)

    return make


def test_a_table_that_is_absent_is_made_and_holds_keys_predictions_partition_and_version(data, signature):
    data.leads(3)
    scored = data.score(Coin(), signature)
    assert (scored.rows, scored.uri) == (3, f"{data.target().address}/predictions/{DAY}")
    with data.connect() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM predictions ORDER BY id").mappings().all()
    names = ["day", "id", "carrier", "prediction", "probability_no", "probability_50%: yes", "model_version"]
    assert [list(row.items()) for row in rows][1] == list(zip(names, [DAY, 1, "AA", 2.0, 0.01, 0.99, 7], strict=True))


def test_a_partition_is_replaced_and_the_others_are_left(data, signature):
    data.leads(3)
    data.leads(2, day="2026-01-02")
    data.score(Doubler(), signature)
    data.score(Doubler(), signature, partition="2026-01-02", target=data.target("day=2026-01-02"))
    data.run("DELETE FROM leads WHERE id = 0")
    data.score(Doubler(), signature, generation=2, version=8)
    assert data.rows(ALL) == [(DAY, 1, 2.0, 8), (DAY, 2, 4.0, 8), ("2026-01-02", 0, 0.0, 7), ("2026-01-02", 1, 2.0, 7)]


def test_the_manifest_is_in_the_database_and_says_what_the_rows_are(data, signature):
    data.leads(3)
    target = data.target()
    assert (read_manifest(target), holds_output(target)) == (None, False)
    scored = data.score(Doubler(), signature, generation=3)
    manifest = read_manifest(target)
    assert (manifest["model"], manifest["version"], manifest["generation"], manifest["rows"]) == ("leads", 7, 3, 3)
    assert f"sha256:{manifest['files'][0]['sha256']}" == scored.digest
    assert holds_output(target)
    data.run("DELETE FROM predictions WHERE id = 1")
    assert not holds_output(target)


def test_the_same_rows_have_the_same_digest(data, signature):
    data.leads(3)
    assert len({data.score(Doubler(), signature, generation=generation).digest for generation in (1, 2)}) == 1


def test_values_of_all_types_are_what_they_were(data, write):
    nasty = ['a "quoted", one', "two\nlines", "", "\\.", "\\N", "'; DROP TABLE predictions; --", None]
    size = len(nasty)
    columns = {
        "word": pa.array(nasty),
        "whole": pa.array([2**62, -1, 0, 1, 2, 3, None], pa.int64()),
        "small": pa.array([1] * size, pa.int8()),
        "truth": pa.array([True, False, None, True, True, True, True]),
        "day_of": pa.array([dt.date(2026, 1, 31)] * size),
        "at": pa.array([dt.datetime(2026, 1, 31, 10, 0, 0, 5)] * size, pa.timestamp("us")),  # noqa: DTZ001  a column without a zone
        "clock": pa.array([dt.time(10, 30)] * size, pa.time64("us")),
        "price": pa.array([Decimal("1.50")] * size, pa.decimal128(10, 2)),
        "raw": pa.array([b"\x00\xff"] * size),
        "prediction": pa.array([1.5, -0.0, 1e-300, 1e300, 5.0, 6.0, 7.0]),
    }
    write(columns)
    with data.connect() as connection:
        found = [dict(row) for row in connection.exec_driver_sql("SELECT * FROM predictions").mappings()]
    assert [row["word"] for row in found] == nasty
    assert [row["whole"] for row in found] == columns["whole"].to_pylist()
    assert [row["prediction"] for row in found] == columns["prediction"].to_pylist()
    assert [None if row["truth"] is None else bool(row["truth"]) for row in found] == columns["truth"].to_pylist()
    first = found[0]
    assert (first["small"], bytes(first["raw"]), Decimal(str(first["price"]))) == (1, b"\x00\xff", Decimal("1.5"))
    assert [str(first[name]) for name in ("day_of", "at", "clock")] == ["2026-01-31", "2026-01-31 10:00:00.000005", _clock(first["clock"])]


def _clock(value):
    assert str(value).startswith("10:30:00")
    return str(value)


def test_predictions_that_are_no_numbers_are_kept_where_the_database_knows_them(data, write):
    write({"id": pa.array([1, 2, 3, 4]), "prediction": pa.array([math.nan, math.inf, -math.inf, None])})
    found = [row[0] for row in data.rows("SELECT prediction FROM predictions ORDER BY id")]
    assert found[1:] == [math.inf, -math.inf, None]
    assert math.isnan(found[0]) if data.is_postgres else found[0] is None  # SQLite has no NaN


def test_a_table_that_cannot_hold_the_predictions_is_refused_before_the_second_batch(data, signature):
    data.leads(10)
    data.run("CREATE TABLE predictions (day TEXT, prediction TEXT, must INTEGER NOT NULL, model_version BIGINT)")
    asked = []

    class Counting(Doubler):
        def predict(self, frame):
            asked.append(len(frame))
            return super().predict(frame)

    with pytest.raises(InvalidInputError) as caught:
        data.score(Counting(), signature, batch_rows=2)
    said = str(caught.value)
    assert "it has no column 'id'" in said
    assert "it has no column 'carrier'" in said
    assert "its column 'prediction' is TEXT" in said
    assert "its column 'must' must have a value" in said
    assert asked == [2]
    assert data.rows("SELECT count(*) FROM predictions") == [(0,)]


def test_a_table_of_ones_own_may_have_more_columns_and_other_types_of_the_kind(data, signature):
    data.leads(2)
    own = "id INTEGER, prediction NUMERIC, model_version INTEGER, carrier VARCHAR(10), note TEXT DEFAULT 'new', day DATE, more INTEGER"
    data.run(f"CREATE TABLE predictions ({own})")
    data.score(Doubler(), signature)
    data.score(Doubler(), signature, generation=2)
    assert data.rows("SELECT id, CAST(prediction AS INTEGER), note, more FROM predictions ORDER BY id") == [
        (0, 0, "new", None),
        (1, 2, "new", None),
    ]


def test_two_rows_of_one_key_are_kept_as_they_came(data, write):
    write({"id": pa.array([1, 1]), "prediction": pa.array([0.5, 0.5])})
    assert data.rows("SELECT count(*) FROM predictions") == [(2,)]


def test_two_rows_of_one_key_are_refused_where_the_table_has_it_as_its_key(data, write):
    data.run(
        "CREATE TABLE predictions (day VARCHAR(20), id BIGINT, prediction DOUBLE PRECISION, model_version BIGINT, PRIMARY KEY (day, id))"
    )
    write({"id": pa.array([1, 2]), "prediction": pa.array([0.1, 0.2])})
    with pytest.raises(InvalidInputError, match="refuses a row.*rows of the input that have one key"):
        write({"id": pa.array([3, 3]), "prediction": pa.array([0.5, 0.5])}, generation=2)
    assert data.rows(ALL) == [(DAY, 1, 0.1, 7), (DAY, 2, 0.2, 7)]
    write({"id": pa.array([2, 3]), "prediction": pa.array([0.5, 0.5])}, generation=3)
    assert data.rows(ALL) == [(DAY, 2, 0.5, 7), (DAY, 3, 0.5, 7)]


def test_a_value_that_the_table_cannot_hold_changes_nothing(data, write):
    check = "CHECK (prediction < 1)"
    data.run(f"CREATE TABLE predictions (day VARCHAR(20), id BIGINT, prediction DOUBLE PRECISION {check}, model_version BIGINT)")
    write({"id": pa.array([1]), "prediction": pa.array([0.1])})
    with pytest.raises(InvalidInputError):
        write({"id": pa.array([1]), "prediction": pa.array([2.0])}, generation=2)
    assert data.rows(ALL) == [(DAY, 1, 0.1, 7)]
    assert read_manifest(data.target())["generation"] == 1


def test_rows_that_a_trigger_loses_are_noticed_and_nothing_is_changed(data, write):
    write({"id": pa.array([1]), "prediction": pa.array([0.1])})
    if data.is_postgres:
        data.run(
            "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN IF NEW.id = 3 THEN RETURN NULL; END IF; RETURN NEW; END $$",
            "CREATE TRIGGER lose BEFORE INSERT ON predictions FOR EACH ROW EXECUTE FUNCTION lose()",
        )
    else:
        data.run("CREATE TRIGGER lose BEFORE INSERT ON predictions WHEN NEW.id = 3 BEGIN SELECT RAISE(IGNORE); END")
    with pytest.raises(CorruptionError, match="3 rows were written .* and 2 are there"):
        write({"id": pa.array([2, 3, 4]), "prediction": pa.array([0.1, 0.2, 0.3])}, generation=2)
    assert data.rows(ALL) == [(DAY, 1, 0.1, 7)]


def test_rows_that_were_set_aside_have_a_table_of_their_own_and_go_with_the_next_run(data):
    data.leads(200)
    strict = Signature(inputs=(Column(name="x", type="double", nullable=False), Column(name="y", type="double")), output="double")
    data.run("UPDATE leads SET x = NULL WHERE id = 7")
    scored = data.score(Doubler(), strict)
    assert (scored.rows, scored.quarantined) == (199, 1)
    assert scored.quarantine_uri == f"{data.target().address}/predictions_quarantine/{DAY}"
    ((day, number, row, reason),) = data.rows('SELECT day, id, "row", reason FROM predictions_quarantine')
    assert (day, number, row) == (DAY, 7, 7)
    assert "had no null in training" in reason
    data.run("UPDATE leads SET x = 7 WHERE id = 7")
    assert data.score(Doubler(), strict, generation=2).rows == 200
    assert data.rows("SELECT count(*) FROM predictions_quarantine") == [(0,)]
    assert data.rows("SELECT count(*) FROM predictions") == [(200,)]


def test_a_model_that_raises_in_batch_7_leaves_the_old_rows(data, signature):
    data.leads(20)
    data.score(Doubler(), signature)

    class Failing(Doubler):
        calls = 0

        def predict(self, frame):
            self.calls += 1
            if self.calls == 7:
                raise ValueError("no")
            return super().predict(frame) + 1

    with pytest.raises(InvalidInputError, match="batch 7"):
        data.score(Failing(), signature, generation=2, batch_rows=2)
    assert data.rows("SELECT min(prediction), count(*) FROM predictions") == [(0.0, 20)]
    data.score(Doubler(), signature, generation=3)


def test_a_partition_without_rows_empties_it(data, signature):
    data.leads(2)
    data.score(Doubler(), signature)
    data.run("DELETE FROM leads")
    assert data.score(Doubler(), signature, generation=2).rows == 0
    assert data.rows("SELECT count(*) FROM predictions") == [(0,)]
    assert holds_output(data.target())


def test_a_key_that_is_sql_is_a_value(data, write):
    target = data.target("x'; DROP TABLE predictions; --")
    write({"id": pa.array([1]), "prediction": pa.array([0.1])}, target=target)
    write({"id": pa.array([2]), "prediction": pa.array([0.1])}, target=target, generation=2)
    assert data.rows("SELECT day, id FROM predictions") == [("x'; DROP TABLE predictions; --", 2)]


@pytest.mark.parametrize("given", [{"table": 'p"; DROP'}, {"partition_column": "a b"}, {"version_column": "{{ v }}"}])
def test_names_are_plain(data, given):
    with pytest.raises(InvalidInputError, match="is not a"):
        data.target(**given)


def test_a_key_column_that_is_called_as_the_version_is_refused(data, write):
    with pytest.raises(InvalidInputError, match="version_column="):
        write({"model_version": pa.array([1]), "prediction": pa.array([0.1])})


@pytest.mark.parametrize("column", [pa.array([[1]]), pa.array([{"a": 1}])])
def test_a_column_that_no_table_holds_is_named(data, write, column):
    with pytest.raises(InvalidInputError, match="'tags'.*which a table cannot hold"):
        write({"tags": column, "prediction": pa.array([0.1])})


def test_a_name_that_postgresql_would_cut_off_is_refused(data, write):
    with pytest.raises(InvalidInputError, match="at most|1 to 63 bytes"):
        write({"probability_" + "ü" * 40: pa.array([0.1]), "prediction": pa.array([0.1])})


def test_an_older_generation_is_refused_before_it_asks_for_a_row(data, write):
    write({"id": pa.array([1]), "prediction": pa.array([0.1])}, generation=5)
    with (
        pytest.raises(OutputConflictError, match="Generation 4 .* generation 5"),
        open_output(data.target(), provenance=PROVENANCE, generation=4),
    ):
        pytest.fail("it may not begin")


def test_an_overtaken_writer_changes_nothing_also_while_the_newer_one_is_not_done(data, write):
    write({"id": pa.array([1]), "prediction": pa.array([0.1])})
    batch = pa.RecordBatch.from_pydict({"id": pa.array([2]), "prediction": pa.array([0.2])})
    with open_output(data.target(), provenance=PROVENANCE, generation=2) as older:
        older.predictions(batch)
        with open_output(data.target(), provenance=PROVENANCE, generation=3) as newer:
            with pytest.raises(OutputConflictError, match="Generation 2 .* generation 3"):
                older.commit(rows_in=1)
            assert data.rows("SELECT id FROM predictions") == [(1,)]
            newer.predictions(batch)
            newer.commit(rows_in=1)
    assert data.rows("SELECT id FROM predictions") == [(2,)]


def test_another_registry_takes_over_and_the_first_one_is_told(data, write):
    write({"id": pa.array([1]), "prediction": pa.array([0.1])}, generation=9)
    with open_output(data.target(), provenance=PROVENANCE, generation=10) as mine:
        mine.predictions(pa.RecordBatch.from_pydict({"id": pa.array([3]), "prediction": pa.array([0.2])}))
        write({"id": pa.array([2]), "prediction": pa.array([0.1])}, generation=1, registry="other")
        with pytest.raises(OutputConflictError, match="of another registry"):
            mine.commit(rows_in=1)
    assert data.rows("SELECT id FROM predictions") == [(2,)]


def test_many_partitions_may_come_at_once_into_a_table_that_is_not_there_yet(data):
    errors, barrier = [], threading.Barrier(6)

    def score(number):
        batch = pa.RecordBatch.from_pydict({"id": pa.array([number] * 50), "prediction": pa.array([0.1] * 50)})
        try:
            barrier.wait(30)
            write_predictions(data.target(str(number)), [batch], schema=batch.schema, provenance=PROVENANCE, generation=1)
        except (RegistryError, threading.BrokenBarrierError) as error:
            errors.append(error)

    threads = [threading.Thread(target=score, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert data.rows("SELECT day, count(*) FROM predictions GROUP BY day ORDER BY day") == [(str(number), 50) for number in range(6)]


def test_of_two_writers_of_one_partition_at_once_the_newer_one_stays_and_nothing_is_mixed(data):
    ended, barrier = {}, threading.Barrier(2)

    def score(generation):
        batch = pa.RecordBatch.from_pydict({"id": pa.array(range(300)), "prediction": pa.array([float(generation)] * 300)})
        try:
            with open_output(data.target(), provenance=PROVENANCE, generation=generation) as out:
                out.predictions(batch)
                barrier.wait(30)
                out.commit(rows_in=300)
            ended[generation] = "done"
        except OutputConflictError:
            ended[generation] = "overtaken"
            barrier.abort()
        except threading.BrokenBarrierError:
            with open_output(data.target(), provenance=PROVENANCE, generation=generation) as out:
                out.predictions(batch)
                out.commit(rows_in=300)
            ended[generation] = "done"

    for pair in ((1, 2), (3, 4)):
        threads = [threading.Thread(target=score, args=(generation,)) for generation in pair]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert ended[pair[1]] == "done"
        assert data.rows("SELECT prediction, count(*) FROM predictions GROUP BY prediction") == [(float(pair[1]), 300)]
        barrier.reset()


def test_what_is_recorded_with_the_rows_is_undone_with_them(data, write):
    write({"id": pa.array([1]), "prediction": pa.array([0.1])})

    def fail(_written, transaction):
        assert transaction.connection.exec_driver_sql("SELECT id FROM predictions").scalar() == 2
        raise OutputConflictError("overtaken in the ledger")

    batch = pa.RecordBatch.from_pydict({"id": pa.array([2]), "prediction": pa.array([0.2])})
    with open_output(data.target(), provenance=PROVENANCE, generation=2) as out:
        out.predictions(batch)
        with pytest.raises(OutputConflictError, match="in the ledger"):
            out.commit(rows_in=1, record=fail)
    assert data.rows("SELECT id FROM predictions") == [(1,)]
    assert read_manifest(data.target())["generation"] == 1


def test_a_user_without_the_right_to_write_is_told(data, write, tmp_path):
    write({"id": pa.array([1]), "prediction": pa.array([0.1])})
    if data.is_postgres:
        data.run("CREATE ROLE reader LOGIN", "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
        url = data.url.replace("postgres@", "reader@")
    else:
        url = f"{data.url.replace('sqlite:///', 'sqlite:///file:')}?mode=ro&uri=true"
    try:
        with pytest.raises(StorageUnavailableError) as caught:
            write(
                {"id": pa.array([2]), "prediction": pa.array([0.1])},
                generation=2,
                target=sql_target(SqlOutput(database=url, table="predictions"), "x"),
            )
        assert not caught.value.retryable
    finally:
        if data.is_postgres:
            data.run("DROP OWNED BY reader", "DROP ROLE reader")


def test_predictions_are_written_to_these_two_databases_only():
    elsewhere = sa.create_engine("mysql+pymysql://ada:secret@db/lake", module=sqlite3)  # a driver is needed, which nobody asks for anything
    target = sql_target(SqlOutput(database=elsewhere, table="p"), "x")
    with (
        pytest.raises(ConfigurationError, match="PostgreSQL and SQLite; found mysql://db/lake"),
        open_output(target, provenance=PROVENANCE, generation=1),
    ):
        pytest.fail("it may not begin")


def test_a_database_without_a_driver_is_named():
    target = sql_target(SqlOutput(database="nodb://ada:secret@db/lake", table="p"), "x")
    with pytest.raises(MissingDependencyError, match="'nodb'"):
        holds_output(target)
