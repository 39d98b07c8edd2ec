"""A recall on the command line is killed at the two worst moments; the same command again goes on, and scores nothing twice."""

from __future__ import annotations

import signal
import subprocess
import sys

import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from airflow_registry import ModelRegistry
from airflow_registry.domain.ledger import Written
from airflow_registry.modeling.signature import capture

DAYS = ("day=1", "day=2", "day=3")
# Dies at the second call: one partition is done by then.
DIE = """
import os, signal, sys
from airflow_registry.cli import main
from {module} import {owner} as owner
real, calls = owner.{name}, []
def dying(*given, **options):
    calls.append(1)
    if len(calls) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*given, **options)
owner.{name} = dying
sys.exit(main(sys.argv[1:]))
"""
BEFORE_PUBLISHING = DIE.format(module="airflow_registry.scoring.writer", owner="Output", name="commit")
BEFORE_THE_LEDGER = DIE.format(module="airflow_registry.service.registry", owner="ModelRegistry", name="commit_output")
UNDISTURBED = "import sys; from airflow_registry.cli import main; sys.exit(main(sys.argv[1:]))"


pytestmark = pytest.mark.postgres


@pytest.fixture
def lead(postgres_url, tmp_path):
    """Version 2 wrote three partitions, and is no champion any more."""
    opened = ModelRegistry(postgres_url, artifacts=str(tmp_path / "artifacts"), create=True)
    for shift in (0.0, 100.0):
        model = LinearRegression().fit([[0.0], [1.0]], [shift, 1 + shift])
        version = opened.register("lead", model, signature=capture(model, pd.DataFrame({"x": [0.0, 1.0]})))
        opened.promote("lead", version.number, reason="better")
    for day in DAYS:
        folder = tmp_path / "in" / day
        folder.mkdir(parents=True)
        pd.DataFrame({"id": [1, 2], "x": [1.0, 2.0]}).to_parquet(folder / "rows.parquet", index=False)
        recipe = {"operator": "batch_inference", "input": str(folder), "keys": None, "proba": False, "max_quarantine_share": 0.0}
        intent = opened.open_output(str(tmp_path / "out" / day), partition=day, model="lead", version=2, recipe=recipe)
        opened.commit_output(intent, Written(uri=intent.output, rows=2))
    opened.rollback("lead", reason="far too high")
    return opened


def test_a_recall_that_is_killed_twice_scores_every_partition_once(lead, postgres_url, tmp_path):
    order = [
        "recall",
        "lead:2",
        "--apply",
        "--here",
        "--reason",
        "far too high",
        "--database",
        postgres_url,
        "--artifacts",
        f"{tmp_path}/artifacts",
    ]

    def run(code):
        return subprocess.run([sys.executable, "-c", code, *order], capture_output=True, text=True, check=False, timeout=120)

    assert run(BEFORE_PUBLISHING).returncode == -signal.SIGKILL
    assert lead.recalls()[0].done == 1
    assert run(BEFORE_THE_LEDGER).returncode == -signal.SIGKILL
    assert lead.recalls()[0].done == 2
    last = run(UNDISTURBED)
    assert (last.returncode, "3 partitions, 3 of them replaced" in last.stdout) == (0, True), last.stderr
    assert lead.recalls()[0].is_closed
    for day in DAYS:
        found = pd.read_parquet(tmp_path / "out" / day / "predictions.parquet", partitioning=None)
        assert found["prediction"].tolist() == pytest.approx([1, 2])
        assert [entry.committed_at is not None for entry in lead.writers(str(tmp_path / "out"), day) if entry.recall].count(True) == 1
