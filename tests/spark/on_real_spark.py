"""Spark itself, in its own environment: `make spark`. What needs no Spark is tested in `tests/unit/scoring/test_spark_parts.py`.

Not called `test_….py`, so that an environment without PySpark does not collect it.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyspark
import pytest
from sklearn.linear_model import LogisticRegression

from airflow_registry.domain.model import Column, Signature
from airflow_registry.domain.trust import Trust
from airflow_registry.errors import SignatureMismatchError
from airflow_registry.modeling import formats
from airflow_registry.scoring import spark_job
from airflow_registry.scoring.engine import score_partition
from airflow_registry.scoring.files import file_digest
from airflow_registry.scoring.output import Provenance
from airflow_registry.scoring.parts import output_files
from airflow_registry.scoring.pinned import PinnedModel
from airflow_registry.scoring.source import open_source
from airflow_registry.scoring.spark import score_on_spark, score_parts
from airflow_registry.scoring.spark_session import spark_session
from airflow_registry.scoring.spark_task import RESULT, Done, run_task
from airflow_registry.scoring.writer import holds_output, read_manifest

# Only mapInArrow is used, which has no frames in it.
pytestmark = pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning")

ROWS = 60_000
FEATURES = [f"f{number}" for number in range(8)]
SIGNATURE = Signature(inputs=tuple(Column(name=name, type="double", nullable=False) for name in FEATURES), output="bool")
ORIGIN = Provenance(model="leads", version=7, partition="ds=1", dag_id="score", run_id="run_1")
SERVER = "org.apache.spark.sql.connect.service.SparkConnectServer"
STARTED_WITHIN_S = 120


@pytest.fixture(scope="session")
def spark():
    """Two cores; a task may fail twice."""
    with spark_session("local[2,3]") as session:
        yield session


@pytest.fixture(scope="session")
def pinned(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    rows = np.random.default_rng(7).normal(size=(500, len(FEATURES)))
    frame = pa.table(dict(zip(FEATURES, rows.T, strict=True))).to_pandas()
    made = formats.serialize(LogisticRegression().fit(frame, rows.sum(axis=1) > 0), str(folder))
    facts = {"remote_path": made.path, "format": made.format, "digest": file_digest(made.path)}
    return PinnedModel(model="leads", version=7, signature=SIGNATURE, trust=Trust(), **facts)


@pytest.fixture(scope="session")
def leads(tmp_path_factory):
    """Three files of row groups of another size than any batch; five rows that do not fit."""
    folder = tmp_path_factory.mktemp("leads")
    draws = np.random.default_rng(3)
    for file in range(3):
        columns = {name: draws.normal(size=ROWS // 3) for name in FEATURES}
        columns["f0"][[0, 19_999] if file else [7]] = np.nan
        ids = np.arange(ROWS // 3) + file * ROWS // 3
        pq.write_table(pa.table({"id": ids, **columns}), folder / f"{file}.parquet", row_group_size=3_000)
    return folder


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def embedded(pinned, leads, tmp_path):
    return score_partition(pinned.load(), SIGNATURE, open_source(leads), tmp_path / "embedded", provenance=ORIGIN, generation=1)


def read(folder, kind="part"):
    return pa.concat_tables([pq.read_table(file) for file in output_files(folder, kind)]).replace_schema_metadata(None)


def names(folder):
    return sorted(path.name for path in (folder / ".parts").iterdir())


def check_predictions(out, embedded):
    """The same rows in the same order, the same predictions, and probabilities that differ by rounding at most: batches end elsewhere."""
    found, expected = read(out), pq.read_table(embedded.uri).replace_schema_metadata(None)
    assert found.schema == expected.schema
    assert found.select(["id", "prediction"]) == expected.select(["id", "prediction"])
    for name in found.schema.names[2:]:
        np.testing.assert_allclose(found[name].to_numpy(), expected[name].to_numpy(), rtol=0, atol=1e-14)


def check_same(scored, embedded, out):
    check_predictions(out, embedded)
    assert read(out, "quarantine") == pq.read_table(embedded.quarantine_uri).replace_schema_metadata(None)
    assert (scored.rows, scored.quarantined) == (embedded.rows, embedded.quarantined) == (ROWS - 5, 5)
    assert scored.reasons == embedded.reasons
    assert holds_output(out)


def failing(fail, first_only=True):
    """`run_task` in which tasks call `fail` after they have written their parts, which differ from those of the other attempts."""

    def spread(session, task):
        def run(batches):
            from pyspark import TaskContext

            context = TaskContext.get()
            attempt = context.attemptNumber()
            mine = replace(task, provenance=replace(task.provenance, task_id=f"attempt {attempt}"))
            for answer in run_task(mine, batches):
                if context.partitionId() % 2 == 0 and (attempt == 0 or not first_only):
                    fail()
                yield answer

        count = len(task.units)
        rows = session.range(0, count, 1, count).mapInArrow(run, RESULT).collect()
        return [Done.from_text(row["result"]) for row in rows]

    return spread


def score(session, spread, pinned, leads, out, generation=1):
    options = {"keys": None, "proba": True, "max_quarantine_share": 0.01, "storage": None, "unit_rows": 10_000}
    return score_parts(partial(spread, session), pinned, open_source(leads), out, provenance=ORIGIN, generation=generation, **options)


def test_spark_predicts_what_the_embedded_engine_predicts(spark, pinned, leads, out, embedded):
    scored = score_on_spark(spark, pinned, open_source(leads), out, provenance=ORIGIN, generation=1, unit_rows=10_000)
    check_same(scored, embedded, out)
    assert len(output_files(out)) == 6


def raise_error():
    raise RuntimeError("The executor is lost.")


def kill_worker():
    os.kill(os.getpid(), 9)


@pytest.mark.parametrize("fail", [raise_error, kill_worker])
def test_a_task_that_fails_after_it_wrote_and_is_tried_again_leaves_no_doubled_row(spark, pinned, leads, out, embedded, fail):
    scored = score(spark, failing(fail), pinned, leads, out)
    check_same(scored, embedded, out)
    named = {Path(file).name for file in output_files(out)}
    assert len(named) == 6
    lost = [name for name in names(out) if name.startswith("part-") and name not in named]
    assert len(lost) == 3  # what the first attempts wrote lies there, and is no output
    assert read(out)["id"].to_pylist() == sorted(set(read(out)["id"].to_pylist()))


def test_a_job_that_fails_leaves_the_old_output_and_the_next_run_removes_what_it_left(spark, pinned, leads, out, embedded):
    score_on_spark(spark, pinned, open_source(leads), out, provenance=ORIGIN, generation=1)
    before = output_files(out)
    with pytest.raises(Exception, match=r"The executor is lost\."):
        score(spark, failing(raise_error, first_only=False), pinned, leads, out, generation=2)
    assert output_files(out) == before
    assert holds_output(out)
    scored = score_on_spark(spark, pinned, open_source(leads), out, provenance=ORIGIN, generation=3)
    check_same(scored, embedded, out)
    assert not [name for name in names(out) if "-2-" in name]


def test_what_no_retry_mends_is_not_tried_again(spark, pinned, leads, out, tmp_path):
    tight = replace(pinned, signature=SIGNATURE.with_policy("f0", null="error"))
    with pytest.raises(SignatureMismatchError, match=r"column 'f0' is null, and had no null in training"):
        score_on_spark(spark, tight, open_source(leads), out, provenance=ORIGIN, generation=1, unit_rows=10_000)
    assert read_manifest(out) is None


def test_the_script_runs_under_spark_submit(pinned, leads, out, embedded, tmp_path):
    submit = Path(pyspark.__file__).with_name("bin") / "spark-submit"
    result = tmp_path / "result.json"
    asked = json.dumps({"pinned": pinned.to_json(), "origin": {"dag_id": "score", "run_id": "run_1"}})
    settings = ["--master", "local[2]", "--conf", "spark.ui.enabled=false", "--conf", "spark.driver.host=127.0.0.1"]
    arguments = [f"--model={asked}", f"--input={leads}", f"--output={out}", "--generation=3", "--partition=ds=1", f"--result={result}"]
    command = [submit, *settings, spark_job.__file__, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(result.read_text())
    assert json.loads(done.stdout.strip().splitlines()[-1]) == told
    assert (told["ref"], told["rows"], told["quarantined"], told["generation"]) == ("leads:7", ROWS - 5, 5, 3)
    assert read(out) == pq.read_table(embedded.uri).replace_schema_metadata(None)


def test_by_spark_connect_the_executors_run_the_package_that_was_sent(pinned, leads, out, embedded, tmp_path):
    with connect_server(tmp_path / "server.log") as url:
        script = Path(__file__).with_name("connecting.py")
        model = json.dumps(pinned.to_json())
        done = subprocess.run([sys.executable, script, url, model, leads, out], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split()[-1].endswith("airflow_registry.zip/airflow_registry/__init__.py")
    check_predictions(out, embedded)


def environment():
    return {**os.environ, "PYSPARK_PYTHON": sys.executable, "SPARK_HOME": str(Path(pyspark.__file__).parent)}


class connect_server:  # noqa: N801  used like a function
    """A Spark Connect server of two cores on a free port; it ends with the context."""

    def __init__(self, log):
        self.log = log

    def __enter__(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        settings = {"spark.ui.enabled": "false", "spark.driver.host": "127.0.0.1", "spark.connect.grpc.binding.address": "127.0.0.1"}
        settings["spark.connect.grpc.binding.port"] = str(port)
        conf = [word for name, value in settings.items() for word in ("--conf", f"{name}={value}")]
        submit = Path(pyspark.__file__).with_name("bin") / "spark-submit"
        with self.log.open("w") as log:
            command = [submit, "--class", SERVER, "--master", "local[2]", *conf, "spark-internal"]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment())
        deadline = time.monotonic() + STARTED_WITHIN_S
        while "Spark Connect server started" not in self.log.read_text():
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            assert time.monotonic() < deadline, self.log.read_text()[-3000:]
            time.sleep(0.2)
        return f"sc://127.0.0.1:{port}"

    def __exit__(self, *failure):
        self.process.terminate()
        self.process.wait(timeout=60)
