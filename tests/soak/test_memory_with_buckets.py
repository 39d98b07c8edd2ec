"""Peak memory of scoring from one bucket into another place of it: it must not grow with the partition either."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.unit.scoring.test_memory import SCRIPT, make

pytestmark = [pytest.mark.soak, pytest.mark.s3]


def peak_kib(tmp_path, s3_server, bucket, count):
    path = tmp_path / f"{count}.parquet"
    make(path, count, 100_000)
    with path.open("rb") as stream:
        s3_server.client().put_object(Bucket=bucket, Key=f"in/{count}.parquet", Body=stream)
    command = [sys.executable, "-c", SCRIPT, f"s3://{bucket}/in/{count}.parquet", f"s3://{bucket}/out/{count}"]
    environment = {**os.environ, **s3_server.env(), "TMPDIR": str(tmp_path)}
    found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=900, env=environment)
    rows, peak = map(int, found.stdout.split())
    assert rows == count
    return peak


def test_ten_times_the_rows_take_less_than_a_fifth_more_memory(tmp_path, s3_server, s3_bucket):
    small, large = (peak_kib(tmp_path, s3_server, s3_bucket, count) for count in (1_000_000, 10_000_000))
    print(f"peak: {small / 1024:.0f} MiB at 1 M rows, {large / 1024:.0f} MiB at 10 M ({large / small - 1:+.1%})")
    assert large < 1.2 * small
