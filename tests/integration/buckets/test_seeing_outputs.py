"""What a scoring block sees of an output in a bucket."""

from __future__ import annotations

import pytest

from airflow_registry.champion.output import look, written
from airflow_registry.service.score import output_key
from tests.integration.buckets.conftest import BOTH

pytestmark = pytest.mark.s3


def test_an_output_is_all_its_objects_but_markers(lake):
    assert look(f"{lake.root}/out/").changed_ns == 0
    lake.client.write("out/a.csv", b"12345")
    lake.client.write("out/deep/b.csv", b"678")
    lake.client.write("out/_SUCCESS", b"x")
    lake.client.write("outer/c.csv", b"x")
    assert look(f"{lake.root}/out").size_bytes == 8
    assert look(f"{lake.root}/out/a.csv").size_bytes == 5


@BOTH
@pytest.mark.parametrize("name", ["out/a.csv", "out/b.csv"])
def test_what_is_written_is_seen_also_in_the_second_in_which_the_old_output_was(lake, name):
    lake.client.write("out/a.csv", b"old")
    before = look(f"{lake.root}/out")
    lake.client.write(name, b"new")
    assert look(f"{lake.root}/out").is_newer(before.changed_ns, before.newest)


@BOTH
def test_what_nobody_touched_is_not_newer(lake):
    lake.client.write("out/a.csv", b"old")
    before = look(f"{lake.root}/out")
    lake.client.write("out/_SUCCESS", b"x")
    assert not look(f"{lake.root}/out/").is_newer(before.changed_ns, before.newest)


def test_removing_the_newest_object_makes_nothing_new(lake):
    lake.client.write("out/a.csv", b"old")
    before = look(f"{lake.root}/out")
    lake.client.delete("out/a.csv")
    assert not look(f"{lake.root}/out").is_newer(before.changed_ns, before.newest)


def test_the_rows_of_parquet_objects_are_counted_and_of_others_not(lake, frame):
    lake.put("out/a.parquet", frame)
    lake.put("out/b.parquet", frame)
    assert (written(f"{lake.root}/out").rows, written(f"{lake.root}/out").digest) == (80, None)
    lake.client.write("out/c.parquet", b"PAR1 this is not one")
    assert written(f"{lake.root}/out").rows is None
    assert written(f"{lake.root}/leads/ds=2026-01-01/part.parquet").rows == 10
    lake.client.write("text/a.csv", b"a")
    assert written(f"{lake.root}/text").rows is None


def test_a_bucket_that_this_worker_may_not_read_cannot_be_looked_at(lake, caplog):
    assert look(f"{lake.root}-elsewhere/out") is None
    assert "cannot look at" in caplog.text
    assert written(f"{lake.root}-elsewhere/out").rows is None


def test_one_place_has_one_name_in_the_ledger(lake):
    scheme, rest = lake.root.split("://")
    names = {
        output_key(f"{each}://{rest}/{path}") for each in (scheme, scheme.upper()) for path in ("out/a", "out/a/", "/out/a", "/out/a//")
    }
    assert names == {f"{lake.root}/out/a"}
    assert output_key(f"{lake.root}/") == lake.root
