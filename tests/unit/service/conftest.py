"""Connections of the caller, for the tests of the original interface."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from tests.unit.service.originals import ARTICLE, ROWS


@pytest.fixture
def own_folder(tmp_path, monkeypatch):
    """Nothing but the connection is given, as in the walk-through; the default artifact folder is the test's."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(params=["file", "memory", "file with the article's table"])
def conn(request, own_folder):
    with closing(sqlite3.connect(":memory:" if request.param == "memory" else "registry.db")) as connection:
        if "article" in request.param:
            connection.execute(ARTICLE)
            connection.execute(
                "INSERT INTO model_registry (name, version, metrics, remote_path, stage) VALUES ('old', '1', '{}', '', 'DEVELOPMENT')"
            )
            connection.commit()
        yield connection


@pytest.fixture
def memory():
    with closing(sqlite3.connect(":memory:")) as connection:
        yield connection


@pytest.fixture
def article(own_folder):
    """A `registry.db` that the article's code has filled."""
    with closing(sqlite3.connect("registry.db")) as connection:
        connection.execute(ARTICLE)
        connection.executemany("INSERT INTO model_registry VALUES (?, ?, ?, ?, ?, ?, ?)", ROWS)
        connection.commit()
        yield connection
