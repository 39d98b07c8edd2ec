"""Our S3 client against bare boto3, and registering and loading against both, on a real S3 server on this machine.

    python benchmarks/s3.py [megabytes] [rounds]

Rounds are interleaved and what counts is the median of the rounds' ratios: the machine is shared, so absolute times say little.
Times are of this process: CPU in user and system mode, and wall. The server works on the same cores, which wall time feels.
"""

from __future__ import annotations

import hashlib
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from airflow_registry import ModelRegistry
from airflow_registry.artifacts.dispatch import open_store
from airflow_registry.config import Settings
from airflow_registry.domain.names import Digest
from airflow_registry.objects.base import ABSENT
from airflow_registry.objects.options import StorageOptions
from airflow_registry.objects.s3 import S3Client
from airflow_registry.testing.s3 import S3Server, s3_server

GOAL = 0.8
MIB = 1 << 20
KINDS = {
    "upload": ("boto3 upload_file", "S3Client.upload with digest"),
    "register": ("boto3 upload_file", "ModelRegistry.register"),
    "download": ("boto3 download_file + sha256", "S3Client.download"),
    "load": ("boto3 download_file + sha256", "open_verified of the artifact store"),
}


def timed(work) -> tuple[float, float]:
    """CPU and wall seconds."""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - cpu, time.perf_counter() - wall


class Bench:
    """One file, one bucket, and the two ways of each kind."""

    def __init__(self, server: S3Server, folder: Path, megabytes: int) -> None:
        self.folder, self.bucket, self.boto3 = folder, server.make_bucket(), server.client()
        self.path = folder / "model.bin"
        self.path.write_bytes(os.urandom(MIB) * megabytes)
        options = StorageOptions(endpoint_url=server.endpoint_url, s3_session=server.session)
        self.client = S3Client(self.bucket, options)
        url = f"sqlite:///{folder / 'registry.db'}"
        ModelRegistry(url, artifacts=str(folder), create=True)
        artifacts = f"s3://{self.bucket}/registry"
        self.registry = ModelRegistry.from_settings(Settings(database_url=url, artifacts=artifacts, storage=options))
        self.store = open_store(artifacts, options)
        self.round = 0

    def next_round(self) -> None:
        """Another file each time: what is stored already would not be stored again."""
        self.round += 1
        with self.path.open("r+b") as file:
            file.write(b"%016d" % self.round)
        with self.path.open("rb") as file:
            self.digest = Digest(f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}")

    def bare_upload(self) -> None:
        self.boto3.upload_file(str(self.path), self.bucket, "bare")

    def bare_download(self) -> None:
        with tempfile.TemporaryDirectory() as folder:  # each way writes a new file and removes it: memory's first touch is what costs
            copy = Path(folder, "model.bin")
            self.boto3.download_file(self.bucket, "bare", str(copy))
            with copy.open("rb") as file:
                assert hashlib.file_digest(file, "sha256").hexdigest() == self.digest.hex

    def upload(self) -> None:
        self.client.upload(str(self.path), f"ours-{self.round}", digest=self.digest, condition=ABSENT)

    def download(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            assert self.client.download(f"ours-{self.round}", str(Path(folder, "model.bin"))) == self.digest

    def register(self) -> None:
        self.version = self.registry.register("bench", str(self.path), metrics={"auc": 0.5}, idempotency_key=str(self.round))

    def load(self) -> None:
        """What loading a model does before the format's library gets the file."""
        with self.store.open_verified(self.version.remote_path, Digest(self.version.digest)) as path:
            assert Path(path).stat().st_size == self.path.stat().st_size

    def run_round(self) -> dict[str, tuple[tuple[float, float], tuple[float, float]]]:
        """Bare and ours next to each other, the first one now the one and now the other."""
        self.next_round()
        pairs = {"upload": self.upload, "register": self.register, "download": self.download, "load": self.load}
        found = {}
        for kind, ours in pairs.items():
            bare = self.bare_upload if kind in {"upload", "register"} else self.bare_download
            if self.round % 2:
                found[kind] = (timed(bare), timed(ours))
            else:
                found[kind] = tuple(reversed((timed(ours), timed(bare))))
        self.boto3.delete_object(Bucket=self.bucket, Key=f"ours-{self.round}")
        return found


def show(rounds: list[dict[str, tuple[tuple[float, float], tuple[float, float]]]]) -> bool:
    """Print the medians and ratios; whether every goal was reached."""
    print(f"{'':9} {'':4} {'bare s':>8} {'ours s':>8} {'bare / ours':>12}   goal >= {GOAL}")
    reached = True
    for kind, (bare_name, ours_name) in KINDS.items():
        print(f"{kind}: {ours_name}  against  {bare_name}")
        for index, unit in enumerate(("CPU", "wall")):
            bare = [found[kind][0][index] for found in rounds]
            ours = [found[kind][1][index] for found in rounds]
            ratio = statistics.median(a / b for a, b in zip(bare, ours, strict=True))
            reached &= ratio >= GOAL
            middle = statistics.median(bare), statistics.median(ours)
            print(f"{'':9} {unit:4} {middle[0]:8.3f} {middle[1]:8.3f} {ratio:12.2f}   {'reached' if ratio >= GOAL else 'MISSED'}")
    return reached


def main(megabytes: int = 256, rounds: int = 8) -> None:
    with s3_server() as server, tempfile.TemporaryDirectory() as folder:
        bench = Bench(server, Path(folder), megabytes)
        bench.run_round()  # warms clients, connections and volumes up
        found = [bench.run_round() for _ in range(rounds)]
        print(f"{megabytes} MiB, {rounds} rounds")
        sys.exit(0 if show(found) else 1)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
