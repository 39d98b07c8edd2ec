"""A loop of all steps, to be killed at any moment: `python worker.py URL FOLDER`.

Each round registers a version, judges and promotes it, and scores one of three partitions with the champion. It says `round` when it
has done one, so that the killer knows that it lives.
"""

from __future__ import annotations

import os
import sys
import uuid
from itertools import count
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.linear_model import LogisticRegression

from airflow_registry import ModelRegistry
from airflow_registry.domain.ledger import Written
from airflow_registry.domain.names import RunKey
from airflow_registry.scoring.engine import score_partition
from airflow_registry.scoring.source import open_source
from airflow_registry.scoring.writer import Provenance

POLICY = {"schema": 1, "rules": [{"metric": "auc", "at_least": 0.5}]}
PARTITIONS = 3
ROWS = 20_000


def fitted(step: int) -> LogisticRegression:
    """Other bytes each time, so that nothing is stored twice."""
    return LogisticRegression(C=1 + step).fit([[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1])


def inputs(folder: Path) -> None:
    """The partitions, made once and put in place whole."""
    for number in range(PARTITIONS):
        path = folder / f"day={number}.parquet"
        if not path.exists():
            part = path.with_name(f"{path.name}.{os.getpid()}")
            pq.write_table(pa.table({"x": [float(row % 4) for row in range(ROWS)]}), part)
            part.replace(path)


def score(registry: ModelRegistry, folder: Path, number: int, run: RunKey) -> None:
    """One partition, as the operator does it."""
    champion = registry.pin("lead", run)
    source = open_source(folder / f"day={number}.parquet")
    target = str(folder / "scores" / f"day={number}")
    wanted = {"partition": f"day={number}", "model": "lead", "version": champion.number, "run": run, "input_digest": str(source.digest())}
    intent = registry.open_output(target, **wanted)
    if intent.already_live:
        return
    provenance = Provenance(model="lead", version=champion.number, run_id=run.run_id)
    done = score_partition(
        champion.load(), champion.signature, source, target, provenance=provenance, generation=intent.generation, batch_rows=1_000
    )
    registry.commit_output(intent, Written(uri=done.uri, digest=str(done.digest), rows=done.rows))


def main(url: str, folder: Path) -> None:
    """Until somebody kills it."""
    registry = ModelRegistry(url, artifacts=str(folder / "artifacts"))
    inputs(folder)
    for step in count():
        run = RunKey(dag_id="loop", run_id=f"{uuid.uuid4()}", task_id="all")
        version = registry.register("lead", fitted(step), metrics={"auc": 0.9}, run=run)
        decision = registry.decide("lead", version.number, policy=POLICY, run=run)
        registry.promote("lead", version.number, decision=decision, run=run)
        score(registry, folder, step % PARTITIONS, run)
        sys.stdout.write("round\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
