import gzip
import hashlib

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from airflow_registry.domain.model import Column, Signature
from airflow_registry.errors import InputNotReadyError, InvalidInputError, NotFoundError
from airflow_registry.scoring.source import open_source


def ids(source, **options):
    return [value for batch in source.batches(["id"], **options) for value in batch.column(0).to_pylist()]


def test_a_parquet_file_streams_all_rows_in_batches_no_larger_than_asked(parquet):
    source = open_source(parquet(1000, row_group_size=300))
    sizes = [batch.num_rows for batch in source.batches(batch_rows=128)]
    assert source.rows == 1000 == sum(sizes)
    assert max(sizes) <= 128
    assert ids(source) == list(range(1000))


def test_columns_come_in_the_order_in_which_they_are_asked_for(parquet):
    (batch,) = open_source(parquet(5)).batches(["x", "id", "y"])
    assert batch.schema.names == ["x", "id", "y"]


def test_a_column_with_a_dot_in_its_name_is_found(tmp_path):
    pq.write_table(pa.table({"a.b": [1, 2], "a": [3, 4]}), tmp_path / "dots.parquet")
    (batch,) = open_source(tmp_path / "dots.parquet").batches(["a.b"])
    assert batch.to_pydict() == {"a.b": [1, 2]}


def test_an_index_that_pandas_stored_stays_an_ordinary_column(tmp_path, make_rows):
    make_rows(4).to_pandas().set_index("id").to_parquet(tmp_path / "indexed.parquet", index=True)
    source = open_source(tmp_path / "indexed.parquet")
    assert ids(source) == [0, 1, 2, 3]
    assert all(batch.schema.metadata is None for batch in source.batches())


def test_a_folder_is_read_in_the_order_of_its_names_and_bookkeeping_is_left_out(tmp_path, make_rows):
    for name, start in {"b.parquet": 10, "a.parquet": 0, "region=x/c.parquet": 20}.items():
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(make_rows(10, start), tmp_path / "in" / name)
    for name in ("_manifest.json", "_SUCCESS", ".b.parquet.crc", "_old.parquet", "notes.txt"):
        (tmp_path / "in" / name).write_text("not data")
    source = open_source(f"{tmp_path}/in/")
    assert ids(source) == list(range(30))
    assert source.rows == 30


def test_a_glob_and_a_file_address_find_the_same_rows(tmp_path, parquet):
    parquet(10, "one.parquet")
    assert ids(open_source(f"{tmp_path}/*.parquet")) == ids(open_source(f"file://{tmp_path}/one.parquet")) == list(range(10))


def test_a_glob_over_folders_reads_the_files_in_them(tmp_path, parquet):
    for day in (1, 2):
        parquet(3, f"ds={day}/part.parquet")
    assert open_source(f"{tmp_path}/ds=*").rows == 6


def test_a_path_with_percent_signs_is_taken_literally(tmp_path, parquet):
    parquet(3, "a%7Cb/part.parquet")
    assert open_source(f"file://{tmp_path}/a%7Cb").rows == 3


@pytest.mark.parametrize("compressed", [False, True])
def test_csv_streams_in_even_batches_with_empty_fields_as_nulls(tmp_path, compressed):
    text = "id,x,name\n" + "".join(f"{number},{number / 2},{'' if number % 2 else 'n'}\n" for number in range(1000))
    path = tmp_path / ("in.csv.gz" if compressed else "in.csv")
    path.write_bytes(gzip.compress(text.encode()) if compressed else text.encode())
    source = open_source(path)
    batches = list(source.batches(["name", "id"], batch_rows=300))
    assert [batch.num_rows for batch in batches] == [300, 300, 300, 100]
    assert [str(kind) for kind in batches[0].schema.types] == ["string", "int64"]
    assert sum(batch.column("name").null_count for batch in batches) == 500
    assert source.rows is None


def test_csv_columns_are_read_as_the_signature_has_them(tmp_path):
    (tmp_path / "in.csv").write_text("zip,price,empty,other\n01234,1,,\n")
    wanted = {"zip": "string", "price": "double", "empty": "int64"}
    signature = Signature(inputs=tuple(Column(name=name, type=kind) for name, kind in wanted.items()))
    source = open_source(tmp_path / "in.csv").read_as(signature)
    assert {field.name: str(field.type) for field in source.schema} == {**wanted, "other": "string"}
    (batch,) = source.batches()
    assert batch.to_pydict() == {"zip": ["01234"], "price": [1.0], "empty": [None], "other": [None]}


def test_csv_files_of_one_folder_may_look_like_whole_numbers_in_one_and_like_fractions_in_another(tmp_path):
    (tmp_path / "a.csv").write_text("id,x\n1,1\n")
    (tmp_path / "b.csv").write_text("x,id\n1.5,2\n")
    batches = list(open_source(tmp_path).batches(["id", "x"]))
    assert [batch.to_pydict() for batch in batches] == [{"id": [1], "x": [1.0]}, {"id": [2], "x": [1.5]}]


def test_a_csv_value_that_does_not_fit_the_first_ones_is_an_error_that_names_the_file(tmp_path):
    path = tmp_path / "late.csv"
    path.write_text("x\n" + "1\n" * 3_000_000 + "oops\n")
    with pytest.raises(InvalidInputError, match=r"late\.csv.*oops"):
        list(open_source(path).batches())


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_partition_without_rows_is_valid(tmp_path, make_rows, kind):
    path = tmp_path / f"empty.{kind}"
    pq.write_table(make_rows(0), path) if kind == "parquet" else path.write_text("id,x,y\n")
    source = open_source(path)
    assert list(source.chunks()) == []
    assert "x" in source.schema.names


def test_the_digest_of_one_file_is_what_sha256sum_prints(parquet):
    path = parquet(10)
    assert open_source(path).digest() == f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def test_the_digest_of_a_folder_follows_its_bytes_and_names_and_not_its_place(tmp_path, parquet, make_rows):
    for name in ("a.parquet", "b.parquet"):
        parquet(10, f"first/{name}")
        pq.write_table(make_rows(10), parquet(10, f"second/{name}"))
    first = open_source(tmp_path / "first").digest()
    assert open_source(tmp_path / "second").digest() == first
    manifest = "".join(
        f"{hashlib.sha256((tmp_path / 'first' / name).read_bytes()).hexdigest()}  {name}\n" for name in ("a.parquet", "b.parquet")
    )
    assert first == f"sha256:{hashlib.sha256(manifest.encode()).hexdigest()}"
    pq.write_table(make_rows(11), tmp_path / "second" / "b.parquet")
    assert open_source(tmp_path / "second").digest() != first


def test_a_file_that_is_replaced_while_it_is_read_is_noticed(parquet, make_rows):
    path = parquet(1000, row_group_size=100)
    source = open_source(path)
    batches = source.batches(batch_rows=100)
    next(batches)
    pq.write_table(make_rows(5), path.with_suffix(".new"))
    path.with_suffix(".new").replace(path)
    with pytest.raises(InputNotReadyError, match="changed while it was read"):
        list(batches)
    with pytest.raises(InputNotReadyError, match="changed while it was read"):
        source.digest()


@pytest.mark.parametrize("missing", ["nowhere", "nowhere/ds=1/", "none-*.parquet"])
def test_an_input_that_is_not_there_is_named(tmp_path, missing):
    with pytest.raises(NotFoundError, match=r"(nowhere|none).*check the"):
        open_source(f"{tmp_path}/{missing}")


def test_an_empty_folder_is_not_a_partition_without_rows(tmp_path):
    (tmp_path / "_SUCCESS").touch()
    with pytest.raises(InputNotReadyError, match="holds no data file"):
        open_source(tmp_path)


@pytest.mark.parametrize("name", ["zero.parquet", "zero.csv"])
def test_a_file_of_zero_bytes_is_named(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(InvalidInputError, match=rf"{name}.*empty, truncated or damaged"):
        open_source(tmp_path / name)


def test_a_truncated_parquet_file_is_named(parquet):
    path = parquet(1000)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InvalidInputError, match=r"input\.parquet.*[^.]\. Expected.*truncated"):
        open_source(path)


def test_damage_in_the_middle_of_a_file_is_found_when_it_is_read(parquet):
    path = parquet(200_000, compression="zstd")
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 4000] = bytes(4000)
    path.write_bytes(content)
    with pytest.raises(InvalidInputError, match=r"input\.parquet.*damaged"):
        list(open_source(path).batches())


def test_a_folder_of_different_schemas_names_file_column_and_types(tmp_path, make_rows):
    pq.write_table(make_rows(3), tmp_path / "a.parquet")
    pq.write_table(make_rows(3).drop_columns(["y"]).set_column(0, "id", pa.array(["1", "2", "3"])), tmp_path / "b.parquet")
    with pytest.raises(InvalidInputError, match=r"b\.parquet.*'y' is double there and absent here; 'id' is int64 there and string here"):
        open_source(tmp_path)


def test_csv_files_of_different_columns_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text("id,x\n1,1\n")
    (tmp_path / "b.csv").write_text("id,z\n1,1\n")
    with pytest.raises(InvalidInputError, match="'x' is int64 there and absent here"):
        open_source(tmp_path)
    (tmp_path / "b.csv").write_text("id,x\n1,one\n")
    with pytest.raises(InvalidInputError, match="'x' is int64 there and string here"):
        open_source(tmp_path)


def test_dictionaries_are_a_way_to_store_a_column_and_no_other_schema(tmp_path):
    pq.write_table(pa.table({"c": pa.array(["a", "b"]).dictionary_encode()}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"c": pa.array(["a", "b"])}), tmp_path / "b.parquet")
    assert open_source(tmp_path).rows == 4


def test_lists_are_not_taken_for_their_values(tmp_path):
    pq.write_table(pa.table({"c": pa.array([[1], [2]])}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"c": pa.array([1, 2])}), tmp_path / "b.parquet")
    with pytest.raises(InvalidInputError, match="different schemas"):
        open_source(tmp_path)


def test_columns_of_one_name_are_refused(tmp_path):
    (tmp_path / "twice.csv").write_text("x,x\n1,2\n")
    with pytest.raises(InvalidInputError, match="several columns of one name: x"):
        open_source(tmp_path / "twice.csv")


def test_parquet_and_csv_in_one_folder_are_refused(tmp_path, parquet):
    parquet(1)
    (tmp_path / "left_over.csv").write_text("id\n1\n")
    with pytest.raises(InvalidInputError, match="mixes parquet and CSV"):
        open_source(tmp_path)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("hdfs://lake/leads/ds=1/", "cannot reach.*hdfs://"),
        ("s3://lake/../secrets/", "takes literally"),
        ("gs://lake/a\0b", "holds NUL"),
        ("/data/{{ ds }}/", "not rendered"),
        ("", "not a path"),
        ("/data/\0", "not a path"),
    ],
)
def test_an_address_that_cannot_be_read_is_refused_by_name(path, message):
    with pytest.raises(InvalidInputError, match=message):
        open_source(path)


def test_a_file_of_another_kind_is_refused(tmp_path):
    (tmp_path / "rows.xlsx").write_text("?")
    with pytest.raises(InvalidInputError, match=r"rows\.xlsx.*Expected a name ending in"):
        open_source(tmp_path / "rows.xlsx")
