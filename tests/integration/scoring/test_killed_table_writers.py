"""A writer of a table that is killed before each of its statements, one after the other; what is left is asked of the database."""

import json
import signal
import subprocess
import sys
import textwrap

import pytest

from airflow_registry import ModelRegistry

# One process does all: it forks a writer for each statement, so that imports are paid once. No connection is open when it forks.
SCRIPT = textwrap.dedent("""
    import json, os, signal, sys
    import psycopg
    import pyarrow as pa, pyarrow.csv, pyarrow.parquet
    import sqlalchemy as sa
    from sqlalchemy.pool import NullPool
    from airflow_registry import ModelRegistry
    from airflow_registry.domain.ledger import Written
    from airflow_registry.scoring import sql_place
    from airflow_registry.scoring.sql_place import sql_target, target_name
    from airflow_registry.scoring.sql_values import SqlOutput
    from airflow_registry.scoring.writer import Provenance, holds_output, open_output, read_manifest

    data, ledger = sys.argv[1:]
    rows = 300
    sql_place.ROW_GROUP_ROWS = 100  # three blocks in a copy
    registry = ModelRegistry(ledger)
    target = sql_target(SqlOutput(database=data, table="predictions", partition_column="day"), "1")
    engine = sa.create_engine(data, poolclass=NullPool)

    def write(value, armed=lambda: None):
        intent = registry.open_output(target_name(target), partition="1", model="m", version=1)
        armed()
        provenance = Provenance(model="m", version=1, registry="r", partition="1")
        batch = pa.RecordBatch.from_pydict({"id": pa.array(range(rows)), "prediction": pa.array([float(value)] * rows)})
        def written(file):
            return Written(uri=file.path, digest=str(file.digest), rows=file.rows)
        def record(file, transaction):
            registry.commit_output_within(transaction, intent, written(file))
        with open_output(target, provenance=provenance, generation=intent.generation) as out:
            out.predictions(batch)
            done = out.commit(rows_in=rows, record=record)
        registry.commit_output(intent, written(done))

    READS = ("SELECT", "PRAGMA", "BEGIN", "SAVEPOINT", "RELEASE")  # a kill before one of these leaves what a kill before the next leaves

    class Killer:
        # In the child: the process is gone before its statement of that number, or before that part of a copy, is sent.
        def __init__(self, number):
            self.number, self.count, self.last, self.repeats = number, 0, None, 0

        def tick(self, what):
            if what.split(" ", 1)[1].startswith(READS):
                return
            self.repeats = self.repeats + 1 if what == self.last else 0
            self.last = what
            if self.repeats and self.repeats != rows // 2:  # of many equal ones the first, and one in the middle
                return
            self.count += 1
            if self.count == self.number:
                os.kill(os.getpid(), signal.SIGKILL)

        def arm(self):
            def traced(connection, _record):
                connection.set_trace_callback(lambda statement: self.tick("- " + statement.split("VALUES")[0].strip()))
            if data.startswith("sqlite") and ledger.startswith("sqlite"):
                sa.event.listen(sa.Engine, "connect", traced)
                return
            sa.event.listen(sa.Engine, "before_cursor_execute", lambda c, cursor, statement, *_: self.tick(f"{self.count} {statement}"))
            sa.event.listen(sa.Engine, "commit", lambda c: self.tick(f"{self.count} commit"))
            copy = psycopg.Copy.write
            def counted(this, block):
                self.tick(f"{self.count} copy")
                return copy(this, block)
            psycopg.Copy.write = counted

    def attempt(value, number):
        child = os.fork()
        if child == 0:
            write(value, Killer(number).arm)
            os._exit(0)
        return os.waitpid(child, 0)[1]

    def seen():
        with engine.connect() as connection:
            groups = connection.exec_driver_sql("SELECT prediction, count(*) FROM predictions GROUP BY prediction").fetchall()
        live = registry.live_outputs([target_name(target)])
        digest = next((entry.digest for entry in live.values()), None)
        manifest = "sha256:" + read_manifest(target)["files"][0]["sha256"]
        open_ones = sum(entry.committed_at is None for entry in registry.recall("m", 1).entries)
        return {"groups": [[v, n] for v, n in groups], "agree": digest == manifest, "open": open_ones, "holds": holds_output(target)}

    value, number = 1, 0
    write(value)
    while True:
        number += 1
        status = attempt(value + 1, number)
        after = seen()
        write(value + 1)
        print(json.dumps({"status": status, "old": value, "rows": rows, "after": after, "repaired": seen()}), flush=True)
        if status == 0:
            break
        value += 1
""")


@pytest.mark.parametrize(
    ("data", "same"),
    [
        ("sqlite", True),
        ("sqlite", False),
        pytest.param("postgres", True, marks=pytest.mark.postgres),
        pytest.param("postgres", False, marks=pytest.mark.postgres),
    ],
)
def test_before_whichever_statement_it_is_killed_the_partition_is_whole_and_the_next_run_mends_it(request, data, same, tmp_path):
    (tmp_path / "lake.db").touch()
    place = f"sqlite:///{tmp_path / 'lake.db'}" if data == "sqlite" else request.getfixturevalue("postgres_url")
    ledger = place if same else f"sqlite:///{tmp_path / 'registry.db'}"
    ModelRegistry(ledger, artifacts=str(tmp_path), create=True).register("m")
    done = subprocess.run([sys.executable, "-c", SCRIPT, place, ledger], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    played = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["status"] for line in played] == [signal.SIGKILL] * (len(played) - 1) + [0]
    assert len(played) >= 7
    states = set()
    for line in played:
        after, old, rows = line["after"], line["old"], line["rows"]
        assert after["groups"] in ([[old, rows]], [[old + 1, rows]]), after
        assert after["holds"]
        is_new = after["groups"] == [[old + 1, rows]]
        states.add((is_new, after["agree"]))
        assert after["agree"] or after["open"]  # what the ledger does not know yet, an intent tells
        assert line["repaired"] == {"groups": [[old + 1, rows]], "agree": True, "open": 0, "holds": True}
    assert states == ({(False, True), (True, True)} if same else {(False, True), (True, False), (True, True)})
