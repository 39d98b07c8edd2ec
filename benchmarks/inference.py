"""Batch inference against what one would write by hand: throughput, CPU, memory, bytes, and predictions into a table.

    python benchmarks/inference.py [million rows] [rounds]

CPU is of this process, or of a whole child process, in user and system mode; the server's is added where a database works. Rounds are
interleaved and what counts is the median of the rounds' ratios: the machine is shared, so absolute times say little.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np  # noqa: TID253  a script of its own, no DAG file; so the next ones
import pandas as pd  # noqa: TID253
import psutil
import pyarrow as pa  # noqa: TID253
import pyarrow.parquet as pq  # noqa: TID253
import sqlalchemy as sa
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier  # noqa: TID253
from sklearn.linear_model import LogisticRegression  # noqa: TID253

from airflow_registry.domain.model import Column, Signature
from airflow_registry.scoring.engine import score_partition
from airflow_registry.scoring.source import open_source
from airflow_registry.scoring.sql_place import sql_target
from airflow_registry.scoring.sql_values import SqlOutput
from airflow_registry.scoring.writer import Provenance, write_predictions
from airflow_registry.testing.postgres import postgres_server

FEATURES = [f"x{number}" for number in range(20)]
SIGNATURE = Signature(inputs=tuple(Column(name=name, type="double") for name in FEATURES), output="int64")
PROVENANCE = Provenance(model="bench", version=1)
MILLION = 1_000_000
BATCH = 65_536
SQL_ROWS = 100_000


def make_file(path: Path, rows: int) -> None:
    random = np.random.default_rng(1)
    columns = {"id": np.arange(rows)} | {name: random.normal(size=rows).round(3) for name in FEATURES}
    pq.write_table(pa.table(columns), path, compression="zstd", row_group_size=131_072)


def make_input(folder: Path, millions: int) -> Path:
    """So many files of a million rows each; all are one on the disk."""
    original = folder / "million.parquet"
    if not original.exists():
        make_file(original, MILLION)
    there = folder / f"in{millions}"
    there.mkdir(exist_ok=True)
    for number in range(millions):
        if not (there / f"{number}.parquet").exists():
            os.link(original, there / f"{number}.parquet")
    return there


def train() -> dict[str, object]:
    random = np.random.default_rng(2)
    frame = pd.DataFrame(random.normal(size=(20_000, 20)), columns=FEATURES)
    label = (frame["x0"] + frame["x1"] * frame["x2"] + random.normal(size=20_000) > 0).astype(int)
    forest = RandomForestClassifier(100, max_depth=10, random_state=0)
    boosting = HistGradientBoostingClassifier(random_state=0)
    return {"logistic": LogisticRegression().fit(frame, label), "boosting": boosting.fit(frame, label), "forest": forest.fit(frame, label)}


def ours(model: object, source: Path, target: Path, generation: int = 1) -> None:
    score_partition(model, SIGNATURE, open_source(source), target, provenance=PROVENANCE, generation=generation)


def by_hand(model: object, source: Path, target: Path) -> None:
    """The tightest loop: batches as large as ours, each column asked for once, one call of the model, the same encodings."""
    floats = ["probability_0", "probability_1"]
    names = ["id", "prediction", *floats]
    schema = pa.schema([(name, pa.float64() if name in floats else pa.int64()) for name in names])
    encodings = {name: "BYTE_STREAM_SPLIT" if name in floats else "DELTA_BINARY_PACKED" for name in names}
    target.mkdir(exist_ok=True)
    options = {"compression": "zstd", "use_dictionary": False, "column_encoding": encodings}
    with pq.ParquetWriter(target / "by_hand.parquet", schema, **options) as writer:
        for file in sorted(source.glob("*.parquet")):
            with pq.ParquetFile(file, pre_buffer=False) as parquet:
                for batch in parquet.iter_batches(BATCH, columns=["id", *FEATURES], use_threads=False):
                    chances = model.predict_proba(batch.select(FEATURES).to_pandas())
                    columns = [batch.column("id"), model.classes_[chances.argmax(axis=1)], chances[:, 0], chances[:, 1]]
                    writer.write_batch(pa.RecordBatch.from_arrays([pa.array(column) for column in columns], schema=schema))


def whole_table(model: object, source: Path, target: Path) -> None:
    """The script that everybody writes first."""
    frame = pd.read_parquet(source)
    out = frame[["id"]].copy()
    out["prediction"] = model.predict(frame[FEATURES])
    out[["probability_0", "probability_1"]] = model.predict_proba(frame[FEATURES])
    target.mkdir(exist_ok=True)
    out.to_parquet(target / "whole.parquet", index=False)


def cpu(work) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def ratios(first, second, rounds: int) -> tuple[float, float, float]:
    """Median seconds of both, and the median of second / first; who begins changes."""
    pairs = []
    for number in range(rounds):
        if number % 2:
            pairs.append(tuple(reversed((cpu(second), cpu(first)))))
        else:
            pairs.append((cpu(first), cpu(second)))
    one, two = zip(*pairs, strict=True)
    return statistics.median(one), statistics.median(two), statistics.median(b / a for a, b in pairs)


def show(name: str, detail: str, found: float, goal: float, *, at_most: bool = False) -> bool:
    reached = found <= goal if at_most else found >= goal
    print(f"{name:34} {detail:44} {found:7.2f}   goal {'<=' if at_most else '>='} {goal}: {'reached' if reached else 'MISSED'}", flush=True)
    return reached


def throughput(folder: Path, models: dict[str, object], rounds: int) -> bool:
    reached = True
    for name, model in models.items():
        source = make_input(folder, 2) if name == "logistic" else make_input(folder, 1)
        ours(model, source, folder / "warm")
        by_hand(model, source, folder / "warm")
        pair = ratios(
            lambda m=model, s=source: ours(m, s, folder / "ours"), lambda m=model, s=source: by_hand(m, s, folder / "hand"), rounds
        )
        detail = f"ours {pair[0]:.2f} s, by hand {pair[1]:.2f} s of CPU"
        reached &= show(f"throughput, {name}", detail, pair[2], 0.85 if name == "logistic" else 0.95)
    return reached


def child(how: str, source: Path, target: Path) -> tuple[float, float, float]:
    """CPU seconds in all, those after imports and loading, and the peak of memory in MiB, of one process that does one of the two."""
    command = [sys.executable, __file__, "child", how, str(source), str(target)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    steady, peak = map(float, done.stdout.split())
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, steady, peak


def child_main(how: str, source: str, target: str) -> None:
    model = train_logistic()
    steady = cpu(lambda: {"ours": ours, "whole": whole_table}[how](model, Path(source), Path(target)))
    print(steady, peak_mib())


def peak_mib() -> float:
    """Of this program. What getrusage says may be the peak of the process that started it, because exec keeps it."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def train_logistic() -> object:
    random = np.random.default_rng(2)
    frame = pd.DataFrame(random.normal(size=(2_000, 20)), columns=FEATURES)
    return LogisticRegression().fit(frame, (frame["x0"] > 0).astype(int))


def against_whole_table(folder: Path, millions: int, rounds: int) -> bool:
    source = make_input(folder, millions)
    pairs = [(child("ours", source, folder / "c1"), child("whole", source, folder / "c2")) for _ in range(rounds)]
    total, steady, memory = ([(one[index], two[index]) for one, two in pairs] for index in range(3))
    print(f"{'':34} in all, with imports: ours {_first(total):.1f} s, whole table {_second(total):.1f} s of CPU")
    reached = show(
        f"CPU of a whole table, {millions} M rows", f"ours {_first(steady):.1f} s, whole table {_second(steady):.1f} s", _ratio(steady), 1.5
    )
    detail = f"ours {_first(memory):.0f} MiB, whole table {_second(memory):.0f} MiB"
    return reached & show("memory of a whole table", detail, 1 / _ratio(memory), 0.3, at_most=True)


def _first(pairs):
    return statistics.median(one for one, _ in pairs)


def _second(pairs):
    return statistics.median(two for _, two in pairs)


def _ratio(pairs):
    return statistics.median(two / one for one, two in pairs)


def growth(folder: Path) -> bool:
    small, large = (child("ours", make_input(folder, millions), folder / "g")[2] for millions in (1, 10))
    return show("memory, 10 M against 1 M rows", f"{small:.0f} MiB, {large:.0f} MiB", large / small, 1.1, at_most=True)


def size(folder: Path, model: object) -> bool:
    """Keys and a score, as a regression writes them; and what two full probabilities allow, whose digits no encoding shortens."""
    ours(model, make_input(folder, 1), folder / "size")
    table = pq.read_table(folder / "size" / "predictions.parquet")
    score = pa.table({"id": table["id"], "prediction": table["probability_1"]})
    write_predictions(folder / "score", score.to_batches(BATCH), schema=score.schema, provenance=PROVENANCE, generation=1)
    both = _against_default(folder, "size")
    print(f"{'':34} with a class and two probabilities: {both[2]:.2f}")
    found = _against_default(folder, "score")
    return show("bytes of the output", f"ours {found[0]:,}, default {found[1]:,}", found[2], 0.6, at_most=True)


def _against_default(folder: Path, name: str) -> tuple[int, int, float]:
    path = folder / name / "predictions.parquet"
    pq.write_table(pq.read_table(path), folder / "default.parquet")
    sizes = path.stat().st_size, (folder / "default.parquet").stat().st_size
    return *sizes, sizes[0] / sizes[1]


def into_a_table(rounds: int) -> bool:
    """A partition replaced in one and the same kind of table; wall time, and CPU of the client and of the server's processes."""
    table = pa.table(
        {"id": np.arange(SQL_ROWS), "prediction": np.arange(SQL_ROWS) % 2, "probability_1": np.random.default_rng(3).random(SQL_ROWS)}
    )
    frame = table.to_pandas().assign(day="2026-01-01", model_version=1)
    with postgres_server() as server:
        url = server.url(server.create_database())
        postmaster, engine = psutil.Process(server.pid), sa.create_engine(url, poolclass=sa.NullPool)
        _copied(url, table, 1)
        with engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE theirs (LIKE ours INCLUDING ALL)")
            connection.exec_driver_sql("INSERT INTO theirs SELECT * FROM ours")
        found = [_table_round(url, engine, postmaster, table, frame, number + 2) for number in range(rounds)]
    walls, pairs = ([(one[index], two[index]) for one, two in found] for index in range(2))
    print(f"{'':34} wall: ours {_first(walls):.2f} s, to_sql {_second(walls):.2f} s, {_ratio(walls):.1f} times")
    detail = f"ours {_first(pairs):.2f} s, to_sql {_second(pairs):.2f} s, with the server"
    return show(f"{SQL_ROWS:,} rows into PostgreSQL", detail, _ratio(pairs), 10)


def _copied(url, table, generation):
    target = sql_target(SqlOutput(database=url, table="ours", partition_column="day"), "2026-01-01")
    write_predictions(target, table.to_batches(BATCH), schema=table.schema, provenance=PROVENANCE, generation=generation)


def _inserted(engine, frame):
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM theirs WHERE day = '2026-01-01'")
        frame.to_sql("theirs", connection, index=False, if_exists="append")


def _table_round(url, engine, postmaster, table, frame, generation):
    pair = (lambda: _copied(url, table, generation)), (lambda: _inserted(engine, frame))
    first, second = pair if generation % 2 else reversed(pair)
    found = _with_server(first, postmaster), _with_server(second, postmaster)
    return found if generation % 2 else tuple(reversed(found))


def _with_server(work, postmaster):
    """Sessions have ended when their time is among the postmaster's children's."""
    wall, before = time.perf_counter(), _server_cpu(postmaster)
    own = cpu(work)
    wall = time.perf_counter() - wall
    return wall, own + _server_cpu(postmaster) - before


def _server_cpu(postmaster):
    while _sessions(postmaster):
        time.sleep(0.02)
    times = postmaster.cpu_times()
    return sum((times.user, times.system, times.children_user, times.children_system))


def _sessions(postmaster):
    return [one for one in postmaster.children() if _is_session(one)]


def _is_session(process):
    try:
        return " ".join(process.cmdline()).startswith("postgres: postgres ")
    except psutil.ZombieProcess:
        return True  # its time is not yet among the postmaster's children's
    except psutil.NoSuchProcess:
        return False


def main(millions: int = 3, rounds: int = 7) -> None:
    models = train()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        reached = [
            size(folder, models["logistic"]),
            into_a_table(rounds),
            throughput(folder, models, rounds),
            against_whole_table(folder, millions, rounds),
            growth(folder),
        ]
    sys.exit(0 if all(reached) else 1)


if __name__ == "__main__":
    if sys.argv[1:2] == ["child"]:
        child_main(*sys.argv[2:])
    else:
        main(*map(int, sys.argv[1:]))
