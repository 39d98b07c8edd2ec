"""Sixteen promoters at once: one champion always, the audit verifies, and every decision names the champion it really replaced."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from itertools import chain, pairwise
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from airflow_registry import ModelRegistry

pytestmark = pytest.mark.postgres

PROCESSES, THREADS = 4, 4
PROMOTERS = Path(__file__).with_name("promoters.py")
CHAMPIONS = """
    SELECT (SELECT count(*) FROM airflow_registry_version_stages WHERE stage = 'PRODUCTION'),
           (SELECT count(*) FROM airflow_registry_champions c JOIN airflow_registry_version_stages s ON s.version_id = c.version_id
            WHERE s.stage = 'PRODUCTION')
"""


@pytest.fixture(params=["sqlite", "postgres"])
def url(request, tmp_path):
    address = f"sqlite:///{tmp_path / 'registry.db'}" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    ModelRegistry(address, create=True)
    return address


def raced(url, rounds, artifacts):
    """Run the promoters, watching who is champion meanwhile; what they counted, and all numbers of champions that were seen."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_REGISTRY")}
    command = [sys.executable, "-W", "error", str(PROMOTERS), url, str(rounds), str(THREADS)]
    engine, seen, started = create_engine(url, poolclass=NullPool), set(), []
    try:
        for _ in range(PROCESSES):
            options = {
                "stdin": subprocess.PIPE,
                "stdout": subprocess.PIPE,
                "text": True,
                "env": environment | {"RACE_ARTIFACTS": artifacts},
            }
            started.append(subprocess.Popen(command, **options))
        assert [process.stdout.readline() for process in started] == ["ready\n"] * PROCESSES
        for process in started:
            process.stdin.write("go\n")
            process.stdin.flush()
        with engine.connect() as connection:
            while any(process.poll() is None for process in started):
                seen.add(tuple(map(int, connection.execute(text(CHAMPIONS)).one())))
                connection.rollback()  # the next look is a new moment
        told = [process.communicate()[0] for process in started]
        assert [process.returncode for process in started] == [0] * PROCESSES
    finally:
        for process in started:
            process.kill()
            process.wait()
    counts = sum((Counter(one) for one in chain.from_iterable(map(json.loads, told))), Counter())
    return counts, seen


def check(url, tmp_path, rounds):
    artifacts = str(tmp_path / "artifacts")
    registry = ModelRegistry(url, artifacts=artifacts)
    registry.promote("lead", registry.register("lead").number, reason="the first")
    counts, seen = raced(url, rounds, artifacts)
    assert counts.total() == PROCESSES * THREADS * rounds
    assert counts["won"] >= rounds, "someone wins each round"
    assert counts["lost"], "and it was a race"
    assert seen == {(1, 1)}, "one version in PRODUCTION at every moment, and it is the one in the champion's cell"
    changes = [one for one in registry.history("lead") if one.revision]
    assert [one.revision for one in changes] == list(range(1, counts["won"] + counts["rolled_back"] + 2))
    decisions = {one.uid: one for one in registry.decisions("lead")}
    for before, change in pairwise(changes):
        assert change.replaced == before.number
        if change.decision:
            decision = decisions[change.decision]
            assert (decision.champion, decision.revision, decision.number) == (before.number, before.revision, change.number)
    report = registry.verify_audit()
    assert report.ok, report.faults
    assert report.witnesses == len(changes), "every change of the champion has left an anchor, whoever came between"
    versions = registry.versions("lead")
    measured = [one for one in versions if one.metrics]
    assert report.rows == sum(map(len, (versions, measured, decisions, changes)))


def test_sixteen_promoters_leave_one_champion_and_an_audit_that_verifies(url, tmp_path):
    check(url, tmp_path, rounds=8)


@pytest.mark.soak
def test_sixteen_promoters_leave_one_champion_and_an_audit_that_verifies_after_200_rounds(url, tmp_path):
    check(url, tmp_path, rounds=200)
