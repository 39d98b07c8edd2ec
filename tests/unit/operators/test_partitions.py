"""Which input belongs to a key."""

from __future__ import annotations

import pytest

from airflow_registry.errors import InvalidInputError, NotFoundError
from airflow_registry.operators.partitions import partition_input, partition_target


@pytest.fixture
def make(tmp_path):
    def files(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("x\n1\n")
        return str(tmp_path)

    return files


def test_a_folder_gives_the_partition_of_that_key(make):
    lake = make("ds=2026-01-01/a.csv", "ds=2026-01-02/a.csv")
    assert partition_input(lake, "ds=2026-01-02").path == f"{lake}/ds=2026-01-02"
    assert partition_input(make("flat/2026-01-01.csv") + "/flat", "2026-01-01").path == f"{lake}/flat/2026-01-01.csv"


def test_a_file_or_glob_is_the_input_itself(make):
    lake = make("leads.csv")
    assert partition_input(f"{lake}/leads.csv", "2026-01-01").path == f"{lake}/leads.csv"
    assert partition_input(f"{lake}/*.csv", "2026-01-01").path == f"{lake}/*.csv"


@pytest.mark.parametrize("folder", ["2026-01-01", "ds=2026-01-01", "leads_2026-01-01_v2"])
def test_a_folder_that_names_the_key_is_the_input_itself(make, folder):
    lake = make(f"{folder}/part-0.csv", f"{folder}/part-1.csv")
    assert partition_input(f"{lake}/{folder}/", "2026-01-01").path == f"{lake}/{folder}"


def test_a_folder_that_holds_a_key_of_its_own_name_gives_what_it_holds(make):
    lake = make("7/7/a.csv", "7/8/a.csv")
    assert partition_input(f"{lake}/7", "7").path == f"{lake}/7/7"


@pytest.mark.parametrize("key", ["2026-01-0", "01", "ds=2026-01-09"])
def test_all_of_a_folder_is_never_scored_under_a_key_that_it_does_not_hold(make, key):
    lake = make("lake/ds=2026-01-01/a.csv", "lake/ds=2026-01-02/a.csv") + "/lake"
    with pytest.raises(NotFoundError, match="it has ds=2026-01-01, ds=2026-01-02"):
        partition_input(lake, key)


def test_an_empty_folder_has_no_partition(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotFoundError, match="it is empty"):
        partition_input(str(tmp_path / "empty"), "x")


def test_the_output_is_below_the_folder_and_absolute():
    assert partition_target("/out/", "ds=2026-01-01") == "/out/ds=2026-01-01"
    assert partition_target("s3://out", "a|b") == "s3://out/a%7Cb"
    for wrong in ("out", "./out"):
        with pytest.raises(InvalidInputError, match="relative path"):
            partition_target(wrong, "x")
