import hashlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_registry.errors import InvalidInputError, ManifestMismatchError, NotFoundError, OutputConflictError, StorageUnavailableError
from airflow_registry.scoring.writer import DATA_NAME, MANIFEST_NAME, read_manifest, read_provenance, write_predictions

SCHEMA = pa.schema({"id": pa.int64(), "carrier": pa.string(), "prediction": pa.float64()})


def table(count=300_000):
    ids = np.arange(count)
    return pa.table({"id": ids, "carrier": np.array(["UA", "AA", "B6"])[ids % 3], "prediction": np.sin(ids)}, schema=SCHEMA)


def pieces(rows, size):
    return rows.to_batches(max_chunksize=size)


@pytest.fixture
def write(tmp_path, provenance):
    def call(batches, generation=1, folder=tmp_path / "out" / "ds=1", provenance=provenance, schema=SCHEMA):
        return write_predictions(folder, batches, schema=schema, provenance=provenance, generation=generation)

    return call


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "out" / "ds=1"


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def test_an_output_is_one_data_object_and_its_manifest(write, folder):
    written = write(pieces(table(1000), 100))
    assert names(folder) == [MANIFEST_NAME, DATA_NAME]
    assert (folder / DATA_NAME).stat().st_mode == (folder / MANIFEST_NAME).stat().st_mode
    assert pq.read_table(folder / DATA_NAME).replace_schema_metadata(None) == table(1000)
    content = (folder / DATA_NAME).read_bytes()
    assert written.path == str(folder / DATA_NAME)
    assert (written.digest, written.rows, written.size_bytes) == (f"sha256:{hashlib.sha256(content).hexdigest()}", 1000, len(content))


def test_the_data_object_says_who_made_it(write, folder, provenance):
    write(pieces(table(10), 10), provenance=replace(provenance, input_digest="sha256:" + "b" * 64, map_index=-1))
    assert read_provenance(folder / DATA_NAME) == {
        "model": "leads", "version": "7", "digest": "sha256:" + "a" * 64, "partition": "ds=1", "input_digest": "sha256:" + "b" * 64,
        "dag_id": "score", "run_id": "run_1", "map_index": "-1",
    }  # fmt: skip
    assert pq.read_schema(folder / DATA_NAME).metadata[b"airflow_registry.model"] == b"leads"


def test_the_manifest_says_the_same_and_the_generation(write, folder):
    written = write(pieces(table(10), 10), generation=3)
    found = read_manifest(folder)
    assert (found["schema"], found["model"], found["version"], found["rows"], found["generation"]) == (1, "leads", 7, 10, 3)
    assert found["run"] == {"deployment": "", "dag_id": "score", "run_id": "run_1", "task_id": None, "map_index": None}
    assert found["files"] == [{"name": DATA_NAME, "sha256": written.digest.hex, "rows": 10, "size_bytes": written.size_bytes}]


def test_the_bytes_do_not_depend_on_how_the_rows_came_in_or_on_the_generation(write, folder):
    digests = set()
    for generation, size in enumerate((1000, 65_536, 131_072, 300_000, 77_777), start=1):
        digests.add(write(pieces(table(), size), generation=generation).digest)
    assert len(digests) == 1
    groups = pq.ParquetFile(folder / DATA_NAME).metadata
    assert [groups.row_group(number).num_rows for number in range(groups.num_row_groups)] == [131_072, 131_072, 37_856]


def test_the_columns_are_stored_as_measured(write, folder):
    write(pieces(table(1000), 1000))
    group = pq.ParquetFile(folder / DATA_NAME).metadata.row_group(0)
    encodings = {group.column(number).path_in_schema: set(group.column(number).encodings) for number in range(3)}
    assert "DELTA_BINARY_PACKED" in encodings["id"]
    assert "BYTE_STREAM_SPLIT" in encodings["prediction"]
    assert not any("DICTIONARY" in encoding for found in encodings.values() for encoding in found)
    assert {group.column(number).compression for number in range(3)} == {"ZSTD"}


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1, None], pa.uint8()),
        pa.array([1.5, None], pa.float16()),
        pa.array([1.5, None], pa.float32()),
        pa.array([1, 2], pa.decimal128(5, 1)),
        pa.array([True, None]),
        pa.array([None, None]),
        pa.array([1, 2], pa.timestamp("ns", "UTC")),
        pa.array([1, 2], pa.date32()),
        pa.array([1, 2], pa.duration("s")),
        pa.array(["a", None], pa.large_string()),
        pa.array([b"a", None]),
        pa.array([[1], None]),
        pa.array([{"a": 1}, None]),
    ],
    ids=lambda column: str(column.type),
)
def test_keys_of_any_type_are_kept(write, folder, column):
    rows = pa.table({"key": column, "prediction": [1.0, 2.0]})
    write(rows.to_batches(), schema=rows.schema)
    assert pq.read_table(folder / DATA_NAME).column("key").to_pylist() == column.to_pylist()


def test_no_rows_make_an_output_without_rows(write, folder):
    assert write([]).rows == 0
    assert pq.read_table(folder / DATA_NAME).schema.equals(SCHEMA)
    assert read_manifest(folder)["rows"] == 0


def failing(error, after=7):
    yield from pieces(table(), 40_000)[:after]
    raise error


@pytest.mark.parametrize("error", [ValueError("batch 7"), KeyboardInterrupt(), ConnectionError("model server")])
def test_an_exception_publishes_nothing_and_keeps_the_old_output(write, folder, error):
    write(pieces(table(10), 10))
    before = {name: (folder / name).read_bytes() for name in names(folder)}
    with pytest.raises(type(error)) as caught:
        write(failing(error), generation=2)
    assert caught.value is error
    assert {name: (folder / name).read_bytes() for name in names(folder)} == before


def test_an_exception_in_the_first_output_leaves_no_file(write, folder):
    with pytest.raises(ValueError, match="batch 7"):
        write(failing(ValueError("batch 7")))
    assert names(folder) == []


def test_rows_of_another_type_are_refused_and_nothing_is_written(write, folder):
    other = pa.RecordBatch.from_pydict({"id": [1], "carrier": ["UA"], "prediction": ["late"]})
    with pytest.raises(InvalidInputError, match="batch 2 has other types than the first one"):
        write([*pieces(table(10), 10), other])
    assert names(folder) == []


def test_whole_numbers_among_fractions_lose_nothing(write, folder):
    write([pa.RecordBatch.from_pydict({"id": [1], "carrier": ["UA"], "prediction": [3]})])
    assert pq.read_table(folder / DATA_NAME).column("prediction").to_pylist() == [3.0]


def test_an_older_generation_does_not_replace_a_newer_one(write, folder):
    newest = write(pieces(table(10), 10), generation=2)
    with pytest.raises(OutputConflictError, match="Generation 1 may not write.*generation 2"):
        write(failing(AssertionError("asked for rows"), after=0), generation=1)
    assert hashlib.sha256((folder / DATA_NAME).read_bytes()).hexdigest() == newest.digest.hex


def test_a_writer_that_wakes_up_after_a_newer_one_has_finished_publishes_nothing(write, folder):
    def sleepy():
        yield from pieces(table(10), 10)
        write(pieces(table(20), 20), generation=2)

    with pytest.raises(OutputConflictError, match="Generation 1 may not write"):
        write(sleepy(), generation=1)
    assert read_manifest(folder)["generation"] == 2
    assert pq.read_metadata(folder / DATA_NAME).num_rows == 20
    assert names(folder) == [MANIFEST_NAME, DATA_NAME]


def test_a_writer_that_began_after_a_newer_one_and_ended_after_it_publishes_nothing(write, folder):
    newer_began, go_on = threading.Event(), threading.Event()

    def newer_rows():
        newer_began.set()
        assert go_on.wait(30)
        yield from pieces(table(20), 20)

    def older_rows():
        yield from pieces(table(10), 10)
        go_on.set()
        newer.join()

    newer = threading.Thread(target=write, args=(newer_rows(), 2))
    newer.start()
    assert newer_began.wait(30)
    with pytest.raises(OutputConflictError, match="generation 2 .* is in place"):
        write(older_rows(), generation=1)
    assert pq.read_metadata(folder / DATA_NAME).num_rows == 20


def test_a_writer_whose_unfinished_file_a_newer_one_swept_publishes_nothing(write, folder):
    def sleepy():
        yield from pieces(table(20), 20)
        write(pieces(table(10), 10), generation=2)
        (folder / MANIFEST_NAME).unlink()  # as if the newer one had been killed between data and manifest

    with pytest.raises(OutputConflictError, match="removed the unfinished file"):
        write(sleepy(), generation=1)
    assert pq.read_metadata(folder / DATA_NAME).num_rows == 10


def test_generations_of_another_registry_are_not_compared(write, provenance, folder):
    write(pieces(table(10), 10), generation=9, provenance=replace(provenance, registry="one"))
    write(pieces(table(20), 10), generation=1, provenance=replace(provenance, registry="two"))
    assert read_manifest(folder)["generation"] == 1


def test_unfinished_files_of_older_generations_are_swept_and_of_this_one_are_not(write, folder):
    folder.mkdir(parents=True)
    for name in (".predictions.1.ab.tmp", ".predictions.1.ab.manifest", ".predictions.2.cd.tmp", ".predictions.10.ef.tmp", "theirs.tmp"):
        (folder / name).write_text("part")
    write(pieces(table(10), 10), generation=2)
    assert names(folder) == [".predictions.10.ef.tmp", ".predictions.2.cd.tmp", MANIFEST_NAME, DATA_NAME, "theirs.tmp"]


def test_a_damaged_manifest_is_an_error_to_readers_and_no_obstacle_to_writers(write, folder):
    folder.mkdir(parents=True)
    for text in ("{", "[]", json.dumps({"schema": 2})):
        (folder / MANIFEST_NAME).write_text(text)
        with pytest.raises(ManifestMismatchError, match="damaged or of a newer release"):
            read_manifest(folder)
    write(pieces(table(10), 10))
    assert read_manifest(folder)["rows"] == 10


def test_a_folder_without_a_manifest_has_none(tmp_path):
    assert read_manifest(tmp_path) is None
    assert read_manifest(tmp_path / "nowhere") is None


def test_a_file_of_somebody_else_has_no_provenance(tmp_path):
    pq.write_table(table(1), tmp_path / "theirs.parquet")
    assert read_provenance(tmp_path / "theirs.parquet") == {}
    with pytest.raises(NotFoundError, match=r"gone\.parquet"):
        read_provenance(tmp_path / "gone.parquet")
    (tmp_path / "text.parquet").write_text("text")
    with pytest.raises(InvalidInputError, match=r"text\.parquet"):
        read_provenance(tmp_path / "text.parquet")


def test_an_output_below_a_file_cannot_be_written(write, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InvalidInputError, match=r"Writing predictions to .*file/ds=1 failed.*Correct the path"):
        write(pieces(table(10), 10), folder=tmp_path / "file" / "ds=1")


def test_a_folder_in_the_place_of_the_data_object_is_named(write, folder):
    (folder / DATA_NAME).mkdir(parents=True)
    with pytest.raises(InvalidInputError, match="directory"):
        write(pieces(table(10), 10))
    assert names(folder) == [DATA_NAME]


def test_a_folder_without_the_right_to_write_is_named(write, folder):
    folder.mkdir(parents=True, mode=0o500)
    if (user := os.geteuid()) == 0:
        os.seteuid(65534)  # root may write everywhere, nobody may not
    try:
        with pytest.raises(InvalidInputError, match="Permission denied.*Correct the path or its rights"):
            write(pieces(table(10), 10))
    finally:
        os.seteuid(user)


WRITER = textwrap.dedent("""
    import os, resource, signal, sys
    import numpy as np, pyarrow as pa
    from airflow_registry.errors import StorageUnavailableError
    from airflow_registry.scoring.writer import Provenance, write_predictions

    folder, how = sys.argv[1:]
    schema = pa.schema({"id": pa.int64(), "prediction": pa.float64()})
    random = np.random.default_rng(1)

    def batches():
        for number in range(20):
            if how == "kill" and number == 10:
                os.kill(os.getpid(), signal.SIGKILL)
            yield pa.RecordBatch.from_pydict({"id": np.arange(50_000), "prediction": random.random(50_000)}, schema=schema)

    if how == "full":
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
    replace = os.replace
    def killed(source, target):
        if how == "kill-before-data" or (how == "kill-before-manifest" and target.endswith(".json")):
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)
    os.replace = killed
    try:
        write_predictions(folder, batches(), schema=schema, provenance=Provenance(model="leads", version=8), generation=2)
    except StorageUnavailableError as error:
        print(error)
        sys.exit(3)
""")


def run_writer(folder, how):
    return subprocess.run([sys.executable, "-c", WRITER, str(folder), how], capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize("how", ["kill", "kill-before-data"])
def test_a_writer_killed_in_the_middle_leaves_the_old_output_whole_and_the_next_one_sweeps(write, folder, how):
    write(pieces(table(10), 10))
    before = {name: (folder / name).read_bytes() for name in names(folder)}
    assert run_writer(folder, how).returncode == -signal.SIGKILL
    left = set(names(folder)) - set(before)
    assert any(name.endswith(".tmp") for name in left)
    assert {name: (folder / name).read_bytes() for name in before} == before
    assert pq.read_table(folder / DATA_NAME).num_rows == 10
    write(pieces(table(20), 10), generation=3)
    assert names(folder) == [MANIFEST_NAME, DATA_NAME]


def test_a_writer_killed_between_data_and_manifest_leaves_whole_data_that_says_whose_it_is(write, folder):
    write(pieces(table(10), 10))
    assert run_writer(folder, "kill-before-manifest").returncode == -signal.SIGKILL
    assert pq.read_table(folder / DATA_NAME).num_rows == 1_000_000
    assert read_provenance(folder / DATA_NAME)["version"] == "8"
    assert read_manifest(folder)["version"] == 7
    write(pieces(table(20), 10), generation=3)
    assert names(folder) == [MANIFEST_NAME, DATA_NAME]


def test_a_full_disk_leaves_the_old_output_whole_and_no_part_of_the_new(write, folder):
    write(pieces(table(10), 10))
    before = {name: (folder / name).read_bytes() for name in names(folder)}
    found = run_writer(folder, "full")
    assert found.returncode == 3, found.stderr
    assert "Writing predictions to" in found.stdout
    assert {name: (folder / name).read_bytes() for name in names(folder)} == before


def test_a_retry_may_help_against_a_full_disk():
    assert StorageUnavailableError.retryable
