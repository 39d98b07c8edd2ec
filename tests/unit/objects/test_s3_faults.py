"""What S3's answers and boto3's errors are taken for. What a real server says stands in the integration tests; these are rarer."""

from __future__ import annotations

import pytest
from botocore import exceptions
from botocore.exceptions import ClientError

from airflow_registry.errors import (
    ArtifactNotFoundError,
    ConfigurationError,
    CorruptionError,
    InvalidInputError,
    StorageRefusedError,
    StorageUnavailableError,
)
from airflow_registry.objects.base import PreconditionError
from airflow_registry.objects.s3_faults import Doing, explain

DOING = Doing(what="read s3://models/a", right="s3:GetObject", bucket="models", endpoint="https://minio:9000")
AGAIN = None


def answer(status, code, message="Said so.", headers=None, **error):
    response = {"Error": {"Code": code, "Message": message, **error}}
    return ClientError(response | {"ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": headers or {}}}, "GetObject")


@pytest.mark.parametrize(
    ("error", "kind", "attempts", "text"),
    [
        (answer(412, "PreconditionFailed"), PreconditionError, 1, "something else is there"),
        (answer(304, "304"), PreconditionError, 1, "something else is there"),
        (answer(404, "NoSuchKey"), ArtifactNotFoundError, 1, "nothing is there. Check the spelling"),
        (answer(404, "404"), ArtifactNotFoundError, 1, "nothing is there"),
        (
            answer(404, "NoSuchBucket"),
            StorageRefusedError,
            1,
            "there is no bucket 'models' at https://minio:9000 (NoSuchBucket). Create it",
        ),
        (answer(403, "AccessDenied"), StorageRefusedError, 1, "Allow s3:GetObject (with a KMS key also"),
        (answer(403, "403"), StorageRefusedError, 1, "do not have the right"),
        (answer(403, "InvalidAccessKeyId"), StorageRefusedError, 1, "does not know the access key"),
        (answer(403, "SignatureDoesNotMatch"), StorageRefusedError, 1, "the secret key does not belong"),
        (answer(400, "ExpiredToken"), StorageRefusedError, 1, "have expired (HTTP 400, ExpiredToken, Said so.)"),
        (answer(400, "InvalidToken"), StorageRefusedError, 1, "does not accept the session token"),
        (
            answer(403, "RequestTimeTooSkewed", headers={"date": "Mon, 23 Nov 2026 10:00:00 GMT"}),
            StorageRefusedError,
            1,
            "UTC here, Mon, 23 Nov 2026 10:00:00 GMT there (RequestTimeTooSkewed). Set this machine's clock (NTP)",
        ),
        (
            answer(301, "PermanentRedirect", headers={"x-amz-bucket-region": "eu-west-1"}),
            StorageRefusedError,
            1,
            "the bucket 'models' is in another region: eu-west-1. Set that region in the connection.",
        ),
        (answer(400, "AuthorizationHeaderMalformed", Region="eu-west-1"), StorageRefusedError, 1, "in another region: eu-west-1"),
        (answer(403, "InvalidObjectState"), StorageRefusedError, 1, "lies in an archive"),
        (answer(501, "NotImplemented"), StorageRefusedError, 1, "does not know something that this needs, such as conditional writes"),
        (answer(400, "KMS.DisabledException"), StorageRefusedError, 1, "refused it (HTTP 400, KMS.DisabledException, Said so.)"),
        (answer(503, "SlowDown"), StorageUnavailableError, AGAIN, "is too busy (HTTP 503, SlowDown, Said so.)"),
        (answer(429, "429"), StorageUnavailableError, AGAIN, "is too busy"),
        (answer(400, "RequestLimitExceeded"), StorageUnavailableError, AGAIN, "is too busy"),
        (answer(500, "InternalError"), StorageUnavailableError, AGAIN, "failed (HTTP 500"),
        (answer(502, "502"), StorageUnavailableError, AGAIN, "failed (HTTP 502"),
        (answer(400, "RequestTimeout"), StorageUnavailableError, AGAIN, "failed"),
        (answer(409, "ConditionalRequestConflict"), StorageUnavailableError, AGAIN, "failed"),
        (answer(404, "NoSuchUpload"), StorageUnavailableError, 1, "no longer knows the running upload"),
        (answer(400, "BadDigest"), CorruptionError, AGAIN, "bytes that arrived at the store are not those that were sent"),
        (exceptions.NoCredentialsError(), StorageRefusedError, 1, "there are no credentials"),
        (exceptions.PartialCredentialsError(provider="env", cred_var="x"), StorageRefusedError, 1, "there are no credentials"),
        (exceptions.SSLError(endpoint_url="x", error="self-signed"), StorageRefusedError, 1, "is not trusted"),
        (exceptions.EndpointConnectionError(endpoint_url="x"), StorageUnavailableError, 4, "https://minio:9000 cannot be reached"),
        (exceptions.ConnectTimeoutError(endpoint_url="x"), StorageUnavailableError, 4, "cannot be reached"),
        (exceptions.ReadTimeoutError(endpoint_url="x"), StorageUnavailableError, AGAIN, "broke or stalled"),
        (exceptions.ConnectionClosedError(endpoint_url="x"), StorageUnavailableError, AGAIN, "broke or stalled"),
        (exceptions.ResponseStreamingError(error="x"), StorageUnavailableError, AGAIN, "broke or stalled"),
        (exceptions.IncompleteReadError(actual_bytes=1, expected_bytes=2), StorageUnavailableError, AGAIN, "broke or stalled"),
        (ConnectionResetError("the body ended early"), StorageUnavailableError, AGAIN, "broke or stalled (the body ended early)"),
        (exceptions.CredentialRetrievalError(provider="x", error_msg="y"), StorageUnavailableError, 3, "credentials could not be had"),
        (exceptions.NoRegionError(), ConfigurationError, 1, "boto3 does not take the settings"),
        (exceptions.ParamValidationError(report="bad bucket"), ConfigurationError, 1, "bad bucket"),
        (ValueError("Invalid endpoint: nonsense"), ConfigurationError, 1, "Invalid endpoint: nonsense"),
        (InvalidInputError("ours"), InvalidInputError, 1, "ours"),
        (KeyError("a mistake of ours"), KeyError, 1, "a mistake of ours"),
    ],
    ids=lambda value: getattr(value, "__name__", None) and value.__name__,
)
def test_an_error_says_what_happened_and_whether_trying_again_helps(error, kind, attempts, text):
    fault = explain(error, DOING)
    assert type(fault.error) is kind
    assert fault.attempts == attempts
    assert text in str(fault.error)
    if isinstance(fault.error, StorageUnavailableError):
        assert str(fault.error).startswith("Cannot read s3://models/a: ")
        assert str(fault.error).endswith(".")
        assert not str(fault.error).endswith("..")
