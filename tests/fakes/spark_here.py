"""What Spark does with a task, in this process: through pickle, as it would, and through Arrow batches."""

from __future__ import annotations

import pickle

import pyarrow as pa

from airflow_registry.scoring.spark_task import Done, run_task


def here(task, units=None):
    """Run the units, by default all of them in their order."""
    task = pickle.loads(pickle.dumps(task))
    found = []
    for number in range(len(task.units)) if units is None else units:
        (answer,) = run_task(task, [pa.RecordBatch.from_pydict({"id": pa.array([number], pa.int64())})])
        assert answer.schema.names == ["unit", "result"]
        found.append(Done.from_text(answer["result"][0].as_py()))
    return found
