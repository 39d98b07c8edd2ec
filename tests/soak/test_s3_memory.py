"""A file of 4 GB goes through a registry on S3, there and back, in at most 200 MB of private memory."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

pytestmark = [pytest.mark.soak, pytest.mark.s3]
SIZE_BYTES = 4_000_000_000
LIMIT_KIB = 200_000_000 // 1024

CHILD = """
    import sys, threading
    from pathlib import Path
    from airflow_registry import ModelRegistry
    from airflow_registry.artifacts.dispatch import open_store
    from airflow_registry.domain.names import Digest

    def private_kib():
        # Anonymous pages are this process's own; pages of files are the system's cache, which it gives back when it likes.
        return next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon"))

    def watch():
        while not done.wait(0.02):
            peak[0] = max(peak[0], private_kib())

    peak, done = [0], threading.Event()
    watcher = threading.Thread(target=watch)
    watcher.start()
    path, url, artifacts = sys.argv[1:]
    registry = ModelRegistry(url, artifacts=artifacts, create=True)
    version = registry.register("large", path, metrics={"auc": 0.5})
    print("registered", peak[0], version.digest, flush=True)
    with open_store(artifacts).open_verified(version.remote_path, Digest(version.digest)) as copy:
        print("loaded", peak[0], Path(copy).stat().st_size, flush=True)
    done.set()
    watcher.join()
"""


def test_four_gigabytes_go_there_and_back_in_bounded_memory(s3_server, s3_bucket, tmp_path):
    path = tmp_path / "large.bin"
    with path.open("wb") as file:
        file.truncate(SIZE_BYTES)
        for place in range(0, SIZE_BYTES, 97_000_001):  # so that no two parts are the same
            file.seek(place)
            file.write(os.urandom(64))
    command = [
        sys.executable,
        "-c",
        textwrap.dedent(CHILD),
        str(path),
        f"sqlite:///{tmp_path / 'registry.db'}",
        f"s3://{s3_bucket}/registry",
    ]
    environment = {**os.environ, **s3_server.env(), "TMPDIR": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    steps = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines() if line.startswith(("registered", "loaded"))}
    assert int(steps["loaded"][1]) == SIZE_BYTES
    for step, (peak, _) in steps.items():
        print(f"{step}: at most {int(peak) / 1024:.0f} MiB of private memory")
        assert int(peak) < LIMIT_KIB, step
