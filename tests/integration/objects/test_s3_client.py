"""The contract of object stores on a real S3 server, and what is S3's own."""

from __future__ import annotations

import os

import pytest

from airflow_registry.errors import ConfigurationError, DigestMismatchError
from airflow_registry.objects.base import ABSENT, Condition, PreconditionError
from airflow_registry.objects.dispatch import open_bucket
from airflow_registry.objects.options import StorageOptions
from airflow_registry.objects.s3 import S3Client
from airflow_registry.objects.s3_connection import S3Connection
from tests.contracts.object_client import LARGE, ObjectClientContract, digest_of

pytestmark = pytest.mark.s3


@pytest.fixture
def options(s3_server, session):
    return StorageOptions(endpoint_url=s3_server.endpoint_url, s3_session=lambda: session, first_delay_s=0.01)


class TestS3Client(ObjectClientContract):
    __test__ = True
    lists_in_order_of_keys = False  # SeaweedFS lists b/1 before b-c; AWS does not
    completes_uploads_atomically = False  # SeaweedFS compares the condition, and then writes; AWS does both at once

    @pytest.fixture
    def client(self, s3_bucket, options):
        return open_bucket(f"s3://{s3_bucket}/", options)[0]

    @pytest.fixture
    def nowhere(self, options):
        return open_bucket("s3://no-such-bucket/", options)[0]


@pytest.fixture
def large_file(tmp_path):
    path = tmp_path / "large"
    path.write_bytes(LARGE)
    return str(path)


def client_of(proxy, bucket, session, attempts=2, **options):
    return S3Client(
        bucket, StorageOptions(endpoint_url=proxy.url, s3_session=lambda: session, attempts=attempts, first_delay_s=0.01, **options)
    )


def test_old_versions_of_a_versioned_bucket_stay_behind_and_show_nowhere(s3_server, s3_bucket, options, large_file, tmp_path):
    s3_server.client().put_bucket_versioning(Bucket=s3_bucket, VersioningConfiguration={"Status": "Enabled"})
    client, _ = open_bucket(f"s3://{s3_bucket}/", options)
    first = client.write("a", b"first", condition=ABSENT)
    second = client.upload(large_file, "a", digest=digest_of(LARGE), condition=Condition(version=first.version))
    with pytest.raises(PreconditionError):
        client.write("a", b"third", condition=Condition(version=first.version))
    with pytest.raises(PreconditionError):
        client.read("a", version=first.version)
    assert [(found.key, found.version) for found in client.list()] == [("a", second.version)]
    assert client.download("a", str(tmp_path / "copy"), version=second.version) == digest_of(LARGE)
    client.delete("a")
    assert (client.head("a"), list(client.list()), list(client.folders())) == (None, [], [])
    client.write("a", b"again", condition=ABSENT)
    assert client.read("a") == b"again"
    assert len(s3_server.client().list_object_versions(Bucket=s3_bucket)["Versions"]) == 3


def test_the_request_that_completes_an_upload_carries_the_condition(proxy, s3_bucket, session, large_file):
    client = client_of(proxy, s3_bucket, session)
    first = client.upload(large_file, "a", digest=digest_of(LARGE), condition=ABSENT)
    client.upload(large_file, "a", digest=digest_of(LARGE), condition=Condition(version=first.version))
    client.upload(large_file, "b", digest=digest_of(LARGE))
    headers = [seen.headers for seen in proxy.seen("POST", "uploadId=")]
    assert [(one.get("if-none-match"), one.get("if-match")) for one in headers] == [("*", None), (None, first.version), (None, None)]


def test_over_plain_http_every_body_goes_with_a_signed_sha256(proxy, s3_bucket, session, large_file):
    client = client_of(proxy, s3_bucket, session)
    client.write("small", b"1")
    client.upload(large_file, "large", digest=digest_of(LARGE))
    bodies = proxy.seen("PUT")
    assert len(bodies) == 1 + 3
    for seen in bodies:
        assert len(seen.headers["x-amz-checksum-sha256"]) == 44
        assert "x-amz-checksum-sha256" in seen.headers["authorization"].split("SignedHeaders=")[1]


def test_every_range_of_a_download_is_of_the_version_that_was_found(proxy, s3_bucket, session, large_file, tmp_path):
    client = client_of(proxy, s3_bucket, session)
    version = client.upload(large_file, "a", digest=digest_of(LARGE)).version
    client.download("a", str(tmp_path / "copy"))
    ranges = proxy.seen("GET")
    assert sorted(seen.headers["range"] for seen in ranges) == ["bytes=0-8388607", "bytes=16777216-16777222", "bytes=8388608-16777215"]
    assert {seen.headers["if-match"] for seen in ranges} == {version}


def test_a_file_whose_condition_does_not_hold_is_not_even_begun(proxy, s3_bucket, session, large_file):
    client = client_of(proxy, s3_bucket, session)
    client.write("a", b"1")
    with pytest.raises(PreconditionError):
        client.upload(large_file, "a", digest=digest_of(LARGE), condition=ABSENT)
    assert proxy.seen("POST") == []


def test_the_digest_is_kept_with_the_object(s3_server, s3_bucket, options, large_file):
    client, _ = open_bucket(f"s3://{s3_bucket}/", options)
    client.write("small", b"1")
    client.upload(large_file, "large", digest=digest_of(LARGE))
    for key, data in (("small", b"1"), ("large", LARGE)):
        assert s3_server.client().head_object(Bucket=s3_bucket, Key=key)["Metadata"]["sha256"] == digest_of(data).hex


def test_uploads_that_a_killed_process_left_are_named(s3_server, s3_bucket, options):
    client, _ = open_bucket(f"s3://{s3_bucket}/", options)
    for key in ("plain/a", "plain/b", "other"):
        s3_server.client().create_multipart_upload(Bucket=s3_bucket, Key=key)
    assert sorted(client.unfinished()) == ["other", "plain/a", "plain/b"]
    assert sorted(client.unfinished("plain/")) == ["plain/a", "plain/b"]
    assert list(client.list()) == []


EXTRA_ARGS = {
    "ACL": "bucket-owner-full-control",
    "Tagging": "team=risk",
    "Metadata": {"team": "risk"},
    "StorageClass": "STANDARD",
    "ContentType": "application/x-model",
    "ExpectedBucketOwner": "123456789012",
}
CREATING = {"x-amz-acl", "x-amz-tagging", "x-amz-meta-team", "x-amz-storage-class", "x-amz-meta-sha256"}


def test_extra_args_go_with_every_request_that_they_belong_to(proxy, s3_bucket, session, large_file, tmp_path):
    client = client_of(proxy, s3_bucket, session, s3_extra_args=EXTRA_ARGS)
    client.write("small", b"1")
    client.upload(large_file, "large", digest=digest_of(LARGE))
    client.download("large", str(tmp_path / "copy"))
    list(client.list())
    list(client.unfinished())
    client.delete("small")
    assert {seen.headers["x-amz-expected-bucket-owner"] for seen in proxy.requests} == {"123456789012"}
    for seen in proxy.requests:
        creates = (seen.method == "PUT" and "partNumber" not in seen.path) or seen.path.endswith("?uploads")
        assert (set(seen.headers) & CREATING == CREATING) == creates, seen
    assert {seen.headers["content-type"] for seen in (*proxy.seen("PUT", "small"), *proxy.seen("POST", "uploads$"))} == {
        "application/x-model"
    }


def test_a_customers_own_key_goes_with_parts_and_reads_too(proxy, s3_bucket, session, large_file):
    key = os.urandom(32)
    client = client_of(proxy, s3_bucket, session, s3_extra_args={"SSECustomerAlgorithm": "AES256", "SSECustomerKey": key})
    client.write("small", b"1")
    assert client.read("small") == b"1"
    client.upload(large_file, "large", digest=digest_of(LARGE))
    assert client.digest("large")[0] == digest_of(LARGE)
    for seen in (*proxy.seen("PUT"), *proxy.seen("GET"), *proxy.seen("POST", "uploads$")):
        assert seen.headers["x-amz-server-side-encryption-customer-algorithm"] == "AES256", seen


def test_extra_args_that_cannot_be_given_to_every_object_are_refused_by_name(s3_bucket):
    with pytest.raises(ConfigurationError, match=r"'Body', 'Speed', which cannot .* Allowed: ACL, .*SSEKMSKeyId"):
        open_bucket(f"s3://{s3_bucket}/", StorageOptions(s3_extra_args={"Speed": 1, "Body": b"", "ACL": "private"}))


def test_a_server_named_by_the_environment_is_reached_without_any_option(s3_server, s3_bucket, monkeypatch):
    for name, value in s3_server.env().items():
        monkeypatch.setenv(name, value)
    client, key = open_bucket(f"s3://{s3_bucket}/folder/a")
    client.write(key, b"1")
    assert client.read("folder/a") == b"1"


@pytest.mark.parametrize("given_by", ["option", "environment"])
def test_a_server_that_is_not_aws_is_addressed_by_path(given_by, session, monkeypatch):
    url = "http://minio.example:9000"
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://elsewhere.example" if given_by == "option" else url)
    connection = S3Connection("models", StorageOptions(endpoint_url=url if given_by == "option" else None, s3_session=lambda: session))
    signed = connection._connected().generate_presigned_url("get_object", Params={"Bucket": "models", "Key": "a"})
    assert signed.startswith(f"{url}/models/a?")


# -- files that were measured before -------------------------------------------------------------------------------------------------
@pytest.fixture(params=["SHA256", "CRC32"])
def algorithm(request, monkeypatch):
    """Plain HTTP has the one, TLS the other; this server compares both."""
    monkeypatch.setattr(S3Connection, "checksum_algorithm", request.param)
    return request.param


def test_a_measured_file_goes_up_without_being_read_for_its_digest_again(s3_bucket, options, algorithm, large_file, s3_server):
    client = S3Client(s3_bucket, options)
    measured = client.measure(large_file)
    assert (measured.digest, measured.size_bytes, len(measured.checksums)) == (digest_of(LARGE), len(LARGE), 3)
    done = client.upload_measured(large_file, "a", measured=measured, condition=ABSENT)
    assert client.digest("a") == (measured.digest, len(LARGE))
    assert done.version == client.head("a").version
    assert s3_server.client().head_object(Bucket=s3_bucket, Key="a")["Metadata"]["sha256"] == measured.digest.hex
    with pytest.raises(PreconditionError):
        client.upload_measured(large_file, "a", measured=measured, condition=ABSENT)


@pytest.mark.parametrize("change", ["a byte", "an end"])
def test_a_file_that_changed_since_it_was_measured_is_not_kept(proxy, s3_bucket, session, algorithm, large_file, s3_server, change):
    client = client_of(proxy, s3_bucket, session, attempts=8)
    measured = client.measure(large_file)
    with open(large_file, "r+b") as file:  # noqa: PTH123
        file.seek(len(LARGE) // 2 if change == "a byte" else len(LARGE))
        file.write(b"x")
    with pytest.raises(DigestMismatchError, match="not the one that was promised"):
        client.upload_measured(large_file, "a", measured=measured)
    assert len(proxy.seen("PUT")) <= 3, "sending it again would not help"
    assert list(client.list()) == list(client.unfinished()) == []
    assert "Uploads" not in s3_server.client().list_multipart_uploads(Bucket=s3_bucket)


def test_measured_bytes_that_change_on_their_way_are_sent_again(proxy, s3_bucket, session, algorithm, large_file):
    client = client_of(proxy, s3_bucket, session, attempts=4)
    proxy.order("flip_sent", method="PUT", times=2)
    client.upload_measured(large_file, "a", measured=client.measure(large_file))
    assert client.digest("a")[0] == digest_of(LARGE)


def test_a_small_file_that_was_measured_is_one_request(proxy, s3_bucket, session, tmp_path):
    (tmp_path / "small").write_bytes(b"small")
    client = client_of(proxy, s3_bucket, session)
    measured = client.measure(str(tmp_path / "small"))
    client.upload_measured(str(tmp_path / "small"), "a", measured=measured)
    assert [seen.method for seen in proxy.requests] == ["PUT"]
    (tmp_path / "small").write_bytes(b"other")
    with pytest.raises(DigestMismatchError):
        client.upload_measured(str(tmp_path / "small"), "a", measured=measured)
    assert client.read("a") == b"small"


def test_tls_needs_no_second_cryptographic_checksum(s3_bucket, session):
    def algorithm(url):
        return S3Connection(s3_bucket, StorageOptions(endpoint_url=url, s3_session=lambda: session)).checksum_algorithm

    assert (algorithm("http://minio:9000"), algorithm("https://minio:9000"), algorithm(None)) == ("SHA256", "CRC32", "CRC32")
