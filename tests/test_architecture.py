"""The shape of the package: layers hold, public names are real, and importing is cheap."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

import airflow_registry

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("pandas", "numpy", "pyarrow", "boto3", "alembic", "fastapi", "sklearn", "skops", "scipy")


def loaded_by(statement):
    """Which heavy modules a fresh interpreter has loaded after a statement."""
    code = f"import sys\n{statement}\nprint(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(done.stdout.split())


def test_imports_point_down():
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout


def test_the_package_itself_loads_no_airflow_and_nothing_heavy():
    loaded = loaded_by("import airflow_registry")
    assert not loaded & {"airflow", "sqlalchemy", *HEAVY}


def test_a_policy_is_written_in_python_from_public_names_without_loading_anything_heavy():
    from airflow_registry.domain import rules

    kinds = {kind.__name__ for kind in (*get_args(rules.Rule), rules.BurnIn)}
    assert kinds <= set(airflow_registry.__all__)
    loaded = loaded_by(f"from airflow_registry import Policy, {', '.join(sorted(kinds))}")
    assert not loaded & {"airflow", "sqlalchemy", *HEAVY}


def test_the_public_names_are_all_there_and_nothing_else():
    assert sorted(airflow_registry.__all__) == sorted(airflow_registry._HOMES)
    for name in airflow_registry.__all__:
        assert getattr(airflow_registry, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = airflow_registry.nonsense


def test_no_module_hides_a_public_name():
    modules = {path.stem for path in (ROOT / "airflow_registry").iterdir()}
    assert not modules & set(airflow_registry.__all__)


@pytest.mark.parametrize("package", ["errors", "operators", "sensors", "champion", "modeling", "testing"])
def test_what_a_package_exports_exists_and_is_sorted(package):
    module = importlib.import_module(f"airflow_registry.{package}")
    assert all(hasattr(module, name) for name in module.__all__)
    assert len(module.__all__) == len(set(module.__all__))


def test_every_decision_record_says_what_guards_it():
    for record in (ROOT / "docs" / "decisions").glob("*.md"):
        text = record.read_text(encoding="utf-8")
        assert "Status:" in text
        assert "**A change violates this decision when it**" in text
        for guard in re.findall(r"`(tests/[^`]+)`", text):
            assert (ROOT / guard).exists(), f"{record.name} names {guard}"


def test_no_file_is_longer_than_a_reader_can_hold():
    limit = 490  # the first migration; it is frozen
    long = {
        path.name: text.count("\n") for path in (ROOT / "airflow_registry").rglob("*.py") if (text := path.read_text()).count("\n") > 400
    }
    assert all(lines <= limit for lines in long.values())
    assert set(long) <= {"0001_first_schema.py"}
