from __future__ import annotations

import getpass
import os
import platform
import subprocess
import sys
from importlib import metadata

import pytest

from airflow_registry.modeling import environment


def git(folder, *arguments):
    identity = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **identity}).stdout.strip()


def test_packages_are_python_and_what_is_installed_of_the_list():
    found = environment.packages()
    assert found["python"] == platform.python_version()
    assert found["scikit-learn"] == metadata.version("scikit-learn")
    assert found["airflow-registry"]
    assert set(found) <= {"python", *environment.PACKAGES}


def test_a_caller_cannot_change_what_the_next_one_sees():
    environment.packages()["python"] = "2.7"
    assert environment.packages()["python"] == platform.python_version()


def test_the_commit_is_that_of_the_folder_and_not_of_the_process(tmp_path):
    code = tmp_path / "dags"
    code.mkdir()
    git(tmp_path, "init", "-q")
    assert environment.git_commit(str(code)) is None, "a repository without a commit has none"
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "first")
    assert environment.git_commit(str(code)) == git(tmp_path, "rev-parse", "HEAD")


@pytest.mark.parametrize("folder", [None, "", "/no/such/folder", "--version", "nul\0byte"])
def test_there_is_no_commit_where_there_is_no_repository(folder):
    assert environment.git_commit(folder) is None


def test_there_is_no_commit_outside_git_nor_without_git_nor_with_one_that_hangs(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert environment.git_commit(str(tmp_path)) is None
    fake = tmp_path / "git"
    fake.write_text("#!/bin/sh\nexec sleep 60\n", encoding="utf-8")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(environment, "_GIT_TIMEOUT_S", 0.1)
    assert environment.git_commit(str(tmp_path)) is None
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert environment.git_commit(str(tmp_path)) is None


def test_the_user_is_named_or_numbered_but_never_an_error(monkeypatch):
    monkeypatch.setenv("LOGNAME", "approver")
    assert environment.user() == "approver"

    def nameless():
        raise KeyError("uid not found")

    monkeypatch.setattr(getpass, "getuser", nameless)
    assert environment.user() == f"uid {os.getuid()}"


def test_peak_memory_is_in_bytes(monkeypatch):
    peak = environment.peak_memory_bytes()
    assert 10 * 2**20 < peak < 2**40
    monkeypatch.setitem(sys.modules, "resource", None)
    assert environment.peak_memory_bytes() is None


def test_the_interface_costs_no_library_at_import():
    heavy = "numpy pandas pyarrow sklearn skops joblib scipy onnx onnxruntime lightgbm xgboost safetensors mlflow yaml"
    names = (
        "formats remote signature environment skops_format pickle_format index_bounds onnx_format lightgbm_format xgboost_format "
        "safetensors_format mlflow_format pickle_scan packages"
    )
    script = (
        f"import sys, importlib\nfor name in '{names}'.split(): importlib.import_module('airflow_registry.modeling.' + name)\n"
        f"print([name for name in '{heavy}'.split() if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout.strip() == "[]"
