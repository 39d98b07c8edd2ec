"""Every test of this package runs with the fixtures that its users get, and with servers of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_registry.testing import s3

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest_plugins = ["airflow_registry.testing.fixtures"]


@pytest.fixture(scope="session")
def s3_server() -> Iterator[s3.S3Server]:
    """A real S3 server; where it cannot start, the tests fail."""
    with s3.s3_server() as server:
        yield server


@pytest.fixture
def s3_bucket(s3_server: s3.S3Server) -> str:
    """The name of an empty bucket on it."""
    return s3_server.make_bucket()
