"""Many processes at once, on both databases: nothing is doubled, nothing is lost, and no error reaches whoever did nothing wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from functools import partial
from itertools import chain
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from airflow_registry import ModelRegistry

pytestmark = pytest.mark.postgres

PROCESSES = 8
RACER = Path(__file__).with_name("racer.py")
SETTINGS_OF_THE_REGISTRY = ("AIRFLOW_REGISTRY_DATABASE", "AIRFLOW_REGISTRY_ARTIFACTS")


@pytest.fixture(params=["sqlite", "postgres"])
def url(request, tmp_path):
    address = f"sqlite:///{tmp_path / 'registry.db'}" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    ModelRegistry(address, create=True)
    return address


@pytest.fixture
def registry(url, tmp_path):
    return ModelRegistry(url, artifacts=str(tmp_path / "artifacts"))


@pytest.fixture
def race(tmp_path):
    """Starts eight processes at one moment, and returns what each has to tell when all have finished without an error."""
    environment = {name: value for name, value in os.environ.items() if name not in SETTINGS_OF_THE_REGISTRY}
    environment |= {"RACE_ARTIFACTS": str(tmp_path / "artifacts"), "AIRFLOW_HOME": str(tmp_path / "home")}
    started = []

    def start(verb, url="-", rounds=1, *, watch=lambda: None):
        command = [sys.executable, "-W", "error", str(RACER), verb, url, str(rounds)]
        popen = partial(subprocess.Popen, command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        started.extend(popen() for _ in range(PROCESSES))
        assert [process.stdout.readline() for process in started] == ["ready\n"] * PROCESSES
        for process in started:
            process.stdin.write("go\n")
            process.stdin.flush()
        while any(process.poll() is None for process in started[:1]):
            watch()
        told = [process.communicate(timeout=60)[0] for process in started]
        assert [process.returncode for process in started] == [0] * PROCESSES
        results = [json.loads(line) for line in told]
        assert not any(result["airflow"] for result in results)
        return results

    yield start
    for process in started:
        process.kill()
        process.wait()


def all_of(results, name):
    return list(chain.from_iterable(result[name] for result in results))


def test_fifty_registrations_in_each_process_get_the_numbers_from_1_to_400(race, url, registry):
    results = race("register", url, rounds=50)
    assert sorted(all_of(results, "numbers")) == list(range(1, 401))
    assert [version.number for version in registry.versions("lead")] == list(range(1, 401))
    assert all(result["numbers"] == sorted(result["numbers"]) for result in results)


def test_the_same_piece_of_work_makes_one_version_whoever_does_it(race, url, registry):
    results = race("same", url, rounds=5)
    assert set(all_of(results, "numbers")) == {1}
    assert [version.number for version in registry.versions("lead")] == [1]
    assert registry.register("lead").number == 2  # no number was used up by those who came too late


def test_there_is_one_champion_at_every_moment_and_losers_are_told_why(race, url, registry):
    engine = create_engine(url, poolclass=NullPool)
    registry.promote("lead", registry.register("lead").number, reason="the first")
    seen = set()

    def watch():
        with engine.connect() as connection:
            seen.add(tuple(connection.execute(text(_CHAMPIONS)).one()))

    results = race("promote", url, rounds=4, watch=watch)
    assert {tuple(map(int, state)) for state in seen} == {(1, 1)}, "one version in PRODUCTION, and it is the one in the champion's cell"
    wins = len(all_of(results, "won"))
    assert wins == PROCESSES * 4
    assert sorted(all_of(results, "won")) == list(range(2, wins + 2))
    assert [one.revision for one in registry.history("lead") if one.revision] == list(range(1, wins + 2))
    assert len(all_of(results, "lost")) >= PROCESSES - 1, "all judged against the same champion, so one won and the others lost"
    for reason in all_of(results, "lost"):
        assert "was compared with champion v" in reason
        assert "is in PRODUCTION now. Decide again" in reason
    with engine.connect() as connection:
        told = connection.execute(text("SELECT revision FROM airflow_registry_events ORDER BY id")).scalars()
        assert list(told) == list(range(1, wins + 2))
    assert registry.models()[0].revision == wins + 1


_CHAMPIONS = """
    SELECT (SELECT count(*) FROM airflow_registry_version_stages WHERE stage = 'PRODUCTION'),
           (SELECT count(*) FROM airflow_registry_champions c JOIN airflow_registry_version_stages s ON s.version_id = c.version_id
            WHERE s.stage = 'PRODUCTION')
"""


def test_all_verbs_at_once_never_wait_in_a_circle(race, url, registry):
    registry.register("lead", metrics={"auc": 0.9})
    race("everything", url, rounds=2)
    engine = create_engine(url, poolclass=NullPool)
    with closing(engine.connect()) as connection:
        sequence = list(connection.execute(text("SELECT seq, hash, previous FROM airflow_registry_audit ORDER BY seq")))
        head = connection.execute(text("SELECT seq, hash FROM airflow_registry_audit_head")).one()
    assert [row.seq for row in sequence] == list(range(1, len(sequence) + 1))
    assert [row.previous for row in sequence[1:]] == [row.hash for row in sequence[:-1]]
    assert tuple(head) == (sequence[-1].seq, sequence[-1].hash)


def test_the_default_registry_is_made_once_by_eight_processes_that_start_together(race, tmp_path):
    results = race("create")
    assert sorted(all_of(results, "numbers")) == list(range(1, PROCESSES + 1))
    registry = ModelRegistry(f"sqlite:///{tmp_path / 'home' / 'airflow_registry.db'}")
    assert [version.number for version in registry.versions("lead")] == list(range(1, PROCESSES + 1))


def test_two_promotions_a_tenth_of_a_second_apart_are_both_seen(registry, url):
    from datetime import UTC, datetime, timedelta

    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    for number in (1, 2):
        registry.register("lead")
        registry.core.now = lambda number=number: noon + timedelta(milliseconds=100 * number)
        registry.promote("lead", number, reason="x")
    assert [(one.number, one.revision) for one in registry.history("lead") if one.revision] == [(1, 1), (2, 2)]
    held = [registry.production_at("lead", noon + timedelta(milliseconds=moment)) for moment in (99, 100, 199, 200)]
    assert [version and version.number for version in held] == [None, 1, 1, 2]
    with create_engine(url, poolclass=NullPool).connect() as connection:
        assert connection.execute(text("SELECT revision FROM airflow_registry_events ORDER BY id")).scalars().all() == [1, 2]
