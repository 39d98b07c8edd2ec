from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from airflow.sdk import DAG, Asset, AssetAll, AssetAny, AssetOrTimeSchedule, CronTriggerTimetable
from airflow.sdk.exceptions import AirflowFailException

from airflow_registry.assets import consumer_asset, production_asset
from airflow_registry.errors import NoChampionError, StorageUnavailableError
from airflow_registry.hooks.context import airflow_errors, consumers, dag_folder, lineage, partition_of, run_key

EVENING = datetime(2026, 11, 21, 22, 30, tzinfo=UTC)
CONN = "airflow_registry_default"


def context(*, schedule=None, run_id="manual__1", map_index=-1, bundle=None, **run):
    facts = {
        "clear_number": 0,
        "start_date": None,
        "triggering_user_name": None,
        "partition_key": None,
        "logical_date": None,
        "run_after": EVENING,
        **run,
    }
    ti = SimpleNamespace(dag_id="score", run_id=run_id, task_id="one", map_index=map_index, bundle_instance=bundle)
    return {"ti": ti, "dag_run": SimpleNamespace(**facts), "dag": DAG("score", schedule=schedule)}


def test_the_run_key_counts_clears_and_not_tries():
    key = run_key(context(map_index=3, clear_number=2))
    assert (key.dag_id, key.run_id, key.task_id, key.map_index, key.clear_number) == ("score", "manual__1", "one", 3, 2)


def test_a_run_key_of_airflow_without_numbers_has_the_usual_ones():
    key = run_key(context(map_index=None, clear_number=None))
    assert (key.map_index, key.clear_number) == (-1, 0)


def test_lineage_names_who_started_the_run_and_the_bundle():
    bundle = SimpleNamespace(name="git-dags", version="abc123")
    found = lineage(context(bundle=bundle, triggering_user_name="approver"))
    assert (found.trained_by, found.triggered_by) == ("approver", "approver")
    assert (found.dag_id, found.run_id, found.task_id) == ("score", "manual__1", "one")
    assert (found.bundle_name, found.bundle_version) == ("git-dags", "abc123")


def test_lineage_knows_the_commit_of_the_folder_of_the_dag_file(tmp_path):
    git = ["git", "-C", str(tmp_path), "-c", "user.name=t", "-c", "user.email=t@example.com"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "dags"], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    made = context()
    made["dag"].fileloc = str(tmp_path / "dag.py")
    found = lineage(made)
    assert (found.git_commit, found.git_author) == (head, "t <t@example.com>")


def test_lineage_without_a_bundle_says_nothing_about_it():
    found = lineage(context())
    assert (found.bundle_name, found.bundle_version, found.trained_by) == (None, None, None)


@pytest.mark.parametrize(
    "schedule",
    [
        production_asset("m") | consumer_asset("m", "score leads", CONN),
        [consumer_asset("m", "score leads", CONN)],
        AssetAll(AssetAny(Asset("other"), consumer_asset("m", "score leads", CONN)), Asset("third")),
        AssetOrTimeSchedule(
            timetable=CronTriggerTimetable("0 6 * * *", timezone="UTC"),
            assets=[production_asset("m") | consumer_asset("m", "score leads", CONN)],
        ),
    ],
)
def test_the_consumers_are_those_in_the_dags_own_schedule(schedule):
    assert consumers(context(schedule=schedule), "m") == ("score leads",)
    assert consumers(context(schedule=schedule), "M") == ("score leads",)


@pytest.mark.parametrize("schedule", [None, "@daily", [production_asset("m")], [consumer_asset("m2", "c", CONN)]])
def test_a_dag_that_is_not_scheduled_on_a_private_bell_answers_nobody(schedule):
    assert consumers(context(schedule=schedule), "m") == ()


def test_trying_out_a_task_answers_nobodys_bell():
    schedule = [consumer_asset("m", "c", CONN)]
    assert consumers(context(schedule=schedule, run_id="__airflow_temporary_run_2026-11-23__"), "m") == ()


def test_the_folder_is_that_of_the_dag_file():
    dag = context()["dag"]
    dag.fileloc = "/bundle/team/train.py"
    assert dag_folder({"dag": dag}) == "/bundle/team"


@pytest.mark.parametrize(
    ("run", "timezone", "expected"),
    [
        ({"partition_key": "us|2024-05-05", "logical_date": EVENING}, None, "us|2024-05-05"),
        ({"logical_date": datetime(2025, 1, 2, tzinfo=UTC)}, None, "2025-01-02"),
        ({}, None, "2026-11-21"),
        ({}, "Asia/Tokyo", "2026-11-22"),
        ({"logical_date": datetime(2026, 11, 22, 23, 30, tzinfo=UTC)}, "Europe/Berlin", "2026-11-23"),
    ],
)
def test_the_partition_is_the_key_else_the_date_of_the_run(run, timezone, expected):
    assert partition_of(context(**run), timezone) == expected


def test_an_error_that_no_retry_mends_fails_the_task_at_once_and_is_logged(caplog):
    with pytest.raises(AirflowFailException, match="no champion") as error, airflow_errors():
        raise NoChampionError.of("m")
    assert isinstance(error.value.__cause__, NoChampionError)
    assert "no_champion: Model 'm' has no champion" in caplog.text


def test_what_was_noted_about_an_error_is_told_too():
    error = NoChampionError.of("lead")
    error.add_note("This is about version 2.")
    with pytest.raises(AirflowFailException, match=r"run this again\. This is about version 2\."), airflow_errors():
        raise error


def test_an_error_that_a_retry_may_mend_stays_what_it_is():
    with pytest.raises(StorageUnavailableError), airflow_errors():
        raise StorageUnavailableError("the database is away")


def test_errors_of_others_are_not_touched():
    with pytest.raises(ZeroDivisionError), airflow_errors():
        1 / 0  # noqa: B018  the error is the point
