"""Peak memory of scoring, each size in a process of its own: the peak of a process never falls."""

import subprocess
import sys
import textwrap

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

SCRIPT = textwrap.dedent("""
    import resource, sys
    import numpy as np
    from airflow_registry.domain.model import Column, Signature
    from airflow_registry.scoring.engine import score_partition
    from airflow_registry.scoring.source import open_source
    from airflow_registry.scoring.writer import Provenance

    class Linear:
        weights = np.linspace(-1, 1, 5)
        classes_ = np.array([0, 1])
        def predict_proba(self, frame):
            chance = 1 / (1 + np.exp(-(frame.to_numpy() @ self.weights)))
            return np.column_stack([1 - chance, chance])
        def predict(self, frame):
            return self.predict_proba(frame).argmax(axis=1)

    source, target = sys.argv[1:]
    signature = Signature(inputs=tuple(Column(name=f"f{number}", type="double", nullable=False) for number in range(5)))
    scored = score_partition(Linear(), signature, open_source(source), target, provenance=Provenance(model="m", version=1), generation=1)
    with open("/proc/self/status") as status:  # ru_maxrss would hold the peak of the process that forked this one
        print(scored.rows, next(line.split()[1] for line in status if line.startswith("VmHWM")))
""")


def make(path, count, row_group_rows):
    import numpy as np

    random = np.random.default_rng(1)
    schema = pa.schema([("id", pa.int64()), *((f"f{number}", pa.float64()) for number in range(5))])
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, count, row_group_rows):
            size = min(row_group_rows, count - start)
            columns = {f"f{number}": random.random(size) for number in range(5)}
            writer.write_table(pa.table({"id": np.arange(start, start + size), **columns}, schema=schema), row_group_size=row_group_rows)


def peak_kib(tmp_path, count, row_group_rows):
    path = tmp_path / f"{count}.parquet"
    make(path, count, row_group_rows)
    found = subprocess.run([sys.executable, "-c", SCRIPT, path, tmp_path / "out"], capture_output=True, text=True, check=True, timeout=600)
    rows, peak = map(int, found.stdout.split())
    assert rows == count
    return peak


@pytest.mark.parametrize("row_group_rows", [100_000, 2_000_000])
def test_a_ten_times_larger_partition_takes_less_than_a_fifth_more_memory(tmp_path, row_group_rows):
    small, large = (peak_kib(tmp_path, count, row_group_rows) for count in (200_000, 2_000_000))
    print(f"peak: {small / 1024:.0f} MiB at 200,000 rows, {large / 1024:.0f} MiB at 2,000,000 ({large / small - 1:+.1%})")
    assert large < 1.2 * small
