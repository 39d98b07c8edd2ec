"""The store in a bucket, on a bucket in memory: the contract, and every step at which something may go wrong."""

from __future__ import annotations

import itertools
import logging
import os
import threading
from pathlib import Path

import pytest

from airflow_registry.artifacts import object_files, parallel
from airflow_registry.artifacts.objects import ObjectArtifactStore
from airflow_registry.artifacts.routed import RoutedArtifactStore
from airflow_registry.errors import (
    ArtifactNotFoundError,
    InvalidInputError,
    ManifestMismatchError,
    StorageRefusedError,
    StorageUnavailableError,
)
from airflow_registry.objects.options import StorageOptions
from tests.contracts.artifact_store import contents
from tests.contracts.object_artifact_store import ObjectArtifactStoreContract
from tests.fakes.objects import MemoryObjects


class Killed(BaseException):
    """What a process feels of a SIGKILL: nothing of it runs any more."""


class TestObjectArtifactStore(ObjectArtifactStoreContract):
    __test__ = True

    @pytest.fixture
    def client(self):
        return MemoryObjects()

    @pytest.fixture
    def store(self, client):
        return RoutedArtifactStore(ObjectArtifactStore(client, "team/models"), StorageOptions())

    def listing(self, store):
        return {self.client.uri(key): version for key, (_, version) in self.client.data.items()}

    # -- what put looks at -------------------------------------------------------------------------------------------------
    def test_what_is_there_already_is_read_and_not_believed(self, store, client, file):
        stored = self.put(store, file)
        client.requests.clear()
        self.put(store, file)
        assert (client.requests["digest"], client.requests["upload"]) == (1, 0)
        self.flip(stored.remote_path)
        self.put(store, file)
        assert (client.requests["digest"], client.requests["upload"]) == (2, 1)

    def test_another_size_is_damage_without_reading(self, store, client, file):
        stored = self.put(store, file)
        self.overwrite(stored.remote_path, b"short")
        client.requests.clear()
        self.put(store, file)
        assert (client.requests["digest"], client.requests["upload"]) == (0, 1)

    def test_a_source_that_changes_while_it_is_uploaded_is_named(self, store, client, file):
        client.before = lambda verb, key: file.write_bytes(b"changed") if verb == "upload" else None
        with pytest.raises(InvalidInputError, match=r"changed while it was read: .*Nothing was kept"):
            self.put(store, file)
        assert self.listing(store) == {}

    def test_a_folder_that_changes_while_it_is_uploaded_is_named(self, store, client, folder):
        client.before = lambda verb, key: (folder / "config.json").write_bytes(b"[]") if verb == "upload" else None
        with pytest.raises(InvalidInputError, match="changed while it was read"):
            self.put(store, folder)
        assert not [key for key in client.data if key.endswith(".sha256sums")]

    def test_a_file_that_vanishes_while_its_folder_is_uploaded_is_an_error(self, store, client, folder):
        client.before = lambda verb, key: (folder / "config.json").unlink(missing_ok=True) if verb == "upload" else None
        with pytest.raises((StorageUnavailableError, InvalidInputError)):
            self.put(store, folder)
        assert not [key for key in client.data if key.endswith(".sha256sums")]

    def test_another_writer_who_is_faster_is_enough(self, store, client, file):
        def faster(verb, key):
            if verb == "upload" and key not in client.data:
                client.put(key, file.read_bytes())

        client.before = faster
        stored = self.put(store, file)
        assert client.data[self.key(stored.remote_path)][1] == 1

    def test_another_writer_who_is_faster_with_damaged_bytes_is_replaced(self, store, client, file):
        def faster(verb, key):
            if verb == "upload" and key not in client.data:
                client.put(key, b"damaged")

        client.before = faster
        stored = self.put(store, file)
        store.verify(stored.remote_path, stored.digest)

    def test_a_writer_who_never_wins_gives_up(self, store, client, file):
        client.before = lambda verb, key: client.put(key, b"damaged") if verb == "write" else None
        with pytest.raises(StorageUnavailableError, match="others write and remove it all the time"):
            self.put(store, file)

    def test_an_object_that_vanishes_after_it_was_written_is_an_error(self, store, client, file):
        uploaded = []

        def rule(verb, key):
            if verb == "head" and uploaded:
                client.data.clear()
            uploaded.extend([key] * (verb == "upload"))

        client.before = rule
        with pytest.raises(StorageUnavailableError, match=r"the store does not have it: expected .* bytes, found nothing.*lifecycle"):
            self.put(store, file)

    def test_a_file_of_a_folder_that_vanishes_after_it_was_written_is_an_error(self, store, client, folder):
        listed = itertools.count()

        def rule(verb, key):
            if verb == "list" and next(listed) == 1:
                client.data.pop(next(iter(client.data)))

        client.before = rule
        with pytest.raises(StorageUnavailableError, match="expected 3 files of 10002 bytes, found 2 files"):
            self.put(store, folder)
        assert not [key for key in client.data if key.endswith(".sha256sums")]

    # -- every step at which the process may die ---------------------------------------------------------------------------
    @pytest.mark.parametrize("step", range(14))
    def test_killed_at_any_step_a_folder_is_not_there_or_whole(self, store, client, folder, step, monkeypatch):
        monkeypatch.setattr(object_files, "LARGE_BYTES", 0)  # one after the other, so that a step is the same one in every run
        requests = itertools.count()

        def die(verb, key):
            if next(requests) == step:
                raise Killed

        client.before = die
        remote_path = f"{store.root}/plain/lead_scoring/{self.digest_of(folder).short}/bundle/"
        try:
            self.put(store, folder)
        except Killed:
            client.before = lambda verb, key: None
            assert not store.exists(remote_path)
            assert not list(store.orphans({remote_path})) or client.data
        client.before = lambda verb, key: None
        assert self.put(store, folder).remote_path == remote_path
        store.verify(remote_path, self.digest_of(folder))
        assert len(client.data) == 4

    @pytest.mark.parametrize("step", range(4))
    def test_killed_at_any_step_a_file_is_not_there_or_whole(self, store, client, file, step):
        requests = itertools.count()

        def die(verb, key):
            if next(requests) == step:
                raise Killed

        client.before = die
        try:
            self.put(store, file)
        except Killed:
            assert [data for data, _ in client.data.values()] in ([], [file.read_bytes()])
        client.before = lambda verb, key: None
        stored = self.put(store, file)
        store.verify(stored.remote_path, stored.digest)

    @pytest.mark.parametrize("step", range(8))
    def test_killed_at_any_step_of_a_fetch_nothing_stands_under_the_name(self, store, client, folder, tmp_path, step):
        stored = self.put(store, folder)
        requests = itertools.count()

        def die(verb, key):
            if next(requests) == step:
                raise StorageUnavailableError("gone")

        client.before = die
        out = tmp_path / "out"
        try:
            store.fetch(stored.remote_path, stored.digest, str(out))
        except StorageUnavailableError:
            assert list(out.iterdir()) == []
        else:
            assert contents(out / "bundle") == contents(folder)

    def digest_of(self, folder):
        from airflow_registry.artifacts.digest import content_digest

        return content_digest(folder)

    # -- reading -----------------------------------------------------------------------------------------------------------
    def test_an_object_that_is_replaced_while_it_is_read_is_read_again(self, store, client, file, tmp_path):
        from airflow_registry.objects.base import PreconditionError

        stored, failures = self.put(store, file), iter([PreconditionError(), PreconditionError()])

        def replaced(verb, key):
            if verb == "download" and (failure := next(failures, None)):
                raise failure

        client.before = replaced
        assert Path(store.fetch(stored.remote_path, stored.digest, str(tmp_path / "out"))).read_bytes() == file.read_bytes()

    def test_an_object_that_is_replaced_all_the_time_is_given_up(self, store, client, file, tmp_path):
        from airflow_registry.objects.base import PreconditionError

        stored = self.put(store, file)

        def replaced(verb, key):
            if verb == "download":
                raise PreconditionError

        client.before = replaced
        with pytest.raises(StorageUnavailableError, match="replaced all the time"):
            store.fetch(stored.remote_path, stored.digest, str(tmp_path / "out"))

    def test_a_bucket_that_is_gone_is_not_taken_for_a_missing_artifact(self, store, client, file):
        stored = self.put(store, file)
        client.data.clear()

        def gone(verb, key):
            if verb == "check":
                raise StorageRefusedError("there is no bucket 'bucket'")

        client.before = gone
        with pytest.raises(StorageRefusedError, match="no bucket"):
            store.verify(stored.remote_path, stored.digest)

    def test_an_address_in_another_bucket_is_not_this_stores(self, client, tmp_path):
        own = ObjectArtifactStore(client, "team/models")
        assert own.digest_of("s3://other/key") is None
        assert own.digest_of("s3://bucket2/key") is None
        with pytest.raises(InvalidInputError, match="is not in the bucket s3://bucket"):
            own.fetch("s3://other/key", None, str(tmp_path))

    def test_a_file_that_is_added_while_the_folder_is_read_is_no_part_of_it(self, store, client, folder, tmp_path):
        stored = self.put(store, folder)
        client.before = lambda verb, key: client.put(self.key(stored.remote_path) + "late", b"1") if verb == "download" else None
        copy = Path(store.fetch(stored.remote_path, stored.digest, str(tmp_path / "out")))
        assert contents(copy) == contents(folder)
        with pytest.raises(ManifestMismatchError, match="extra: late"):
            store.verify(stored.remote_path, stored.digest)

    # -- several at once ---------------------------------------------------------------------------------------------------
    def test_small_files_go_several_at_once_and_large_ones_alone(self, store, client, tmp_path, monkeypatch):
        (tmp_path / "many").mkdir()
        for number in range(40):
            (tmp_path / "many" / f"{number}").write_bytes(b"x" * 10)
        met, first = threading.Barrier(3), iter(range(3))

        def wait_for_others(verb, key):
            if verb == "upload" and next(first, None) is not None:
                met.wait(30)

        client.before = wait_for_others
        self.put(store, tmp_path / "many")
        assert 3 <= client.most_at_once <= parallel.WORKERS
        client.before, client.most_at_once = (lambda verb, key: None), 0
        monkeypatch.setattr(object_files, "LARGE_BYTES", 10)
        self.put(store, tmp_path / "many", name="again")
        assert client.most_at_once == 1

    def test_the_first_failure_ends_the_rest(self, store, client, tmp_path):
        (tmp_path / "many").mkdir()
        for number in range(500):
            (tmp_path / "many" / f"{number:03}").write_bytes(b"x")

        def fail(verb, key):
            if verb == "upload":
                raise StorageRefusedError("no right")

        client.before = fail
        with pytest.raises(StorageRefusedError, match="no right"):
            self.put(store, tmp_path / "many")
        assert client.requests["upload"] < 100

    def test_progress_is_told_every_ten_seconds(self, store, tmp_path, monkeypatch, caplog):
        (tmp_path / "many").mkdir()
        for number in range(30):
            (tmp_path / "many" / f"{number}").write_bytes(b"x")
        clock = itertools.count(step=2.5)
        monkeypatch.setattr(parallel.time, "monotonic", lambda: next(clock))
        with caplog.at_level(logging.INFO, logger="airflow_registry"):
            self.put(store, tmp_path / "many")
        told = [record.getMessage() for record in caplog.records if record.name == "airflow_registry.artifacts.parallel"]
        assert told
        assert len(told) < 15
        assert all(message.startswith("Storing s3://bucket/team/models/plain/lead_scoring/") for message in told)
        assert all(message.endswith(" of 30 files") for message in told)

    # -- pointers ----------------------------------------------------------------------------------------------------------
    def test_a_newer_pointer_that_comes_between_stays(self, store, client):
        from airflow_registry.artifacts.pointer import POINTER

        store.write_pointer("lead_scoring", {"version": 1}, 1)
        between = iter([POINTER.text({"version": 30}, 3).encode()])

        def come_between(verb, key):
            if verb == "write" and (text := next(between, None)):
                client.put(key, text)

        client.before = come_between
        store.write_pointer("lead_scoring", {"version": 20}, 2)
        assert store.read_pointer("lead_scoring") == {"version": 30, "revision": 3, "schema": 1}

    def test_an_older_pointer_that_comes_between_is_replaced(self, store, client):
        from airflow_registry.artifacts.pointer import POINTER

        between = iter([POINTER.text({"version": 10}, 1).encode()])

        def come_between(verb, key):
            if verb == "write" and (text := next(between, None)):
                client.put(key, text)

        client.before = come_between
        store.write_pointer("lead_scoring", {"version": 20}, 2)
        assert store.read_pointer("lead_scoring")["version"] == 20

    def test_a_pointer_that_is_deleted_between_is_written(self, store, client):
        store.write_pointer("lead_scoring", {"version": 1}, 1)
        deletions = iter([True])

        def come_between(verb, key):
            if verb == "read" and next(deletions, None):
                client.data.clear()

        client.before = come_between
        store.write_pointer("lead_scoring", {"version": 2}, 2)
        assert store.read_pointer("lead_scoring")["version"] == 2

    def test_a_pointer_that_others_write_all_the_time_is_given_up(self, store, client, monkeypatch):
        monkeypatch.setattr("airflow_registry.artifacts.objects._LONGEST_PAUSE_S", 0)
        client.before = lambda verb, key: client.put(key, b"{}") if verb == "write" else None
        with pytest.raises(StorageUnavailableError, match="others write it all the time"):
            store.write_pointer("lead_scoring", {}, 1)

    # -- housekeeping --------------------------------------------------------------------------------------------------------
    def test_a_folder_is_one_orphan_whatever_it_holds(self, store, client, folder):
        stored = self.put(store, folder)
        self.remove(stored.remote_path.rstrip("/") + ".sha256sums")
        self.overwrite(stored.remote_path + "deep/er/file", b"1")
        assert list(store.orphans(set())) == [stored.remote_path]

    @pytest.mark.parametrize(
        ("verb", "message"),
        [("check", "Cannot list"), ("write", "Cannot write into"), ("read", "Cannot read"), ("delete", "Cannot delete from")],
    )
    def test_the_check_says_which_right_is_missing(self, store, client, verb, message):
        def refuse(asked, key):
            if asked == verb:
                raise StorageRefusedError("no right")

        client.before = refuse
        with pytest.raises(StorageRefusedError, match=rf"{message} the artifact store s3://bucket/team/models: no right"):
            store.check()
        assert len(client.data) == (1 if verb == "delete" else 0)


def test_a_store_at_the_root_of_a_bucket_has_no_empty_segments(tmp_path):
    client = MemoryObjects("gs://bucket")
    store = ObjectArtifactStore(client)
    (tmp_path / "model.bin").write_bytes(b"1")
    assert store.root == "gs://bucket"
    assert store.put(str(tmp_path / "model.bin"), model="m").remote_path.startswith("gs://bucket/plain/m/")
    assert store.write_pointer("m", {}, 1) == "gs://bucket/production/m.json"


def test_what_nobody_can_read_is_refused_with_what_can_be_read(tmp_path):
    store = RoutedArtifactStore(ObjectArtifactStore(MemoryObjects()), StorageOptions())
    with pytest.raises(InvalidInputError, match=r"hdfs://x/y.*local paths, file:// URIs, s3:// and gs://"):
        store.fetch("hdfs://x/y", None, str(tmp_path))
    assert store.digest_of("hdfs://x/y") is None


def test_a_missing_local_file_is_not_looked_for_in_the_bucket():
    client = MemoryObjects()
    store = RoutedArtifactStore(ObjectArtifactStore(client), StorageOptions())
    assert not store.exists("/nowhere/at/all")
    with pytest.raises(ArtifactNotFoundError):
        store.digest_of("/nowhere/at/all")
    assert not client.requests
    assert os.sep not in client.data
