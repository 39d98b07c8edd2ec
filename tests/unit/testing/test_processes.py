"""Processes that tests start are gone when `end` has returned, whoever killed them."""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest

from airflow_registry.testing.processes import ProcessFamily

MANY_THREADS = """
import pathlib, threading, time
for _ in range(200):
    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
memory = bytearray(100_000_000)
pathlib.Path("up").touch()
time.sleep(600)
"""


@pytest.fixture
def family(tmp_path):
    """A process with many threads and much memory: the kernel takes some time to end it."""
    started = ProcessFamily.start(
        [sys.executable, "-c", MANY_THREADS], env=os.environ | {"AIRFLOW_HOME": str(tmp_path)}, home=tmp_path, log=tmp_path / "log"
    )
    while not (tmp_path / "up").exists():
        assert started.leader.poll() is None, (tmp_path / "log").read_text()
        time.sleep(0.02)
    return started


def test_a_process_that_was_killed_already_is_waited_for(family):
    family.send(signal.SIGKILL)
    assert family.end(signal.SIGKILL) == []
    assert family.leader.returncode == -signal.SIGKILL


def test_the_first_signal_that_ends_it_is_enough(family):
    assert family.end(signal.SIGTERM, signal.SIGKILL) == []
    assert family.leader.returncode is not None
