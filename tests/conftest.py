"""Every test of this package runs with the fixtures that its users get, and with servers of its own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from airflow_registry.testing import gcs, s3
from airflow_registry.testing.faulty_http import faulty_proxy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_registry.testing.faulty_http import FaultyProxy

pytest_plugins = ["airflow_registry.testing.fixtures"]

os.environ["AIRFLOW_REGISTRY_CACHE_BYTES"] = "0"  # tests change what lies in buckets and look what loading says; the cache has its own


@pytest.fixture(scope="session")
def s3_server() -> Iterator[s3.S3Server]:
    """A real S3 server; where it cannot start, the tests fail."""
    with s3.s3_server() as server:
        yield server


@pytest.fixture
def s3_bucket(s3_server: s3.S3Server) -> str:
    """The name of an empty bucket on it."""
    return s3_server.make_bucket()


@pytest.fixture
def proxy(s3_server: s3.S3Server) -> Iterator[FaultyProxy]:
    """What stands between a client and that server, counts the requests, and may disturb them."""
    with faulty_proxy(s3_server.endpoint_url) as running:
        yield running


@pytest.fixture(scope="session")
def gcs_server() -> Iterator[gcs.GcsServer]:
    """An emulator of Google Cloud Storage; where it cannot start, the tests fail."""
    with gcs.gcs_server() as server:
        yield server


@pytest.fixture
def gcs_bucket(gcs_server: gcs.GcsServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of an empty bucket on it, with what Google's library needs in the environment; faults end with the test."""
    for name, value in gcs_server.env().items():
        monkeypatch.setenv(name, value)
    gcs_server.requests.clear()
    yield gcs_server.make_bucket()
    gcs_server.faults.clear()
