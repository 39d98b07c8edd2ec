"""What operators know of Spark without Spark: addresses, choices, and what the ledger says of an output that consists of parts."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_registry.champion.output import look, written
from airflow_registry.errors import ConfigurationError, InvalidInputError, NotFoundError
from airflow_registry.hooks.context import run_key
from airflow_registry.hooks.pinned import pinned_json
from airflow_registry.hooks.spark import spark_url
from airflow_registry.operators import BatchInferenceOperator, RecordPredictionsOperator
from airflow_registry.scoring import spark, spark_job, spark_session
from airflow_registry.scoring.parts import output_files
from airflow_registry.scoring.sql_values import SqlInput
from tests.fakes.spark_here import here


@pytest.fixture
def leads(tmp_path, frame):
    folder = tmp_path / "leads" / "ds=1"
    folder.mkdir(parents=True)
    frame.drop(columns="late").to_parquet(folder / "part.parquet", index=False, row_group_size=10)
    return tmp_path / "leads"


@pytest.fixture
def score(leads, tmp_path, monkeypatch):
    """The operator on a Spark that is this process."""
    monkeypatch.setattr(spark, "_spread", lambda session, task: here(task))
    asked = []

    @contextmanager
    def session(url, conf=None, *, name=""):
        asked.append((url, dict(conf or {})))
        yield object()

    monkeypatch.setattr(spark_session, "spark_session", session)
    monkeypatch.setattr(spark_job, "spark_session", session)

    def make(**arguments):
        given = {"model": "lead", "input": str(leads), "output": str(tmp_path / "out"), "partition": "ds=1", "engine": "spark"}
        return BatchInferenceOperator(**{**given, "spark": "local[2]", **arguments})

    make.asked = asked
    return make


def test_the_ledger_names_the_manifest_and_every_part_leads_to_its_writer(registry, champion, score, context, tmp_path, fitted, frame):
    result = score(spark_conf={"spark.task.cpus": "1"}).execute(context("score"))
    target = tmp_path / "out" / "ds=1"
    assert (result["rows"], result["uri"], result["skipped"]) == (40, str(target / "_manifest.json"), False)
    assert result == json.loads(json.dumps(result))
    assert score.asked == [("local[2]", {"spark.task.cpus": "1"})]
    (part,) = output_files(target)
    assert pq.read_table(part)["prediction"].to_pylist() == fitted.predict(frame[["x", "y"]]).tolist()
    for path in (part, result["uri"], str(target)):
        entry = registry.whois(path)
        assert (entry.number, entry.rows, entry.is_live, entry.uri) == (1, 40, True, result["uri"])
    assert entry.recipe["engine"] == "spark"


def test_a_part_that_was_copied_elsewhere_still_tells_who_wrote_it(registry, champion, score, context, tmp_path):
    score().execute(context("score"))
    (part,) = output_files(tmp_path / "out" / "ds=1")
    copy = tmp_path / "copy.parquet"
    copy.write_bytes(Path(part).read_bytes())
    assert registry.whois(str(copy)).output == str(tmp_path / "out" / "ds=1")


def test_the_same_version_over_the_same_input_asks_no_spark(registry, champion, score, context, tmp_path):
    score().execute(context("score"))
    again = score().execute(context("score", run_id="manual__2"))
    assert (again["skipped"], again["rows"], len(score.asked)) == (True, 40, 1)
    Path(output_files(tmp_path / "out" / "ds=1")[0]).unlink()
    assert score().execute(context("score", run_id="manual__3"))["skipped"] is False


def test_what_the_model_cannot_use_fails_the_task_at_once(registry, champion, score, context, leads, tmp_path):
    file = next(leads.rglob("*.parquet"))
    pq.write_table(pq.read_table(file).drop_columns(["x"]), file)
    with pytest.raises(AirflowFailException, match="missing column 'x'"):
        score().execute(context("score"))
    assert output_files(tmp_path / "out" / "ds=1") == ()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"engine": "spork"}, "is not a choice. Expected 'embedded' or 'spark'"),
        ({"spark": None}, "needs one address, and 0 were given"),
        ({"spark_conn_id": "x"}, "needs one address, and 2 were given"),
        ({"engine": "embedded"}, "belong to engine='spark'"),
        ({"input": SqlInput(conn_id="db", table="leads")}, "reads parquet files and writes files"),
    ],
)
def test_choices_that_cannot_work_are_refused_when_the_dag_is_read(score, arguments, says):
    with pytest.raises(InvalidInputError, match=says):
        score(**arguments)


@pytest.mark.parametrize(
    ("connection", "url"),
    [
        ({"conn_type": "spark_connect", "host": "connect"}, "sc://connect:15002/"),
        (
            {"conn_type": "spark_connect", "host": "sc://c", "port": 443, "password": "a=b;", "login": "me", "extra": '{"use_ssl": true}'},
            "sc://c:443/;user_id=me;token=a%3Db%3B;use_ssl=True",
        ),
        ({"conn_type": "spark", "host": "spark://master", "port": 7077}, "spark://master:7077"),
        ({"conn_type": "spark", "host": "local[4]"}, "local[4]"),
        ({"conn_type": "spark"}, "yarn"),
    ],
)
def test_a_connection_says_where_spark_is(registry, champion, score, context, monkeypatch, connection, url):
    monkeypatch.setenv("AIRFLOW_CONN_BIG", json.dumps(connection))
    assert spark_url("big") == url == spark_session.check_url(url)
    score(spark=None, spark_conn_id="big").execute(context("score"))
    assert score.asked == [(url, {})]


def test_a_connection_that_is_none_of_spark_is_refused(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_BIG", '{"conn_type": "http"}')
    with pytest.raises(ConfigurationError, match="of type 'http'. Expected 'spark_connect'"):
        spark_url("big")
    with pytest.raises(InvalidInputError, match="no address of Spark"):
        spark_session.check_url("http://spark:7077")


def test_the_scripts_manifest_is_what_the_block_commits(registry, champion, score, context, leads, tmp_path, capsys):
    where = str(tmp_path / "out" / "ds=1")
    before = look(where)
    intent = registry.open_output(where, partition="ds=1", model="lead", version=1, run=run_key(context("scoring_intent")))
    model = pinned_json(context("work"), "lead", "airflow_registry_default")
    arguments = [f"--model={model}", f"--input={leads}/ds=1", f"--output={where}", f"--generation={intent.generation}", "--partition=ds=1"]
    assert spark_job.main([*arguments, "--key=id", f"--result={tmp_path}/result.json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result == json.loads((tmp_path / "result.json").read_text())
    assert (result["ref"], result["rows"], result["quarantined"]) == ("lead:1", 40, 0)
    seen, found = look(where), written(where)
    assert before.changed_ns == 0
    assert seen.is_newer(before.changed_ns, before.newest)
    assert seen.size_bytes > 1000
    entry = registry.commit_output(intent, found)
    assert (entry.uri, entry.rows, entry.digest, entry.null_predictions) == (result["uri"], 40, result["digest"], 0)
    assert registry.whois(output_files(where)[0]).uid == entry.uid


def test_a_following_task_records_what_the_script_wrote(registry, champion, score, context, leads, tmp_path):
    where = str(tmp_path / "out" / "ds=1")
    model = pinned_json(context("work"), "lead", "airflow_registry_default")
    assert spark_job.main([f"--model={model}", f"--input={leads}/ds=1", f"--output={where}", "--generation=1"]) == 0
    recorded = RecordPredictionsOperator(model="lead", output=where, partition="ds=1").execute(context("record"))
    assert (recorded["ref"], recorded["rows"], recorded["live"]) == ("lead:1", 40, True)
    assert registry.whois(where).uri == f"{where}/_manifest.json"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--model={{ macros.registry.pinned_model('lead') }}"], "invalid_input: --model is not what macros.registry.pinned_model renders"),
        (['--model={"pinned": {}}'], "invalid_input: This does not describe a version"),
    ],
)
def test_the_script_says_what_is_wrong_and_fails(score, capsys, arguments, says):
    assert spark_job.main(arguments) == 1
    assert capsys.readouterr().err.startswith(says)


def test_the_script_names_the_argument_that_is_missing(registry, champion, score, context, capsys):
    model = pinned_json(context("work"), "lead", "airflow_registry_default")
    assert spark_job.main([f"--model={model}", "--input=/x", "--output=/y"]) == 1
    assert "--generation is missing" in capsys.readouterr().err


def test_an_output_that_nobody_recorded_is_nobodys(registry, tmp_path):
    with pytest.raises(NotFoundError):
        registry.whois(str(tmp_path / ".parts" / "part-1-ab.parquet"))


def test_executors_import_the_archive_without_airflow_and_without_a_registry(tmp_path, capsys):
    assert spark_job.main([f"--archive={tmp_path}"]) == 0
    archive = capsys.readouterr().out.strip()
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import airflow_registry.scoring.spark_task as task; "
        "assert task.__file__.startswith(sys.argv[1]), task.__file__; "
        "print([name for name in ('airflow', 'sqlalchemy', 'boto3', 'pandas', 'pydantic') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, archive], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
