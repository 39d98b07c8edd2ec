"""`make demo` over the whole year: the refusals are those of the data.

February's version is worse than chance for one carrier, June's has worse probabilities than the champion, October's a lower AUC.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.soak, pytest.mark.e2e]

ROOT = Path(__file__).resolve().parents[2]


def test_the_year_has_three_refusals_and_every_promotion_rings_the_inference(tmp_path):
    command = [sys.executable, "-m", "airflow_registry.testing.demo", "--folder", str(tmp_path / "demo"), "--last", "2013-12"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=1_500)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    said = dict(re.findall(r"(2013-\d\d): v\d+ (APPROVED|REFUSED)", done.stdout))
    assert [month for month, outcome in said.items() if outcome == "REFUSED"] == ["2013-02", "2013-06", "2013-10"]
    assert len(said) == 11
