"""The writer that takes rows one batch after the other, scored ones and ones that are set aside."""

import json
import subprocess
import sys
import textwrap

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_registry.errors import CorruptionError, InvalidInputError, OutputConflictError
from airflow_registry.scoring.files import file_digest
from airflow_registry.scoring.writer import DATA_NAME, MANIFEST_NAME, QUARANTINE_NAME, open_output, read_manifest, read_provenance

ASIDE = pa.schema({"id": pa.int64(), "reason": pa.string(), "row": pa.int64()})


def scored(start, count):
    ids = np.arange(start, start + count)
    return pa.RecordBatch.from_pydict({"id": ids, "prediction": np.sin(ids)})


def aside(*rows):
    return pa.RecordBatch.from_pylist([{"id": row, "reason": f"x is missing in row {row}", "row": row} for row in rows], schema=ASIDE)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "out" / "ds=1"


@pytest.fixture
def begin(folder, provenance):
    return lambda generation=1: open_output(folder, provenance=provenance, generation=generation)


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def test_rows_that_were_set_aside_stand_beside_the_predictions_and_in_the_manifest(begin, folder):
    with begin() as out:
        out.predictions(scored(0, 100))
        out.quarantined(aside(100, 101))
        out.predictions(scored(102, 50))
        written = out.commit(rows_in=152)
    assert names(folder) == [MANIFEST_NAME, QUARANTINE_NAME, DATA_NAME]
    assert (written.rows, written.quarantined, written.quarantine_path) == (150, 2, str(folder / QUARANTINE_NAME))
    table = pq.read_table(folder / QUARANTINE_NAME)
    assert table.schema.remove_metadata() == ASIDE
    assert table.to_pylist()[1] == {"id": 101, "reason": "x is missing in row 101", "row": 101}
    assert read_provenance(folder / QUARANTINE_NAME)["version"] == "7"
    manifest = read_manifest(folder)
    assert (manifest["rows"], manifest["quarantined"]) == (150, 2)
    assert [(file["name"], file["rows"], file["sha256"]) for file in manifest["files"]] == [
        (name, rows, file_digest(str(folder / name)).hex) for name, rows in ((DATA_NAME, 150), (QUARANTINE_NAME, 2))
    ]


def test_what_an_earlier_run_set_aside_is_gone_when_nothing_is_any_more(begin, folder):
    with begin() as out:
        out.predictions(scored(0, 1))
        out.quarantined(aside(1))
        out.commit(rows_in=2)
    with begin(2) as out:
        out.predictions(scored(0, 2))
        out.quarantined(aside())
        written = out.commit(rows_in=2)
    assert (written.quarantined, written.quarantine_path) == (0, None)
    assert names(folder) == [MANIFEST_NAME, DATA_NAME]
    assert [file["name"] for file in read_manifest(folder)["files"]] == [DATA_NAME]


@pytest.mark.parametrize("rows_in", [0, 11, 13])
def test_rows_that_do_not_add_up_publish_nothing(begin, folder, rows_in):
    with begin() as out:
        out.predictions(scored(0, 10))
        out.quarantined(aside(10, 11))
        with pytest.raises(CorruptionError, match=f"{rows_in} rows came in, but 10 were scored and 2 quarantined"):
            out.commit(rows_in=rows_in)
    assert names(folder) == []


def test_without_a_commit_nothing_is_published(begin, folder):
    with begin() as out:
        out.predictions(scored(0, 300_000))
        out.quarantined(aside(1))
    assert names(folder) == []


def test_an_output_without_rows_needs_to_be_told_its_columns(begin, folder):
    with begin() as out:
        with pytest.raises(InvalidInputError, match=r"begin\(schema\) was not called"):
            out.commit(rows_in=0)
        out.begin(scored(0, 0).schema)
        with pytest.raises(InvalidInputError, match="begun already"):
            out.begin(scored(0, 0).schema)
        assert out.commit(rows_in=0).rows == 0
    assert pq.read_table(folder / DATA_NAME).column_names == ["id", "prediction"]


def test_a_partition_of_which_all_rows_were_set_aside_has_predictions_without_rows(begin, folder):
    with begin() as out:
        out.begin(scored(0, 0).schema)
        out.quarantined(aside(0, 1, 2))
        assert (written := out.commit(rows_in=3)).rows == 0
    assert written.quarantined == 3
    assert pq.read_metadata(folder / DATA_NAME).num_rows == 0


def test_the_bytes_of_both_files_do_not_depend_on_how_the_rows_came_in(begin, folder):
    found = set()
    for generation, size in enumerate((1, 7, 1000), start=1):
        with begin(generation) as out:
            for start in range(0, 1000, size):
                count = min(size, 1000 - start)
                out.predictions(scored(start, count))
                out.quarantined(aside(*range(start, start + count)))
            out.commit(rows_in=2000)
        found.add((file_digest(str(folder / DATA_NAME)), file_digest(str(folder / QUARANTINE_NAME))))
    assert len(found) == 1


def test_an_overtaken_writer_replaces_neither_the_predictions_nor_what_was_set_aside(begin, folder):
    with begin(1) as older:
        older.predictions(scored(0, 5))
        older.quarantined(aside(5))
        with begin(2) as newer:
            newer.predictions(scored(0, 4))
            newer.quarantined(aside(4, 5))
            newer.commit(rows_in=6)
        before = {name: (folder / name).read_bytes() for name in names(folder)}
        with pytest.raises(OutputConflictError, match="Generation 1 may not write"):
            older.commit(rows_in=6)
    assert {name: (folder / name).read_bytes() for name in names(folder)} == before


KILLED = textwrap.dedent("""
    import os, signal, sys
    import pyarrow as pa
    from airflow_registry.scoring.writer import Provenance, open_output

    replace = os.replace
    def killed(source, target):
        if target.endswith(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)
    os.replace = killed
    with open_output(sys.argv[1], provenance=Provenance(model="leads", version=8), generation=2) as out:
        out.predictions(pa.RecordBatch.from_pydict({"id": [1], "prediction": [1.0]}))
        out.quarantined(pa.RecordBatch.from_pydict({"id": [2], "reason": ["x"], "row": [1]}))
        out.commit(rows_in=2)
""")


@pytest.mark.parametrize("moment", [QUARANTINE_NAME, DATA_NAME, MANIFEST_NAME])
def test_what_was_set_aside_is_in_place_before_the_predictions_and_those_before_the_manifest(begin, folder, moment):
    with begin() as out:
        out.predictions(scored(0, 10))
        out.commit(rows_in=10)
    assert subprocess.run([sys.executable, "-c", KILLED, str(folder), moment], check=False, timeout=60).returncode == -9
    order = [QUARANTINE_NAME, DATA_NAME, MANIFEST_NAME]
    new = [(folder / QUARANTINE_NAME).exists(), pq.read_metadata(folder / DATA_NAME).num_rows == 1, read_manifest(folder)["version"] == 8]
    assert new == [order.index(name) < order.index(moment) for name in order]
    assert [file["name"] for file in json.loads((folder / MANIFEST_NAME).read_text())["files"]] == [DATA_NAME]
    with begin(3) as out:
        out.predictions(scored(0, 10))
        out.commit(rows_in=10)
    assert names(folder) == [MANIFEST_NAME, DATA_NAME]
