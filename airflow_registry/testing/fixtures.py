"""Pytest fixtures for suites that test DAGs with a registry in them.

Enable them in the top `conftest.py` of a suite:

    pytest_plugins = ["airflow_registry.testing.fixtures"]

| fixture | scope | what it is |
|---|---|---|
| `registry` | test | a `ModelRegistry` on an empty SQLite file; operators, hooks and templates in the test use the same one |
| `run_loop` | test | `run_loop(folder, dag_id, conf=…)` runs a DAG in this process, and everything its asset events start |
| `closed_loop` | test | the same in single steps: load, start, settle, clear, pause |
| `airflow_home`, `airflow_db` | session | the temporary AIRFLOW_HOME of the test run, and the same with an initialised metadata database |
| `postgres_server`, `postgres_url` | session, test | a real PostgreSQL server, and the URL of an empty database on it |

For the whole session every variable that starts with `AIRFLOW` is taken out of the environment and AIRFLOW_HOME is a
temporary folder: a test can neither read nor write the Airflow, or the registry, of the person who runs it.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from airflow_registry.testing import postgres
from airflow_registry.testing.closed_loop import ClosedLoop, LoopRun

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from airflow_registry.service.registry import ModelRegistry

_SAVED = pytest.StashKey[dict[str, str]]()
# Warnings of Airflow itself about its own parts: nothing that a test of a DAG could change.
_AIRFLOW_WARNINGS = (
    "ignore:Using .httpx. with .starlette.testclient. is deprecated",
    "ignore:The .airflow[.].* is deprecated",  # importing skops looks at every attribute of every loaded module
)


class RunLoop(Protocol):
    """Type of the fixture `run_loop`."""

    def __call__(
        self, dags: Path, dag_id: str, *, conf: Mapping[str, object] | None = None, logical_date: datetime | None = None
    ) -> list[LoopRun]:
        """Load a DAG file or folder, run a DAG and what its events start; its own run comes first."""


def pytest_configure(config: pytest.Config) -> None:
    """Shut the person's own Airflow out, before any test module can import Airflow."""
    for warning in _AIRFLOW_WARNINGS:
        config.addinivalue_line("filterwarnings", warning)
    config.stash[_SAVED] = {name: value for name, value in os.environ.items() if name.startswith("AIRFLOW")}
    home = Path(tempfile.mkdtemp(prefix="airflow-home-")).resolve()
    (home / "dags").mkdir()
    _replace_airflow_variables(in_process_environment(home))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Give the environment back, and remove the temporary home."""
    saved = config.stash.get(_SAVED, None)
    if saved is not None:
        shutil.rmtree(os.environ["AIRFLOW_HOME"], ignore_errors=True)
        _replace_airflow_variables(saved)


def in_process_environment(home: Path) -> dict[str, str]:
    """What Airflow needs to work inside a test process, with everything it writes below `home`."""
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__UNIT_TEST_MODE": "True",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    }


@pytest.fixture(scope="session")
def airflow_home() -> Path:
    """The temporary AIRFLOW_HOME of the test run."""
    home = Path(os.environ["AIRFLOW_HOME"])
    settings = sys.modules.get("airflow.configuration")
    if settings is not None and str(home) != settings.AIRFLOW_HOME:
        raise pytest.UsageError(
            f"Airflow was imported with AIRFLOW_HOME={settings.AIRFLOW_HOME} before this plugin could set {home}. "
            "Name airflow_registry.testing.fixtures first in pytest_plugins, or with -p."
        )
    return home


@pytest.fixture(scope="session")
def airflow_db(airflow_home: Path) -> Path:
    """The AIRFLOW_HOME with an initialised metadata database (takes some seconds, once a session)."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.utils.db import initdb

    initdb()
    DagBundlesManager().sync_bundles_to_db()  # type: ignore[no-untyped-call]
    return airflow_home


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelRegistry:
    """An empty registry, which everything in this test finds without being told."""
    from airflow_registry.service.registry import ModelRegistry

    url = f"sqlite:///{tmp_path / 'registry.db'}"
    monkeypatch.setenv("AIRFLOW_REGISTRY_DATABASE", url)
    monkeypatch.setenv("AIRFLOW_REGISTRY_ARTIFACTS", str(tmp_path / "artifacts"))
    return ModelRegistry(url, artifacts=str(tmp_path / "artifacts"), create=True)


@pytest.fixture
def closed_loop(airflow_db: Path) -> Iterator[ClosedLoop]:
    """A loop with no DAG, on an empty metadata database."""
    loop = ClosedLoop(dags_folder=airflow_db / "dags")
    yield loop
    loop.forget_everything()


@pytest.fixture
def run_loop(closed_loop: ClosedLoop) -> RunLoop:
    """Runs a DAG of a folder, and everything its asset events start."""

    def run(dags: Path, dag_id: str, *, conf: Mapping[str, object] | None = None, logical_date: datetime | None = None) -> list[LoopRun]:
        closed_loop.load(dags)
        return closed_loop.run(dag_id, conf=conf, logical_date=logical_date)

    return run


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.PostgresServer]:
    """A real PostgreSQL server; where it cannot start, the tests fail."""
    with postgres.postgres_server() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: postgres.PostgresServer) -> Iterator[str]:
    """SQLAlchemy URL of an empty database."""
    name = postgres_server.create_database()
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


def _replace_airflow_variables(new: Mapping[str, str]) -> None:
    for name in [name for name in os.environ if name.startswith("AIRFLOW")]:
        del os.environ[name]
    os.environ.update(new)
