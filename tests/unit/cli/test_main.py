"""`airflow-registry`: what it prints, and the exit code that tells scripts how it went."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from airflow_registry import ModelRegistry
from airflow_registry.cli import main
from airflow_registry.cli.main import _stdout_kept_clean
from airflow_registry.sql.schema import HEAD


@pytest.fixture
def file(tmp_path):
    return tmp_path / "registry.db"


@pytest.fixture
def upgrade(file, capsys):
    """Runs `db upgrade`; returns exit code, output and errors."""

    def run(*options, database=None):
        code = main(["db", "upgrade", "--database", database or f"sqlite:///{file}", *options])
        return (code, *capsys.readouterr())

    return run


def test_an_empty_address_becomes_a_registry(file, upgrade):
    code, out, err = upgrade()
    assert (code, err) == (0, "")
    assert out == f"database: sqlite:///{file}\nfrom: argument\nschema before: none\nschema now: {HEAD}\n"
    assert ModelRegistry(f"sqlite:///{file}").register("lead").number == 1


def test_a_second_upgrade_changes_nothing(file, upgrade):
    upgrade("--json")
    ModelRegistry(f"sqlite:///{file}").register("lead")
    with closing(sqlite3.connect(file)) as connection:
        before = list(connection.iterdump())
    code, out, _ = upgrade("--json")
    assert (code, json.loads(out)) == (
        0,
        {"database": f"sqlite:///{file}", "from": "argument", "schema_before": HEAD, "schema_now": HEAD},
    )
    with closing(sqlite3.connect(file)) as connection:
        assert list(connection.iterdump()) == before


def test_the_view_is_there_for_those_who_may_only_read(file, upgrade):
    upgrade()
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT count(*) FROM model_registry").fetchone() == (0,)


def test_a_table_of_the_original_design_is_left_to_whoever_opens_the_registry(file, upgrade):
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE model_registry (id, name, version, registered_date, metrics, remote_path, stage)")
        connection.execute("INSERT INTO model_registry VALUES (1, 'lead', '1', '2020-01-01', '{}', '', 'DEVELOPMENT')")
        connection.commit()
    assert upgrade()[0] == 0
    assert [model.name for model in ModelRegistry(f"sqlite:///{file}").models()] == ["lead"]


def test_a_newer_registry_is_refused(file, upgrade):
    upgrade()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE airflow_registry_alembic_version SET version_num = '0099'")
        connection.execute("UPDATE airflow_registry_meta SET value = '0099' WHERE key = 'oldest_usable'")
        connection.commit()
    code, out, err = upgrade()
    assert (code, out) == (1, "")
    assert "newer release" in err
    assert "Traceback" not in err


def test_a_newer_registry_on_which_we_may_work_is_left_as_it_is(file, upgrade):
    upgrade()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE airflow_registry_alembic_version SET version_num = '0099'")
        connection.commit()
    code, out, _ = upgrade("--json")
    assert (code, json.loads(out)["schema_now"]) == (0, "0099")


@pytest.mark.parametrize(
    ("database", "message"),
    [("nonsense", "not a URL"), ("mysql://h/d", "SQLite and PostgreSQL"), ("sqlite:////dev/null/x/registry.db", "cannot be made")],
)
def test_an_address_that_cannot_be_used_is_refused(upgrade, database, message):
    code, out, err = upgrade(database=database)
    assert (code, out) == (1, "")
    assert message in err


def test_no_password_is_printed(upgrade, tmp_path):
    code, out, err = upgrade(database=f"postgresql://approver:s3cret@/db?host={tmp_path}")
    assert code == 1
    assert "s3cret" not in out + err
    assert "approver:***@" in err


def test_without_an_address_the_environment_says_where(file, monkeypatch, capsys):
    monkeypatch.setenv("AIRFLOW_REGISTRY_DATABASE", f"sqlite:///{file}")
    assert main(["db", "upgrade"]) == 0
    assert "from: environment AIRFLOW_REGISTRY_DATABASE" in capsys.readouterr().out


def test_what_python_prints_into_its_own_buffer_meanwhile_goes_to_stderr(capsys):
    with _stdout_kept_clean():
        print("from a library")
    assert capsys.readouterr() == ("", "from a library\n")


def test_the_bare_name_lists_the_commands(capsys):
    assert main([]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "whois" in err


@pytest.mark.parametrize("arguments", [["db"], ["db", "downgrade"], ["db", "upgrade", "--databse", "x"], ["nonsense"]])
def test_a_wrong_command_line_is_exit_code_2_with_the_usage(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: airflow-registry" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["airflow-registry"], ["python", "-m", "airflow_registry.cli"]])
def test_the_installed_command_ends_with_its_exit_code(command, file):
    program = [str(Path(sys.executable).with_name(command[0])), *command[1:]]
    done = subprocess.run(
        [*program, "db", "upgrade", "--database", f"sqlite:///{file}", "--json"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, json.loads(done.stdout)["schema_now"]) == (0, HEAD)
    assert done.stderr == ""
    assert subprocess.run([*program, "db", "upgrade", "--database", "nonsense"], capture_output=True, check=False).returncode == 1
