"""The core where Airflow is not installed: it registers, judges, promotes and resolves."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

from airflow_registry.sql.schema import HEAD

NO_AIRFLOW = """
import sys

class NotInstalled:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"airflow", "airflow_shared"}:
            raise ImportError(f"{name} is not installed here")

sys.meta_path.insert(0, NotInstalled())
"""


@pytest.fixture
def interpreter(tmp_path):
    """Runs code in a fresh interpreter in which Airflow cannot be imported; returns what it prints."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}

    def run(code, *, prepare=NO_AIRFLOW):
        script = tmp_path / "script.py"
        script.write_text(prepare + textwrap.dedent(code))
        command = [sys.executable, "-W", "error", str(script)]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env={**environment, "HOME": str(tmp_path)}, cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_airflow_is_really_not_there(interpreter):
    assert (
        interpreter("""
        try:
            import airflow
        except ImportError as error:
            print(error)
    """)
        == "airflow is not installed here\n"
    )


def test_the_core_registers_judges_promotes_and_resolves(interpreter, tmp_path):
    printed = interpreter("""
        import sys
        from airflow_registry import Dataset, ModelRegistry
        from airflow_registry.domain.ledger import Written
        from airflow_registry.domain.names import RunKey
        from sklearn.linear_model import LogisticRegression

        registry = ModelRegistry()
        fitted = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
        version = registry.register("lead", fitted, metrics={"auc": 0.9}, evaluated_on=Dataset("holdout"))
        decision = registry.decide("lead", version.number, policy={"schema": 1, "rules": [{"metric": "auc", "at_least": 0.5}]})
        registry.promote("lead", version.number, decision=decision)
        run = RunKey(dag_id="cron", run_id="1", task_id="score")
        pinned = registry.pin("lead", run)
        intent = registry.open_output("out", partition="p", model="lead", version=pinned.number, run=run)
        registry.commit_output(intent, Written(uri="out/predictions.parquet"))
        print(pinned.ref, pinned.load().predict([[1.0]]), registry.whois("out").number, registry.recall("lead", 1).entries[0].partition)
        print(sorted(name for name in sys.modules if name.partition(".")[0] == "airflow"))
    """)
    assert printed == "lead:1 [1] 1 p\n[]\n"
    assert (tmp_path / "airflow" / "airflow_registry.db").exists()


def test_the_command_line_needs_no_airflow(interpreter, tmp_path):
    printed = interpreter(f"""
        from airflow_registry.cli import main
        raise SystemExit(main(["db", "upgrade", "--database", "sqlite:///{tmp_path}/r.db"]))
    """)
    assert f"schema now: {HEAD}" in printed


def test_importing_the_package_loads_nothing_heavy(interpreter):
    heavy = {"airflow", "sqlalchemy", "alembic", "pandas", "numpy", "pyarrow", "sklearn", "skops", "boto3", "fastapi", "pydantic", "yaml"}
    printed = interpreter("import sys, airflow_registry\nprint(*sorted({name.partition('.')[0] for name in sys.modules}))", prepare="")
    assert not heavy & set(printed.split())


def test_opening_and_reading_a_registry_loads_no_data_library(interpreter):
    heavy = {"airflow", "pandas", "numpy", "pyarrow", "sklearn", "skops", "boto3", "fastapi"}
    code = """
        import sys
        from airflow_registry import ModelRegistry
        registry = ModelRegistry()
        registry.promote("lead", registry.register("lead", metrics={"auc": 0.9}).number, reason="x")
        registry.production("lead")
        print(*sorted({name.partition('.')[0] for name in sys.modules}))
    """
    assert not heavy & set(interpreter(code).split())
