"""Bad days of networks and servers, made by a proxy in front of a real S3 server: what is overcome, and what is said when it is not."""

from __future__ import annotations

import logging
import os
import signal
import time
from pathlib import Path

import pytest

from airflow_registry.errors import (
    CorruptionError,
    DigestMismatchError,
    StorageRefusedError,
    StorageUnavailableError,
)
from airflow_registry.objects.base import ABSENT, Condition, PreconditionError
from airflow_registry.objects.options import StorageOptions
from airflow_registry.objects.s3 import S3Client
from airflow_registry.testing.faulty_http import Answer
from airflow_registry.testing.s3 import Identity
from tests.contracts.object_client import LARGE, digest_of

pytestmark = pytest.mark.s3
ATTEMPTS = 4
DIGEST = digest_of(LARGE)


@pytest.fixture
def s3_bucket(s3_server):
    with s3_server.borrowed_bucket() as name:
        yield name


@pytest.fixture
def raw(s3_server):
    """boto3 itself, past the proxy."""
    return s3_server.client()


@pytest.fixture
def options(proxy, session):
    return StorageOptions(endpoint_url=proxy.url, s3_session=lambda: session, attempts=ATTEMPTS, first_delay_s=0.01, read_timeout_s=20)


@pytest.fixture
def client(s3_bucket, options):
    return S3Client(s3_bucket, options)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "model.bin"
    path.write_bytes(LARGE)
    return str(path)


VERBS = {
    "head": lambda client, file: client.head("a"),
    "read": lambda client, file: client.read("a"),
    "digest": lambda client, file: client.digest("a"),
    "download": lambda client, file: client.download("a", f"{file}.copy"),
    "write": lambda client, file: client.write("b", b"1"),
    "upload": lambda client, file: client.upload(file, "b", digest=DIGEST),
    "list": lambda client, file: list(client.list()),
    "folders": lambda client, file: list(client.folders()),
    "delete": lambda client, file: client.delete("a"),
    "unfinished": lambda client, file: list(client.unfinished()),
}
each_verb = pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)


# -- busy, broken, out of reach --------------------------------------------------------------------------------------------
@each_verb
def test_a_store_that_is_busy_for_a_while_is_waited_for(verb, proxy, client, raw, s3_bucket, file):
    raw.put_object(Bucket=s3_bucket, Key="a", Body=b"0")
    proxy.order("answer", times=ATTEMPTS - 1)
    verb(client, file)
    assert len(proxy.requests) > ATTEMPTS - 1


@each_verb
def test_a_store_that_stays_busy_is_given_up_and_may_be_tried_later(verb, proxy, client, raw, s3_bucket, file):
    raw.put_object(Bucket=s3_bucket, Key="a", Body=b"0")
    proxy.order("answer", times=None)
    with pytest.raises(StorageUnavailableError, match=r"too busy \(HTTP 503.* It was tried several times; try again later") as caught:
        verb(client, file)
    assert caught.value.retryable
    assert s3_bucket in str(caught.value)
    assert not Path(f"{file}.copy").exists()


def test_a_request_is_tried_as_often_as_the_options_say(proxy, client):
    proxy.order("answer", times=None)
    with pytest.raises(StorageUnavailableError):
        list(client.list())
    assert len(proxy.requests) == ATTEMPTS


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (429, "TooManyRequests"),
        (500, "InternalError"),
        (502, ""),
        (503, "ServiceUnavailable"),
        (504, ""),
        (400, "RequestTimeout"),
        (409, "OperationAborted"),
        (409, "ConditionalRequestConflict"),
    ],
)
def test_what_may_pass_is_tried_again(proxy, client, status, code):
    proxy.order("answer", times=2, answer=Answer(status=status, code=code))
    client.write("a", b"1", condition=ABSENT)
    assert client.read("a") == b"1"


def test_parts_that_are_refused_now_and_then_arrive_all_the_same(proxy, client, file):
    proxy.order("answer", method="PUT", times=ATTEMPTS - 2)  # together one less than the attempts: one part may meet them all
    proxy.order("reset", method="PUT", times=1, skip=ATTEMPTS - 2)
    client.upload(file, "a", digest=DIGEST)
    assert client.digest("a") == (DIGEST, len(LARGE))


@each_verb
def test_a_connection_that_is_reset_is_made_again(verb, proxy, client, raw, s3_bucket, file):
    raw.put_object(Bucket=s3_bucket, Key="a", Body=b"0")
    proxy.order("reset", times=ATTEMPTS - 1)
    verb(client, file)


def test_an_address_where_nobody_is_is_named_with_what_to_look_at(session):
    client = S3Client("bucket", StorageOptions(endpoint_url="http://127.0.0.1:9", s3_session=lambda: session, first_delay_s=0.01))
    with pytest.raises(StorageUnavailableError, match=r"http://127.0.0.1:9 cannot be reached .* Check the endpoint, the network") as caught:
        client.check()
    assert caught.value.retryable


def test_a_server_that_says_nothing_is_not_waited_for_for_ever(proxy, s3_bucket, session, raw):
    raw.put_object(Bucket=s3_bucket, Key="a", Body=b"0123456789")
    options = StorageOptions(endpoint_url=proxy.url, s3_session=lambda: session, attempts=2, first_delay_s=0.01, read_timeout_s=0.3)
    proxy.order("stall", method="GET", times=None)
    begun = time.monotonic()
    with pytest.raises(StorageUnavailableError, match="broke or stalled .*Read timeout"):
        S3Client(s3_bucket, options).read("a")
    assert time.monotonic() - begun < 10


# -- answers that get lost ---------------------------------------------------------------------------------------------------
def test_a_creation_whose_answer_got_lost_is_known_for_our_own(proxy, client, raw, s3_bucket):
    proxy.order("lost", method="PUT")
    written = client.write("a", b"mine", condition=ABSENT)
    assert written.version == raw.head_object(Bucket=s3_bucket, Key="a")["ETag"]
    assert client.read("a") == b"mine"


def test_a_replacement_whose_answer_got_lost_is_known_for_our_own(proxy, client):
    first = client.write("a", b"first")
    proxy.order("lost", method="PUT")
    client.write("a", b"second", condition=Condition(version=first.version))
    assert client.read("a") == b"second"


@pytest.mark.parametrize("condition", [None, ABSENT])
def test_an_upload_whose_last_answer_got_lost_is_known_for_our_own(proxy, client, file, condition):
    proxy.order("lost", method="POST", path="uploadId=")
    done = client.upload(file, "a", digest=DIGEST, condition=condition)
    assert done.version == client.head("a").version
    assert client.digest("a") == (DIGEST, len(LARGE))
    assert list(client.unfinished()) == []


def test_the_same_bytes_of_somebody_else_are_not_our_own(proxy, client, raw, s3_bucket):
    proxy.order(
        "call",
        method="PUT",
        call=lambda: raw.put_object(Bucket=s3_bucket, Key="a", Body=b"same", Metadata={"sha256": digest_of(b"same").hex}),
    )
    with pytest.raises(PreconditionError):
        client.write("a", b"same", condition=ABSENT)


def test_a_server_that_misses_the_object_to_be_replaced_says_so_in_its_own_way(proxy, client):
    proxy.order("answer", method="PUT", answer=Answer(status=404, code="NoSuchKey"))  # as AWS does; the test server says 412
    with pytest.raises(PreconditionError):
        client.write("a", b"1", condition=Condition(version='"0"'))


# -- bodies ------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("kind", "most_repeated"), [("cut", 2), ("stall", 3), ("reset_body", 6)])  # one byte has no half
def test_a_body_that_breaks_off_is_gone_on_with_where_it_broke(kind, most_repeated, proxy, s3_bucket, session, raw, tmp_path):
    raw.put_object(Bucket=s3_bucket, Key="a", Body=LARGE)
    timeout = 1 if kind == "stall" else 20
    options = StorageOptions(endpoint_url=proxy.url, s3_session=lambda: session, attempts=20, first_delay_s=0.01, read_timeout_s=timeout)
    proxy.order(kind, method="GET", path="/a", times=6)
    assert S3Client(s3_bucket, options).download("a", str(tmp_path / "copy")) == DIGEST
    assert (tmp_path / "copy").read_bytes() == LARGE
    starts = [int(seen.headers["range"].removeprefix("bytes=").split("-")[0]) for seen in proxy.seen("GET")]
    assert len(starts) >= 3 + 6
    assert len(starts) - len(set(starts)) <= most_repeated, "a part of the object was asked for a second time"


def test_a_body_that_never_ends_leaves_no_file(proxy, client, raw, s3_bucket, tmp_path):
    raw.put_object(Bucket=s3_bucket, Key="a", Body=b"0123456789")
    proxy.order("cut", method="GET", times=None)
    with pytest.raises(StorageUnavailableError, match="broke or stalled"):
        client.download("a", str(tmp_path / "copy"))
    assert not (tmp_path / "copy").exists()
    with pytest.raises(StorageUnavailableError, match="broke or stalled"):
        client.read("a")


@pytest.mark.parametrize("data", [b"0123456789", LARGE], ids=["small", "large"])
def test_wrong_bytes_in_a_download_are_found_and_not_kept(proxy, client, data, tmp_path):
    (tmp_path / "file").write_bytes(data)
    client.upload(str(tmp_path / "file"), "a", digest=digest_of(data))
    proxy.order("flip", method="GET")
    with pytest.raises(CorruptionError, match="not those that were uploaded: expected sha256:.* Nothing was kept of them") as caught:
        client.download("a", str(tmp_path / "copy"))
    assert str(digest_of(data)) in str(caught.value)
    assert not (tmp_path / "copy").exists()
    assert client.download("a", str(tmp_path / "copy")) == digest_of(data)


def test_wrong_bytes_in_a_small_object_are_found(proxy, client):
    client.write("a", b"0123456789")
    proxy.order("flip", method="GET")
    with pytest.raises(CorruptionError, match="not those that were uploaded"):
        client.read("a")
    assert client.read("a") == b"0123456789"


def test_wrong_bytes_on_their_way_to_the_store_are_sent_again(proxy, client, file):
    proxy.order("flip_sent", method="PUT", times=2)
    client.upload(file, "large", digest=DIGEST)
    assert client.digest("large")[0] == DIGEST
    proxy.order("flip_sent", method="PUT", times=2)
    client.write("small", b"0123456789")
    assert client.read("small") == b"0123456789"


def test_bytes_that_always_arrive_wrong_are_never_kept(proxy, client, raw, s3_bucket, file):
    proxy.order("flip_sent", method="PUT", times=None)
    with pytest.raises(CorruptionError, match="bytes that arrived at the store are not those that were sent"):
        client.upload(file, "a", digest=DIGEST)
    with pytest.raises(CorruptionError, match="bytes that arrived at the store are not those that were sent"):
        client.write("a", b"0123456789")
    assert "Contents" not in raw.list_objects_v2(Bucket=s3_bucket)
    assert "Uploads" not in raw.list_multipart_uploads(Bucket=s3_bucket)


# -- uploads and downloads that are disturbed --------------------------------------------------------------------------------
@pytest.fixture
def heard():
    """Python's own handler: whoever was started in the background inherits that Ctrl+C is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard")
def test_ctrl_c_in_the_middle_of_an_upload_leaves_nothing(proxy, client, raw, s3_bucket, file):
    proxy.order("call", method="PUT", path="partNumber=2", call=lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        client.upload(file, "a", digest=DIGEST)
    assert "Contents" not in raw.list_objects_v2(Bucket=s3_bucket)
    assert "Uploads" not in raw.list_multipart_uploads(Bucket=s3_bucket)


@pytest.mark.usefixtures("heard")
def test_ctrl_c_in_the_middle_of_a_download_leaves_nothing(proxy, client, raw, s3_bucket, tmp_path):
    raw.put_object(Bucket=s3_bucket, Key="a", Body=LARGE)
    proxy.order("call", method="GET", path="/a", skip=1, call=lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        client.download("a", str(tmp_path / "copy"))
    assert list(tmp_path.iterdir()) == []


def test_a_failed_upload_is_aborted(proxy, client, raw, s3_bucket, file):
    proxy.order("answer", method="PUT", path="partNumber=3", times=None)
    with pytest.raises(StorageUnavailableError, match="too busy"):
        client.upload(file, "a", digest=DIGEST)
    assert "Uploads" not in raw.list_multipart_uploads(Bucket=s3_bucket)


def test_parts_that_cannot_be_removed_are_named_in_the_log(proxy, client, raw, s3_bucket, file, caplog):
    proxy.order("answer", method="PUT", times=None, answer=Answer(status=403, code="AccessDenied"))
    proxy.order("answer", method="DELETE", times=None)
    with pytest.raises(StorageRefusedError, match="s3:PutObject"), caplog.at_level(logging.WARNING):
        client.upload(file, "a", digest=DIGEST)
    (left,) = raw.list_multipart_uploads(Bucket=s3_bucket)["Uploads"]
    assert f"s3://{s3_bucket}/a (upload id {left['UploadId']}) are still there" in caplog.text
    assert list(client.unfinished()) == ["a"]


def test_a_file_that_changes_while_it_goes_up_is_not_kept(proxy, client, raw, s3_bucket, file):
    def change() -> None:
        with Path(file).open("r+b") as opened:
            opened.truncate(len(LARGE) - 1)

    proxy.order("call", method="POST", path="uploads", call=change)
    with pytest.raises(DigestMismatchError, match=f"{file} is not the one that was promised"):
        client.upload(file, "a", digest=DIGEST)
    assert "Contents" not in raw.list_objects_v2(Bucket=s3_bucket)
    assert "Uploads" not in raw.list_multipart_uploads(Bucket=s3_bucket)


def test_a_bucket_that_goes_in_mid_upload_is_named(proxy, client, raw, s3_bucket, file):
    # When all parts are there: a part that is on its way would make this server put up a folder of the bucket's name again.
    proxy.order("call", method="POST", path="uploadId", call=lambda: raw.delete_bucket(Bucket=s3_bucket))
    with pytest.raises(StorageRefusedError, match=f"Cannot write s3://{s3_bucket}/a: there is no bucket '{s3_bucket}'"):
        client.upload(file, "a", digest=DIGEST)


def test_a_bucket_that_is_gone_is_named_also_where_the_server_speaks_of_the_upload_only(proxy, client, raw, s3_bucket, file):
    no_upload = Answer(status=404, code="NoSuchUpload")
    proxy.order("answer", method="POST", path="uploadId", answer=no_upload, call=lambda: raw.delete_bucket(Bucket=s3_bucket))
    with pytest.raises(StorageRefusedError, match=f"Cannot write s3://{s3_bucket}/a: there is no bucket '{s3_bucket}'"):
        client.upload(file, "a", digest=DIGEST)


def test_an_upload_that_somebody_aborts_says_so(proxy, client, raw, s3_bucket, file):
    def abort() -> None:
        (begun,) = raw.list_multipart_uploads(Bucket=s3_bucket)["Uploads"]
        raw.abort_multipart_upload(Bucket=s3_bucket, Key="a", UploadId=begun["UploadId"])

    proxy.order("call", method="POST", path="uploadId", call=abort)
    with pytest.raises(StorageUnavailableError, match="no longer knows the running upload") as caught:
        client.upload(file, "a", digest=DIGEST)
    assert caught.value.retryable


def test_an_object_that_is_replaced_while_it_comes_down_is_not_mixed(proxy, client, raw, s3_bucket, tmp_path):
    raw.put_object(Bucket=s3_bucket, Key="a", Body=LARGE)
    proxy.order("call", method="GET", path="/a", skip=1, call=lambda: raw.put_object(Bucket=s3_bucket, Key="a", Body=LARGE[::-1]))
    with pytest.raises(PreconditionError):
        client.download("a", str(tmp_path / "copy"))
    assert list(tmp_path.iterdir()) == []


def test_a_disk_without_room_is_found_before_the_download(proxy, client, raw, s3_bucket, tmp_path, monkeypatch):
    raw.put_object(Bucket=s3_bucket, Key="a", Body=b"0123456789")
    found = os.statvfs(tmp_path)
    full = os.statvfs_result([*found[:3], 0, 0, *found[5:]])
    monkeypatch.setattr(os, "statvfs", lambda path: full)
    with pytest.raises(StorageUnavailableError, match=r"takes 10 bytes and the disk has 0 free"):
        client.download("a", str(tmp_path / "copy"))
    assert proxy.seen("GET") == []


# -- rights and credentials ----------------------------------------------------------------------------------------------------
def test_who_may_only_read_hears_which_right_is_missing(s3_server, s3_bucket, raw, file):
    raw.put_object(Bucket=s3_bucket, Key="a", Body=b"1")
    client = S3Client(
        s3_bucket, StorageOptions(endpoint_url=s3_server.endpoint_url, s3_session=lambda: s3_server.session(s3_server.reader))
    )
    assert client.read("a") == b"1"
    for verb, right in ((VERBS["write"], "s3:PutObject"), (VERBS["upload"], "s3:PutObject"), (VERBS["delete"], "s3:DeleteObject")):
        with pytest.raises(StorageRefusedError, match=rf"do not have the right to do this \(AccessDenied\)\. Allow {right}") as caught:
            verb(client, file)
        assert not caught.value.retryable


@each_verb
def test_an_unknown_access_key_is_not_tried_twice(verb, proxy, s3_server, s3_bucket, file):
    stranger = s3_server.session(Identity.invented("stranger"))
    client = S3Client(s3_bucket, StorageOptions(endpoint_url=proxy.url, s3_session=lambda: stranger))
    with pytest.raises(StorageRefusedError, match="does not know the access key .* Correct the access key: the Airflow connection"):
        verb(client, file)
    assert len(proxy.requests) <= 2, "the second one asks why the first was refused"


def test_a_wrong_secret_key_is_told_from_a_wrong_access_key(s3_server, s3_bucket, proxy):
    forger = Identity(name="forger", access_key=s3_server.access_key, secret_key="wrong", actions=())
    client = S3Client(s3_bucket, StorageOptions(endpoint_url=proxy.url, s3_session=lambda: s3_server.session(forger)))
    for verb in ("head", "write"):
        with pytest.raises(StorageRefusedError, match="the secret key does not belong to the access key"):
            VERBS[verb](client, "")


def test_no_credentials_at_all(s3_bucket, proxy, monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(StorageRefusedError, match=r"there are no credentials .* Name an AWS connection \(aws_conn_id"):
        S3Client(s3_bucket, StorageOptions(endpoint_url=proxy.url)).check()
    assert proxy.requests == []


EXPIRED = Answer(status=400, code="ExpiredToken")


@each_verb
def test_expired_credentials_are_renewed_once(verb, proxy, s3_bucket, session, raw, file):
    raw.put_object(Bucket=s3_bucket, Key="a", Body=b"0")
    asked = []
    options = StorageOptions(endpoint_url=proxy.url, s3_session=lambda: asked.append(1) or session, attempts=1)
    client = S3Client(s3_bucket, options)
    proxy.order("answer", method="HEAD", answer=Answer(status=400))  # its answer has no body that could say why
    for method in ("GET", "PUT", "POST", "DELETE"):
        proxy.order("answer", method=method, answer=EXPIRED)
    verb(client, file)
    assert len(asked) in {2, 3}  # an upload has requests of two methods, and each was refused once


def test_credentials_that_stay_expired_are_refused(proxy, client):
    proxy.order("answer", times=None, answer=EXPIRED)
    with pytest.raises(StorageRefusedError, match=r"temporary credentials have expired .*New ones were asked for and have expired as well"):
        client.write("a", b"1")
    assert len(proxy.requests) == 2
