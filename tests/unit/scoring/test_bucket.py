"""Who may replace whose output in a bucket: all ways in which the requests of two writers can come between each other.

Each writer is stopped before any of its requests, for a while or for ever. What is tried is not a sample: every point at which the older
one is overtaken, every point at which the newer one stops in between, and every point at which the older one stops again.
"""

import hashlib
import itertools
import json
import threading

import pytest

from airflow_registry.errors import InvalidInputError, ManifestMismatchError, OutputConflictError, StorageUnavailableError
from airflow_registry.objects.base import PreconditionError
from airflow_registry.scoring.bucket import CLAIM, ObjectFolder, ObjectStage, open_object_folder
from airflow_registry.scoring.output import DATA_NAME, MANIFEST_NAME, QUARANTINE_NAME, Provenance
from airflow_registry.scoring.staging import described
from tests.unit.scoring.fake_bucket import FakeBucket, FakeClient

FOREVER = 10_000


class Killed(BaseException):
    """The process is gone."""


class Writer:
    """A writer in a thread that makes a request when it is told to."""

    def __init__(self, bucket, folder, generation, *, aside=True, registry="one"):
        self.client = FakeClient(bucket, self._wait)
        self.provenance = Provenance(model="leads", version=generation, registry=registry)
        self.stage = ObjectStage(ObjectFolder(self.client, "out/ds=1"), str(folder), self.provenance, generation)
        self.staged = [self._file(folder, generation, name) for name in (DATA_NAME, *([QUARANTINE_NAME] if aside else []))]
        self.result = None
        self._go, self._stopped, self._is_killed = threading.Semaphore(0), threading.Semaphore(0), False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _file(self, folder, generation, name):
        path = folder / f"{generation}.{name}"
        path.write_bytes(f"{name} of generation {generation}".encode())
        return described(str(path), 1)

    def start(self):
        self._thread.start()
        self._stopped.acquire()
        return self

    def step(self, requests=FOREVER):
        """Let so many requests through, or all that there are."""
        for _ in range(requests):
            if self.result is not None:
                return
            self._go.release()
            self._stopped.acquire()

    def kill(self):
        self._is_killed = True
        self.step()
        self._thread.join()

    def _wait(self, request):
        self._stopped.release()
        self._go.acquire()
        if self._is_killed:
            raise Killed

    def _run(self):
        try:
            self.stage.publish(*self.staged, *([None] * (2 - len(self.staged))))
            self.result = "published"
        except OutputConflictError:
            self.result = "refused"
        except Killed:
            self.result = "killed"
        except Exception as error:  # noqa: BLE001  else the test would wait for ever
            self.result = repr(error)
        self._stopped.release()


@pytest.fixture
def bucket():
    return FakeBucket()


@pytest.fixture
def writer(bucket, tmp_path):
    return lambda generation, **how: Writer(bucket, tmp_path, generation, **how).start()


def stored(bucket, name):
    return bucket.objects[f"out/ds=1/{name}"][1]


def manifest(bucket):
    return json.loads(stored(bucket, MANIFEST_NAME))


def assert_whole(bucket, generation):
    """What the manifest names is what is there, and all of it is by that generation."""
    found = manifest(bucket)
    assert found["generation"] == generation
    assert CLAIM not in found
    for file in found["files"]:
        assert stored(bucket, file["name"]) == f"{file['name']} of generation {generation}".encode()
        assert hashlib.sha256(stored(bucket, file["name"])).hexdigest() == file["sha256"]
        assert bucket.objects[f"out/ds=1/{file['name']}"][0] == file["version"]


def requests_of_one_writer(tmp_path):
    """How many there are where an output is replaced; in a bucket without one there is one less."""
    bucket = FakeBucket()
    Writer(bucket, tmp_path, 1).start().step()
    writer = Writer(bucket, tmp_path, 2).start()
    return next(number for number in itertools.count() if writer.result or writer.step(1))


@pytest.mark.parametrize("before", [False, True], ids=["the first output", "an output is there"])
def test_whenever_a_newer_writer_comes_between_its_output_is_whole_at_the_end(tmp_path, before):
    steps = requests_of_one_writer(tmp_path)
    assert steps >= 7
    pauses = range(steps + 1) if before else (0, steps)
    for first, between, again in itertools.product(range(steps + 1), range(steps + 3), pauses):
        bucket = FakeBucket()
        if before:
            Writer(bucket, tmp_path, 1).start().step()
        older, newer = Writer(bucket, tmp_path, 2).start(), Writer(bucket, tmp_path, 3).start()
        older.step(first)
        newer.step(between)
        older.step(again)
        newer.step()
        older.step()
        assert (newer.result, older.result in {"published", "refused"}) == ("published", True), (first, between, again)
        assert_whole(bucket, 3)


def test_whenever_a_writer_is_killed_the_next_one_publishes_whole_and_until_then_nothing_is_taken_for_whole(tmp_path):
    torn = 0
    for first in range(requests_of_one_writer(tmp_path)):
        bucket = FakeBucket()
        Writer(bucket, tmp_path, 1).start().step()
        killed = Writer(bucket, tmp_path, 2).start()
        killed.step(first)
        killed.kill()
        assert killed.result == "killed"
        is_by_old = [stored(bucket, name).endswith(b"of generation 1") for name in (QUARANTINE_NAME, DATA_NAME)]
        assert is_by_old != [True, False]  # new predictions never stand beside what another version set aside
        is_old = all(is_by_old)
        assert ObjectFolder(FakeClient(bucket), "out/ds=1").holds_output() is is_old
        torn += not is_old
        Writer(bucket, tmp_path, 3).start().step()
        assert_whole(bucket, 3)
    assert torn == 2  # between what was set aside and the data, and between those and the manifest


def test_a_zombie_never_touches_a_finished_newer_output(tmp_path):
    """Also after a third writer was killed in between, at any point."""
    steps = requests_of_one_writer(tmp_path) - 1
    for first, second in itertools.product(range(steps), range(steps + 2)):
        bucket = FakeBucket()
        zombie, killed, newest = (Writer(bucket, tmp_path, generation).start() for generation in (1, 2, 3))
        zombie.step(first)
        killed.step(second)
        newest.step()
        before = dict(bucket.objects)
        zombie.step()
        killed.step()
        assert "published" not in {zombie.result if first < steps else None, killed.result if second < steps else None}
        assert bucket.objects == before
        assert_whole(bucket, 3)


def test_without_rows_set_aside_there_is_no_file_for_them_and_an_old_one_is_not_named(bucket, writer):
    writer(1).step()
    writer(2, aside=False).step()
    assert [file["name"] for file in manifest(bucket)["files"]] == [DATA_NAME]
    assert_whole(bucket, 2)


def test_a_killed_writer_leaves_its_claim_beside_what_the_manifest_said(bucket, writer):
    writer(1).step()
    killed = writer(2)
    while CLAIM not in manifest(bucket):
        killed.step(1)
    found = manifest(bucket)
    assert found["generation"] == 1
    assert found[CLAIM] == {"model": "leads", "version": 2, "registry": "one", "run_id": None, "generation": 2}


def test_a_claim_of_a_newer_writer_refuses_and_says_whose_it_is(bucket, writer, tmp_path):
    killed = writer(5)
    while not bucket.objects:
        killed.step(1)
    place = ObjectFolder(FakeClient(bucket), "out/ds=1")
    assert place.manifest() is None
    with (
        pytest.raises(OutputConflictError, match=r"generation 5 \(version 5 of 'leads'\) is being written"),
        place.staging(Provenance(model="leads", version=4, registry="one"), 4),
    ):
        pytest.fail("the writer was let in")
    with place.staging(Provenance(model="leads", version=4, registry="made anew"), 4) as stage:
        assert stage.path(DATA_NAME)


def test_a_damaged_manifest_is_an_error_to_readers_and_no_obstacle_to_writers(bucket, writer):
    bucket.objects[f"out/ds=1/{MANIFEST_NAME}"] = ("0", b"{")
    place = ObjectFolder(FakeClient(bucket), "out/ds=1")
    with pytest.raises(ManifestMismatchError, match=r"s3://fake/out/ds=1/_manifest\.json is damaged"):
        place.manifest()
    assert not place.holds_output()
    writer(1).step()
    assert_whole(bucket, 1)


class Restless(FakeClient):
    """Somebody replaces the manifest between any two requests."""

    def read(self, key, **_):
        raise PreconditionError(key)


def test_who_never_gets_a_look_gives_up_and_may_try_again(bucket, writer):
    writer(1).step()
    with pytest.raises(StorageUnavailableError, match="replaced 10 times"):
        ObjectFolder(Restless(bucket), "out/ds=1").manifest()


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("s3://out/../etc", "takes literally"),
        ("s3://out/a/./b", "takes literally"),
        ("s3://out/a//b", "empty segment"),
        ("s3://out/a\0b", "holds NUL"),
        ("s3:///a", "s3://bucket/key"),
    ],
)
def test_an_address_that_clients_would_read_differently_is_refused(uri, message):
    with pytest.raises(InvalidInputError, match=message):
        open_object_folder(uri, None)


def test_one_place_has_one_name():
    names = {open_object_folder(uri, None).name for uri in ("s3://out/a/b", "s3://out/a/b/", "S3://out//a/b")}
    assert names == {"s3://out/a/b"}
    assert open_object_folder("s3://out/", None).key(DATA_NAME) == DATA_NAME
