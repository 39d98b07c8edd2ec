"""A recall of partitions in a bucket, and whose a file there is."""

from __future__ import annotations

from io import BytesIO

import pyarrow.parquet as pq
import pytest

from airflow_registry.errors import NotFoundError
from airflow_registry.operators import BatchInferenceOperator, RecallOperator, RescoreRecalledOperator
from tests.integration.buckets.conftest import BOTH

pytestmark = pytest.mark.s3

DAY = "ds=2026-01-01"


@BOTH
def test_what_a_bad_version_wrote_into_a_bucket_is_scored_again_there(registry, register, champion, context, lake):
    register()
    registry.promote("lead", 2, reason="better")
    given = {"model": "lead", "input": f"{lake.root}/leads", "output": f"{lake.root}/out", "partition": DAY}
    bad = BatchInferenceOperator(**given).execute(context("score"))
    order = {"model": "lead", "version": 2, "reason": "far too sure", "and_rollback": True}
    [chunk] = RecallOperator(**order).execute(context("recall"))
    report = RescoreRecalledOperator(chunk=chunk).execute(context("rescore"))
    assert report == {"rescored": [f"{lake.root}/out/{DAY}"], "left": [], "faults": {}}
    [recall] = registry.recalls()
    entry = registry.wrote(f"{lake.root}/out", DAY)
    assert (recall.is_closed, entry.number, entry.rows, entry.input_digest_kind) == (True, 1, bad["rows"], "versions")

    content = lake.client.read(f"out/{DAY}/predictions.parquet")
    lake.client.write("mailed/copy.parquet", content)
    stream = BytesIO()
    pq.write_table(pq.read_table(BytesIO(content)), stream, compression="gzip")
    lake.client.write("mailed/again.parquet", stream.getvalue())
    lake.client.write("mailed/other.parquet", b"no parquet")
    assert registry.whois(f"{lake.root}/out/{DAY}").found_by == "path"
    for name in ("copy", "again"):
        found = registry.whois(f"{lake.root}/mailed/{name}.parquet")
        assert (found.uid, found.found_by) == (entry.uid, "metadata")
    with pytest.raises(NotFoundError, match="does not know who wrote"):
        registry.whois(f"{lake.root}/mailed/other.parquet")
