"""One deployment of `docker-compose.yml`, as processes, for all tests of this folder."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from airflow_registry.testing.team import Team

ROOT = Path(__file__).resolve().parents[3]
GUIDE = ROOT / "docs" / "howto" / "deploy.md"
# What `.env` would say. A dead worker is noticed after 20 s instead of a minute, so that the test need not wait for it.
VARIABLES = {
    "AIRFLOW_API_WORKERS": "1",
    "AIRFLOW_WORKER_CONCURRENCY": "2",
    "TASK_HEARTBEAT_TIMEOUT_S": "20",
    "CELERY_VISIBILITY_TIMEOUT_S": "15",
}


@pytest.fixture(scope="package")
def team(tmp_path_factory):
    """The deployment, up and healthy; its secrets are made by the commands that the deployment guide gives."""
    folder = tmp_path_factory.mktemp("team")
    commands = re.search(r"```sh\n(mkdir -m 700 secrets.*?)```", GUIDE.read_text(), re.DOTALL)[1]
    subprocess.run(["sh", "-eu", "-c", commands], cwd=folder, check=True)
    deployment = Team(
        compose=ROOT / "docker-compose.yml", secrets=folder / "secrets", folder=folder / "team", variables=VARIABLES, progress=print
    )
    with deployment:
        yield deployment
    assert deployment.processes() == []
