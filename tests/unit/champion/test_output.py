from __future__ import annotations

import hashlib
import os

import pytest

from airflow_registry.champion.output import local_path, look, written
from airflow_registry.errors import InvalidInputError
from airflow_registry.service.score import output_key
from tests.unit.scoring.fake_bucket import FakeBucket, FakeClient


def test_an_output_that_is_not_there_was_never_changed(tmp_path):
    sight = look(str(tmp_path / "nothing"))
    assert (sight.size_bytes, sight.changed_ns) == (0, 0)


def test_a_folder_is_seen_by_all_its_data_files(tmp_path):
    (tmp_path / "a.csv").write_text("12345")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b.csv").write_text("678")
    assert look(f"{tmp_path}/").size_bytes == 8


def test_markers_and_temporary_files_are_no_data(tmp_path):
    (tmp_path / "_SUCCESS").write_text("")
    (tmp_path / ".part.crc").write_text("x")
    (tmp_path / "_temporary").mkdir()
    (tmp_path / "_temporary" / "part.csv").write_text("x")
    assert look(str(tmp_path)).changed_ns == 0


def test_a_file_that_was_written_earlier_and_moved_into_place_is_new(tmp_path):
    old, elsewhere = tmp_path / "out" / "a.csv", tmp_path / "prepared.csv"
    old.parent.mkdir()
    old.write_text("old")
    elsewhere.write_text("new")
    os.utime(elsewhere, (1, 1))
    before = look(str(old.parent))
    elsewhere.rename(old)
    assert look(str(old.parent)).changed_ns > before.changed_ns


def test_removing_a_file_makes_nothing_new(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    before = look(str(tmp_path))
    (tmp_path / "b").unlink()
    assert look(str(tmp_path)).changed_ns <= before.changed_ns


def test_a_file_uri_is_a_path_and_other_schemes_cannot_be_looked_at(tmp_path):
    (tmp_path / "a b.csv").write_text("12345")
    assert look(f"file://{tmp_path}/a b.csv").size_bytes == 5
    assert local_path("hdfs://bucket/key") is None
    assert look("hdfs://bucket/key") is None


def test_a_relative_path_is_refused():
    with pytest.raises(InvalidInputError, match="relative path"):
        look("out/today")


def test_the_ledger_gets_what_sha256sum_prints(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"1\n2\n")
    found = written(str(tmp_path / "a.csv"))
    assert found.digest == f"sha256:{hashlib.sha256(b'1' + bytes([10]) + b'2' + bytes([10])).hexdigest()}"
    assert found.rows is None


def test_the_rows_of_parquet_files_are_counted(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    for name, rows in (("a", 3), ("b", 4)):
        pq.write_table(pa.table({"x": list(range(rows))}), tmp_path / f"{name}.parquet")
    (tmp_path / "_SUCCESS").write_text("")
    assert written(str(tmp_path)).rows == 7


def test_a_damaged_parquet_file_has_a_digest_and_no_rows(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1 this is not one")
    found = written(str(tmp_path))
    assert found.rows is None
    assert found.digest.startswith("sha256:")


@pytest.fixture
def out(monkeypatch):
    """A bucket whose clock stands still."""
    client = FakeClient(FakeBucket())
    monkeypatch.setattr("airflow_registry.scoring.objects.bucket_of", lambda uri, _: (client, uri.removeprefix("s3://fake/")))
    client.write("out/a.csv", b"old")
    return client


@pytest.mark.parametrize("name", ["out/a.csv", "out/b.csv", "out/deep/a.csv"])
def test_an_object_of_the_same_second_is_newer_by_its_version(out, name):
    before = look("s3://fake/out")
    out.write(name, b"new")
    after = look("s3://fake/out")
    assert after.changed_ns == before.changed_ns
    assert after.is_newer(before.changed_ns, before.newest)
    assert not look("s3://fake/out").is_newer(after.changed_ns, after.newest)


def test_the_first_object_is_newer_than_nothing_and_a_marker_is_none(out):
    before = look("s3://fake/new")
    assert (before.changed_ns, before.newest) == (0, "")
    out.write("new/_SUCCESS", b"")
    assert not look("s3://fake/new").is_newer(before.changed_ns, before.newest)
    out.write("new/part", b"1")
    assert look("s3://fake/new").is_newer(before.changed_ns, before.newest)


def test_of_an_output_elsewhere_only_the_uri_is_known():
    found = written("hdfs://bucket/key")
    assert (found.uri, found.digest, found.rows) == ("hdfs://bucket/key", None, None)


def test_an_address_is_read_as_the_ledger_reads_it(tmp_path):
    folder = tmp_path / "us%7C2026"
    folder.mkdir()
    (folder / "scored.csv").write_text("a\n1\n")
    seen = look(f"file://{folder}")
    assert seen is not None
    assert seen.size_bytes == 4
    assert output_key(f"file://{folder}") == str(folder)
