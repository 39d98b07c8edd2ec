"""What every client of an object store must do. A client's tests subclass the suite and fill in the fixtures."""

from __future__ import annotations

import hashlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from airflow_registry.domain.names import Digest
from airflow_registry.errors import ArtifactNotFoundError, DigestMismatchError, StorageRefusedError, StorageUnavailableError
from airflow_registry.objects.base import ABSENT, Condition, PreconditionError

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_registry.objects.base import ObjectClient

MIB = 1 << 20
LARGE = os.urandom(MIB) * 16 + b"the end"
UNUSUAL_KEYS = [
    "plain/model/0123456789abcdef/model.skops",
    "a b+c%20d/e?f#g&h=i;j",
    "modèle-日本/🦉",
    "'quoted' \"twice\"",
    "x.y..z/...",
    "~(!*)$@,:",
    "k" * 200,
    "day=2026-11-23/predictions.parquet",
]


def digest_of(data: bytes) -> Digest:
    return Digest(f"sha256:{hashlib.sha256(data).hexdigest()}")


class ObjectClientContract:
    """Subclasses set `__test__ = True` and give the fixtures `client` (an empty bucket) and `nowhere` (a bucket that is missing)."""

    __test__ = False
    # Of some servers only single requests are created by exactly one of many; when parts are put together they look first and write then.
    completes_uploads_atomically = True
    # Some servers list what lies in a folder together, in the place of the folder's name without its slash.
    lists_in_order_of_keys = True

    @pytest.fixture
    def client(self) -> ObjectClient:
        raise NotImplementedError

    @pytest.fixture
    def nowhere(self) -> ObjectClient:
        raise NotImplementedError

    @pytest.fixture
    def large(self) -> bytes:
        """More than two pieces, and the last one is not whole."""
        return LARGE

    @pytest.fixture
    def file(self, tmp_path, large) -> Path:
        path = tmp_path / "model.bin"
        path.write_bytes(large)
        return path

    # -- small objects -------------------------------------------------------------------------------------------------
    def test_where_nothing_is_there_is_nothing_to_read(self, client, tmp_path):
        assert client.head("a") is None
        for read in (client.read, client.digest, lambda key: client.download(key, str(tmp_path / "copy"))):
            with pytest.raises(ArtifactNotFoundError, match="nothing is there") as caught:
                read("a")
            assert client.uri("a") in str(caught.value)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("data", [b"", b"\x00", bytes(range(256)) * 40], ids=["empty", "byte", "more"])
    def test_what_was_written_is_read(self, client, data):
        written = client.write("folder/a", data)
        assert client.read("folder/a") == data
        assert client.digest("folder/a") == (digest_of(data), len(data))
        found = client.head("folder/a")
        assert (found.key, found.size_bytes, found.version) == ("folder/a", len(data), written.version)
        assert (written.key, written.size_bytes) == ("folder/a", len(data))

    def test_times_are_the_stores_and_aware(self, client):
        written = client.write("a", b"1")
        for found in (written, client.head("a"), next(client.list())):
            assert found.modified_at.utcoffset() == timedelta(0)
            assert abs(datetime.now(UTC) - found.modified_at) < timedelta(minutes=5)

    def test_ranges(self, client):
        client.write("a", b"0123456789")
        assert client.read("a", start=3) == b"3456789"
        assert client.read("a", start=3, length=2) == b"34"
        assert client.read("a", length=4) == b"0123"
        assert client.read("a", start=8, length=100) == b"89"
        assert client.read("a", start=10) == client.read("a", start=99, length=1) == client.read("a", length=0) == b""

    def test_a_version_that_is_not_there_any_more_is_not_read(self, client, tmp_path):
        before = client.write("a", b"before").version
        assert client.read("a", version=before) == b"before"
        after = client.write("a", b"after").version
        assert after != before
        with pytest.raises(PreconditionError):
            client.read("a", version=before)
        with pytest.raises(PreconditionError):
            client.download("a", str(tmp_path / "copy"), version=before)
        assert list(tmp_path.iterdir()) == []
        assert client.download("a", str(tmp_path / "copy"), version=after) == digest_of(b"after")

    @pytest.mark.parametrize("key", UNUSUAL_KEYS)
    def test_every_key_is_as_it_was_given(self, client, key, tmp_path):
        client.write(key, b"1")
        assert client.read(key) == b"1"
        assert [found.key for found in client.list()] == [key]
        assert client.uri(key) == f"{client.root}/{key}"
        client.delete(key)
        assert client.head(key) is None

    # -- conditions ----------------------------------------------------------------------------------------------------
    def test_only_the_first_one_creates(self, client):
        client.write("a", b"first", condition=ABSENT)
        with pytest.raises(PreconditionError):
            client.write("a", b"second", condition=ABSENT)
        assert client.read("a") == b"first"

    def test_a_version_is_replaced_by_whoever_knows_it(self, client):
        first = client.write("a", b"1")
        second = client.write("a", b"2", condition=Condition(version=first.version))
        with pytest.raises(PreconditionError):
            client.write("a", b"3", condition=Condition(version=first.version))
        assert client.head("a").version == second.version
        assert client.read("a") == b"2"

    def test_what_is_gone_is_not_replaced(self, client, file, large):
        first = client.write("a", b"1")
        client.delete("a")
        with pytest.raises(PreconditionError):
            client.write("a", b"2", condition=Condition(version=first.version))
        with pytest.raises(PreconditionError):
            client.upload(str(file), "a", digest=digest_of(large), condition=Condition(version=first.version))
        assert client.head("a") is None

    def test_of_many_who_create_at_once_one_wins(self, client):
        assert self.winners(client, 8, lambda number: client.write("a", b"%d" % number, condition=ABSENT)) == [client.read("a")]

    def test_of_many_who_replace_at_once_one_wins(self, client):
        condition = Condition(version=client.write("a", b"before").version)
        assert self.winners(client, 8, lambda number: client.write("a", b"%d" % number, condition=condition)) == [client.read("a")]

    def test_of_many_who_upload_at_once_one_wins(self, client, tmp_path, large):
        for number in range(3):
            (tmp_path / str(number)).write_bytes(b"%d" % number + large)

        def upload(number: int) -> None:
            client.upload(str(tmp_path / str(number)), "a", digest=digest_of(b"%d" % number + large), condition=ABSENT)

        winners = self.winners(client, 3, upload)
        assert client.read("a", length=1) in winners
        assert len(winners) == 1 or not self.completes_uploads_atomically
        assert client.digest("a")[0] in {digest_of(winner + large) for winner in winners}
        assert list(client.unfinished()) == []

    def winners(self, client, count, write) -> list[bytes]:
        """Start them together; the numbers of those who were told that they did it."""
        barrier, won = threading.Barrier(count), []

        def run(number: int) -> None:
            barrier.wait(30)
            try:
                write(number)
            except PreconditionError:
                return
            won.append(b"%d" % number)

        with ThreadPoolExecutor(count) as pool:
            list(pool.map(run, range(count)))
        return won

    # -- files -----------------------------------------------------------------------------------------------------------
    @pytest.mark.parametrize("size", [0, 1, 8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 16 * MIB])
    def test_a_file_of_any_size_comes_back_as_it_was(self, client, tmp_path, size):
        data = os.urandom(min(size, MIB)) * max(1, size // MIB)
        data = (data + b"x" * size)[:size]
        (tmp_path / "file").write_bytes(data)
        done = client.upload(str(tmp_path / "file"), "a/file", digest=digest_of(data))
        found = client.head("a/file")
        assert (done.key, done.size_bytes, done.version) == (found.key, found.size_bytes, found.version) == ("a/file", size, done.version)
        assert client.download("a/file", str(tmp_path / "copy")) == digest_of(data)
        assert (tmp_path / "copy").read_bytes() == data
        assert client.digest("a/file") == (digest_of(data), size)

    def test_a_large_file_comes_back_as_it_was(self, client, tmp_path, file, large):
        client.upload(str(file), "a", digest=digest_of(large), condition=ABSENT)
        assert client.download("a", str(tmp_path / "copy")) == digest_of(large)
        assert (tmp_path / "copy").read_bytes() == large
        assert client.read("a", start=len(large) - 3) == b"end"
        assert client.digest("a") == (digest_of(large), len(large))

    def test_a_file_that_is_not_what_was_promised_is_not_kept(self, client, tmp_path, file):
        small = tmp_path / "small"
        small.write_bytes(b"1")
        for path in (small, file):
            with pytest.raises(DigestMismatchError, match="not the one that was promised") as caught:
                client.upload(str(path), "a", digest=digest_of(b"another"))
            assert str(digest_of(b"another")) in str(caught.value)
            assert str(path) in str(caught.value)
        assert list(client.list()) == list(client.unfinished()) == []

    def test_an_upload_whose_condition_does_not_hold_changes_nothing(self, client, file, large):
        first = client.write("a", b"first")
        for condition in (ABSENT, Condition(version=client.write("b", b"other").version)):
            with pytest.raises(PreconditionError):
                client.upload(str(file), "a", digest=digest_of(large), condition=condition)
        assert client.head("a").version == first.version
        assert list(client.unfinished()) == []

    def test_a_file_replaces_the_version_that_was_named(self, client, tmp_path, file, large):
        first = client.write("a", b"first")
        second = client.upload(str(file), "a", digest=digest_of(large), condition=Condition(version=first.version))
        assert second.version != first.version
        (tmp_path / "small").write_bytes(b"small")
        client.upload(str(tmp_path / "small"), "a", digest=digest_of(b"small"), condition=Condition(version=second.version))
        assert client.read("a") == b"small"

    def test_no_file_no_upload(self, client, tmp_path):
        with pytest.raises(ArtifactNotFoundError, match="nowhere"):
            client.upload(str(tmp_path / "nowhere"), "a", digest=digest_of(b""))
        assert client.head("a") is None

    def test_a_download_overwrites_no_file(self, client, tmp_path):
        client.write("a", b"new")
        (tmp_path / "copy").write_bytes(b"mine")
        with pytest.raises(StorageUnavailableError, match="copy"):
            client.download("a", str(tmp_path / "copy"))
        assert (tmp_path / "copy").read_bytes() == b"mine"

    # -- listings ----------------------------------------------------------------------------------------------------------
    def test_listing_goes_by_prefix_and_in_the_order_of_keys(self, client):
        keys = ["a", "b/1", "b/2/x", "b/2/y", "b-c", "c/1", "é", "b"]
        for key in keys:
            client.write(key, key.encode())
        listed = [found.key for found in client.list()]
        assert sorted(listed) == sorted(keys)
        assert listed == sorted(keys) or not self.lists_in_order_of_keys
        assert [found.key for found in client.list("b/")] == ["b/1", "b/2/x", "b/2/y"]
        assert [found.key for found in client.list("b/2/")] == ["b/2/x", "b/2/y"]
        assert sorted(found.key for found in client.list("b")) == ["b", "b-c", "b/1", "b/2/x", "b/2/y"]
        assert list(client.list("nowhere/")) == []
        assert {found.key: found.size_bytes for found in client.list("b/")} == {"b/1": 3, "b/2/x": 5, "b/2/y": 5}
        assert next(client.list("c/")).version == client.head("c/1").version

    def test_folders_are_the_next_segments(self, client):
        for key in ["a", "b/1", "b/2/x", "b/2/y", "b/3/z", "c/1", "day=2026-11-23/x"]:
            client.write(key, b"")
        assert list(client.folders()) == ["b/", "c/", "day=2026-11-23/"]
        assert list(client.folders("b/")) == ["b/2/", "b/3/"]
        assert list(client.folders("b/2/")) == []

    def test_a_listing_goes_over_pages(self, client):
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda number: client.write(f"many/{number:04}/x", b""), range(1005)))
        expected = [f"many/{number:04}/" for number in range(1005)]
        assert [found.key for found in client.list("many/")] == [f"{folder}x" for folder in expected]
        assert list(client.folders("many/")) == expected

    # -- the rest --------------------------------------------------------------------------------------------------------------
    def test_what_is_deleted_is_gone_and_may_be_deleted_again(self, client):
        client.write("a", b"1")
        for _ in range(2):
            client.delete("a")
            assert client.head("a") is None
            assert list(client.list()) == []
        client.write("a", b"2", condition=ABSENT)
        assert client.read("a") == b"2"

    def test_a_bucket_that_is_there_passes_the_check(self, client):
        client.check()
        assert list(client.list()) == []

    def test_a_bucket_that_is_missing_is_named_by_every_verb(self, nowhere, tmp_path, file, large):
        verbs = {
            "check": nowhere.check,
            "head": lambda: nowhere.head("a"),
            "read": lambda: nowhere.read("a"),
            "digest": lambda: nowhere.digest("a"),
            "download": lambda: nowhere.download("a", str(tmp_path / "copy")),
            "write": lambda: nowhere.write("a", b"1"),
            "upload": lambda: nowhere.upload(str(file), "a", digest=digest_of(large)),
            "list": lambda: list(nowhere.list()),
            "folders": lambda: list(nowhere.folders()),
        }
        for name, verb in verbs.items():
            with pytest.raises(StorageRefusedError, match=r"there is no bucket .*Create it, or correct") as caught:
                verb()
            assert nowhere.root.partition("://")[2] in str(caught.value), name
            assert not caught.value.retryable
        assert not (tmp_path / "copy").exists()
