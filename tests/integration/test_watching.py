"""Online consumers in processes of their own: promotions arrive, and what is away takes nothing away from them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_registry import ModelRegistry, config, watch_pointer
from airflow_registry.errors import StorageUnavailableError
from airflow_registry.testing.postgres import postgres_server

SERVICE = Path(__file__).with_name("online_service.py")
PATIENCE_S = 120.0


class Heard:
    """The lines of a process, as they come."""

    def __init__(self, process):
        self.lines, self.news = [], threading.Condition()
        threading.Thread(target=self._listen, args=(process,), daemon=True).start()

    def _listen(self, process):
        for line in process.stdout:
            with self.news:
                self.lines.append(json.loads(line))
                self.news.notify_all()

    def wait_for(self, *wanted):
        """Until the last line of each of these who speak is the wanted one."""
        with self.news:
            assert self.news.wait_for(lambda: self.last() == {line[0]: list(line) for line in wanted}, PATIENCE_S), self.lines

    def last(self):
        return {line[0]: line for line in self.lines}


@contextmanager
def service(environ, model, workers=0):
    command = [sys.executable, str(SERVICE), model, str(workers)]
    process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True)
    try:
        yield Heard(process)
    finally:
        with process, suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture
def environ(proxy, s3_server, s3_bucket, tmp_path, monkeypatch):
    found = s3_server.env() | {
        "AWS_ENDPOINT_URL_S3": proxy.url,
        "AIRFLOW_REGISTRY_ARTIFACTS": f"s3://{s3_bucket}/models",
        "AIRFLOW_REGISTRY_CACHE": str(tmp_path / "cache"),
        "AIRFLOW_REGISTRY_CACHE_BYTES": "100MB",
    }
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    return {**os.environ, **found}


def fill(registry):
    """Two versions: for 0 the first says 0 and the second 1. The first is champion."""
    from sklearn.linear_model import LogisticRegression

    for number, labels in ((1, [0, 1]), (2, [1, 0])):
        registry.register("lead", LogisticRegression(C=1e6).fit([[0.0], [1.0]], labels), idempotency_key=str(number))
    registry.promote("lead", 1, reason="first")


@pytest.mark.s3
@pytest.mark.postgres
def test_forked_workers_follow_the_champion_and_serve_on_when_database_and_bucket_die(environ, proxy):
    everybody = ("first", "worker 0", "worker 1")
    with ExitStack() as database:
        url = (server := database.enter_context(postgres_server())).url(server.create_database())
        registry = ModelRegistry(url, create=True)
        fill(registry)
        with service({**environ, "AIRFLOW_REGISTRY_DATABASE": url}, "lead", workers=2) as heard:
            heard.wait_for(*((who, "lead:1", 1, 0, "NoneType") for who in everybody))
            registry.promote("lead", 2, reason="better")
            heard.wait_for(*((who, "lead:2", 2, 1, "NoneType") for who in everybody))
            proxy.order("reset", times=None)  # the bucket is away, and the earlier model is on this machine
            rollback(url)
            heard.wait_for(*((who, "lead:1", 3, 0, "NoneType") for who in everybody))
            database.close()
            heard.wait_for(*((who, "lead:1", 3, 0, "StorageUnavailableError") for who in everybody))


def rollback(url):
    """By a process that reaches the database and not the bucket; it does not wait for that."""
    settings = config.resolve(database_url=url)
    hasty = ModelRegistry.from_settings(replace(settings, storage=replace(settings.storage, attempts=1)))
    hasty.rollback("lead", reason="worse")
    with pytest.raises(StorageUnavailableError):
        hasty.core.artifacts.read_pointer("lead")


@pytest.mark.s3
def test_a_pointer_in_a_bucket_is_followed_by_its_etag_alone(environ, proxy, s3_bucket, tmp_path):
    registry = ModelRegistry(f"sqlite:///{tmp_path / 'registry.db'}", create=True)
    fill(registry)
    pointer = f"s3://{s3_bucket}/models/production/lead.json"
    with watch_pointer(pointer, poll_s=3600) as watch:
        proxy.requests.clear()
        assert all(watch.refresh() for _ in range(5))
        assert [(seen.method, seen.path.partition("?")[0]) for seen in proxy.requests] == [
            ("HEAD", f"/{s3_bucket}/models/production/lead.json")
        ] * 5
        registry.promote("lead", 2, reason="better")
        assert watch.refresh()
        assert (watch.version.ref, watch.revision, list(watch.predict([[0.0]]))) == ("lead:2", 2, [1])
        proxy.order("reset", times=None)
        assert not watch.refresh()
        assert isinstance(watch.error, StorageUnavailableError)
        assert list(watch.predict([[0.0]])) == [1]
        proxy.be_good()
        registry.rollback("lead", reason="worse")
        assert watch.refresh()
        assert (watch.version.ref, watch.revision, list(watch.predict([[0.0]]))) == ("lead:1", 3, [0])
