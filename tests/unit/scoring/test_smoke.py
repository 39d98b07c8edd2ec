"""A model that crashes, hangs, lies or eats memory is a finding, and never an accident of the process that asks."""

from __future__ import annotations

import pickle
import re
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from airflow_registry.domain.model import Column, Signature
from airflow_registry.domain.trust import Trust
from airflow_registry.errors import InvalidInputError
from airflow_registry.scoring import smoke as smoking
from airflow_registry.scoring.sample_rows import made_up_rows
from airflow_registry.scoring.smoke import Candidate, smoke

ROWS = pa.table({"x": [1.0, 2.0, 3.0]})
SIGNATURE = Signature(inputs=(Column(name="x", type="double"),))
BODIES = {
    "fine": "def predict(self, rows): return rows['x'] * 2",
    "talks": "def predict(self, rows):\n        print('{}')\n        return rows['x'] * 2",
    "crashes": "def predict(self, rows): os.kill(os.getpid(), 11)",
    "is_killed": "def predict(self, rows): os.kill(os.getpid(), 9)",
    "leaves": "def predict(self, rows): os._exit(0)",
    "leaves_politely": "def predict(self, rows): sys.exit('enough')",
    "raises": "def predict(self, rows): raise RuntimeError('no such weather')",
    "says_nan": "def predict(self, rows): return rows['x'].where(rows['x'] > 1)",
    "says_none": "def predict(self, rows): return [None, 'late', 'early']",
    "doubts": (
        "def predict(self, rows): return [0, 1, 1]\n"
        "    def predict_proba(self, rows): return np.array([[0.5, 0.5], [np.inf, 0], [0, 1]])"
    ),
    "says_too_little": "def predict(self, rows): return [1]",
    "hangs_loading": "def __setstate__(self, state): time.sleep(600)\n    def predict(self, rows): return rows['x']",
    "hangs_predicting": "def predict(self, rows): time.sleep(600)",
    "eats": "def predict(self, rows): return np.ones(1 << 33)",
    "has_children": (
        "def predict(self, rows):\n"
        "        open('child', 'w').write(str(subprocess.Popen(['sleep', '600']).pid))\n"
        "        return rows['x']"
    ),
    "cannot": "def transform(self, rows): return rows",
}  # fmt: skip


@pytest.fixture
def candidate(tmp_path, monkeypatch):
    """Pickled models of a module that only the other process can import from `PYTHONPATH`."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    head = "import os, subprocess, sys, time\nimport numpy as np\n"
    classes = (f"class {name}:\n    def __init__(self): self.known = 1\n    {textwrap.dedent(body)}\n" for name, body in BODIES.items())
    (tmp_path / "strange_models.py").write_text(head + "\n".join(classes))
    monkeypatch.syspath_prepend(tmp_path)

    def make(name, trust="all", **options):
        import strange_models

        (tmp_path / "model.pkl").write_bytes(pickle.dumps(getattr(strange_models, name)()))
        known = {"signature": SIGNATURE, **options}
        return Candidate(path=str(tmp_path / "model.pkl"), format="pickle", shown="model.pkl", trust=Trust(rule=trust), **known)

    yield make
    sys.modules.pop("strange_models", None)


@pytest.mark.parametrize("name", ["fine", "talks"])
def test_a_model_that_loads_and_predicts_is_fine(candidate, name):
    found = smoke(candidate(name), ROWS, loads_within_s=60)
    assert (found.problem, found.predicted_rows, found.is_fine) == (None, 3, True)
    assert 0 < found.loaded_in_s < 60


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("crashes", r"died while predicting: the process was killed by SIGSEGV"),
        ("is_killed", r"killed by SIGKILL \(often because memory ran out\)"),
        ("leaves", r"died while predicting: the process ended by itself \(exit code 0\)"),
        ("leaves_politely", r"failed while predicting: SystemExit: enough"),
        ("raises", r"failed while predicting: RuntimeError: no such weather"),
        ("says_nan", r"1 of 3 answers are not finite"),
        ("says_none", r"1 of 3 answers are not finite"),
        ("doubts", r"1 of 3 answers are not finite"),
        ("says_too_little", r"predictions of shape \(1,\)"),
        ("cannot", r"cannot score rows"),
    ],
)
def test_what_a_model_does_to_its_process_is_told(candidate, name, problem):
    found = smoke(candidate(name), ROWS, loads_within_s=60)
    assert re.search(problem, found.problem)
    assert not found.is_fine
    assert found.loaded_in_s is not None


def test_loading_that_takes_too_long_is_stopped(candidate):
    began = time.monotonic()
    found = smoke(candidate("hangs_loading"), ROWS, loads_within_s=0.5)
    assert found.problem == "It was stopped while loading: it took longer than 0.5 s."
    assert found.loaded_in_s is None
    assert time.monotonic() - began < 60


def test_predicting_that_takes_too_long_is_stopped(candidate, monkeypatch):
    monkeypatch.setattr(smoking, "PREDICT_S", 0.5)
    assert "stopped while predicting" in smoke(candidate("hangs_predicting"), ROWS, loads_within_s=0.5 + 4).problem


def test_a_process_that_never_starts_is_stopped(candidate, monkeypatch):
    monkeypatch.setattr(smoking, "START_S", 0.001)
    assert "stopped while starting Python" in smoke(candidate("fine"), ROWS, loads_within_s=60).problem


def test_memory_can_be_limited(candidate):
    found = smoke(candidate("eats"), ROWS, loads_within_s=60, memory_bytes=2 << 30)
    assert "failed while predicting" in found.problem
    assert "emory" in found.problem


def test_what_the_model_started_is_gone_afterwards(candidate, tmp_path):
    assert smoke(candidate("has_children"), ROWS, loads_within_s=60).is_fine
    child = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and _is_running(child):
        time.sleep(0.01)
    assert not _is_running(child)


def _is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_code_that_nobody_vouched_for_does_not_run_there_either(candidate):
    found = smoke(candidate("crashes", trust="none"), ROWS, loads_within_s=60)
    assert "failed while loading: UntrustedArtifactError" in found.problem


def test_a_file_that_is_no_model_is_told(candidate, tmp_path):
    one = candidate("fine")
    (tmp_path / "model.pkl").write_bytes(b"no pickle")
    assert "failed while loading" in smoke(one, ROWS, loads_within_s=60).problem


def test_without_rows_only_loading_is_tried(candidate):
    assert smoke(candidate("raises"), None, loads_within_s=60).is_fine
    assert smoke(candidate("raises"), ROWS.slice(0, 0), loads_within_s=60).predicted_rows == 0


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_no_time_is_no_limit(candidate, seconds):
    with pytest.raises(InvalidInputError, match="time above zero"):
        smoke(candidate("fine"), ROWS, loads_within_s=seconds)


def test_no_pipe_is_left_open(candidate):
    before = len(list(Path("/proc/self/fd").iterdir()))
    smoke(candidate("fine"), ROWS, loads_within_s=60)
    assert len(list(Path("/proc/self/fd").iterdir())) <= before


COLUMNS = (
    Column(name="carrier", type="string", categories=("AA", "UA")),
    Column(name="kind", type="dictionary<values=string, indices=int8, ordered=0>", categories=("a", "b", "c")),
    Column(name="text", type="string"),
    Column(name="hour", type="int64", low=5, high=23),
    Column(name="delay", type="double", low=-3.5, high=120.0),
    Column(name="share", type="float"),
    Column(name="late", type="bool"),
    Column(name="at", type="timestamp[us]", low="2026-01-01T00:00:00", high="2026-02-01T00:00:00"),
    Column(name="day", type="date32[day]"),
    Column(name="clock", type="time64[us]"),
    Column(name="price", type="decimal128(10, 2)", low="1.50"),
    Column(name="above", type="int32", low=100),
    Column(name="below", type="int32", high=-100),
    Column(name="unknown"),
)


def test_rows_that_are_made_up_fit_the_signature():
    from airflow_registry.scoring.checks import Inspector

    signature = Signature(inputs=COLUMNS).with_policy(range="quarantine")
    table = made_up_rows(signature, 10)
    looked = Inspector(signature, signature.names).inspect(table.combine_chunks().to_batches()[0])
    assert table.num_rows == 10
    assert [finding.reason for finding in looked.findings] == []
    assert [str(field.type) for field in table.schema][3:5] == ["int64", "double"]
    assert np.unique(table["hour"].to_numpy()).tolist()[0] == 5
    assert table["hour"].to_numpy().max() == 23


@pytest.mark.parametrize("signature", [None, Signature()])
def test_without_columns_nothing_can_be_made_up(signature):
    assert made_up_rows(signature, 3) is None
