"""The command line in this process."""

from __future__ import annotations

import json

import pytest

from airflow_registry.cli import main


@pytest.fixture
def command(capsys):
    """Runs a command; returns exit code, output and errors."""

    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        return (code, *capsys.readouterr())

    return run


@pytest.fixture
def answer(command):
    """Runs a command with --json that must succeed; returns its document."""

    def run(*arguments):
        code, out, err = command(*arguments, "--json")
        assert code == 0, err
        return json.loads(out)

    return run


@pytest.fixture
def model_file(tmp_path):
    file = tmp_path / "model.bin"
    file.write_bytes(b"weights")
    return file
