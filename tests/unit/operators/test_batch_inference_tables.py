"""BatchInferenceOperator with a query as input and a table as output, through Airflow connections."""

from __future__ import annotations

import json
import sqlite3

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_registry.errors import InvalidInputError
from airflow_registry.operators import BatchInferenceOperator, SqlInput, SqlOutput, UnscoredPartitionsOperator
from airflow_registry.operators.tables import ledger_name, target_of

QUERY = "SELECT id, x, y FROM leads WHERE day = :day AND id < :below ORDER BY id"
WATERMARK = "SELECT count(*), max(id) FROM leads WHERE day = :day"
KEY = "day=2026-01-01"


@pytest.fixture
def dag():
    from airflow.sdk import DAG

    return DAG("dag", schedule=None)


@pytest.fixture
def warehouse(tmp_path, frame, monkeypatch):
    """A database of ten rows a day, behind the connection `warehouse`."""
    path = tmp_path / "warehouse.db"
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "sqlite", "host": str(path)}))
    with sqlite3.connect(path) as connection:
        rows = frame.assign(day=[f"2026-01-0{row // 10 + 1}" for row in range(40)]).drop(columns="late")
        rows.to_sql("leads", connection, index=False)
    connection.close()
    return path


@pytest.fixture
def ask(warehouse):
    def answer(statement, *values):
        connection = sqlite3.connect(warehouse)
        try:
            with connection:
                return connection.execute(statement, values).fetchall()
        finally:
            connection.close()

    return answer


@pytest.fixture
def score(warehouse):
    def make(**arguments):
        given = SqlInput(conn_id="warehouse", query=QUERY, digest_by=WATERMARK, parameters={"below": "1000"})
        output = SqlOutput(conn_id="warehouse", table="predictions", partition_column="day")
        return BatchInferenceOperator(**{"model": "lead", "input": given, "output": output, "partition": KEY, **arguments})

    return make


def test_rows_of_a_query_become_rows_of_a_table_and_the_ledger_names_their_writer(registry, champion, score, context, ask, frame, fitted):
    result = score().execute(context("score"))
    rows = frame.iloc[:10]
    found = ask("SELECT id, prediction, probability_True, day, model_version FROM predictions ORDER BY id")
    assert [row[0] for row in found] == rows["id"].tolist()
    assert [bool(row[1]) for row in found] == fitted.predict(rows[["x", "y"]]).tolist()
    assert [row[2] for row in found] == pytest.approx(fitted.predict_proba(rows[["x", "y"]])[:, 1])
    assert {row[3:] for row in found} == {("2026-01-01", 1)}
    assert (result["ref"], result["rows"], result["skipped"]) == ("lead:1", 10, False)
    assert result["output"].endswith("warehouse.db/predictions/2026-01-01")
    entry = registry.whois(result["uri"])
    assert (entry.number, entry.rows, entry.is_live, entry.partition, entry.input_digest_kind) == (1, 10, True, KEY, "query")
    assert result == json.loads(json.dumps(result))


def test_the_recipe_says_how_to_do_it_again_and_holds_no_address(registry, champion, score, context):
    recipe = registry.whois(score().execute(context("score"))["uri"]).recipe
    assert recipe["input"] == {"conn_id": "warehouse", "query": QUERY, "digest_by": WATERMARK, "parameters": {"below": "1000"}}
    assert recipe["output"] == {
        "conn_id": "warehouse",
        "table": "predictions",
        "partition_column": "day",
        "version_column": "model_version",
    }
    again = score(**{name: recipe[name] for name in ("input", "output", "keys", "proba")}).execute(context("again", run_id="manual__2"))
    assert again["skipped"]


def test_unchanged_rows_are_not_scored_twice_and_changed_ones_are(registry, champion, score, context, ask):
    first = score().execute(context("score"))
    again = score().execute(context("score", run_id="manual__2"))
    assert (again["skipped"], again["rows"], again["uri"]) == (True, 10, first["uri"])
    ask("INSERT INTO leads (id, x, y, day) VALUES (99, 1.0, 1, '2026-01-01')")
    assert score().execute(context("score", run_id="manual__3"))["rows"] == 11


def test_without_a_watermark_only_the_same_run_is_spared(registry, champion, score, context):
    given = SqlInput(conn_id="warehouse", table="leads", partition_column="day", order_by=["id"])
    assert not score(input=given).execute(context("score"))["skipped"]
    assert score(input=given).execute(context("score"))["skipped"]
    assert not score(input=given).execute(context("score", run_id="manual__2"))["skipped"]


def test_rows_that_somebody_deleted_are_written_again(registry, champion, score, context, ask):
    score().execute(context("score"))
    ask("DELETE FROM predictions WHERE id = 3")
    again = score().execute(context("score", run_id="manual__2"))
    assert (again["skipped"], ask("SELECT count(*) FROM predictions")) == (False, [(10,)])


def test_a_file_may_go_in_and_a_table_come_out(registry, champion, score, context, ask, tmp_path, frame):
    frame.drop(columns="late").iloc[:7].to_parquet(tmp_path / "leads.parquet")
    assert score(input=str(tmp_path / "leads.parquet"), partition="leads").execute(context("score"))["rows"] == 7
    assert ask("SELECT DISTINCT day FROM predictions") == [("leads",)]


def test_a_query_may_go_in_and_a_file_come_out(registry, champion, score, context, tmp_path):
    result = score(output=str(tmp_path / "out")).execute(context("score"))
    assert result["uri"] == str(tmp_path / "out" / KEY / "predictions.parquet")
    manifest = json.loads((tmp_path / "out" / KEY / "_manifest.json").read_text())
    assert manifest["input_digest_kind"] == "query"


def test_keys_and_parameters_are_templates_and_statements_are_not(registry, champion, score, context, dag):
    task = score(
        input=SqlInput(conn_id="{{ conn }}", query=QUERY, parameters={"below": "{{ below }}"}),
        output=SqlOutput(conn_id="warehouse", table="predictions_{{ year }}", partition_column="day"),
    )
    rendered = {name: task.render_template(getattr(task, name), VALUES, dag.get_template_env()) for name in ("input", "output_path")}
    task.input, task.output_path = rendered["input"], rendered["output_path"]
    result = task.execute(context("score"))
    assert (result["rows"], "predictions_2026/" in result["uri"]) == (5, True)
    with pytest.raises(InvalidInputError, match="parameters="):
        score(input={"conn_id": "warehouse", "query": "SELECT * FROM leads WHERE day = '{{ ds }}'"})


VALUES = {"conn": "warehouse", "below": "5", "year": "2026"}


def test_a_key_that_is_sql_reads_nothing_and_breaks_nothing(registry, champion, score, context, ask):
    key = "day=x'; DROP TABLE leads; --"
    assert score(partition=key).execute(context("score"))["rows"] == 0
    assert ask("SELECT count(*) FROM leads") == [(40,)]


def test_a_stored_dag_holds_json_also_where_tasks_are_mapped(dag, score):
    from airflow.serialization.serialized_objects import DagSerialization

    with dag:
        given = SqlInput(conn_id="warehouse", query=QUERY)
        output = SqlOutput(conn_id="warehouse", table="predictions")
        BatchInferenceOperator.partial(task_id="mapped", model="lead", input=given, output=output).expand(partition=["a", "b"])
        BatchInferenceOperator(task_id="alone", model="lead", input=given, output=output, partition="a")
    stored = json.dumps(DagSerialization.to_dict(dag))
    assert stored.count(json.dumps(QUERY)) == 2
    mapped = dag.get_task("mapped")
    assert mapped.partial_kwargs["input"] == {"conn_id": "warehouse", "query": QUERY}


def test_partitions_of_a_table_that_were_not_scored_are_found(registry, champion, score, context, ask):
    where = {
        "input": SqlInput(conn_id="warehouse", table="leads", partition_column="day", order_by=["id"]),
        "output": SqlOutput(conn_id="warehouse", table="predictions", partition_column="day"),
    }
    score(**where, partition="2026-01-02").execute(context("score"))
    find = UnscoredPartitionsOperator(task_id="find", model="lead", **where)
    keys = find.execute(context("find", run_id="manual__2"))
    assert keys == ["2026-01-01", "2026-01-03", "2026-01-04"]
    for number, key in enumerate(keys):
        score(**where, partition=key).execute(context("score", run_id="manual__2", map_index=number))
    assert find.execute(context("find", run_id="manual__3")) == []
    assert ask("SELECT day, count(*) FROM predictions GROUP BY day ORDER BY day") == [(f"2026-01-0{day}", 10) for day in (1, 2, 3, 4)]
    with pytest.raises(AirflowFailException, match="Only a table tells"):
        UnscoredPartitionsOperator(
            task_id="query", model="lead", input={"conn_id": "warehouse", "query": QUERY}, output=where["output"]
        ).execute(context("query"))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"input": {"conn_id": "warehouse", "sql": QUERY}}, "has the fields"),
        ({"input": SqlInput(database="sqlite:////x.db", query=QUERY)}, "conn_id="),
        ({"output": SqlOutput(database="sqlite:////x.db", table="p")}, "conn_id="),
        ({"output": {"conn_id": "warehouse"}}, "table"),
    ],
)
def test_what_cannot_work_fails_when_the_dag_is_parsed(score, wrong, message):
    with pytest.raises(InvalidInputError, match=message):
        score(**wrong)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"input": {"conn_id": "nowhere", "query": QUERY}}, "no Airflow connection 'nowhere'"),
        ({"input": {"conn_id": "warehouse", "query": "SELECT id FROM leads"}}, "does not depend on the partition"),
        ({"input": {"conn_id": "warehouse", "query": "SELECT id FROM leads WHERE day = :day"}}, "missing column 'x'"),
        ({"output": {"conn_id": "warehouse", "table": "a b"}}, "is not a table"),
    ],
)
def test_bad_input_fails_without_a_retry(registry, champion, score, context, wrong, message):
    with pytest.raises(AirflowFailException, match=message):
        score(**wrong).execute(context("score"))


def test_the_registrys_own_connection_puts_predictions_beside_the_ledger_in_one_transaction(
    registry, champion, score, context, monkeypatch
):
    output = SqlOutput(conn_id="airflow_registry_default", table="predictions", partition_column="day")
    assert registry.whois(score(output=output).execute(context("score"))["uri"]).is_live

    def die(*_):
        raise OSError("the worker died after the predictions were in place")

    monkeypatch.setattr(type(registry), "commit_output", die)
    task = score(output=output, partition="day=2026-01-02")
    with pytest.raises(OSError, match="worker died"):
        task.execute(context("score", run_id="manual__2"))
    entry = registry.whois(ledger_name(target_of(task.output_path, task.partition)))
    assert (entry.rows, entry.is_live, entry.run_id) == (10, True, "manual__2")


def test_in_another_database_the_intent_of_a_dead_worker_stays_to_be_found(registry, champion, score, context, monkeypatch, ask):
    def die(*_):
        raise OSError("the worker died after the predictions were in place")

    with monkeypatch.context() as patched, pytest.raises(OSError, match="worker died"):
        patched.setattr(type(registry), "commit_output", die)
        score().execute(context("score"))
    assert [entry.partition for entry in registry.recall("lead", 1).entries] == [KEY]
    result = score().execute(context("score"))
    assert (result["skipped"], registry.whois(result["uri"]).is_live, ask("SELECT count(*) FROM predictions")) == (False, True, [(10,)])
