"""A loop of all steps is killed at random moments; after each death one function checks what is guaranteed."""

from __future__ import annotations

import hashlib
import random
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from airflow_registry import ModelRegistry
from airflow_registry.domain.audit import GENESIS
from airflow_registry.scoring.writer import read_manifest, read_provenance

pytestmark = [pytest.mark.soak, pytest.mark.postgres]

WORKER = Path(__file__).with_name("worker.py")
DEATHS = 50
SEED = 20_261_123


@pytest.fixture(params=["sqlite", "postgres"])
def url(request, tmp_path):
    address = f"sqlite:///{tmp_path / 'registry.db'}" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    ModelRegistry(address, create=True)
    return address


def live_until(seconds, url, folder):
    """Start the loop, let it do one round, then kill it so many seconds later; how many rounds it said it did."""
    command = [sys.executable, str(WORKER), url, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "round\n", "the loop that follows a death must run by itself"
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        rounds = 1 + len(process.stdout.readlines())
    assert process.returncode == -signal.SIGKILL
    return rounds


def check_guarantees(registry, engine, folder):
    """One champion, whole versions, whole outputs, an unbroken chain; whatever moment it was."""
    versions = registry.versions("lead")
    assert [version.number for version in versions] == list(range(1, len(versions) + 1))
    assert [version.stage for version in versions].count("PRODUCTION") == 1
    for version in versions[-5:]:
        version.load()
    revisions = [one.revision for one in registry.history("lead") if one.revision]
    assert revisions == list(range(1, len(revisions) + 1))
    assert registry.production("lead").number == [one.number for one in registry.history("lead") if one.revision][-1]
    for entry in [one for one in registry.predictions("lead") if one.is_live]:
        check_output(registry, entry, Path(entry.output))
    check_chain(engine)


def check_output(registry, entry, output):
    """A reader sees the live writer's bytes, or whole bytes of a later intent that recall knows."""
    file = output / "predictions.parquet"
    assert pq.read_table(file).num_rows == 20_000
    if hashlib.sha256(file.read_bytes()).hexdigest() == entry.digest.removeprefix("sha256:"):
        return
    written_by = int(read_provenance(file)["version"])
    assert output.as_posix() in {one.output for one in registry.recall("lead", written_by).entries}
    assert read_manifest(output)["generation"] >= entry.generation


def check_chain(engine):
    """Every entry follows the one before, and the head is the last."""
    with engine.connect() as connection:
        chain = list(connection.execute(text("SELECT seq, previous, hash FROM airflow_registry_audit ORDER BY seq")))
        head = connection.execute(text("SELECT seq, hash FROM airflow_registry_audit_head")).one()
    assert [row.seq for row in chain] == list(range(1, len(chain) + 1))
    assert [row.previous for row in chain] == [GENESIS, *(row.hash for row in chain[:-1])]
    assert tuple(head) == (chain[-1].seq, chain[-1].hash)


def test_fifty_deaths_break_no_guarantee(url, tmp_path):
    moments, engine, rounds = random.Random(SEED), create_engine(url, poolclass=NullPool), 0
    registry = ModelRegistry(url, artifacts=str(tmp_path / "artifacts"))
    for death in range(DEATHS):
        rounds += live_until(moments.uniform(0, 0.6), url, tmp_path)
        check_guarantees(registry, engine, tmp_path)
        print(f"death {death + 1}: {rounds} rounds, {len(registry.versions('lead'))} versions")
    half = [one for one in registry.predictions("lead") if one.committed_at is None]
    print(f"{len(half)} of {len(registry.predictions('lead'))} intents were never committed")
