"""The loop of `dags/` on PostgreSQL, S3 and two Celery workers, one of which loses power in the middle of scoring.

Each test is a question about the same story.
"""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pyarrow.parquet as pq
import pytest
from boto3.session import Session
from botocore.exceptions import ClientError

from airflow_registry.testing.flight_loop import INFERENCE, MODEL, TRAINING, FlightLoop
from airflow_registry.testing.flights import Flights
from tests.e2e.team.accident import SCORER, UNSCORED, WORKERS, Saboteur

pytestmark = pytest.mark.e2e
MONTHS = {f"month=2013-{month:02d}" for month in range(1, 5)}
SAMPLE = "month=2013-01"


@pytest.fixture(scope="module")
def loop(team):
    shared = team.places.path(team.file.services["worker-1"], "/opt/airflow/flights")
    return FlightLoop(airflow=team, flights=Flights.load(shared), progress=print)


@pytest.fixture(scope="module")
def story(team, loop):
    """A month is judged and promoted, and while the promotion's run scores what there is, a worker dies."""
    loop.begin("2013-04")
    with ThreadPoolExecutor() as beside:
        accident = beside.submit(Saboteur(team).accident)
        step = loop.step("2013-04")
    return {"step": step, "accident": accident.result(), "entries": loop.registry.predictions(MODEL)}


@pytest.fixture(scope="module")
def bucket(team):
    """The artifact store with the services' own keys."""
    variables = team.environment("worker-1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", variables["AWS_SHARED_CREDENTIALS_FILE"])
        client = Session(region_name=variables["AWS_DEFAULT_REGION"]).client("s3", endpoint_url=variables["AWS_ENDPOINT_URL_S3"])
        yield client
        client.close()


def of_the_operator(story):
    return [entry for entry in story["entries"] if "/predictions/" in f"{entry.output}/"]


def test_the_worker_died_between_intent_and_commit_while_both_were_scoring(story):
    accident = story["accident"]
    assert accident.busy == set(WORKERS)
    [entry] = [entry for entry in story["entries"] if entry.uid == accident.entry.uid]
    assert (entry.committed_at, entry.is_live) == (None, False)


def test_the_run_that_the_promotion_rang_came_to_its_end(loop, story):
    run = story["step"].inference
    assert (run["state"], run["run_type"], run["triggering_user_name"]) == ("success", "asset_triggered", None)
    tries = {
        task["map_index"]: task["try_number"]
        for task in loop.client.task_instances(INFERENCE, run["dag_run_id"])
        if task["task_id"] == SCORER
    }
    assert max(tries.values()) > 1


def test_every_partition_was_scored_once_by_one_version(story):
    committed = [(entry.partition, entry.number) for entry in of_the_operator(story) if entry.committed_at]
    assert sorted(committed) == sorted((month, 1) for month in MONTHS)
    assert {entry.partition for entry in story["entries"] if entry.is_live} == MONTHS


def test_the_partition_of_the_dead_worker_is_live_by_a_later_writer(story):
    killed = story["accident"].entry
    [live] = [entry for entry in story["entries"] if entry.output == killed.output and entry.is_live]
    assert (live.generation > killed.generation, live.run_id) == (True, killed.run_id)


def test_nothing_of_any_output_is_lost_or_doubled(loop, story):
    for entry in of_the_operator(story):
        if not entry.is_live:
            continue
        folder = loop.flights.folder / "predictions" / entry.partition
        scheduled = pq.read_metadata(loop.flights.folder / "scheduled" / entry.partition / "flights.parquet").num_rows
        assert sorted(file.name for file in folder.iterdir()) == ["_manifest.json", "predictions.parquet"]
        assert pq.read_metadata(folder / "predictions.parquet").num_rows == scheduled == entry.rows
        assert json.loads((folder / "_manifest.json").read_text())["version"] == 1
        assert "sha256:" + hashlib.sha256((folder / "predictions.parquet").read_bytes()).hexdigest() == entry.digest


def test_a_program_that_knows_only_the_path_read_the_model_from_the_bucket(loop, story):
    [entry] = [entry for entry in story["entries"] if "predictions_by_path" in entry.output and entry.is_live]
    assert (entry.number, entry.partition) == (1, SAMPLE)
    assert pq.read_metadata(loop.flights.folder / "predictions_by_path" / SAMPLE / "predictions.parquet").num_rows == entry.rows


def test_the_artifact_is_in_the_bucket_byte_for_byte(loop, story, bucket):
    version = loop.registry.production(MODEL)
    assert (version.number, version.lineage.deployment, version.lineage.dag_id) == (1, "team", TRAINING)
    name, _, key = version.remote_path.removeprefix("s3://").partition("/")
    body = bucket.get_object(Bucket=name, Key=key)["Body"].read()
    assert "sha256:" + hashlib.sha256(body).hexdigest() == version.digest


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine (x int)",
        "ALTER TABLE airflow_registry_models ADD COLUMN mine int",
        "DROP TABLE airflow_registry_audit",
        "TRUNCATE airflow_registry_ledger",
        "UPDATE airflow_registry_audit SET action = 'nothing happened'",
        "DELETE FROM airflow_registry_ledger_commits",
    ],
)
def test_the_services_role_may_change_no_table_and_no_history(team, story, statement):
    with psycopg.connect(team.database_url("registry_app")) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement.encode())


def test_the_registrys_roles_have_no_way_into_airflows_database(team):
    for role in ("registry_app", "registry_owner"):
        url = team.database_url(role).removesuffix("registry") + "airflow"
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(url)


def test_the_services_keys_open_their_bucket_and_delete_nothing_in_it(loop, story, bucket):
    key = loop.registry.production(MODEL).remote_path.removeprefix("s3://airflow-registry/")
    for refused in (
        lambda: bucket.delete_object(Bucket="airflow-registry", Key=key),
        lambda: bucket.create_bucket(Bucket="mine-too"),
        lambda: bucket.put_bucket_policy(Bucket="airflow-registry", Policy="{}"),
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            refused()
    assert bucket.head_object(Bucket="airflow-registry", Key=key)["ContentLength"] > 0


def test_the_health_checks_tell_the_dead_worker_from_the_living(team, story):
    dead = story["accident"].worker
    found = {name: team.is_healthy(name) for name, service in team.file.services.items() if service.healthcheck}
    assert found == {name: name != dead for name in found}


def test_the_command_line_in_a_container_acts_on_the_same_registry(team, story):
    living = next(worker for worker in WORKERS if worker != story["accident"].worker)
    done = team.run(living, ["airflow-registry", "versions", MODEL, "--json"])
    assert done.returncode == 0, done.stderr
    assert "s3://airflow-registry/" in done.stdout


def test_a_worker_that_was_not_told_where_the_registry_is_says_what_to_set(team, loop, story):
    dead = story["accident"].worker
    team.kill(next(worker for worker in WORKERS if worker != dead))
    team.restart(dead, without=("AIRFLOW_REGISTRY_DATABASE", "AIRFLOW_REGISTRY_ARTIFACTS"))
    run_id = loop.client.trigger(INFERENCE)
    assert loop.client.wait_for_run(INFERENCE, run_id)["state"] == "failed"
    tasks = {task["task_id"]: task for task in loop.client.task_instances(INFERENCE, run_id)}
    assert (tasks[UNSCORED]["state"], tasks[UNSCORED]["try_number"]) == ("failed", 1)
    text = loop.client.log(INFERENCE, run_id, UNSCORED)
    assert "CeleryExecutor" in text
    assert "AIRFLOW_REGISTRY_DATABASE" in text
    assert not [*team.places.root(dead).rglob("airflow_registry.db")]
