"""A writer to S3 that is killed before each of its requests, one after the other; what is left is asked of the bucket."""

import json
import os
import signal
import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.s3

# One process does all: it forks a writer for each request, so that imports are paid once.
SCRIPT = textwrap.dedent("""
    import hashlib, io, json, os, signal, sys
    import numpy as np, pyarrow as pa, pyarrow.parquet as pq
    import botocore.httpsession
    import airflow_registry.objects.s3
    import boto3
    from airflow_registry.scoring.bucket import open_object_folder
    from airflow_registry.scoring.writer import DATA_NAME, Provenance, write_predictions

    target, mode = sys.argv[1:]
    ROWS = 140_000  # two row groups
    schema = pa.schema({"id": pa.int64(), "noise": pa.float64()})

    def batches(version):
        random = np.random.default_rng(version)
        for start in range(0, ROWS, 35_000):
            if mode == "rows" and start == 105_000 and version % 2 == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            yield pa.RecordBatch.from_pydict({"id": np.arange(start, start + 35_000), "noise": random.random(35_000)}, schema=schema)

    def write(version):
        facts = {"provenance": Provenance(model="m", version=version), "generation": version}
        write_predictions(target, batches(version), schema=schema, **facts)

    def killed_before(number):
        # In the child: the process is gone before its request of that number is sent; several threads send parts.
        send, count = botocore.httpsession.URLLib3Session.send, iter(range(1, 10_000))
        def counted(self, request):
            if next(count) == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return send(self, request)
        botocore.httpsession.URLLib3Session.send = counted

    def attempt(version, number):
        child = os.fork()
        if child == 0:
            if mode == "requests":
                killed_before(number)
            write(version)
            os._exit(0)
        return os.waitpid(child, 0)[1]

    def seen():
        place, prefix = open_object_folder(target, None), "out/ds=1/"
        content = place.client.read(f"{prefix}{DATA_NAME}")
        by = pq.read_schema(io.BytesIO(content)).metadata[b"airflow_registry.version"]
        return {
            "digest": hashlib.sha256(content).hexdigest(), "rows": pq.read_metadata(io.BytesIO(content)).num_rows, "by": int(by),
            "names": sorted(found.key.removeprefix(prefix) for found in place.client.list(prefix)),
            "manifest": place.manifest()["version"], "named": place.manifest()["files"][0]["sha256"], "holds": place.holds_output(),
        }

    version, number = 1, 0
    write(version)
    while True:
        number += 1
        status = attempt(version + 1, number)
        after = seen()
        write(version + 2)
        print(json.dumps({"status": status, "old": version, "after": after, "repaired": seen()}), flush=True)
        if status == 0 or mode == "rows":
            break
        version += 2
""")


def play(s3_server, s3_bucket, mode):
    environment = {**os.environ, **s3_server.env()}
    command = [sys.executable, "-c", SCRIPT, f"s3://{s3_bucket}/out/ds=1", mode]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def assert_whole(found, version):
    assert (found["by"], found["manifest"], found["rows"], found["holds"]) == (version, version, 140_000, True)
    assert found["digest"] == found["named"]
    assert found["names"] == ["_manifest.json", "predictions.parquet"]


def test_before_whichever_request_it_is_killed_the_data_is_whole_and_the_next_run_succeeds(s3_server, s3_bucket):
    played = play(s3_server, s3_bucket, "requests")
    assert [line["status"] for line in played] == [signal.SIGKILL] * (len(played) - 1) + [0]
    for line in played:
        after = line["after"]
        assert (after["rows"], after["names"]) == (140_000, ["_manifest.json", "predictions.parquet"])
        assert after["by"] in {line["old"], line["old"] + 1}
        assert after["holds"] is (after["by"] == after["manifest"])
        assert_whole(line["repaired"], line["old"] + 2)
    torn = [line for line in played if not line["after"]["holds"]]
    assert len(torn) == 1  # between data and manifest, and there the old manifest stands beside new data
    assert torn[0]["after"]["manifest"] == torn[0]["old"]
    assert len(played) >= 8


def test_a_writer_that_is_killed_among_its_rows_has_sent_nothing(s3_server, s3_bucket):
    (line,) = play(s3_server, s3_bucket, "rows")
    assert line["status"] == signal.SIGKILL
    assert_whole(line["after"], line["old"])
    assert_whole(line["repaired"], line["old"] + 2)
