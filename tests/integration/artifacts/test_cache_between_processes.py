"""The cache between real processes, in front of a real S3 server whose requests are counted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from airflow_registry import ModelRegistry
from airflow_registry.errors import DigestMismatchError, StorageUnavailableError

pytestmark = pytest.mark.s3
WORKER = Path(__file__).with_name("cache_worker.py")
ANSWER = "[0.0, 1.0]"


@pytest.fixture
def environ(proxy, s3_server, s3_bucket, tmp_path, monkeypatch):
    """What a worker finds in its environment, also set for this process."""
    found = s3_server.env() | {
        "AWS_ENDPOINT_URL_S3": proxy.url,
        "AIRFLOW_REGISTRY_DATABASE": f"sqlite:///{tmp_path / 'registry.db'}",
        "AIRFLOW_REGISTRY_ARTIFACTS": f"s3://{s3_bucket}/models",
        "AIRFLOW_REGISTRY_CACHE": str(tmp_path / "cache"),
        "AIRFLOW_REGISTRY_CACHE_BYTES": "100MB",
    }
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    return {**os.environ, **found}


@pytest.fixture
def version(environ, proxy):
    from sklearn.linear_model import LogisticRegression

    registry = ModelRegistry(create=True)
    registry.register("lead", LogisticRegression().fit([[0.0], [1.0]], [0, 1]))
    proxy.requests.clear()
    return registry.get("lead:1")


def workers(environ, count=1):
    command = [sys.executable, str(WORKER), "lead:1", str(count)]
    return subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


@contextmanager
def ended(process):
    """The whole group goes with the test."""
    try:
        yield process
    finally:
        with process, suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def answers(process):
    said, complained = process.communicate(timeout=120)
    assert process.returncode == 0, complained
    return said.split("\n")[:-1], complained


def downloads(proxy):
    return len(proxy.seen("GET", r"model\.skops"))


def until(condition, timeout_s=60.0):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come so far"
        time.sleep(0.01)


def waiting(process):
    """The children of a worker that have a download's lock in their hands, or wait for it."""
    children = psutil.Process(process.pid).children()
    return [child for child in children if any(file.path.endswith(".fill") for file in child.open_files())]


def entry(environ):
    [file] = Path(environ["AIRFLOW_REGISTRY_CACHE"]).glob("user-*/entries/*/model.skops")
    return file


def test_of_six_tasks_that_start_at_once_one_downloads_the_model(version, environ, proxy):
    with workers(environ, 6) as process:
        said, complained = answers(process)
    assert (said, complained, downloads(proxy)) == ([ANSWER] * 6, "", 1)
    assert list(version.load().predict([[0.0], [1.0]])) == [0, 1]
    assert downloads(proxy) == 1


def test_who_is_killed_in_the_middle_of_a_download_holds_nobody_up(version, environ, proxy):
    proxy.order("stall", method="GET", path=r"model\.skops")
    cache = Path(environ["AIRFLOW_REGISTRY_CACHE"])
    with ended(workers(environ)) as first:
        until(lambda: [path for path in cache.glob("user-*/parts/*/*/*") if path.stat().st_size])
        with ended(workers(environ, 2)) as others:
            until(lambda: len(waiting(others)) == 2)
            os.killpg(first.pid, signal.SIGKILL)
            said, _ = answers(others)
    assert (said, downloads(proxy)) == ([ANSWER] * 2, 2)
    assert [path for place in ("parts", "gone") for path in cache.glob(f"user-*/{place}/*")] == []


def test_a_byte_that_flips_on_the_worker_is_never_a_prediction(version, environ, proxy):
    version.load()
    file = entry(environ)
    file.chmod(0o600)
    with file.open("r+b") as damaged:
        damaged.seek(file.stat().st_size // 2)
        byte = damaged.read(1)[0]
        damaged.seek(-1, os.SEEK_CUR)
        damaged.write(bytes([byte ^ 1]))
    with workers(environ, 3) as process:
        said, complained = answers(process)
    assert (said, downloads(proxy)) == ([ANSWER] * 3, 2)
    assert "was changed since it was downloaded" in complained


def test_a_byte_that_flips_in_the_bucket_is_noticed_by_who_downloads_and_by_nobody_else(version, environ, proxy, s3_server, s3_bucket):
    version.load()
    key = version.remote_path.removeprefix(f"s3://{s3_bucket}/")
    whole = s3_server.client().get_object(Bucket=s3_bucket, Key=key)["Body"].read()
    flipped = whole[:100] + bytes([whole[100] ^ 1]) + whole[101:]
    s3_server.client().put_object(Bucket=s3_bucket, Key=key, Body=flipped)
    assert list(version.load().predict([[0.0], [1.0]])) == [0, 1]
    entry(environ).unlink()
    with pytest.raises(DigestMismatchError):
        version.load()
    with pytest.raises(DigestMismatchError):
        version.load()


def test_what_the_gate_tries_is_what_lies_in_the_bucket(version, s3_server, s3_bucket):
    from datetime import timedelta

    from airflow_registry.service.smoke import smoke

    version.load()
    s3_server.client().put_object(Bucket=s3_bucket, Key=version.remote_path.removeprefix(f"s3://{s3_bucket}/"), Body=b"other")
    found = smoke(version.access.core, version, loads_within=timedelta(seconds=60), predicts_rows=0)
    assert "is not the one that was registered" in found.problem


def test_a_model_that_is_here_loads_while_the_bucket_is_away(version, environ, proxy):
    version.load()
    proxy.order("reset", times=None)
    proxy.requests.clear()
    assert list(version.load().predict([[0.0], [1.0]])) == [0, 1]
    assert proxy.requests == []
    entry(environ).unlink()
    core = version.access.core
    core.settings = replace(core.settings, storage=replace(core.settings.storage, attempts=1))
    for name in ("artifacts", "reader"):
        del core.__dict__[name]
    with pytest.raises(StorageUnavailableError):
        version.load()
