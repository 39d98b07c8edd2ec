"""Scores by Spark Connect, and prints from where the executors import this package: connecting.py URL MODEL INPUT OUTPUT."""

from __future__ import annotations

import json
import sys

from airflow_registry.scoring.output import Provenance
from airflow_registry.scoring.pinned import PinnedModel
from airflow_registry.scoring.source import open_source
from airflow_registry.scoring.spark import score_on_spark
from airflow_registry.scoring.spark_session import spark_session


def where(batches):
    import pyarrow as pa

    import airflow_registry

    for _ in batches:
        yield pa.RecordBatch.from_pydict({"file": [airflow_registry.__file__]})


url, model, leads, out = sys.argv[1:]
with spark_session(url) as session:
    pinned, origin = PinnedModel.from_json(json.loads(model)), Provenance(model="leads", version=7, run_id="run_1")
    score_on_spark(session, pinned, open_source(leads), out, provenance=origin, generation=1, unit_rows=10_000)
    print(session.range(0, 1, 1, 1).mapInArrow(where, "file string").collect()[0]["file"])
