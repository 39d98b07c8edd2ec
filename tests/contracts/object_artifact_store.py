"""What artifact stores in buckets must do beside the contract of all artifact stores; on a bucket in memory, on S3 and on GCS alike."""

from __future__ import annotations

import hashlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_registry.domain.names import Digest
from airflow_registry.errors import ArtifactNotFoundError, DigestMismatchError, InvalidInputError, ManifestMismatchError
from tests.contracts.artifact_store import ArtifactStoreContract, contents

if TYPE_CHECKING:
    from airflow_registry.objects.base import ObjectClient

# Whoever may write to a bucket may give an object any of these names below a folder.
EVIL_NAMES = ["../evil", "weights/../../evil", "/etc/evil", "a//evil", ".", "..", "weights/.", "config.json/evil"]


class ObjectArtifactStoreContract(ArtifactStoreContract):
    """Subclasses give the fixtures `client`, a bucket in which nothing is below `base`, and `store`, which begins at `<base>/models`."""

    evil_names = EVIL_NAMES

    @pytest.fixture
    def client(self) -> ObjectClient:
        raise NotImplementedError

    @pytest.fixture
    def base(self) -> str:
        return "team"

    @pytest.fixture(autouse=True)
    def _place_for_the_hooks(self, client, base):
        self.client, self.base = client, base

    def key(self, path: str) -> str:
        return path.removeprefix(f"{self.client.root}/")

    def read(self, path: str) -> bytes:
        return self.client.read(self.key(path))

    def overwrite(self, path: str, data: bytes) -> None:
        self.client.write(self.key(path), data)

    def remove(self, path: str) -> None:
        self.client.delete(self.key(path))

    def listing(self, store) -> dict[str, object]:
        return {self.client.uri(info.key): (info.version, info.modified_at) for info in self.client.list(f"{self.base}/")}

    # -- the layout ----------------------------------------------------------------------------------------------------------
    def test_the_keys_are_those_of_a_local_store(self, store, file, folder, tmp_path):
        from airflow_registry.artifacts.local import LocalArtifactStore

        local = LocalArtifactStore(str(tmp_path / "local"))
        for each in (store, local):
            self.put(each, file)
            self.put(each, folder)
            each.write_pointer("lead_scoring", {}, 1)
            each.write_mark("lead_scoring", {}, 1)
        here = {path.relative_to(local.root).as_posix(): path.read_bytes() for path in Path(local.root).rglob("*") if path.is_file()}
        start = f"{self.base}/models/"
        there = {info.key.removeprefix(start): self.client.read(info.key) for info in self.client.list(start)}
        assert there == {key: data for key, data in here.items() if not key.endswith(".lock")}

    def test_two_stores_in_one_bucket_do_not_meet(self, store, file):
        from airflow_registry.artifacts.objects import ObjectArtifactStore

        other = ObjectArtifactStore(self.client, f"{self.base}/models2")
        self.put(other, file)
        other.write_mark("churn", {}, 1)
        assert list(store.orphans(set())) == []
        assert list(store.models()) == []

    def test_models_are_those_with_a_pointer_or_a_mark(self, store, file):
        self.put(store, file)
        store.write_pointer("Churn", {}, 1)
        store.write_mark("churn", {}, 1)
        store.write_mark("risk.lead", {}, 1)
        assert list(store.models()) == ["churn", "risk.lead"]

    def test_temporary_leftovers_are_orphans_and_no_models(self, store):
        for folder in ("production", "numbers"):
            self.overwrite(f"{store.root}/{folder}/.tmp-1.json", b"{}")
        assert set(store.orphans(set())) == {f"{store.root}/production/.tmp-1.json", f"{store.root}/numbers/.tmp-1.json"}
        assert list(store.models()) == []

    # -- folders ---------------------------------------------------------------------------------------------------------------
    def test_a_folder_is_there_once_its_manifest_is(self, store, folder):
        stored = self.put(store, folder)
        self.remove(stored.remote_path.rstrip("/") + ".sha256sums")
        assert not store.exists(stored.remote_path)
        assert self.put(store, folder) == stored
        assert store.exists(stored.remote_path)

    def test_a_folder_that_lost_all_its_files_names_them(self, store, folder, tmp_path):
        stored = self.put(store, folder)
        for path in contents(folder):
            self.remove(stored.remote_path + path)
        error = self.assert_refused(store, stored, ManifestMismatchError, tmp_path)
        assert str(error).count("missing: ") == 3

    def test_a_folder_that_is_gone_with_its_manifest_is_not_found(self, store, folder, tmp_path):
        stored = self.put(store, folder)
        for path in self.listing(store):
            self.remove(path)
        self.assert_refused(store, stored, ArtifactNotFoundError, tmp_path)

    def test_many_files_of_one_folder_come_back(self, store, tmp_path):
        source = tmp_path / "many"
        for number in range(120):
            path = source / str(number % 7) / f"{number}.bin"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"%d" % number * (number + 1))
        stored = self.put(store, source)
        assert contents(Path(store.fetch(stored.remote_path, stored.digest, str(tmp_path / "out")))) == contents(source)

    def test_the_empty_objects_by_which_consoles_show_folders_are_no_files(self, store, folder, tmp_path):
        stored = self.put(store, folder)
        self.overwrite(stored.remote_path, b"")
        self.overwrite(stored.remote_path + "weights/", b"")
        store.verify(stored.remote_path, stored.digest)
        assert contents(Path(store.fetch(stored.remote_path, stored.digest, str(tmp_path / "out")))) == contents(folder)

    def test_a_link_that_leaves_the_folder_is_refused_before_anything_is_written(self, store, folder, tmp_path):
        (folder / "leaves").symlink_to("/etc/hostname")
        (folder / "up").symlink_to(tmp_path)
        os.mkfifo(folder / "pipe")
        with pytest.raises(InvalidInputError) as refused:
            self.put(store, folder)
        for name in ("leaves", "up", "pipe"):
            assert f"{name!r}:" in str(refused.value)
        assert self.listing(store) == {}

    def test_a_link_inside_the_folder_is_stored_as_what_it_leads_to(self, store, folder):
        (folder / "latest").symlink_to("config.json")
        assert self.read(self.put(store, folder).remote_path + "latest") == b"{}"

    def test_a_name_that_leaves_the_folder_is_never_written_to_the_disk(self, store, folder, tmp_path):
        stored = self.put(store, folder)
        for number, name in enumerate(self.evil_names):
            self.overwrite(stored.remote_path + name, b"evil")
            (tmp_path / str(number)).mkdir()
            error = self.assert_refused(store, stored, ManifestMismatchError, tmp_path / str(number))
            assert repr(name) in str(error) or "config.json" in str(error)
            with pytest.raises(InvalidInputError, match="cannot be files of a folder"):
                store.fetch(stored.remote_path, None, str(tmp_path / "unknown"))
            self.remove(stored.remote_path + name)
        assert not [path for path in tmp_path.rglob("*") if "evil" in path.name]
        assert not Path("/etc/evil").exists()

    def test_one_name_with_a_line_break_does_not_stand_for_two_files(self, store, tmp_path):
        source = tmp_path / "two"
        source.mkdir()
        (source / "a").write_bytes(b"1")
        (source / "b").write_bytes(b"2")
        stored = self.put(store, source)
        self.remove(stored.remote_path + "a")
        self.remove(stored.remote_path + "b")
        self.overwrite(f"{stored.remote_path}a\n{hashlib.sha256(b'2').hexdigest()}  b", b"1")
        self.assert_refused(store, stored, ManifestMismatchError, tmp_path)

    # -- what lies in a bucket already -------------------------------------------------------------------------------------------
    def test_what_lies_in_the_bucket_has_the_digest_of_its_copy(self, store, client, file, folder):
        client.write(f"{self.base}/raw/model.bin", file.read_bytes())
        for path, data in contents(folder).items():
            client.write(f"{self.base}/raw/bundle/{path}", data)
        stored, bundle = self.put(store, file), self.put(store, folder)
        assert store.digest_of(client.uri(f"{self.base}/raw/model.bin")) == (stored.digest, stored.size_bytes)
        assert store.digest_of(client.uri(f"{self.base}/raw/bundle/")) == (bundle.digest, bundle.size_bytes)
        assert store.exists(client.uri(f"{self.base}/raw/bundle/"))
        assert not store.exists(client.uri(f"{self.base}/raw/nothing/"))

    def test_a_folder_without_its_slash_is_not_found_and_the_error_says_so(self, store, client):
        client.write(f"{self.base}/raw/bundle/a", b"1")
        with pytest.raises(ArtifactNotFoundError, match="It is a folder: write its address with a slash at the end"):
            store.digest_of(client.uri(f"{self.base}/raw/bundle"))

    def test_what_lies_in_the_bucket_and_is_empty_or_missing_is_an_error(self, store, client):
        client.write(f"{self.base}/raw/empty", b"")
        with pytest.raises(InvalidInputError, match="empty"):
            store.digest_of(client.uri(f"{self.base}/raw/empty"))
        for path in ("raw/nowhere", "raw/nowhere/"):
            with pytest.raises(ArtifactNotFoundError, match="raw/nowhere"):
                store.digest_of(client.uri(f"{self.base}/{path}"))

    @pytest.mark.parametrize("path", ["", "/", "plain/..", "plain/../"])
    def test_an_address_that_names_no_file_cannot_be_fetched(self, store, client, tmp_path, path):
        with pytest.raises((InvalidInputError, ArtifactNotFoundError)):
            store.fetch(client.uri(path), None, str(tmp_path / "out"))
        assert not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []

    def test_local_artifacts_are_read_from_a_registry_that_keeps_its_own_in_a_bucket(self, store, file, folder, tmp_path):
        for source in (str(file), f"{folder}/", file.as_uri()):
            digest, _ = store.digest_of(source)
            store.verify(source, digest)
            assert store.exists(source)
            with store.open_verified(source, digest) as path:
                assert Path(path).exists()
            with pytest.raises((DigestMismatchError, ManifestMismatchError)):
                store.verify(source, Digest(f"sha256:{'0' * 64}"))

    # -- several writers ----------------------------------------------------------------------------------------------------------
    def test_writers_of_the_same_bytes_agree(self, store, file, folder):
        with ThreadPoolExecutor(4) as pool:
            files = list(pool.map(lambda _: self.put(store, file), range(4)))
            folders = list(pool.map(lambda _: self.put(store, folder), range(4)))
        assert len(set(files)) == len(set(folders)) == 1
        for stored in (files[0], folders[0]):
            store.verify(stored.remote_path, stored.digest)
        assert len(self.listing(store)) == 1 + 3 + 1

    @pytest.mark.parametrize("kind", ["pointer", "mark"])
    def test_of_many_writers_at_once_the_newest_stays(self, store, kind):
        write = {"pointer": store.write_pointer, "mark": store.write_mark}[kind]
        barrier = threading.Barrier(8)

        def run(number: int) -> None:
            barrier.wait(30)
            write("lead_scoring", {"registry_uid": "ours", "from": number}, number)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(run, [5, 3, 8, 1, 7, 2, 6, 4]))
        found = {"pointer": store.read_pointer, "mark": store.read_mark}[kind]("lead_scoring")
        assert found["from"] == 8
