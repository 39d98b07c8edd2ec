"""Scores where Spark starts a second attempt of a slow task: speculating.py MODEL INPUT OUTPUT. Prints how many attempts wrote.

The slow attempt is the one whose result does not count; it has written its part by then.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

from airflow_registry.scoring.output import Provenance
from airflow_registry.scoring.pinned import PinnedModel
from airflow_registry.scoring.source import open_source
from airflow_registry.scoring.spark import score_parts
from airflow_registry.scoring.spark_session import spark_session
from airflow_registry.scoring.spark_task import RESULT, Done, run_task

SLOW_S = 60
CONF = {
    "spark.speculation": "true",
    "spark.speculation.interval": "200ms",
    "spark.speculation.multiplier": "1.1",
    "spark.speculation.quantile": "0.5",
    "spark.speculation.minTaskRuntime": "1s",
    "spark.speculation.efficiency.enabled": "false",  # it compares records read, and a number is all that Spark reads here
    "spark.executor.memory": "512m",
}


def spread(session, task):
    def run(batches):
        from pyspark import TaskContext

        context = TaskContext.get()
        attempt = context.attemptNumber()
        mine = replace(task, provenance=replace(task.provenance, task_id=f"attempt {attempt}"))
        for answer in run_task(mine, batches):
            if context.partitionId() == 0 and attempt == 0:
                time.sleep(SLOW_S)
            yield answer

    count = len(task.units)
    return [Done.from_text(row["result"]) for row in session.range(0, count, 1, count).mapInArrow(run, RESULT).collect()]


model, leads, out = sys.argv[1:]
os.environ["PYSPARK_PYTHON"] = sys.executable  # executors are processes of their own
with spark_session("local-cluster[2,1,1024]", CONF) as session:
    pinned, origin = PinnedModel.from_json(json.loads(model)), Provenance(model="leads", version=7, run_id="run_1")
    options = {"keys": None, "proba": True, "max_quarantine_share": 0.01, "storage": None, "unit_rows": 10_000}
    score_parts(partial(spread, session), pinned, open_source(leads), out, provenance=origin, generation=1, **options)
    print(len(list(Path(out, ".parts").glob("part-*"))))
