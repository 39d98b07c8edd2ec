"""A registry in which everything has happened, made once, and the command line that reports on it."""

from __future__ import annotations

import json

import pytest

from airflow_registry import ModelRegistry
from airflow_registry.cli import main
from airflow_registry.cli.report.command import written
from tests.contracts import reported
from tests.contracts.registry_base import Clock
from tests.unit.cli.report.pages import Page, of_markdown


@pytest.fixture(scope="session")
def story(tmp_path_factory):
    """A folder with the registry; these tests only read it."""
    folder = tmp_path_factory.mktemp("story")
    registry = ModelRegistry(f"sqlite:///{folder}/registry.db", artifacts=str(folder / "artifacts"), create=True)
    registry.core.now = Clock()
    reported.tell(registry, str(folder), registry.core.now)
    return folder


@pytest.fixture(scope="session")
def report(story):
    """The report on the champion, at noon."""
    registry = ModelRegistry(f"sqlite:///{story}/registry.db", artifacts=str(story / "artifacts"))
    registry.core.now = Clock()
    return registry.report("late:2")


@pytest.fixture(scope="session")
def facts(report):
    return json.loads(written(report, "json"))


@pytest.fixture(scope="session")
def pages(report):
    """Both pages, each as text and as it is read."""
    markdown, html = written(report, "md"), written(report, "html")
    return {"md": (markdown, of_markdown(markdown)), "html": (html, Page.of(html))}


@pytest.fixture
def command(story, monkeypatch, capsys):
    """Runs `report`; returns exit code, output and errors."""
    monkeypatch.setenv("AIRFLOW_REGISTRY_DATABASE", f"sqlite:///{story}/registry.db")
    monkeypatch.setenv("AIRFLOW_REGISTRY_ARTIFACTS", str(story / "artifacts"))

    def run(*arguments):
        code = main(["report", *map(str, arguments)])
        return (code, *capsys.readouterr())

    return run
