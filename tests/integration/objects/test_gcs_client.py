"""Google Cloud Storage: the contract on the emulator, and what only Google's protocol can get wrong.

The emulator itself does not enforce preconditions; the test server in front of it does, by what Google documents and by what was sent.
Tests whose names begin with `test_the_request` look at what was sent, because no emulator proves what Google does with it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os

import google_crc32c
import pytest

from airflow_registry.domain.names import Digest
from airflow_registry.errors import (
    ArtifactNotFoundError,
    CorruptionError,
    DigestMismatchError,
    MissingDependencyError,
    StorageRefusedError,
    StorageUnavailableError,
)
from airflow_registry.objects import gcs_upload
from airflow_registry.objects.base import ABSENT, Condition, PreconditionError
from airflow_registry.objects.gcs import GcsClient
from airflow_registry.objects.options import StorageOptions
from tests.contracts.object_client import ObjectClientContract

OPTIONS = StorageOptions(attempts=4, first_delay_s=0.01, read_timeout_s=10)
MIB = 1 << 20
pytestmark = pytest.mark.gcs


@pytest.fixture
def client(gcs_bucket):
    return GcsClient(gcs_bucket, OPTIONS)


@pytest.fixture
def large(tmp_path, monkeypatch):
    """A file of three parts, the last of which is not whole."""
    monkeypatch.setattr(gcs_upload, "PART_BYTES", MIB)
    path = tmp_path / "large"
    path.write_bytes(os.urandom(2 * MIB + 12345))
    return path


class TestGcsClient(ObjectClientContract):
    __test__ = True

    @pytest.fixture
    def client(self, gcs_bucket):
        return GcsClient(gcs_bucket, OPTIONS)

    @pytest.fixture
    def nowhere(self, gcs_bucket):
        return GcsClient("there-is-no-such-bucket", OPTIONS)


def digest(data):
    return Digest(f"sha256:{hashlib.sha256(data).hexdigest()}")


def upload(client, path, **options):
    return client.upload(str(path), "a", digest=digest(path.read_bytes()), **options)


def sent(server, method, **query):
    """Requests of a method that have these parameters."""
    return [request for request in server.requests if request.method == method and query.items() <= request.query.items()]


def is_upload(request):
    return request.path.startswith("/upload/")


def is_part(request):
    return request.method == "PUT" and not request.headers["content-range"].startswith("bytes */")


def is_range(request):
    return "range" in request.headers


def is_head(request):
    return request.method == "GET" and "/o/" in request.path and "alt" not in request.query


# -- what is sent ------------------------------------------------------------------------------------------------------------
def test_the_request_that_creates_names_generation_zero_because_the_emulator_alone_would_not_refuse(client, gcs_server, large):
    client.write("small", b"1", condition=ABSENT)
    upload(client, large, condition=ABSENT)
    assert len(sent(gcs_server, "POST", uploadType="multipart", ifGenerationMatch="0")) == 1
    assert len(sent(gcs_server, "POST", uploadType="resumable", ifGenerationMatch="0")) == 1
    assert len(sent(gcs_server, "POST")) == 2


def test_the_request_that_replaces_names_the_generation_that_was_seen(client, gcs_server, large):
    first = client.write("a", b"1")
    client.write("a", b"2", condition=Condition(version=first.version))
    second = client.head("a").version
    upload(client, large, condition=Condition(version=second))
    assert len(sent(gcs_server, "POST", uploadType="multipart", ifGenerationMatch=first.version)) == 1
    assert len(sent(gcs_server, "POST", uploadType="resumable", ifGenerationMatch=second)) == 1


def test_the_request_without_a_condition_names_no_generation(client, gcs_server):
    client.write("a", b"1")
    assert ["ifGenerationMatch" in request.query for request in sent(gcs_server, "POST")] == [False]


def test_the_requests_of_a_download_are_ranges_of_one_generation(client, gcs_server, tmp_path):
    (tmp_path / "file").write_bytes(os.urandom(20 * MIB))
    written = upload(client, tmp_path / "file")
    gcs_server.requests.clear()
    client.download("a", str(tmp_path / "copy"))
    ranges = [request for request in gcs_server.requests if request.query.get("alt") == "media"]
    assert sorted(int(request.headers["range"].split("=")[1].split("-")[0]) for request in ranges) == [0, 8 * MIB, 16 * MIB]
    assert {request.query["ifGenerationMatch"] for request in ranges} == {written.version}


def test_the_request_for_a_named_version_asks_for_that_generation(client, gcs_server):
    written = client.write("a", b"1")
    client.read("a", version=written.version)
    assert len(sent(gcs_server, "GET", alt="media", ifGenerationMatch=written.version)) == 1


def test_the_request_for_no_bytes_is_a_range_that_google_understands(client, gcs_server):
    client.write("a", b"1")
    assert client.read("a", length=0) == b""
    assert [request.headers["range"] for request in gcs_server.requests if is_range(request)] == ["bytes=0-0"]


def test_a_version_of_another_store_is_not_there(client):
    client.write("a", b"1")
    for ask in (
        lambda: client.read("a", version='"5d41402abc4b2a76"'),
        lambda: client.write("a", b"2", condition=Condition(version='"5d41402abc4b2a76"')),
    ):
        with pytest.raises(PreconditionError):
            ask()
    assert client.read("a") == b"1"


def test_the_checksum_of_the_whole_is_said_before_the_first_byte(client, gcs_server, large):
    """The emulator compares it when the last part arrives; Google shows the object only if it agrees."""
    upload(client, large)
    kept = gcs_server.storage.objects[client.root[5:]]["a"]
    assert kept["crc32c"] == base64.b64encode(google_crc32c.Checksum(large.read_bytes()).digest()).decode()
    assert kept["metadata"]["sha256"] == digest(large.read_bytes()).hex


@pytest.mark.parametrize("size", [1000, 2 * MIB + 5])
def test_bytes_that_change_on_their_way_are_refused_and_not_shown(client, gcs_server, large, size, monkeypatch):
    large.write_bytes(os.urandom(size))
    honest = gcs_server.storage.create_file

    def corrupting(bucket, name, content, obj, *rest):
        raise AssertionError("the store was about to show damaged bytes")

    monkeypatch.setattr(gcs_server.storage, "create_file", corrupting)
    monkeypatch.setattr("gcp_storage_emulator.handlers.objects._crc32c", lambda content: "AAAAAA==")
    with pytest.raises(CorruptionError, match=r"(?s)Cannot write .*not those that were sent.*proxy"):
        upload(client, large)
    monkeypatch.setattr(gcs_server.storage, "create_file", honest)
    assert client.head("a") is None


def test_a_file_that_changes_while_it_is_uploaded_is_not_shown(client, gcs_server, large):
    promised = digest(large.read_bytes())

    def write(request):
        if is_part(request):
            large.write_bytes(os.urandom(large.stat().st_size))
        return False

    gcs_server.fail(500, write)
    with pytest.raises(DigestMismatchError, match="changed while it was uploaded"):
        client.upload(str(large), "a", digest=promised)
    assert client.head("a") is None


def test_a_file_that_becomes_shorter_while_it_is_uploaded_is_not_shown(client, gcs_server, large):
    promised = digest(large.read_bytes())
    gcs_server.fail(500, lambda request: is_part(request) and bool(os.truncate(large, MIB)))
    with pytest.raises(DigestMismatchError):
        client.upload(str(large), "a", digest=promised)
    assert client.head("a") is None


def test_a_measured_file_is_not_read_for_its_digest_again_and_still_compared(client, gcs_server, large, monkeypatch):
    measured = client.measure(str(large))
    assert (measured.digest, measured.size_bytes) == (digest(large.read_bytes()), large.stat().st_size)
    read = gcs_upload.read_into
    blocks = []
    monkeypatch.setattr(
        gcs_upload, "read_into", lambda file, buffer, start, length: blocks.append(start) or read(file, buffer, start, length)
    )
    client.upload_measured(str(large), "a", measured=measured, condition=ABSENT)
    assert blocks == [0, MIB, 2 * MIB]
    large.write_bytes(os.urandom(large.stat().st_size))
    with pytest.raises(DigestMismatchError, match="changed while it was uploaded"):
        client.upload_measured(str(large), "b", measured=measured)
    large.write_bytes(os.urandom(MIB))
    with pytest.raises(DigestMismatchError):
        client.upload_measured(str(large), "b", measured=measured)
    assert [info.key for info in client.list()] == ["a"]


def test_a_download_that_arrives_damaged_is_not_kept(client, gcs_server, tmp_path):
    client.write("a", b"0123456789")
    gcs_server.storage.objects[client.root[5:]]["a"]["crc32c"] = "AAAAAA=="
    with pytest.raises(CorruptionError, match=r"not those that Google keeps: expected CRC32C AAAAAA==, found"):
        client.download("a", str(tmp_path / "copy"))
    with pytest.raises(CorruptionError):
        client.digest("a")
    with pytest.raises(CorruptionError):
        client.read("a")
    assert not (tmp_path / "copy").exists()


# -- what goes wrong ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("how", [503, 500, 429, 408, "drop"])
def test_a_store_that_is_busy_or_breaks_is_asked_again(client, gcs_server, how, large, tmp_path):
    gcs_server.fail(how, is_upload, times=2)
    gcs_server.fail(how, is_part, times=2)
    gcs_server.fail(how, is_range, times=3)
    gcs_server.fail(how, is_head, times=2)
    gcs_server.fail(how, lambda request: request.method == "DELETE", times=2)
    upload(client, large, condition=ABSENT)
    assert client.download("a", str(tmp_path / "copy")) == digest(large.read_bytes())
    client.delete("a")
    assert client.head("a") is None


def test_a_store_that_stays_busy_is_given_up_with_what_it_said(client, gcs_server):
    gcs_server.fail(503, is_upload, times=99, text="Slow down, please")
    with pytest.raises(StorageUnavailableError, match=r"Cannot write .*too busy .*Slow down, please.*try again later") as refused:
        client.write("a", b"1")
    assert refused.value.retryable
    assert len([request for request in gcs_server.requests if is_upload(request)]) == OPTIONS.attempts


def test_an_upload_goes_on_where_the_connection_broke(client, gcs_server, large):
    gcs_server.fail("lose", lambda request: is_part(request) and request.headers["content-range"].startswith(f"bytes {MIB}-"))
    upload(client, large)
    starts = [request.headers["content-range"].split("-")[0].removeprefix("bytes ") for request in gcs_server.requests if is_part(request)]
    assert starts == ["0", str(MIB), str(2 * MIB)]
    assert client.digest("a") == (digest(large.read_bytes()), large.stat().st_size)


def test_a_download_goes_on_where_the_body_broke_off(client, gcs_server, tmp_path):
    data = os.urandom(4 * MIB)
    client.write("a", data)
    gcs_server.requests.clear()
    gcs_server.fail("cut", is_range)
    client.download("a", str(tmp_path / "copy"))
    assert (tmp_path / "copy").read_bytes() == data
    starts = [int(request.headers["range"].split("=")[1].split("-")[0]) for request in gcs_server.requests if is_range(request)]
    assert starts[0] == 0
    assert 0 < starts[1] <= 2 * MIB


@pytest.mark.parametrize("condition", [ABSENT, None], ids=["on nothing", "on anything"])
def test_a_write_whose_answer_is_lost_is_recognised_as_our_own(client, gcs_server, large, condition):
    gcs_server.fail("lose", is_upload)
    written = client.write("b", b"1", condition=condition)
    assert client.head("b").version == written.version
    gcs_server.fail("lose", lambda request: is_part(request) and request.headers["content-range"].startswith(f"bytes {2 * MIB}-"))
    written = upload(client, large, condition=condition)
    assert client.head("a").version == written.version


def test_a_failed_upload_is_cancelled(client, gcs_server, large):
    gcs_server.fail(403, is_part, times=99)
    with pytest.raises(StorageRefusedError):
        upload(client, large)
    begun = sent(gcs_server, "POST", uploadType="resumable")
    assert len(begun) == len(sent(gcs_server, "DELETE", uploadType="resumable")) == 1
    assert client.head("a") is None


def test_a_session_that_is_gone_is_an_upload_that_may_be_tried_again(client, gcs_server, large):
    gcs_server.fail(410, is_part)
    with pytest.raises(StorageUnavailableError, match="ended while it ran"):
        upload(client, large)
    upload(client, large)


def test_an_object_that_is_replaced_while_it_is_downloaded_is_not_mixed(client, gcs_server, tmp_path, large):
    upload(client, large)
    replaced = []

    def replace(request):
        if is_range(request) and not replaced:
            replaced.append(client.write("a", b"other"))
        return False

    gcs_server.fail(500, replace)
    with pytest.raises(PreconditionError):
        client.download("a", str(tmp_path / "copy"))
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize(
    ("verb", "right"),
    [
        (lambda client: client.head("a"), "storage.objects.get"),
        (lambda client: client.read("a"), "storage.objects.get"),
        (lambda client: client.write("a", b"1"), "storage.objects.create"),
        (lambda client: client.delete("a"), "storage.objects.delete"),
        (lambda client: list(client.list()), "storage.objects.list"),
        (lambda client: client.check(), "storage.objects.list"),
    ],
    ids=["head", "read", "write", "delete", "list", "check"],
)
def test_a_missing_right_is_named(client, gcs_server, verb, right):
    gcs_server.fail(403, lambda request: True, times=99, text="robot@example.org does not have permission")
    with pytest.raises(StorageRefusedError, match=rf"do not have the right .*robot@example\.org.*Grant {right}") as refused:
        verb(client)
    assert not refused.value.retryable
    assert len({request.path for request in gcs_server.requests if request.path.count("/") > 4}) <= 1


def test_quota_that_google_reports_as_forbidden_is_tried_again(client, gcs_server):
    gcs_server.fail(403, is_upload, times=2, text="rateLimitExceeded")
    client.write("a", b"1")
    assert client.read("a") == b"1"


def test_credentials_that_are_not_accepted_are_named(client, gcs_server):
    gcs_server.fail(401, lambda request: True, times=99, text="Invalid Credentials")
    with pytest.raises(StorageRefusedError, match=r"Cannot read .*credentials .*GOOGLE_APPLICATION_CREDENTIALS"):
        client.head("a")


def test_no_credentials_at_all_are_said_before_anything_is_sent(tmp_path, monkeypatch):
    (tmp_path / "broken.json").write_text(json.dumps({"type": "service_account"}))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "broken.json"))
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    with pytest.raises(StorageRefusedError, match=r"no usable Google credentials .*gcloud auth"):
        GcsClient("bucket", OPTIONS).head("a")


def test_a_server_that_is_not_there_is_said_after_a_few_attempts(monkeypatch):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
    with pytest.raises(StorageUnavailableError, match=r"http://127\.0\.0\.1:9 cannot be reached") as refused:
        GcsClient("bucket", OPTIONS).check()
    assert refused.value.retryable


def test_a_reader_who_may_not_list_is_told_that_the_object_is_missing(client, gcs_server):
    gcs_server.fail(403, lambda request: request.path.endswith("/o") and request.method == "GET", times=99)
    assert client.head("a") is None
    with pytest.raises(ArtifactNotFoundError):
        client.read("a")


def test_the_missing_library_is_named_with_its_extra(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "google.cloud.storage", None)
    monkeypatch.delattr("google.cloud.storage", raising=False)
    with pytest.raises(MissingDependencyError, match=r"airflow-registry\[gcs\]"):
        GcsClient("bucket", OPTIONS).head("a")


def test_google_sends_no_list_of_unfinished_uploads(client):
    assert list(client.unfinished()) == []
