"""Rows that come from SQLite and PostgreSQL."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal

import pyarrow as pa
import pytest

from airflow_registry.domain.model import Column, Signature
from airflow_registry.errors import InvalidInputError, StorageRefusedError, StorageUnavailableError
from airflow_registry.scoring.engine import read_ahead
from airflow_registry.scoring.sql_source import find_sql
from airflow_registry.scoring.sql_values import SqlInput
from tests.integration.scoring.databases import DAY

NASTY = "2026-01-01'; DROP TABLE leads; --"


def read(source, columns=None, batch_rows=65_536):
    return pa.Table.from_batches([chunk.batch for chunk in source.chunks(columns, batch_rows)])


def test_a_query_gives_the_rows_of_its_partition_in_its_order_and_in_bounded_batches(data):
    data.leads(10)
    data.leads(3, day="2026-01-02")
    source = data.find().open()
    chunks = list(source.chunks(["id", "x"], 4))
    assert [(chunk.number, chunk.batch.num_rows) for chunk in chunks] == [(1, 4), (2, 4), (3, 2)]
    assert pa.Table.from_batches([chunk.batch for chunk in chunks]).column("id").to_pylist() == list(range(10))
    assert source.rows is None


def test_a_table_is_asked_for_the_columns_that_are_used_only(data):
    data.leads(4)
    data.leads(2, day="2026-01-02")
    found = data.find("day=2026-01-02", table="leads", partition_column="day", order_by=["id"])
    assert found.statement(["x", "id"]) == 'SELECT "x", "id" FROM "leads" WHERE "day" = :partition ORDER BY "id"'
    table = read(found.open(), ["x", "id"])
    assert table.column_names == ["x", "id"]
    assert table.column("id").to_pylist() == [0, 1]


def test_names_of_columns_stay_names(data):
    data.run("""CREATE TABLE leads (day TEXT, "a:b" INTEGER, "per%cent" INTEGER, "quo""te" INTEGER)""")
    data.run("INSERT INTO leads VALUES ('d', 1, 2, 3)")
    source = data.find("d", table="leads", partition_column="day").open()
    names = ["a:b", "per%cent", 'quo"te']
    assert read(source, names).to_pylist() == [dict(zip(names, (1, 2, 3), strict=True))]


def test_a_key_is_a_value_whatever_it_says(data):
    data.run("CREATE TABLE leads (id INTEGER, day TEXT)", "INSERT INTO leads VALUES (1, '2026-01-01')")
    with data.connect() as connection:
        connection.exec_driver_sql("INSERT INTO leads VALUES (2, %s)" if data.is_postgres else "INSERT INTO leads VALUES (2, ?)", (NASTY,))
        connection.commit()
    for given in ({"query": "SELECT id FROM leads WHERE day = :partition"}, {"table": "leads", "partition_column": "day"}):
        assert read(data.find(NASTY, **given).open(), ["id"]).to_pylist() == [{"id": 2}]
    everything = data.find("1' OR '1'='1", query="SELECT id FROM leads WHERE day = :partition")
    assert sum(chunk.batch.num_rows for chunk in everything.open().chunks()) == 0
    assert data.rows("SELECT count(*) FROM leads") == [(2,)]


def test_parameters_are_bound_beside_the_key(data):
    data.leads(10)
    query = "SELECT id FROM leads WHERE day = :partition AND id >= :least AND carrier LIKE 'A%' ORDER BY id"
    assert read(data.find(query=query, parameters={"least": 7}).open()).column("id").to_pylist() == [7, 8, 9]


def test_a_value_that_nobody_gave_is_named(data):
    data.leads(1)
    with pytest.raises(InvalidInputError, match="asks for :least.*Known are :partition"):
        data.find(query="SELECT id FROM leads WHERE day = :partition AND id >= :least").open()


def test_the_first_batch_comes_before_the_last_row_is_computed(data):
    """Only a cursor can do that: the last row is an error."""
    data.leads(10)
    bad = "1 / (9 - id)" if data.is_postgres else "CASE WHEN id = 9 THEN json('no') ELSE id END"
    source = data.find(query=f"SELECT id, {bad} AS y FROM leads WHERE day = :partition")
    chunks = source.open().chunks(None, 4) if data.is_postgres else _untyped(source).chunks(None, 4)
    assert next(chunks).batch.column("id").to_pylist() == [0, 1, 2, 3]
    with pytest.raises(InvalidInputError, match="says"):
        list(chunks)


def _untyped(found):
    """SQLite's first rows are looked at to find the types, so the look must not come to the bad one."""
    narrow = find_sql(SqlInput(database=found.database, query="SELECT id, id AS y FROM leads WHERE day = :partition LIMIT 4"), DAY).open()
    return replace(narrow, asked=found.asked)


def test_a_query_may_not_change_anything(data):
    data.leads(3)
    deleting = "DELETE FROM leads WHERE day = :partition RETURNING id"
    with pytest.raises((StorageRefusedError, InvalidInputError)):
        data.find(query=deleting).open()
    with pytest.raises((StorageRefusedError, InvalidInputError)):
        data.find(digest_by=deleting).digest()
    assert data.rows("SELECT count(*) FROM leads") == [(3,)]


def test_the_digest_changes_with_the_answer_the_query_and_the_key_and_with_nothing_else(data):
    data.leads(3)
    watermark = "SELECT count(*), max(id) FROM leads WHERE day = :partition"
    first = data.find(digest_by=watermark).digest()
    assert data.find(digest_by=watermark).digest() == first
    assert data.find(digest_by=watermark).digest_kind == "query"
    assert data.find("2026-01-02", digest_by=watermark).digest() != first
    assert data.find(query="SELECT id FROM leads WHERE day = :partition", digest_by=watermark).digest() != first
    data.leads(1)
    assert data.find(digest_by=watermark).digest() != first


def test_without_a_watermark_there_is_no_digest(data):
    data.leads(1)
    assert (data.find().digest(), data.find().digest_kind) == (None, None)


def test_a_watermark_is_small(data):
    data.leads(1_001)
    with pytest.raises(InvalidInputError, match="more than 1000 rows"):
        data.find(digest_by="SELECT id FROM leads WHERE day = :partition").digest()


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT nothing FROM leads WHERE day = :partition", "nothing"),
        ("SELEKT id FROM leads WHERE day = :partition", "(?i)syntax"),
        ("SELECT id, x AS id FROM leads WHERE day = :partition", "several columns of one name: id"),
    ],
)
def test_a_wrong_query_is_no_reason_to_try_again(data, query, message):
    data.leads(1)
    with pytest.raises(InvalidInputError, match=message) as caught:
        data.find(query=query).open()
    assert not caught.value.retryable


def test_a_database_that_is_away_may_come_back(data, tmp_path):
    url = "postgresql://ada:secret@127.0.0.1:1/lake" if data.is_postgres else f"sqlite:///{tmp_path / 'absent.db'}"
    with pytest.raises(StorageUnavailableError) as caught:
        find_sql(SqlInput(database=url, query="SELECT :partition AS x"), "1").open()
    assert caught.value.retryable
    assert "secret" not in str(caught.value)
    assert not (tmp_path / "absent.db").exists()


def test_a_partition_without_rows_has_columns_and_no_batch(data):
    data.leads(1)
    source = data.find("1999-01-01").open()
    assert source.schema.names == ["id", "day", "x", "y", "carrier"]
    assert list(source.chunks()) == []


def test_a_reader_that_is_left_lets_go_of_the_database(data):
    data.leads(1_000)
    with read_ahead(data.find().open().chunks(None, 10)) as chunks:
        next(chunks)
    data.run("DROP TABLE leads")  # who still reads would hold it


@pytest.mark.postgres
def test_postgresql_says_what_its_columns_are(postgres_url):
    from tests.integration.scoring.databases import Data

    data = Data(postgres_url)
    kinds = (
        "a smallint, b integer, c bigint, d real, e double precision, f numeric(10, 2), g numeric(9), h numeric, i boolean, j text, "
        "k date, l timestamp, m timestamptz, n time, o uuid, p jsonb, q bytea, r integer[], day text"
    )
    values = (
        "1, 2, 3, 0.5, 0.25, 1.50, 7, 3.125, true, 'x', '2026-01-01', '2026-01-01 10:00', '2026-01-01 10:00+01', '10:30', "
        """'00000000-0000-0000-0000-000000000001', '{"a": [1]}', '\\x00ff', '{1,2}', 'd'"""
    )
    data.run(f"CREATE TABLE t ({kinds})", f"INSERT INTO t VALUES ({values})", "INSERT INTO t (day) VALUES ('d')")
    source = data.find("d", query="SELECT * FROM t WHERE day = :partition ORDER BY a").open()
    table = read(source)
    assert [str(field.type) for field in table.schema] == [
        *("int16", "int32", "int64", "float", "double", "decimal128(10, 2)", "int64", "string", "bool", "string"),
        *("date32[day]", "timestamp[us]", "timestamp[us, tz=UTC]", "time64[us]", "string", "string", "binary", "string", "string"),
    ]
    first = list(table.to_pylist()[0].values())
    noon = dt.datetime(2026, 1, 1, 10, 0)  # noqa: DTZ001  a column without a zone
    zoned = dt.datetime(2026, 1, 1, 9, 0, tzinfo=dt.UTC)
    plain = [1, 2, 3, 0.5, 0.25, Decimal("1.50"), 7, "3.125", True, "x", dt.date(2026, 1, 1), noon]
    assert first[:12] == plain
    assert first[12] == zoned
    assert first[13:] == [dt.time(10, 30), "00000000-0000-0000-0000-000000000001", '{"a": [1]}', b"\x00\xff", "[1, 2]", "d"]
    assert list(table.to_pylist()[1].values())[:-1] == [None] * 18
    wanted = Signature(inputs=(Column(name="h", type="double"), Column(name="f", type="float"), Column(name="g", type="double")))
    typed = read(source.read_as(wanted), ["h", "f", "g"])
    assert typed.to_pylist()[0] == {"h": 3.125, "f": 1.5, "g": 7}
    assert [str(field.type) for field in typed.schema] == ["double", "double", "int64"]


def test_sqlite_columns_are_what_the_signature_and_their_values_say(tmp_path):
    from tests.integration.scoring.databases import Data

    (tmp_path / "lake.db").touch()
    data = Data(f"sqlite:///{tmp_path / 'lake.db'}")
    data.run(
        "CREATE TABLE t (day, whole, mixed, empty, other, at, word)",
        "INSERT INTO t VALUES ('d', 1, 1, NULL, NULL, '2026-01-01 10:00:00', 'x'), ('d', 2, 0.5, NULL, NULL, NULL, '')",
    )
    wanted = Signature(
        inputs=tuple(Column(name=name, type=kind) for name, kind in {"whole": "double", "empty": "int64", "at": "timestamp[us]"}.items())
    )
    table = read(data.find("d", query="SELECT * FROM t WHERE day = :partition").open().read_as(wanted))
    types = {
        "day": "string",
        "whole": "double",
        "mixed": "double",
        "empty": "int64",
        "other": "string",
        "at": "timestamp[us]",
        "word": "string",
    }
    assert {field.name: str(field.type) for field in table.schema} == types
    assert table.column("word").to_pylist() == ["x", ""]


def test_a_value_that_does_not_fit_its_column_is_named(tmp_path):
    from tests.integration.scoring.databases import Data

    (tmp_path / "lake.db").touch()
    data = Data(f"sqlite:///{tmp_path / 'lake.db'}")
    data.run("CREATE TABLE t (day, x)")
    data.run(*(f"INSERT INTO t VALUES ('d', {value})" for value in ("1", "2", "'three'")))
    source = data.find("d", query="SELECT * FROM t WHERE day = :partition").open()
    typed = replace(source, schema=pa.schema([("day", pa.string()), ("x", pa.int64())]))  # as if the text came after the first batch
    with pytest.raises(InvalidInputError, match="column 'x' .* does not fit int64"):
        list(typed.chunks())
