"""Every code block of the README is run, in the order in which a reader meets them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from airflow_registry.errors import RegistryError
from airflow_registry.policy_file import load_policy
from airflow_registry.sql.schema import HEAD

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = re.findall(r"^ *```(\w+)\n(.*?)^ *```$", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
DAGS, PROGRAM, NOTEBOOK, ORIGINAL = [text for language, text in BLOCKS if language == "python"]
SHELL = [line.strip() for language, text in BLOCKS if language == "bash" for line in text.splitlines()]


def test_the_languages_are_those_that_a_test_runs():
    assert [language for language, _ in BLOCKS] == ["python", "bash", "mermaid", "yaml", "python", "python", "python", "bash"]


@pytest.fixture
def leads(tmp_path):
    folder = tmp_path / "leads"
    (folder / "days").mkdir(parents=True)
    frame = pd.DataFrame({"id": range(40), "visits": range(40), "age": [30, 60] * 20})
    labelled = frame.drop(columns="id").assign(converted=(frame["visits"] > 20).astype(int))
    labelled.to_parquet(folder / "train.parquet")
    labelled.to_parquet(folder / "holdout.parquet")
    for day in ("2026-11-22", "2026-11-23"):
        frame.to_parquet(folder / "days" / f"{day}.parquet")
    return folder


def written(text, tmp_path, name):
    file = tmp_path / "dags" / f"{name}.py"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text.replace("/data/leads", str(tmp_path / "leads")))
    return file


@pytest.mark.airflow
def test_the_first_screen_trains_promotes_and_scores_with_nobody_in_between(closed_loop, registry, leads, tmp_path):
    closed_loop.load(written(DAGS, tmp_path, "leads_dags"))
    trained, scored = closed_loop.run("train_lead_scoring")
    assert (trained.state, scored.dag_id, scored.run_type, scored.state) == ("success", "score_leads", "asset_triggered", "success")
    assert registry.production("lead_scoring").number == 1
    assert {entry.partition for entry in registry.predictions("lead_scoring") if entry.is_live} == {"2026-11-22", "2026-11-23"}
    scores = pd.read_parquet(leads / "scores" / "2026-11-22" / "predictions.parquet")
    assert list(scores.columns) == ["id", "prediction", "probability_0", "probability_1"]


@pytest.mark.airflow
def test_a_program_that_never_heard_of_the_registry_is_in_the_ledger(closed_loop, registry, leads, tmp_path):
    registry.register("lead_scoring", str(leads / "train.parquet"))
    registry.promote("lead_scoring", 1, reason="the first")
    closed_loop.load(written(PROGRAM, tmp_path, "program_dag"))
    (run,) = closed_loop.run("score_with_a_program")
    assert (run.state, run.tasks["tell"]) == ("success", "success")
    (entry,) = registry.predictions("lead_scoring", 1)
    assert entry.is_live
    assert (Path(entry.output) / "scored").read_bytes() == (leads / "train.parquet").read_bytes()


@pytest.mark.parametrize("block", [NOTEBOOK, ORIGINAL], ids=["notebook", "original"])
def test_the_blocks_without_airflow_run_in_an_empty_folder(block, tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    environment["AIRFLOW_HOME"] = str(tmp_path / "home")
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning:airflow_registry", "-c", block],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")  # a warning in the first minutes looks like a mistake of the reader's
    assert "PRODUCTION" in done.stdout or "lead_scoring:1" in done.stdout


def test_the_policy_is_a_policy():
    (text,) = [text for language, text in BLOCKS if language == "yaml"]
    policy = load_policy(yaml.safe_load(text))
    assert len(policy.rules) == 9
    with pytest.raises(RegistryError):
        load_policy(yaml.safe_load(text.replace("at_least", "at_lest")))


def test_the_commands_exist(tmp_path):
    assert SHELL == [
        "pip install 'airflow-registry[sklearn]'",
        "airflow standalone",
        "export AIRFLOW_REGISTRY_DATABASE=postgresql://registry@db.example.com/registry",
        "airflow-registry db upgrade",
    ]
    tools = Path(sys.executable).parent
    environment = {**os.environ, "AIRFLOW_REGISTRY_DATABASE": f"sqlite:///{tmp_path}/registry.db"}
    done = subprocess.run([tools / "airflow-registry", "db", "upgrade"], env=environment, capture_output=True, text=True, check=True)
    assert f"schema now: {HEAD}" in done.stdout
    assert (tools / "airflow").exists()


def test_every_make_target_of_the_readme_exists():
    named = set(re.findall(r"`make (\w+)", (ROOT / "README.md").read_text(encoding="utf-8")))
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert named <= targets
    assert {"test", "check", "demo"} <= named


def test_every_link_of_the_documents_leads_somewhere():
    documents = [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")]
    for document in documents:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name} links to {target}"
