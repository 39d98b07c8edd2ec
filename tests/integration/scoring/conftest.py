"""Buckets of real servers, and tables to put in them."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_registry.domain.model import Column, Signature
from airflow_registry.objects.dispatch import open_bucket
from airflow_registry.objects.options import StorageOptions
from airflow_registry.scoring.writer import Provenance

if TYPE_CHECKING:
    from airflow_registry.objects.base import ObjectClient


@dataclass(frozen=True)
class Bucket:
    """An empty bucket."""

    client: ObjectClient
    storage: StorageOptions

    @property
    def root(self):
        return self.client.root

    def put(self, key, data):
        return self.client.write(key, data)

    def put_table(self, key, table, **options):
        stream = BytesIO()
        pq.write_table(table, stream, **options)
        return self.put(key, stream.getvalue())

    def table(self, key):
        return pq.read_table(BytesIO(self.client.read(key)))

    def keys(self, prefix=""):
        return sorted(found.key for found in self.client.list(prefix))

    def versions(self, prefix=""):
        return {found.key: found.version for found in self.client.list(prefix)}


@pytest.fixture(scope="session")
def s3_session(s3_server):
    return s3_server.session()


@pytest.fixture(params=[pytest.param("s3", marks=pytest.mark.s3), pytest.param("gs", marks=pytest.mark.gcs)])
def bucket(request):
    if request.param == "s3":
        server, session = request.getfixturevalue("s3_server"), request.getfixturevalue("s3_session")
        storage = StorageOptions(endpoint_url=server.endpoint_url, s3_session=lambda: session, first_delay_s=0.01)
        name = request.getfixturevalue("s3_bucket")
    else:
        storage, name = StorageOptions(first_delay_s=0.01), request.getfixturevalue("gcs_bucket")
    return Bucket(open_bucket(f"{request.param}://{name}/", storage)[0], storage)


@pytest.fixture
def provenance():
    return Provenance(model="leads", version=7, partition="ds=1", dag_id="score", run_id="run_1")


def rows(count, start=0):
    ids = np.arange(start, start + count)
    return pa.table({"y": ids * 0.5, "id": ids, "x": np.sin(ids), "carrier": [("UA", "AA", None)[number % 3] for number in ids]})


@pytest.fixture
def make_rows():
    return rows


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def data(request, tmp_path):
    """An empty database of data."""
    from tests.integration.scoring.databases import Data

    if request.param == "postgres":
        return Data(request.getfixturevalue("postgres_url"))
    path = tmp_path / "lake.db"
    path.touch()
    return Data(f"sqlite:///{path}")


@pytest.fixture
def signature():
    return Signature(inputs=(Column(name="x", type="double"), Column(name="y", type="double")), output="double")
