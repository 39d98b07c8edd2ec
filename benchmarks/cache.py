"""Loading a model's bytes out of the worker's cache against downloading them from a real S3 server on this machine.

    python benchmarks/cache.py [megabytes] [rounds]

Rounds are interleaved and what counts is the median of the rounds' ratios: the machine is shared, so absolute times say little.
Times are of this process: CPU in user and system mode, and wall. Both ways end with verified bytes at a local path. The server is
on the same machine: a network makes the first load slower, and the second one not.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from airflow_registry import config
from airflow_registry.objects.options import StorageOptions
from airflow_registry.service.registry import ModelRegistry
from airflow_registry.testing.s3 import S3Server, s3_server

GOAL = 1.0
MIB = 1 << 20
WAYS = ("no cache", "first load", "second load")


def timed(work) -> tuple[float, float]:
    """CPU and wall seconds."""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - cpu, time.perf_counter() - wall


class Bench:
    """One bucket, one cache, and a model that is another one in each round."""

    def __init__(self, server: S3Server, folder: Path, megabytes: int) -> None:
        self.megabytes, self.path = megabytes, folder / "model.bin"
        environ = {"AIRFLOW_REGISTRY_CACHE": str(folder / "cache"), "AIRFLOW_REGISTRY_CACHE_BYTES": f"{3 * megabytes}MiB"}
        found = config.resolve(
            database_url=f"sqlite:///{folder / 'registry.db'}", artifacts=f"s3://{server.make_bucket()}/registry", environ=environ
        )
        settings = replace(found, storage=StorageOptions(endpoint_url=server.endpoint_url, s3_session=server.session))
        self.registry = ModelRegistry.from_settings(settings, create=True)

    def run_round(self) -> dict[str, tuple[float, float]]:
        self.path.write_bytes(os.urandom(MIB) * self.megabytes)
        self.version = self.registry.register("bench", str(self.path), metrics={"auc": 0.5})
        store = self.registry.core.artifacts
        without = timed(lambda: self.check(store.open_verified(self.version.remote_path, self.version.digest)))
        return dict(zip(WAYS, (without, timed(self.load), timed(self.load)), strict=True))

    def load(self) -> None:
        """What loading a model does before the format's library gets the file."""
        artifact = self.version.artifact
        self.check(self.registry.core.reader.open_verified(artifact.remote_path, artifact.digest, artifact.size_bytes))

    def check(self, opened) -> None:
        with opened as path:
            assert Path(path).stat().st_size == self.megabytes * MIB


def show(rounds: list[dict[str, tuple[float, float]]]) -> bool:
    """Print medians and ratios; whether the second load costs less than a download, in CPU and wall."""
    reached = True
    print(f"{'':5}" + "".join(f"{way + ' s':>15}" for way in WAYS) + f"{'no cache / second':>20}{'first / no cache':>18}")
    for index, unit in enumerate(("CPU", "wall")):
        columns = [[found[way][index] for found in rounds] for way in WAYS]
        gain = statistics.median(a / b for a, b in zip(columns[0], columns[2], strict=True))
        cost = statistics.median(a / b for a, b in zip(columns[1], columns[0], strict=True))
        reached &= gain > GOAL
        print(f"{unit:5}" + "".join(f"{statistics.median(column):15.3f}" for column in columns) + f"{gain:20.2f}{cost:18.2f}")
    return reached


def main(megabytes: int = 100, rounds: int = 5) -> None:
    with s3_server() as server, tempfile.TemporaryDirectory() as folder:
        bench = Bench(server, Path(folder), megabytes)
        bench.run_round()  # warms clients, connections and volumes up
        found = [bench.run_round() for _ in range(rounds)]
        print(f"{megabytes} MiB, {rounds} rounds")
        sys.exit(0 if show(found) else 1)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
