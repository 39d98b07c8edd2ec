from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from airflow_registry.artifacts.dispatch import local_path, open_store, remote_path_of, scheme_of
from airflow_registry.errors import InvalidInputError
from airflow_registry.objects.options import StorageOptions


def test_a_path_and_a_file_uri_open_the_same_store(tmp_path):
    assert open_store(str(tmp_path)).root == open_store(tmp_path).root == open_store(tmp_path.as_uri()).root == str(tmp_path)


def test_a_relative_root_is_made_absolute_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = open_store("artifacts")
    monkeypatch.chdir("/")
    assert store.root == str(tmp_path / "artifacts")


def test_opening_a_store_writes_nothing(tmp_path):
    open_store(tmp_path / "root")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("uri", ["hdfs://x/y", "ftp+x://h/p"])
def test_another_scheme_is_refused_by_name_with_what_is_supported(uri):
    with pytest.raises(InvalidInputError, match="local folders, s3:// and gs://") as refused:
        open_store(uri)
    assert f"{scheme_of(uri)}://" in str(refused.value)


@pytest.mark.parametrize(("uri", "root"), [("s3://bucket/models/", "s3://bucket/models"), ("S3://bucket", "s3://bucket")])
def test_a_bucket_is_a_store_without_a_slash_at_its_end(uri, root):
    assert open_store(uri, StorageOptions(region="eu-north-1")).root == root


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("/srv/models/", "/srv/models"),
        ("/srv/../etc/./x", "/etc/x"),
        ("file:///srv/my%20model", "/srv/my model"),
        ("file://localhost/srv/x", "/srv/x"),
        ("FILE:///srv/x", "/srv/x"),
        ("/srv/a b#c?d", "/srv/a b#c?d"),
        ("/srv/%20", "/srv/%20"),
        ("file:///srv/a%23b%3Fc", "/srv/a#b?c"),
        (Path("/srv/x"), "/srv/x"),
    ],
)
def test_a_local_path_is_absolute_and_without_a_scheme(given, path):
    assert local_path(given) == path


@pytest.mark.parametrize("name", ["model's #1?.bin", "ünï 100%.bin", "-x", "a;b", "100%25"])
def test_a_file_uri_leads_to_the_file_it_was_made_from(tmp_path, name):
    path = tmp_path / name
    path.write_text("1")
    assert local_path(path.as_uri()) == str(path)


def test_the_home_folder_is_found_and_a_file_whose_name_starts_with_a_tilde_too(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    assert local_path("~/models") == str(tmp_path / "home" / "models")
    assert local_path("~nobody-of-that-name") == str(tmp_path / "~nobody-of-that-name")


@pytest.mark.parametrize("bad", ["", "a\x00b", b"/srv/x", None, 7, "file://otherhost/x", "file://", "{{ var.value.root }}"])
def test_what_is_no_path_is_refused(bad):
    with pytest.raises(InvalidInputError):
        local_path(bad)


def test_a_link_to_the_store_is_written_down_as_the_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert open_store(tmp_path / "link").root == str(tmp_path / "link")


def test_remote_paths_of_folders_end_in_a_slash_and_other_uris_stay(tmp_path):
    (tmp_path / "file").write_text("1")
    assert remote_path_of(tmp_path) == f"{tmp_path}/"
    assert remote_path_of(f"{tmp_path}/") == f"{tmp_path}/"
    assert remote_path_of((tmp_path / "file").as_uri()) == str(tmp_path / "file")
    assert remote_path_of("S3://bucket//key/") == "s3://bucket/key/"
    assert remote_path_of("hdfs://host/key") == "hdfs://host/key"


def test_the_package_loads_no_store_and_no_heavy_library_before_a_store_is_opened():
    script = "import sys, airflow_registry.artifacts.dispatch; print(*sys.modules)"
    loaded = set(subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True).stdout.split())
    assert "airflow_registry.artifacts.dispatch" in loaded
    assert not loaded & {"airflow_registry.artifacts.local", "boto3", "numpy", "pandas", "pyarrow", "airflow", "sqlalchemy"}
