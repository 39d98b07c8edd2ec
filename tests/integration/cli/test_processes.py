"""The installed command as a process: streams, exit codes, a closed pipe, Ctrl-C, and a real PostgreSQL."""

from __future__ import annotations

import json
import os
import pty
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_registry import ModelRegistry

PROGRAM = str(Path(sys.executable).with_name("airflow-registry"))


def run(*arguments, **options):
    return subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, check=False, **options)


def test_reading_never_makes_a_registry(tmp_path):
    home = tmp_path / "home"
    done = run("models", "--json", env={**os.environ, "AIRFLOW_HOME": str(home)})
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (1, "database_not_initialized")
    assert "There is no registry yet" in done.stderr
    assert str(home / "airflow_registry.db") in done.stderr
    assert not home.exists()


def test_a_whole_story_in_processes(tmp_path):
    environment = {**os.environ, "AIRFLOW_HOME": str(tmp_path / "home")}
    (tmp_path / "model.bin").write_bytes(b"weights")
    first = run("register", "lead", "model.bin", "--metric", "auc=0.9", "--json", env=environment, cwd=tmp_path)
    assert (first.returncode, json.loads(first.stdout)["ref"]) == (0, "lead:1")
    assert first.stderr.startswith(f"Registry: sqlite:///{tmp_path}/home/airflow_registry.db (default). Artifacts: ")
    assert run("promote", "lead:1", "--reason", "first", env=environment).returncode == 0
    shown = run("show", "lead@production", env=environment)
    assert "stage: PRODUCTION\n" in shown.stdout
    assert shown.stderr == ""
    refused = run("rollback", "lead", "--reason", "x", env=environment)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "Traceback" not in refused.stderr
    assert run("promote", "lead:1", env=environment).returncode == 2


@pytest.mark.parametrize("size", [1, 100_000], ids=["little, written at the end", "more than a buffer, written at once"])
def test_a_reader_that_has_seen_enough_ends_the_command_quietly(registry, size):
    registry.register("lead", parameters={"long": "x" * size})
    with subprocess.Popen([PROGRAM, "versions", "lead", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as command:
        command.stdout.close()  # long before the command has anything to write: nobody reads its first byte
        assert (command.stderr.read(), command.wait(60)) == (b"", 0)


def test_ctrl_c_is_one_line_and_exit_code_130():
    with socket.create_server(("127.0.0.1", 0)) as silent:  # a database that takes the call and never answers
        address = f"postgresql://approver:s3cret@127.0.0.1:{silent.getsockname()[1]}/registry"
        command = subprocess.Popen(
            [PROGRAM, "models", "--database", address],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=hear_ctrl_c,  # noqa: PLW1509  no other thread of this test holds a lock
        )
        silent.settimeout(60)
        connection, _ = silent.accept()
        with connection:
            connection.recv(1)
            command.send_signal(signal.SIGINT)
            out, err = command.communicate(timeout=60)
    assert (command.returncode, out) == (130, "")
    assert err.startswith("Interrupted")
    assert err.count("\n") == 1


def hear_ctrl_c():
    """A shell lets its background jobs, such as a whole test run, ignore Ctrl-C; they hand that down to what they start."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_what_a_model_prints_does_not_spoil_the_document(registry, tmp_path):
    import pandas as pd

    (tmp_path / "talkative.py").write_text(
        "import os\n"
        "class Model:\n"
        "    def predict(self, frame):\n"
        "        print('from python'); os.system('echo from a process')\n"
        "        return [0] * len(frame)\n"
        "    def to_remote(self, remote_path): open(remote_path, 'w').close()\n"
        "    @classmethod\n"
        "    def from_remote(cls, remote_path): return cls()\n"
    )
    pd.DataFrame({"x": [1.0, 2.0], "y": [0, 0]}).to_csv(tmp_path / "data.csv", index=False)
    sys.path.insert(0, str(tmp_path))
    try:
        registry.register("lead", __import__("talkative").Model())
    finally:
        sys.path.remove(str(tmp_path))
    done = run(
        "evaluate", "lead:1", "--data", tmp_path / "data.csv", "--target", "y", "--metric", "accuracy", "--json",
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])},
    )  # fmt: skip
    assert json.loads(done.stdout)["results"] == {"1": {"accuracy": 1.0}}, done.stderr
    assert "from python" in done.stderr
    assert "from a process" in done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_letters_that_the_terminal_does_not_know_are_no_error(registry, encoding):
    registry.register("lead", change_note="größer")
    done = run("versions", "lead", env={**os.environ, "PYTHONIOENCODING": encoding})
    assert (done.returncode, done.stderr) == (0, "")
    assert ("größer" if encoding == "utf-8" else r"gr\xf6\xdfer") in done.stdout


def test_a_terminal_gets_a_table_and_a_writing_command_its_progress(registry, tmp_path):
    (tmp_path / "model.bin").write_bytes(b"weights")
    code, screen = on_a_terminal("register", "lead", tmp_path / "model.bin")
    assert code == 0
    assert "Registering lead from" in screen
    assert "Registered lead:1." in screen
    code, screen = on_a_terminal("versions", "lead")
    assert code == 0
    assert "\x1b[1m" in screen
    assert "DEVELOPMENT" in screen.replace("\r\n", "")


def on_a_terminal(*arguments):
    """Runs the command on a pseudo-terminal; returns exit code and what stood on it."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "400"}
    command = subprocess.Popen([PROGRAM, *map(str, arguments)], stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    seen = b""
    try:
        while chunk := os.read(ours, 65536):
            seen += chunk
    except OSError:  # Linux says so when the last writer has left
        pass
    finally:
        os.close(ours)
    return command.wait(60), seen.decode()


@pytest.mark.postgres
def test_the_same_story_on_postgresql(postgres_url, tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW_REGISTRY_DATABASE", postgres_url)
    monkeypatch.setenv("AIRFLOW_REGISTRY_ARTIFACTS", str(tmp_path / "artifacts"))
    empty = run("models")
    assert (empty.returncode, empty.stdout) == (1, "")
    assert "airflow-registry db upgrade" in empty.stderr
    assert run("db", "upgrade").returncode == 0
    (tmp_path / "model.bin").write_bytes(b"weights")
    assert run("register", "lead", tmp_path / "model.bin", "--metric", "auc=0.9").returncode == 0
    assert run("promote", "lead:1", "--reason", "first").returncode == 0
    assert ModelRegistry(postgres_url, artifacts=str(tmp_path / "artifacts")).production("lead").number == 1
    [model] = json.loads(run("models", "--json").stdout)["models"]
    assert (model["name"], model["champion"], model["revision"]) == ("lead", 1, 1)
    assert "first" in run("history", "lead").stdout
