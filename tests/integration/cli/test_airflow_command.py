"""`airflow registry …`: a real Airflow, with connections from a variable, a secrets backend and the metadata database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_registry.config import CONNECTION_VARIABLE

pytestmark = pytest.mark.airflow

AIRFLOW = str(Path(sys.executable).with_name("airflow"))


@pytest.fixture
def connection(registry, tmp_path, monkeypatch):
    """The connection of the test's registry, which neither the environment nor the default would lead to."""
    registry.register("lead", metrics={"auc": 0.9})
    for name in ("AIRFLOW_REGISTRY_DATABASE", "AIRFLOW_REGISTRY_ARTIFACTS"):
        monkeypatch.delenv(name)
    extra = {"database_dsn": f"sqlite:///{tmp_path / 'registry.db'}", "artifacts": str(tmp_path / "artifacts"), "deployment": "berlin"}
    return {"conn_type": "airflow_registry", "password": "s3cret", "extra": extra}


@pytest.fixture
def run(tmp_path):
    """Runs it in a process of its own, without the test mode in which Airflow writes about itself on stdout."""
    environment = {name: value for name, value in os.environ.items() if name != "AIRFLOW__CORE__UNIT_TEST_MODE"}
    environment["AIRFLOW_HOME"] = str(tmp_path / "airflow")

    def process(*arguments, **variables):
        command = [AIRFLOW, "registry", *arguments]
        given = environment | variables
        for name in ("AIRFLOW_REGISTRY_DATABASE", "AIRFLOW_REGISTRY_ARTIFACTS"):
            given.pop(name, None)
        return subprocess.run(command, capture_output=True, text=True, check=False, env=given)

    return process


def test_a_connection_from_the_environment(connection, run, tmp_path):
    done = run("register", "lead", "--json", **{CONNECTION_VARIABLE: json.dumps(connection)})
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["ref"] == "lead:2"
    assert json.loads(done.stdout)["lineage"]["deployment"] == "berlin"
    assert f"Registry: sqlite:///{tmp_path / 'registry.db'} (connection airflow_registry_default)." in done.stderr
    assert "s3cret" not in done.stdout + done.stderr


def test_a_connection_from_a_secrets_backend(connection, run, tmp_path):
    (tmp_path / "connections.json").write_text(json.dumps({"risk": connection}))
    done = run(
        "models",
        "--json",
        "--conn-id",
        "risk",
        AIRFLOW__SECRETS__BACKEND="airflow.secrets.local_filesystem.LocalFilesystemBackend",
        AIRFLOW__SECRETS__BACKEND_KWARGS=json.dumps({"connections_file_path": str(tmp_path / "connections.json")}),
    )
    assert done.returncode == 0, done.stderr
    assert [model["name"] for model in json.loads(done.stdout)["models"]] == ["lead"]


@pytest.fixture
def airflow_command(airflow_db, capsys):
    """Runs `airflow registry …` in this process, by Airflow's own parser; returns exit code, output and errors."""
    from airflow.cli.cli_parser import get_parser

    def command(*arguments):
        options = get_parser().parse_args(["registry", *arguments])
        with pytest.raises(SystemExit) as left:
            options.func(options)
        return (left.value.code, *capsys.readouterr())

    return command


@pytest.fixture
def stored(airflow_db, connection):
    """A connection as the page Admin, Connections stores it."""
    from airflow.models.connection import Connection
    from airflow.utils.session import create_session

    with create_session() as session:
        session.add(Connection(conn_id="stored", **{**connection, "extra": json.dumps(connection["extra"])}))
    yield
    with create_session() as session:
        session.query(Connection).filter_by(conn_id="stored").delete()


def test_a_connection_from_the_metadata_database(stored, airflow_command):
    code, out, _ = airflow_command("models", "--conn-id", "stored", "--json")
    assert (code, json.loads(out)["models"][0]["name"]) == (0, "lead")
    assert "_AIRFLOW_PROCESS_CONTEXT" not in os.environ


def test_an_option_wins_over_the_connection(stored, airflow_command, tmp_path):
    code, out, err = airflow_command("models", "--conn-id", "stored", "--database", f"sqlite:///{tmp_path / 'other.db'}")
    assert (code, out) == (1, "")
    assert "other.db" in err


def test_a_connection_that_does_not_exist_is_refused(airflow_command):
    code, out, err = airflow_command("models", "--conn-id", "nonsense", "--json")
    assert (code, json.loads(out)["error"]["code"]) == (1, "configuration")
    assert "There is no Airflow connection 'nonsense'" in err


def test_without_a_connection_the_environment_says_where(registry, airflow_command):
    registry.register("churn")
    code, out, _ = airflow_command("models", "--json")
    assert (code, [model["name"] for model in json.loads(out)["models"]]) == (0, ["churn"])


def test_a_metadata_database_that_does_not_answer_is_not_taken_for_no_connection(registry, airflow_command, monkeypatch):
    from airflow.secrets.metastore import MetastoreBackend

    def unreachable(*_, **__):
        raise ConnectionRefusedError("port 5432")

    monkeypatch.setattr(MetastoreBackend, "get_connection", unreachable)
    code, out, err = airflow_command("models", "--json")
    assert (code, json.loads(out)["error"]["code"], json.loads(out)["error"]["retryable"]) == (1, "storage_unavailable", True)
    assert "MetastoreBackend failed with ConnectionRefusedError: port 5432" in err


def test_wrong_usage_names_airflows_form(registry, airflow_command):
    code, _, err = airflow_command("promote", "lead:1")
    assert code == 2
    assert err.startswith("usage: airflow registry promote")
    assert "--conn-id" in err


def test_both_forms_have_the_same_commands():
    from airflow_registry.cli.commands import COMMANDS
    from airflow_registry.hooks.command_line import get_commands

    [registry] = get_commands()
    found = {member.name: getattr(member, "subcommands", None) for member in registry.subcommands}
    names = {name for name, inner in found.items() if inner is None}
    names |= {f"{group} {member.name}" for group, inner in found.items() for member in inner or ()}
    assert names == {command.name for command in COMMANDS}
