import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_registry.errors import InvalidInputError, NotFoundError
from airflow_registry.scoring.partitions import check_key_in, encode_key, list_partitions, partition_output


def keys(path):
    return [part.key for part in list_partitions(path)]


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_hive_style_folders_are_partitions_nested_ones_by_all_their_parts(tmp_path):
    touch(tmp_path, "a=2/b=1/x.parquet", "a=1/b=2/x.parquet", "a=1/b=1/x.parquet", "a=1/b=1/y.parquet", "a=3/x.csv")
    assert keys(tmp_path) == ["a=1/b=1", "a=1/b=2", "a=2/b=1", "a=3"]
    assert list_partitions(tmp_path)[0].path == f"{tmp_path}/a=1/b=1"


def test_loose_files_are_partitions_by_their_stems(tmp_path):
    touch(tmp_path, "2026-01-02.parquet", "2026-01-01.parquet", "2026-01-03.csv.gz", "notes.txt", "_manifest.json", ".hidden.parquet")
    assert keys(tmp_path) == ["2026-01-01", "2026-01-02", "2026-01-03"]


def test_plain_folders_are_partitions_by_their_names(tmp_path):
    touch(tmp_path, "2026-01-01/x.parquet", "2026-01-02/x.csv", "_tmp/x.parquet")
    assert keys(tmp_path) == ["2026-01-01", "2026-01-02"]


def test_a_folder_without_data_has_not_arrived_yet(tmp_path):
    touch(tmp_path, "ds=1/x.parquet", "ds=2/_temporary/x.parquet", "ds=2/.x.parquet.crc")
    assert keys(tmp_path) == ["ds=1"]


def test_an_empty_input_folder_has_no_partitions(tmp_path):
    assert list_partitions(tmp_path) == ()


def test_a_glob_finds_files_hive_folders_and_plain_folders(tmp_path):
    touch(tmp_path, "ds=1/h=1/x.parquet", "ds=2/h=1/x.parquet", "plain/x.csv", "f.csv", "g.txt")
    assert keys(f"{tmp_path}/ds=*") == ["ds=1/h=1", "ds=2/h=1"]
    assert keys(f"{tmp_path}/ds=*/h=1") == ["ds=1/h=1", "ds=2/h=1"]
    assert keys(f"{tmp_path}/[fgp]*") == ["f", "plain"]


def test_one_file_is_one_partition(tmp_path):
    touch(tmp_path, "jan.parquet")
    assert keys(tmp_path / "jan.parquet") == ["jan"]


def test_two_files_that_would_share_an_output_are_refused(tmp_path):
    touch(tmp_path, "jan.parquet", "jan.csv")
    with pytest.raises(InvalidInputError, match="have the key 'jan'"):
        list_partitions(tmp_path)


@pytest.mark.parametrize("names", [("ds=1/x.parquet", "loose.parquet"), ("ds=1/x.parquet", "ds=1/h=1/x.parquet")])
def test_a_layout_in_which_rows_could_be_forgotten_is_refused(tmp_path, names):
    touch(tmp_path, *names)
    with pytest.raises(InvalidInputError, match="Expected one or the other"):
        list_partitions(tmp_path)


def test_an_input_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(NotFoundError, match="nowhere"):
        list_partitions(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("key", "encoded"),
    [
        ("ds=2026-01-31", "ds=2026-01-31"),
        ("ds=1/region=a|b", "ds=1/region=a%7Cb"),
        ("2026-01-31", "2026-01-31"),
        ("a/b", "a%2Fb"),
        ("..", "%2E."),
        ("../../etc", "%2E.%2F..%2Fetc"),
        ("_x", "%5Fx"),
        ("a b", "a%20b"),
        ("50%", "50%25"),
        ("ds=ü", "ds=%C3%BC"),
        ("ds=../../x", "ds%3D..%2F..%2Fx"),
        ("a=b=c", "a=b%3Dc"),
    ],
)
def test_keys_are_encoded_as_the_design_says(key, encoded):
    assert encode_key(key) == encoded


def test_an_output_is_a_folder_below_the_output():
    assert partition_output("/out/leads/", "ds=1") == "/out/leads/ds=1"
    assert partition_output("file:///out", "a|b") == "file:///out/a%7Cb"


@pytest.mark.parametrize("key", ["", None])
def test_an_empty_key_is_refused(key):
    with pytest.raises(InvalidInputError, match="partition key"):
        partition_output("/out", key)


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1) | st.text(alphabet="a=/.%_|", min_size=1)


@given(texts)
def test_no_key_leaves_the_output_or_hides_in_it(key):
    parts = encode_key(key).split("/")
    assert all(part and part[0] not in "._" and part.isascii() for part in parts)
    assert os.path.normpath(f"/out/{encode_key(key)}") == f"/out/{encode_key(key)}"


@given(texts, texts)
def test_two_keys_never_share_an_output(one, other):
    assert (encode_key(one) == encode_key(other)) == (one == other)


@pytest.mark.parametrize("key", ["../../etc", "..", "a/../../b", "./a", "a//b", "/etc", "a/", "a\0b"])
def test_a_key_that_leads_elsewhere_is_refused_in_a_path_that_holds_it_as_it_is(key):
    for path in (f"/lake/{key}/", f"s3://lake/{key}", f"/lake/ds={key}"):
        with pytest.raises(InvalidInputError, match="would lead elsewhere.*Give the folder without the key"):
            check_key_in(path, key)
    check_key_in("/lake/leads", key)  # there it is encoded


@pytest.mark.parametrize("key", ["2026-01-31", "ds=2026-01-31/region=a|b", "a..b", "...", "us%2Feu", "a b"])
def test_any_plain_key_may_stand_in_a_path(key):
    check_key_in(f"/lake/{key}/", key)


@given(texts)
def test_a_key_that_may_stand_in_a_path_stays_where_it_stands(key):
    try:
        check_key_in(f"/lake/{key}", key)
    except InvalidInputError:
        return
    assert os.path.normpath(f"/lake/{key}") == f"/lake/{key}"
    assert "\0" not in key
