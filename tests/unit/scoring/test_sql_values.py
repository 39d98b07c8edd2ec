"""What people write down for SQL inputs and outputs."""

from __future__ import annotations

import json

import pytest

from airflow_registry.errors import InvalidInputError
from airflow_registry.scoring.sql_source import find_sql
from airflow_registry.scoring.sql_values import SqlInput, SqlOutput

URL = "sqlite:////data/lake.db"
QUERY = "SELECT id, x FROM leads WHERE day = :partition ORDER BY id"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"query": QUERY}, "conn_id= .* or, outside Airflow, database="),
        ({"query": QUERY, "conn_id": "a", "database": URL}, "Give one"),
        ({"conn_id": "a"}, "either query= or table="),
        ({"conn_id": "a", "query": QUERY, "table": "leads"}, "either query= or table="),
        ({"conn_id": "a", "query": QUERY, "order_by": ["id"]}, "belong to table="),
        ({"conn_id": "a", "table": "leads", "order_by": "id"}, r"\['id'\]"),
        ({"conn_id": "a", "query": " "}, "not a statement"),
        ({"conn_id": "a", "table": "leads", "digest_by": 3}, "not a statement"),
    ],
)
def test_an_input_that_says_too_little_or_too_much_is_refused(given, message):
    with pytest.raises(InvalidInputError, match=message):
        SqlInput(**given)


@pytest.mark.parametrize("statement", ["SELECT {{ ds }}", "SELECT 1 {% if x %}", "SELECT 1 {# no #}", "… = '{{ partition_key }}'"])
@pytest.mark.parametrize("name", ["query", "digest_by"])
def test_a_statement_that_is_a_template_is_refused_because_it_would_become_part_of_the_statement(name, statement):
    given = {"conn_id": "a", "query": QUERY, name: statement}
    with pytest.raises(InvalidInputError, match="parameters="):
        SqlInput(**given)


def test_values_survive_json_and_an_address_does_not_leave_in_it():
    asked = SqlInput(conn_id="a", table="mart.leads", partition_column="day", order_by=("id",), parameters={"region": "{{ params.r }}"})
    assert SqlInput.of(json.loads(json.dumps(asked.to_json()))).to_json() == asked.to_json()
    output = SqlOutput(conn_id="a", table="predictions", partition_column="day")
    assert SqlOutput.of(output.to_json()) == output
    secret = SqlInput(database="postgresql://ada:secret@db/lake", query=QUERY)
    assert "secret" not in json.dumps(secret.to_json())
    assert "secret" not in repr(secret)


@pytest.mark.parametrize("given", [{"conn_id": "a", "sql": "x"}, "leads", None, ["leads"]])
def test_unknown_fields_are_named(given):
    with pytest.raises(InvalidInputError, match="has the fields conn_id, database, query"):
        SqlInput.of(given)


def test_one_column_cannot_hold_partition_and_version():
    with pytest.raises(InvalidInputError, match="two columns"):
        SqlOutput(table="p", conn_id="a", partition_column="v", version_column="v")


def test_the_values_of_a_hive_style_key_have_names():
    known = SqlInput(conn_id="a", query=QUERY, parameters={"most": 5}).known("day=2026-01-31/region=a b")
    assert known == {"partition": "day=2026-01-31/region=a b", "day": "2026-01-31", "region": "a b", "most": 5}


def test_a_parameter_that_hides_a_value_of_the_key_is_refused():
    with pytest.raises(InvalidInputError, match="day are values of the partition key"):
        SqlInput(conn_id="a", query=QUERY, parameters={"day": "1"}).known("day=2026-01-31")


def test_a_parameter_that_was_not_rendered_is_refused():
    with pytest.raises(InvalidInputError, match="not rendered"):
        SqlInput(conn_id="a", query=QUERY, parameters={"day": "{{ ds }}"}).known("2026-01-31")


@pytest.mark.parametrize(
    "given", [{"query": "SELECT id FROM leads"}, {"table": "leads"}, {"query": "SELECT id FROM leads WHERE a = 'x:partition'"}]
)
def test_rows_that_do_not_depend_on_the_key_are_not_scored_under_it(given):
    with pytest.raises(InvalidInputError, match="does not depend on the partition"):
        find_sql(SqlInput(database=URL, **given), "2026-01-31")


@pytest.mark.parametrize("table", ["leads; DROP TABLE leads", 'le"ads', "a.b.c", "", "{{ ds }}", "x" * 64])
def test_a_table_is_a_plain_name(table):
    with pytest.raises(InvalidInputError, match="is not a table"):
        find_sql(SqlInput(database=URL, table=table, partition_column="day"), "1")


@pytest.mark.parametrize("given", [{"partition_column": 'd"ay'}, {"partition_column": "day", "order_by": ["id DESC"]}])
def test_a_column_is_a_plain_name(given):
    with pytest.raises(InvalidInputError, match="is not a column"):
        find_sql(SqlInput(database=URL, table="leads", **given), "1")


def test_outside_a_dag_a_connection_id_leads_nowhere():
    with pytest.raises(InvalidInputError, match="needs database="):
        find_sql(SqlInput(conn_id="a", query=QUERY), "1").open()
