"""The contract of object stores on a real S3 server, and what is S3's own."""

from __future__ import annotations

import pytest

from airflow_registry.objects.dispatch import open_bucket
from airflow_registry.objects.options import StorageOptions
from tests.contracts.object_client import ObjectClientContract

pytestmark = pytest.mark.s3


@pytest.fixture(scope="module")
def session(s3_server):
    """One for all: it reads what boto3 knows of S3 only once."""
    return s3_server.session()


class TestS3Client(ObjectClientContract):
    __test__ = True
    lists_in_order_of_keys = False  # SeaweedFS lists b/1 before b-c; AWS does not

    @pytest.fixture
    def options(self, s3_server, session):
        return StorageOptions(endpoint_url=s3_server.endpoint_url, s3_session=lambda: session, first_delay_s=0.01)

    @pytest.fixture
    def client(self, s3_bucket, options):
        return open_bucket(f"s3://{s3_bucket}/", options)[0]

    @pytest.fixture
    def nowhere(self, options):
        return open_bucket("s3://no-such-bucket/", options)[0]
