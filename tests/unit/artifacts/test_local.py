"""The local store: the contract, and what only a file system can get wrong."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest

from airflow_registry.artifacts.local import LocalArtifactStore
from airflow_registry.errors import (
    ArtifactNotFoundError,
    DigestMismatchError,
    InvalidInputError,
    ManifestMismatchError,
    StorageUnavailableError,
)
from tests.contracts.artifact_store import ArtifactStoreContract


class TestLocalArtifactStore(ArtifactStoreContract):
    __test__ = True

    @pytest.fixture
    def store(self, tmp_path):
        return LocalArtifactStore(str(tmp_path / "root"))

    def read(self, path):
        return Path(path).read_bytes()

    def overwrite(self, path, data):
        Path(path).write_bytes(data)

    def remove(self, path):
        Path(path).unlink()

    def listing(self, store):
        files = [path for path in Path(store.root).rglob("*") if path.is_file() and not path.name.endswith(".lock")]
        return {str(path): (path.stat().st_ino, path.stat().st_mtime_ns) for path in files}

    # -- only here -----------------------------------------------------------------------------------------------------------
    def test_sha256sum_alone_can_check_what_is_stored(self, store, file, folder):
        stored, bundle = self.put(store, file), self.put(store, folder)
        printed = subprocess.run(["sha256sum", stored.remote_path], capture_output=True, check=True, text=True).stdout
        assert printed.split()[0] == stored.digest.hex
        manifest = bundle.remote_path.rstrip("/") + ".sha256sums"
        printed = subprocess.run(["sha256sum", manifest], capture_output=True, check=True, text=True).stdout
        assert printed.split()[0] == bundle.digest.hex
        subprocess.run(["sha256sum", "--check", "--strict", manifest], cwd=bundle.remote_path, check=True, capture_output=True)

    def test_other_users_may_read_what_is_stored(self, store, file, folder):
        before = os.umask(0o022)
        try:
            stored, bundle = self.put(store, file), self.put(store, folder)
            pointer = store.write_pointer("lead_scoring", {}, 1)
        finally:
            os.umask(before)
        for path in (stored.remote_path, bundle.remote_path + "config.json", pointer):
            assert Path(path).stat().st_mode & 0o044 == 0o044
        assert Path(bundle.remote_path).stat().st_mode & 0o055 == 0o055

    def test_links_inside_a_folder_are_stored_as_what_they_lead_to(self, store, folder):
        (folder / "latest").symlink_to("config.json")
        stored = self.put(store, folder)
        copy = Path(stored.remote_path, "latest")
        assert not copy.is_symlink()
        assert copy.read_text() == "{}"

    def test_a_link_given_as_the_source_is_followed(self, store, file, tmp_path):
        (tmp_path / "latest.skops").symlink_to(file)
        stored = self.put(store, tmp_path / "latest.skops")
        assert not Path(stored.remote_path).is_symlink()
        assert self.read(stored.remote_path) == file.read_bytes()

    def test_everything_that_a_folder_cannot_keep_is_named_at_once(self, store, folder, tmp_path):
        (folder / "leaves").symlink_to("/etc/hostname")
        (folder / "up").symlink_to(tmp_path)
        (folder / "loop").symlink_to("loop")
        (folder / "weights" / "again").symlink_to("..")
        (folder / "line\nbreak").touch()
        os.mkfifo(folder / "pipe")
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(folder / "socket"))
            with pytest.raises(InvalidInputError) as refused:
                self.put(store, folder)
        for name in ("leaves", "up", "loop", "weights/again", r"line\nbreak", "pipe", "socket"):
            assert f"{name!r}:".replace(r"\\n", r"\n") in str(refused.value)
        assert "config.json" not in str(refused.value)
        assert self.listing(store) == {}

    def test_a_pipe_is_refused_without_waiting_for_its_writer(self, store, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(InvalidInputError, match="not a regular file"):
            self.put(store, tmp_path / "pipe")

    def test_a_link_to_nowhere_is_not_found(self, store, tmp_path):
        (tmp_path / "dangling").symlink_to("nowhere")
        with pytest.raises(ArtifactNotFoundError):
            self.put(store, tmp_path / "dangling")

    def test_a_folder_that_lost_all_its_files_names_them(self, store, folder, tmp_path):
        stored = self.put(store, folder)
        for path in Path(stored.remote_path).rglob("*"):
            path.is_file() and path.unlink()
        error = self.assert_refused(store, stored, ManifestMismatchError, tmp_path)
        assert str(error).count("missing: ") == 3

    def test_a_link_put_into_a_stored_folder_is_found(self, store, folder, tmp_path):
        stored = self.put(store, folder)
        Path(stored.remote_path, "config.json").unlink()
        Path(stored.remote_path, "config.json").symlink_to("/etc/hostname")
        error = self.assert_refused(store, stored, ManifestMismatchError, tmp_path)
        assert "config.json" in str(error)

    @pytest.mark.parametrize("damage", ["folder", "link", "pipe"])
    def test_a_copy_that_is_no_file_any_more_is_replaced_too(self, store, file, damage):
        stored = self.put(store, file)
        path = Path(stored.remote_path)
        path.unlink()
        {"folder": path.mkdir, "link": lambda: path.symlink_to("nowhere"), "pipe": lambda: os.mkfifo(path)}[damage]()
        assert self.put(store, file) == stored
        store.verify(stored.remote_path, stored.digest)

    def test_a_file_where_a_folder_was_is_a_mismatch(self, store, folder, tmp_path):
        stored = self.put(store, folder)
        path = Path(stored.remote_path)
        path.rename(path.with_name("moved"))
        path.write_text("1")
        self.assert_refused(store, stored, DigestMismatchError, tmp_path)
        assert self.put(store, folder) == stored
        store.verify(stored.remote_path, stored.digest)

    def test_putting_what_is_stored_already_changes_nothing(self, store, file, folder):
        for source in (file, folder):
            stored = self.put(store, source)
            assert store.put(stored.remote_path, model="lead_scoring") == stored
            store.verify(stored.remote_path, stored.digest)

    def test_a_store_whose_root_is_gone_is_out_of_reach_and_may_be_tried_again(self, store, file, tmp_path):
        stored = self.put(store, file)
        Path(store.root).rename(tmp_path / "unmounted")
        with pytest.raises(StorageUnavailableError, match="is not there") as refused:
            store.verify(stored.remote_path, stored.digest)
        assert refused.value.retryable

    @pytest.mark.parametrize("verb", ["put", "check", "write_pointer"])
    def test_a_root_that_is_a_file_cannot_be_written(self, store, file, verb):
        Path(store.root).write_text("not a folder")
        calls = {
            "put": lambda: self.put(store, file),
            "check": store.check,
            "write_pointer": lambda: store.write_pointer("lead_scoring", {}, 1),
        }
        with pytest.raises(StorageUnavailableError, match="Cannot"):
            calls[verb]()

    def test_fetching_into_a_file_is_an_error_that_names_it(self, store, file, tmp_path):
        stored = self.put(store, file)
        (tmp_path / "target").write_text("mine")
        with pytest.raises(StorageUnavailableError, match="target"):
            store.fetch(stored.remote_path, stored.digest, str(tmp_path / "target"))
        assert (tmp_path / "target").read_text() == "mine"

    def test_temporary_leftovers_are_orphans(self, store, file):
        stored = self.put(store, file)
        left = [
            Path(store.root, *parts) for parts in (("plain", "lead_scoring", ".tmp-1"), ("production", ".tmp-2"), ("audit", "u", ".tmp-3"))
        ]
        for path in left:
            path.mkdir(parents=True)
        assert set(store.orphans({stored.remote_path})) == set(map(str, left))

    def test_what_cannot_be_kept_cannot_be_fetched_without_a_digest_either(self, store, folder, tmp_path):
        os.mkfifo(folder / "pipe")
        with pytest.raises(InvalidInputError, match="pipe"):
            store.fetch(str(folder), None, str(tmp_path / "out"))
        assert list((tmp_path / "out").iterdir()) == []
