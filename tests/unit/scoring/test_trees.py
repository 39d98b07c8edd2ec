"""A bucket's keys mean what the same files mean in a folder."""

import gzip

import pyarrow.parquet as pq
import pytest

from airflow_registry.errors import InputNotReadyError, InvalidInputError
from airflow_registry.scoring.objects import ObjectTree
from airflow_registry.scoring.partitions import partitions_in
from airflow_registry.scoring.source import find_in
from airflow_registry.scoring.trees import LocalTree
from tests.unit.scoring.fake_bucket import FakeBucket, FakeClient

CSV = b"id,x,carrier\n1,0.5,UA\n2,,\n3,1.5,AA\n"
LAYOUTS = {
    "files": ["a.parquet", "b.parquet", "_SUCCESS.parquet", ".hidden.parquet", "notes.txt", "sub/c.parquet"],
    "hive": ["ds=1/h=1/a.parquet", "ds=1/h=2/a.parquet", "ds=2/h=1/b.parquet", "_temporary/x.parquet", "ds=2/_tmp/x.parquet"],
    "both": ["ds=1/a.parquet", "ds=1/h=2/a.parquet", "ds=2/b.parquet"],
    "loose": ["ds=1/a.parquet", "a.parquet"],
    "folders": ["2026-01-01/a.parquet", "2026-01-01/b.parquet", "2026-01-02/c.parquet", "empty/readme.md"],
    "csv": ["ds=1/a.csv", "ds=1/b.csv.gz", "ds=2/c.csv"],
    "mixed": ["ds=1/a.csv", "ds=1/b.parquet"],
    "like files": ["holdout.parquet/part-0.parquet", "holdout.parquet/part-1.parquet", "a.parquet/b.txt"],
    "magic": ["[x]/a.parquet", "x/b.parquet", "a*b.parquet"],
    "deep": ["a/b/c/a.parquet", "a/.b/c/a.parquet", "a/_b/c/a.parquet"],
}
INPUTS = [
    *("", "/ds=1", "/ds=*", "/ds=1/h=*", "/ds=?/*", "/*", "/*.parquet", "/**", "/**/a.parquet", "/**/ds=*/**", "/2026-01-0[12]"),
    *("/[!b].parquet", "/a.parquet", "/notes.txt", "/holdout.parquet", "/[x]", "/a*b.parquet", "/.hidden*", "/a/*/c", "/.*/x"),
    *("/none", "/none/*"),
]


@pytest.fixture
def both(tmp_path, make_rows):
    """The same files in a bucket and in a folder."""
    root, bucket = tmp_path / "lake", FakeBucket()

    def put(*names):
        for number, name in enumerate(names):
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if name.endswith(".parquet"):
                pq.write_table(make_rows(10, start=10 * number), path)
            else:
                path.write_bytes(gzip.compress(CSV) if name.endswith(".gz") else CSV)
            FakeClient(bucket).write(f"lake/{name}", path.read_bytes())
        client = FakeClient(bucket)
        return (ObjectTree(client, client.list()), f"{client.root}/lake"), (LocalTree(), str(root))

    return put


def answer(function, tree, root, path):
    """What a function says of a path, without where the lake is."""
    try:
        return function(tree, root, path)
    except (InputNotReadyError, InvalidInputError) as error:
        return type(error), str(error).replace(root, "LAKE")


def rows(tree, root, path):
    source = find_in(tree, f"{root}{path}").open()
    return [file.removeprefix(root) for file in source.files], source.schema, [batch.to_pydict() for batch in source.batches()]


def partitions(tree, root, path):
    return [(part.key, part.path.removeprefix(root)) for part in partitions_in(tree, f"{root}{path}")]


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("function", [rows, partitions])
def test_an_input_is_the_same_in_a_bucket_as_in_a_folder(both, layout, function):
    remote, local = both(*layout)
    answers = {path: [answer(function, tree, root, path) for tree, root in (remote, local)] for path in INPUTS}
    assert {path: found[0] for path, found in answers.items()} == {path: found[1] for path, found in answers.items()}
    assert len({repr(found[0]) for found in answers.values()}) > 3


def test_of_a_file_and_a_folder_of_one_name_the_file_is_meant():
    client = FakeClient(FakeBucket())
    for key in ("lake/a.parquet", "lake/a.parquet/b.parquet"):
        client.write(key, b"")
    tree = ObjectTree(client, client.list())
    assert [(entry.name, entry.is_folder) for entry in tree.entries("s3://fake/lake")] == [("a.parquet", False), ("a.parquet", True)]
    assert find_in(tree, "s3://fake/lake/a.parquet").found.names == ("s3://fake/lake/a.parquet",)


def test_a_segment_without_a_name_is_no_folder_of_data():
    client = FakeClient(FakeBucket())
    for key in ("lake//a.parquet", "lake/b.parquet"):
        client.write(key, b"")
    tree = ObjectTree(client, client.list())
    assert find_in(tree, "s3://fake/lake").found.names == ("s3://fake/lake/b.parquet",)
    assert [part.key for part in partitions_in(tree, "s3://fake/lake")] == ["b"]


def test_what_is_below_an_output_is_its_data_at_any_depth():
    client = FakeClient(FakeBucket())
    for key in ("out/a", "out/b/c.csv", "out/_SUCCESS", "out/_temporary/0/x", "out/b/.x", "outer/a", "out"):
        client.write(key, b"")
    tree = ObjectTree(client, client.list())
    assert tree.below("s3://fake/out") == ["s3://fake/out", "s3://fake/out/a", "s3://fake/out/b/c.csv"]
