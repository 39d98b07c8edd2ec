"""The cache of one machine, above a bucket in memory: what is downloaded, what is kept, what goes, and that nothing in it is believed."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import threading
from pathlib import Path

import pytest

from airflow_registry.artifacts.cache import store as cache_store
from airflow_registry.artifacts.cache.options import DEFAULT_BYTES, CacheOptions, parse_bytes
from airflow_registry.artifacts.cache.reader import CachedReader
from airflow_registry.artifacts.cache.store import ArtifactCache, Wanted
from airflow_registry.artifacts.digest import content_of
from airflow_registry.artifacts.objects import ObjectArtifactStore
from airflow_registry.artifacts.routed import RoutedArtifactStore
from airflow_registry.domain.names import Digest
from airflow_registry.errors import ArtifactNotFoundError, ConfigurationError, DigestMismatchError, StorageUnavailableError
from airflow_registry.objects.options import StorageOptions
from tests.contracts.artifact_store import contents
from tests.fakes.objects import MemoryObjects

MODEL = b"the weights of a model"


@pytest.fixture(autouse=True)
def nothing_told_yet(monkeypatch):
    monkeypatch.setattr(cache_store, "_told", set())


@pytest.fixture
def bucket():
    return MemoryObjects()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def open_reader(bucket, folder):
    def build(**options):
        store = RoutedArtifactStore(ObjectArtifactStore(bucket), StorageOptions())
        return CachedReader(store, CacheOptions(**{"folder": str(folder), **options}))

    return build


@pytest.fixture
def put(bucket, tmp_path):
    """Stores a file and returns how it is asked for."""

    def build(data=MODEL, name="model.bin"):
        source = tmp_path / "file" / name
        source.parent.mkdir(exist_ok=True)
        source.write_bytes(data)
        stored = ObjectArtifactStore(bucket).put(str(source), model="lead")
        return stored.remote_path, stored.digest, stored.size_bytes

    return build


@pytest.fixture
def put_folder(bucket, tmp_path):
    source = tmp_path / "source" / "bundle"
    (source / "deep").mkdir(parents=True)
    (source / "config.json").write_text("{}")
    (source / "deep" / "weights").write_bytes(MODEL)
    stored = ObjectArtifactStore(bucket).put(str(source), model="lead")
    return stored.remote_path, stored.digest, stored.size_bytes


def entry_files(folder):
    return [path for path in Path(folder).glob("user-*/entries/*/*") if path.is_file()]


def leftovers(folder):
    return [path for place in ("parts", "gone") for path in Path(folder).glob(f"user-*/{place}/*")]


def read(reader, wanted):
    with reader.open_verified(*wanted) as path:
        return Path(path).read_bytes()


def test_what_was_read_once_is_not_downloaded_again(open_reader, put, bucket, folder):
    reader, wanted = open_reader(), put()
    assert read(reader, wanted) == MODEL
    asked = sum(bucket.requests.values())
    assert [read(open_reader(), wanted) for _ in range(3)] == [MODEL] * 3
    assert (sum(bucket.requests.values()), bucket.requests["download"]) == (asked, 1)
    [file] = entry_files(folder)
    assert (file.read_bytes(), file.stat().st_mode & 0o777, leftovers(folder)) == (MODEL, 0o400, [])


def test_a_fetched_copy_comes_from_the_cache_and_is_an_ordinary_file(open_reader, put, bucket, tmp_path):
    reader, wanted = open_reader(), put()
    for number in range(3):
        copy = Path(reader.fetch(*wanted, str(tmp_path / f"out{number}")))
        assert (copy.name, copy.read_bytes(), os.access(copy, os.W_OK)) == ("model.bin", MODEL, True)
        assert copy.stat().st_mode & 0o200
    assert bucket.requests["download"] == 1


def test_folders_are_kept_and_what_a_library_writes_into_its_copy_harms_nobody(open_reader, put_folder, bucket, tmp_path):
    reader = open_reader()
    for _ in range(3):
        with reader.open_verified(*put_folder) as path:
            assert contents(Path(path)) == {"config.json": b"{}", "deep/weights": MODEL}
            Path(path, "__pycache__").mkdir()
            Path(path, "__pycache__", "code.pyc").write_bytes(b"compiled")
    assert contents(Path(reader.fetch(*put_folder, str(tmp_path / "out")))) == {"config.json": b"{}", "deep/weights": MODEL}
    assert bucket.requests["download"] == 2  # its two files, once


def flip(file):
    file.chmod(0o600)
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(flip, id="flipped"),
        pytest.param(lambda file: os.truncate(file, 3), id="cut"),
        pytest.param(lambda file: os.truncate(file, 0), id="emptied"),
        pytest.param(lambda file: file.unlink(), id="gone"),
        pytest.param(lambda file: file.rename(file.with_name("other.bin")), id="renamed"),
        pytest.param(lambda file: (file.unlink(), file.mkdir()), id="a folder"),
        pytest.param(lambda file: (file.unlink(), file.symlink_to("/dev/zero")), id="a device"),
    ],
)
def test_a_copy_that_was_changed_is_noticed_and_downloaded_again(open_reader, put, bucket, folder, damage):
    reader, wanted = open_reader(), put()
    read(reader, wanted)
    damage(entry_files(folder)[0])
    assert read(reader, wanted) == MODEL
    assert bucket.requests["download"] == 2
    assert read(reader, wanted) == MODEL
    assert bucket.requests["download"] == 2


def test_a_changed_copy_of_a_folder_is_noticed_and_downloaded_again(open_reader, put_folder, bucket, folder):
    reader = open_reader()
    with reader.open_verified(*put_folder):
        pass
    [config] = [file for file in folder.rglob("config.json") if "entries" in file.parts]
    config.with_name("extra.py").write_text("import os")
    with reader.open_verified(*put_folder) as path:
        assert set(contents(Path(path))) == {"config.json", "deep/weights"}
    assert bucket.requests["download"] == 4


def test_a_file_in_the_place_of_a_folder_is_noticed_though_it_has_the_folder_s_digest(open_reader, put_folder, bucket, folder):
    reader = open_reader()
    with reader.open_verified(*put_folder):
        pass
    [entry] = reader.cache.entries()
    bundle = reader.cache.folder.path(entry.key) / "bundle"
    bundle.rename(folder / "bundle")
    bundle.write_bytes(next(data for key, (data, _) in bucket.data.items() if key.endswith(".sha256sums")))
    with reader.open_verified(*put_folder) as path:
        assert set(contents(Path(path))) == {"config.json", "deep/weights"}


def test_what_the_bucket_holds_instead_is_refused_and_not_kept(open_reader, put, bucket, folder):
    reader, wanted = open_reader(), put()
    bucket.put(wanted[0].removeprefix("s3://bucket/"), b"other weights of the model")
    for _ in range(2):
        with pytest.raises(DigestMismatchError), reader.open_verified(*wanted):
            pass
    assert (entry_files(folder), leftovers(folder)) == ([], [])


def test_the_bucket_may_be_away_once_the_model_is_here(open_reader, put, bucket):
    reader, wanted, other = open_reader(), put(), put(b"never read before")

    def away(verb, key):
        raise StorageUnavailableError("The bucket does not answer.")

    read(reader, wanted)
    bucket.before = away
    assert read(reader, wanted) == MODEL
    with pytest.raises(StorageUnavailableError, match="does not answer"):
        read(reader, other)


def test_an_error_of_the_model_s_user_is_his_own(open_reader, put):
    wanted = put()
    with pytest.raises(OSError, match="mine") as caught, open_reader().open_verified(*wanted):
        raise OSError(errno.ENOSPC, "mine")
    assert caught.value.errno == errno.ENOSPC


def test_one_name_s_copy_is_not_another_s_and_a_manifest_is_not_its_folder(open_reader, put, put_folder, bucket):
    reader = open_reader()
    [manifest] = [data for key, (data, _) in bucket.data.items() if key.endswith(".sha256sums")]
    as_file = put(manifest, "bundle")
    assert as_file[1] == put_folder[1]
    with reader.open_verified(*as_file) as file, reader.open_verified(*put_folder) as below:
        assert (Path(file).read_bytes(), sorted(contents(Path(below)))) == (manifest, ["config.json", "deep/weights"])
    for name in ("model.json", "model.ubj"):
        with reader.open_verified(*put(MODEL, name)) as path:
            assert Path(path).name == name


def test_what_lies_on_this_machine_is_not_kept_twice(open_reader, folder, tmp_path):
    local = tmp_path / "model.bin"
    local.write_bytes(MODEL)
    reader = open_reader()
    assert read(reader, (str(local), content_of(local).digest, len(MODEL))) == MODEL
    assert Path(reader.fetch(str(local), content_of(local).digest, len(MODEL), str(tmp_path / "out"))).read_bytes() == MODEL
    assert not folder.exists()


@pytest.mark.parametrize("options", [{"limit_bytes": 0}, {"folder": None}])
def test_a_cache_that_is_off_keeps_nothing(open_reader, put, bucket, folder, options):
    reader, wanted = open_reader(**options), put()
    assert [read(reader, wanted), read(reader, wanted)] == [MODEL, MODEL]
    assert (bucket.requests["download"], folder.exists()) == (2, False)


def test_what_has_no_known_size_or_digest_is_read_without_the_cache(open_reader, put, folder, tmp_path):
    path, digest, _ = put()
    assert read(open_reader(), (path, digest, None)) == MODEL
    assert Path(open_reader().fetch(path, None, 5, str(tmp_path / "out"))).read_bytes() == MODEL
    assert not folder.exists()


# -- room ------------------------------------------------------------------------------------------------------------------------
def names(reader):
    return {entry.name for entry in reader.cache.entries()}


def test_what_was_not_used_for_the_longest_time_goes_first(open_reader, put, folder):
    reader = open_reader(limit_bytes=30)
    a, b, c = (put(name.encode() * 10, name) for name in "abc")
    for moment, wanted in enumerate((a, b, c, a)):  # a is the oldest copy, and b the one that was not used
        read(reader, wanted)
        for entry in reader.cache.entries():
            if entry.digest == wanted[1]:
                os.utime(reader.cache.folder.path(entry.key), (moment, moment))
    read(reader, put(b"d" * 10, "d"))
    assert names(reader) == {"a", "c", "d"}
    read(reader, put(b"e" * 15, "e"))
    assert names(reader) == {"d", "e"}
    assert sum(file.stat().st_size for file in entry_files(folder)) <= 30


def test_using_a_copy_makes_it_young(open_reader, put):
    reader, wanted = open_reader(), put()
    read(reader, wanted)
    [entry] = reader.cache.entries()
    os.utime(reader.cache.folder.path(entry.key), (1, 1))
    read(reader, wanted)
    assert reader.cache.entries()[0].used_at > 1_000_000


def test_what_somebody_reads_never_goes(open_reader, put, bucket):
    reader = open_reader(limit_bytes=30)
    wanted = put(b"a" * 20, "a")
    with reader.open_verified(*wanted) as path:
        assert [entry.is_in_use for entry in reader.cache.entries()] == [True]
        assert read(reader, put(b"b" * 20, "b")) == b"b" * 20
        assert reader.cache.clear() == []
        assert (names(reader), Path(path).read_bytes()) == ({"a"}, b"a" * 20)
    assert [entry.is_in_use for entry in reader.cache.entries()] == [False]
    read(reader, put(b"b" * 20, "b"))
    assert names(reader) == {"b"}
    assert [entry.name for entry in reader.cache.clear()] == ["b"]
    assert reader.cache.entries() == []


def test_of_the_others_one_goes_instead(open_reader, put):
    reader = open_reader(limit_bytes=50)
    oldest, younger = put(b"a" * 20, "a"), put(b"b" * 20, "b")
    read(reader, oldest)
    os.utime(reader.cache.folder.path(reader.cache.entries()[0].key), (1, 1))
    read(reader, younger)
    with reader.open_verified(*oldest):
        for entry in reader.cache.entries():
            os.utime(reader.cache.folder.path(entry.key), (1, 1) if entry.name == "a" else (2, 2))
        read(reader, put(b"c" * 20, "c"))
        assert names(reader) == {"a", "c"}


def test_several_read_one_copy_at_once(folder):
    cache = ArtifactCache(CacheOptions(folder=str(folder), limit_bytes=30), wait_s=0.05)
    wanted = wanted_of(b"a" * 20, "a")
    with (
        cache.opened(wanted, lambda below: Path(below, "a").write_bytes(b"a" * 20)) as first,
        cache.opened(wanted, lambda _: pytest.fail("it is here")) as second,
    ):
        assert first == second


def test_a_model_larger_than_the_cache_is_read_without_it_and_drives_nothing_out(open_reader, put, bucket, caplog):
    reader = open_reader(limit_bytes=30)
    read(reader, put(b"a" * 20, "a"))
    large = put(b"b" * 31, "b")
    assert [read(reader, large) for _ in range(2)] == [b"b" * 31] * 2
    assert (names(reader), bucket.requests["download"]) == ({"a"}, 3)
    assert [record.levelno for record in caplog.records if "has no room for b (31 bytes, at most 30" in record.message] == [logging.WARNING]


def test_without_a_setting_it_takes_a_tenth_of_what_is_free_and_not_more_than_10_gib(open_reader, put, monkeypatch):
    reader = open_reader()
    read(reader, put())
    monkeypatch.setattr(reader.cache.folder, "free_bytes", lambda: 100_000 - len(MODEL))
    assert reader.cache.limit_bytes == 10_000
    monkeypatch.setattr(reader.cache.folder, "free_bytes", lambda: 1 << 50)
    assert reader.cache.limit_bytes == DEFAULT_BYTES == 10 * 1024**3


def test_a_nearly_full_disk_keeps_what_still_fits(open_reader, put, monkeypatch):
    reader = open_reader(limit_bytes=1000)
    read(reader, put(b"a" * 20, "a"))
    held = {"free": 10}
    monkeypatch.setattr(reader.cache.folder, "free_bytes", lambda: held["free"] + 20 * ("a" not in names(reader)))
    read(reader, put(b"b" * 25, "b"))
    assert names(reader) == {"b"}


# -- a cache that cannot be used costs nothing but itself ------------------------------------------------------------------------
def somebody_else_s(folder):
    folder.mkdir()
    (folder / f"user-{os.geteuid()}").mkdir(mode=0o700)
    (folder / f"user-{os.geteuid()}").chmod(0o770)


def a_link(folder):
    (folder / "elsewhere").mkdir(parents=True)
    (folder / f"user-{os.geteuid()}").symlink_to(folder / "elsewhere")


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        pytest.param(lambda folder: folder.write_text("a file"), "File exists", id="a file"),
        pytest.param(lambda folder: folder.symlink_to("/proc"), "", id="where nothing can be made"),
        pytest.param(somebody_else_s, "Others can change", id="others may write"),
        pytest.param(a_link, "Others can change", id="a link"),
    ],
)
def test_a_folder_that_cannot_be_used_is_said_once_and_models_are_read_all_the_same(
    open_reader, put, bucket, folder, caplog, prepare, said
):
    prepare(folder)
    reader, wanted = open_reader(), put()
    assert [read(reader, wanted) for _ in range(3)] == [MODEL] * 3
    assert bucket.requests["download"] == 3
    [warning] = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert said in warning.message
    assert "AIRFLOW_REGISTRY_CACHE" in warning.message
    assert entry_files(folder) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
def test_a_disk_that_fails_while_the_model_comes_only_costs_the_cache(folder, caplog, number):
    cache = ArtifactCache(CacheOptions(folder=str(folder), limit_bytes=1000))

    def download(below):
        Path(below, "model.bin").write_bytes(b"half")
        raise StorageUnavailableError("Cannot copy") from OSError(number, os.strerror(number))

    for _ in range(2):
        with cache.opened(wanted_of(), download) as path:
            assert path is None
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == 1
    assert (entry_files(folder), leftovers(folder)) == ([], [])


def test_a_disk_that_others_fill_meanwhile_only_costs_the_cache(folder, monkeypatch):
    cache = ArtifactCache(CacheOptions(folder=str(folder), limit_bytes=1000))

    def download(_below):
        monkeypatch.setattr(cache.folder, "free_bytes", lambda: 3)
        raise StorageUnavailableError("Cannot download: it takes 22 bytes and the disk has 3 free.")

    with cache.opened(wanted_of(), download) as path:
        assert path is None


def wanted_of(data=MODEL, name="model.bin"):
    import hashlib

    return Wanted(digest=Digest(f"sha256:{hashlib.sha256(data).hexdigest()}"), name=name, is_folder=False, size_bytes=len(data))


# -- several at once -----------------------------------------------------------------------------------------------------------------
def test_of_many_threads_one_downloads_and_all_of_them_read(open_reader, put, bucket):
    wanted, found = put(), []
    start = threading.Barrier(8)

    def work():
        start.wait()
        found.append(read(open_reader(), wanted))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (found, bucket.requests["download"]) == ([MODEL] * 8, 1)


def test_whoever_waits_too_long_reads_without_the_cache(folder, caplog):
    cache = ArtifactCache(CacheOptions(folder=str(folder), limit_bytes=1000), wait_s=0.05)
    cache.prepare()
    lock = cache.folder.root / "locks" / f"{wanted_of().key}.fill"
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with cache.opened(wanted_of(), lambda _: pytest.fail("it is somebody else's download")) as path:
            assert path is None
    assert "Another process has been downloading model.bin" in caplog.text


def test_who_hangs_while_he_removes_a_copy_holds_nobody_up(folder, caplog):
    cache = ArtifactCache(CacheOptions(folder=str(folder), limit_bytes=1000), wait_s=0.05)
    cache.prepare()
    lock = cache.folder.root / "locks" / f"{wanted_of().key}.use"
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with cache.opened(wanted_of(), lambda _: pytest.fail("it cannot be kept")) as path:
            assert path is None
    assert "is not used: Another process has held the lock" in caplog.text


def test_two_downloads_at_once_share_the_room(folder):
    cache = ArtifactCache(CacheOptions(folder=str(folder), limit_bytes=30))
    second = wanted_of(b"b" * 20, "b")

    def download(below):
        with cache.opened(second, lambda _: pytest.fail("there is no room for it")) as path:
            assert path is None
        Path(below, "a").write_bytes(b"a" * 20)

    with cache.opened(wanted_of(b"a" * 20, "a"), download) as path:
        assert Path(path).read_bytes() == b"a" * 20
    assert [entry.size_bytes for entry in cache.entries()] == [20]


def test_what_a_dead_process_left_is_removed_and_does_not_count(folder):
    cache = ArtifactCache(CacheOptions(folder=str(folder), limit_bytes=30))
    cache.prepare()
    for place, name in (("parts", wanted_of(b"dead").key), ("gone", "0123")):
        (cache.folder.root / place / name).mkdir()
        (cache.folder.root / place / name / "bytes").write_text("29")
    with cache.opened(wanted_of(b"a" * 20, "a"), lambda below: Path(below, "a").write_bytes(b"a" * 20)) as path:
        assert path is not None
    assert leftovers(folder) == []


def test_what_is_not_ours_in_the_folder_is_left_alone(open_reader, put, folder):
    reader, wanted = open_reader(limit_bytes=30), put(b"a" * 20, "a")
    read(reader, wanted)
    strange = reader.cache.folder.root / "entries" / "notes.txt"
    strange.write_text("mine")
    read(reader, put(b"b" * 20, "b"))
    assert (names(reader), strange.read_text()) == ({"b"}, "mine")


def test_an_artifact_that_is_not_there_is_said_to_be_missing(open_reader, put, bucket):
    reader, wanted = open_reader(), put()
    bucket.data.clear()
    with pytest.raises(ArtifactNotFoundError), reader.open_verified(*wanted):
        pass


# -- settings ------------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("10737418240", 10 << 30), (" 500 MB ", 500_000_000), ("10GiB", 10 << 30), ("2k", 2000), ("1T", 10**12), ("7B", 7)],
)
def test_sizes_are_read(text, size):
    assert parse_bytes(text, "argument") == size


@pytest.mark.parametrize("text", ["", "-1", "ten", "1.5GiB", "10 XB", "1e9", "10GiBs"])
def test_what_is_no_size_is_refused_with_where_it_stands(text):
    with pytest.raises(ConfigurationError, match=r"AIRFLOW_REGISTRY_CACHE_BYTES.*Expected a number of bytes"):
        parse_bytes(text, "environment AIRFLOW_REGISTRY_CACHE_BYTES")
