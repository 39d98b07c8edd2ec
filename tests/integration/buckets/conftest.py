"""Operators whose data is in a bucket; how they are called is as in their unit tests."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_registry.objects.dispatch import open_bucket
from airflow_registry.objects.options import StorageOptions
from tests.unit.operators.conftest import _default_connection, champion, context, fitted, frame, register, rung

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["_default_connection", "champion", "context", "fitted", "frame", "register", "rung"]


BOTH = pytest.mark.parametrize("lake", [pytest.param("s3", marks=pytest.mark.s3), pytest.param("gs", marks=pytest.mark.gcs)], indirect=True)
"""Where stores may differ; elsewhere S3 stands for both, because each client keeps the same contract."""


class Lake:
    """A bucket that the environment leads to."""

    def __init__(self, root: str, storage: StorageOptions | None = None) -> None:
        self.root = root
        self.client, _ = open_bucket(root, storage)

    def put(self, key: str, rows: pd.DataFrame) -> None:
        stream = BytesIO()
        pq.write_table(pa.Table.from_pandas(rows, preserve_index=False), stream)
        self.client.write(key, stream.getvalue())

    def frame(self, uri: str) -> Any:
        return pq.read_table(BytesIO(self.client.read(uri.removeprefix(f"{self.root}/")))).to_pandas()

    def versions(self, prefix: str = "") -> dict[str, str]:
        return {found.key: found.version for found in self.client.list(prefix)}


@pytest.fixture(scope="session")
def s3_session(s3_server):
    """Made once: it reads what boto3 knows of S3."""
    return s3_server.session()


def s3_lake(request, monkeypatch):
    server, session = request.getfixturevalue("s3_server"), request.getfixturevalue("s3_session")
    for name, value in server.env().items():
        monkeypatch.setenv(name, value)
    storage = StorageOptions(endpoint_url=server.endpoint_url, s3_session=lambda: session)
    return Lake(f"s3://{request.getfixturevalue('s3_bucket')}", storage)


@pytest.fixture
def lake(request, monkeypatch, frame):
    """Three partitions of ten rows, Hive style, in an empty bucket of S3, or as `BOTH` says."""
    is_s3 = getattr(request, "param", "s3") == "s3"
    lake = s3_lake(request, monkeypatch) if is_s3 else Lake(f"gs://{request.getfixturevalue('gcs_bucket')}")
    for day in (1, 2, 3):
        lake.put(f"leads/ds=2026-01-0{day}/part.parquet", frame.drop(columns="late").iloc[day * 10 : day * 10 + 10])
    return lake
