"""Inputs in real buckets mean what the same files mean in a folder, and are read at the versions that were listed."""

import hashlib

import pyarrow.parquet as pq
import pytest

from airflow_registry.errors import InputNotReadyError, InvalidInputError, StorageRefusedError
from airflow_registry.scoring.partitions import list_partitions
from airflow_registry.scoring.source import find_input, open_source


@pytest.fixture
def both(bucket, tmp_path, make_rows):
    """The same files in the bucket and in a folder."""

    def put(*names):
        for number, name in enumerate(names):
            path = tmp_path / "lake" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(make_rows(10, start=10 * number), path)
            bucket.put(f"lake/{name}", path.read_bytes())
        return f"{bucket.root}/lake", str(tmp_path / "lake")

    return put


@pytest.mark.parametrize("path", ["", "/ds=1/", "/ds=*/h=1", "/**/h=2"])
def test_an_input_is_the_same_files_rows_and_partitions_as_in_a_folder(bucket, both, path):
    """All layouts and patterns: tests/unit/scoring/test_trees.py."""
    remote, local = both("ds=1/h=1/a.parquet", "ds=1/h=2/a.parquet", "ds=2/h=1/b.parquet", "_temporary/x.parquet", "ds=2/_tmp/x.parquet")
    there, here = open_source(f"{remote}{path}", bucket.storage), open_source(f"{local}{path}")
    assert [file.removeprefix(remote) for file in there.files] == [file.removeprefix(local) for file in here.files]
    assert (there.schema, there.rows) == (here.schema, here.rows)
    assert list(there.batches()) == list(here.batches())
    parts = list_partitions(f"{remote}{path}", bucket.storage), list_partitions(f"{local}{path}")
    assert [part.key for part in parts[0]] == [part.key for part in parts[1]]


def test_rows_come_through_a_file_that_goes_when_it_was_read(bucket, both, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    remote, _ = both("a.parquet", "b.parquet")
    source = open_source(remote, bucket.storage)
    batches = source.batches(["id"], batch_rows=5)
    next(batches)
    assert len(list((tmp_path / "scratch").iterdir())) == 1
    assert sum(batch.num_rows for batch in batches) == 15
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_reader_that_is_left_leaves_no_file(bucket, both, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    remote, _ = both("a.parquet")
    batches = open_source(remote, bucket.storage).batches(batch_rows=5)
    next(batches)
    batches.close()
    assert list((tmp_path / "scratch").iterdir()) == []


def test_the_digest_is_of_the_names_sizes_and_versions_and_not_of_the_folder(bucket, make_rows):
    put = [bucket.put_table(f"one/{name}.parquet", make_rows(5)) for name in ("b", "a")]
    found = find_input(f"{bucket.root}/one", bucket.storage)
    lines = sorted(f"{each.key.removeprefix('one/')}\t{each.size_bytes}\t{each.version}\n" for each in put)
    assert found.digest() == f"sha256:{hashlib.sha256(''.join(lines).encode()).hexdigest()}"
    assert found.digest_kind == "versions"
    assert find_input(f"{bucket.root}/one/", bucket.storage).digest() == found.digest()
    bucket.put_table("one/a.parquet", make_rows(6))
    assert find_input(f"{bucket.root}/one", bucket.storage).digest() != found.digest()
    bucket.put_table("one/c.parquet", make_rows(6))
    assert len({find_input(f"{bucket.root}/one{path}", bucket.storage).digest() for path in ("", "/a*", "/c.parquet")}) == 3


@pytest.mark.parametrize("change", ["replaced", "removed"])
def test_an_object_that_changes_before_it_was_read_is_noticed(bucket, make_rows, change):
    for name in ("a", "b"):
        bucket.put_table(f"in/{name}.parquet", make_rows(10))
    found = find_input(f"{bucket.root}/in", bucket.storage)
    batches = found.open().batches()
    next(batches)
    if change == "replaced":
        bucket.put_table("in/b.parquet", make_rows(11))
    else:
        bucket.client.delete("in/b.parquet")
    with pytest.raises(InputNotReadyError, match=r"in/b\.parquet was changed while it was read, so nothing was written"):
        list(batches)
    with pytest.raises(InputNotReadyError, match=r"in/b\.parquet was changed"):
        found.open()


def test_an_object_that_changes_after_it_was_read_changes_nothing(bucket, make_rows):
    bucket.put_table("in/a.parquet", make_rows(10))
    batches = open_source(f"{bucket.root}/in/a.parquet", bucket.storage).batches(["id"], batch_rows=5)
    first = next(batches)
    bucket.put_table("in/a.parquet", make_rows(10, start=100))
    assert first["id"].to_pylist() + next(batches)["id"].to_pylist() == list(range(10))
    assert list(batches) == []


def test_a_footer_that_is_larger_than_a_guess_is_read_whole(bucket, make_rows):
    table = make_rows(100)
    for number in range(600):
        table = table.append_column(f"column_{number}_{'x' * 100}", table["x"])
    bucket.put_table("wide.parquet", table)
    assert open_source(f"{bucket.root}/wide.parquet", bucket.storage).schema.names == table.schema.names


def test_a_large_csv_is_understood_from_its_beginning(bucket):
    lines = (f"{number},{number / 2},name {number}\n" for number in range(400_000))
    bucket.put("large.csv", ("id,x,name\n" + "".join(lines)).encode())
    source = open_source(f"{bucket.root}/large.csv", bucket.storage)
    assert [str(field.type) for field in source.schema] == ["int64", "double", "string"]
    assert sum(batch.num_rows for batch in source.batches()) == 400_000


@pytest.mark.parametrize("name", ["zero.parquet", "text.parquet", "zero.csv"])
def test_a_damaged_object_is_named(bucket, name):
    bucket.put(name, b"text" * 100 if name.startswith("text") else b"")
    with pytest.raises(InvalidInputError, match=rf"{bucket.root}/{name} cannot be read.*empty, truncated or damaged"):
        open_source(f"{bucket.root}/{name}", bucket.storage)


def test_a_bucket_that_is_missing_is_not_an_empty_input(bucket):
    with pytest.raises(StorageRefusedError, match="is-not-there"):
        open_source(f"{bucket.root[:-1]}-is-not-there/leads/", bucket.storage)


def test_a_folder_marker_is_no_file_and_no_partition(bucket, make_rows):
    bucket.put("lake/", b"")
    bucket.put("lake/ds=1/", b"")
    with pytest.raises(InputNotReadyError, match="holds no data file"):
        open_source(f"{bucket.root}/lake", bucket.storage)
    bucket.put_table("lake/ds=1/a.parquet", make_rows(3))
    assert [part.key for part in list_partitions(f"{bucket.root}/lake", bucket.storage)] == ["ds=1"]
