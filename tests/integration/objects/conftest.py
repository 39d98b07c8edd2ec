"""Many small tests of one client: what is costly to make is made once."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def session(s3_server):
    """One for all: it reads what boto3 knows of S3 only once."""
    return s3_server.session()
