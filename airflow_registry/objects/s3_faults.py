"""What S3's and boto3's errors mean: who must do what about them, and whether trying again may help.

S3 says what is wrong by a code in the body of its answer; answers to HEAD have no body, so there the status must do.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any

from airflow_registry.errors import (
    ArtifactNotFoundError,
    ConfigurationError,
    CorruptionError,
    RegistryError,
    StorageRefusedError,
    StorageUnavailableError,
)
from airflow_registry.objects.base import PreconditionError
from airflow_registry.objects.retry import Fault, Stopped

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Doing", "code_of", "explain", "is_corrupted", "is_expired", "status_of"]

UNREACHABLE_ATTEMPTS = 4  # a wrong address stays wrong; a restarting server is back in seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Doing:
    """What was tried.

    Attributes:
        what: Completes the sentence `Cannot …`, as in `read s3://models/a`.
        right: The permission it needs, as AWS calls it.
        bucket: The bucket.
        endpoint: Where the bucket is, for people.
    """

    what: str
    right: str
    bucket: str
    endpoint: str

    def refused(self, why: str, remedy: str) -> Fault:
        """The store, or this side, says no; nobody needs to try again before something was changed."""
        return Fault(error=StorageRefusedError(f"Cannot {self.what}: {why}. {remedy.removesuffix('.')}."))

    def unavailable(self, why: str, remedy: str, attempts: int | None = None) -> Fault:
        """It may work later."""
        return Fault(error=StorageUnavailableError(f"Cannot {self.what}: {why}. {remedy.removesuffix('.')}."), attempts=attempts)


_PRECONDITION = frozenset({"PreconditionFailed", "NotModified", "412", "304"})
_MISSING = frozenset({"NoSuchKey", "NoSuchVersion", "404", "NotFound"})
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired"})
_CORRUPTED = frozenset({"BadDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch", "InvalidDigest", "IncompleteBody"})
_BUSY = frozenset(
    {
        "SlowDown",
        "SlowDownRead",
        "SlowDownWrite",
        "ServiceUnavailable",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestLimitExceeded",
        "BandwidthLimitExceeded",
        "LimitExceededException",
        "TooManyRequests",
        "TooManyRequestsException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
    }
)
_FLAWED = frozenset({"InternalError", "RequestTimeout", "RequestTimeoutException", "OperationAborted", "ConditionalRequestConflict"})
# Code: why, and what to do. {bucket}, {endpoint} and {right} are filled in.
_REFUSALS: dict[str, tuple[str, str]] = {
    "NoSuchBucket": (
        "there is no bucket {bucket!r} at {endpoint}",
        "Create it, or correct the bucket or the endpoint in the settings; nothing was changed",
    ),
    "AccessDenied": (
        "the store knows the credentials, and they do not have the right to do this",
        "Allow {right} (with a KMS key also kms:GenerateDataKey and kms:Decrypt) to them, or use other credentials",
    ),
    "InvalidAccessKeyId": (
        "the store does not know the access key that was sent",
        "Correct the access key: the Airflow connection named by aws_conn_id, or else what boto3 finds (environment, profile, role)",
    ),
    "SignatureDoesNotMatch": (
        "the secret key does not belong to the access key, or a proxy changed the request",
        "Correct the secret key: the Airflow connection named by aws_conn_id, or else what boto3 finds (environment, profile, role)",
    ),
    "InvalidToken": (
        "the store does not accept the session token",
        "Take new temporary credentials; a session token belongs to its access key and to its region",
    ),
    "RequestTimeTooSkewed": (
        "the clock of this machine differs from the store's by more than 15 minutes{clocks}",
        "Set this machine's clock (NTP), then try again",
    ),
    "InvalidObjectState": (
        "the object lies in an archive (storage class Glacier or Deep Archive), which has to be asked for it first",
        "Restore it with `aws s3api restore-object`, and use a storage class that can be read at once",
    ),
    "NotImplemented": (
        "the server does not know something that this needs, such as conditional writes",
        "Use a server that does: AWS S3, MinIO, Ceph or SeaweedFS in a current release",
    ),
    "EntityTooLarge": ("the object is larger than the store allows", "Make the artifact smaller, or keep it elsewhere with copy=False"),
}
_SAME = {
    "AllAccessDisabled": "AccessDenied",
    "AccountProblem": "AccessDenied",
    "UnauthorizedAccess": "AccessDenied",
    "Forbidden": "AccessDenied",
    "403": "AccessDenied",
    "401": "InvalidAccessKeyId",
    "501": "NotImplemented",
    "InvalidClientTokenId": "InvalidAccessKeyId",
    "UnrecognizedClientException": "InvalidAccessKeyId",
    "AuthFailure": "SignatureDoesNotMatch",
    "RequestInTheFuture": "RequestTimeTooSkewed",
}
_REGION = frozenset(
    {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "TemporaryRedirect", "301", "307"}
)


def explain(error: Exception, doing: Doing) -> Fault:
    """What an error of boto3 means; errors of this package stay as they are."""
    from botocore.exceptions import ClientError

    if isinstance(error, (RegistryError, PreconditionError, Stopped)):
        return Fault(error=error)
    if isinstance(error, ClientError):
        return _answered(error, doing)
    return _unanswered(error, doing)


def code_of(error: Exception) -> str:
    """The code of S3's answer; '' if there was no answer."""
    return str(_answer(error).get("Error", {}).get("Code", ""))


def status_of(error: Exception) -> int:
    """The HTTP status of S3's answer; 0 if there was no answer."""
    return int(_answer(error).get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def is_expired(error: Exception) -> bool:
    """Whether new credentials would help."""
    return code_of(error) in _EXPIRED or code_of(error) == "InvalidToken"


def is_corrupted(error: Exception) -> bool:
    """Whether the store found another checksum than was sent along."""
    return code_of(error) in _CORRUPTED


def _answer(error: Exception) -> Mapping[str, Any]:
    found = getattr(error, "response", None)
    return found if isinstance(found, dict) else {}


def _answered(error: Exception, doing: Doing) -> Fault:
    code, status = code_of(error), status_of(error)
    if code in _PRECONDITION or status == 412:
        return Fault(error=PreconditionError(f"Cannot {doing.what}: something else is there than was expected."))
    if code in _MISSING:
        return Fault(error=_not_found(doing))
    if code in _CORRUPTED:
        return Fault(error=CorruptionError(f"Cannot {doing.what}: {_TAMPERED.format(said=_said(error))}"), attempts=None)
    return _passing(error, doing) or _refused(error, doing)


def _passing(error: Exception, doing: Doing) -> Fault | None:
    """What may be over soon; None if nothing says so."""
    code, status = code_of(error), status_of(error)
    if code == "NoSuchUpload":
        return doing.unavailable(
            "the store no longer knows the running upload: its bucket was deleted, or a lifecycle rule or somebody else aborted it",
            _ABORTED,
            attempts=1,
        )
    if code in _BUSY or status in {429, 503, 509}:
        return doing.unavailable(f"{doing.endpoint} is too busy ({_said(error)})", "It was tried several times; try again later")
    if code in _FLAWED or (status >= 500 and status != 501):
        return doing.unavailable(f"{doing.endpoint} failed ({_said(error)})", "It was tried several times; try again later")
    return None


_ABORTED = "See whether the bucket is still there, then try again; if it happens again, see what aborts unfinished uploads in it."
_TAMPERED = (
    "the bytes that arrived at the store are not those that were sent ({said}), several times. Nothing was kept. "
    "Look for a proxy, a network card or memory that changes them."
)


def _refused(error: Exception, doing: Doing) -> Fault:
    code = code_of(error)
    if code in _REGION:
        return doing.refused(f"the bucket {doing.bucket!r} is in another region{_right_region(error)}", "Set that region in the connection")
    if code in _EXPIRED:
        return doing.refused(f"the temporary credentials have expired ({_said(error)})", _EXPIRED_REMEDY)
    why, remedy = _REFUSALS.get(
        _SAME.get(code, code), (_UNKNOWN.format(said=_said(error)), "See what the store's documentation says of it")
    )
    facts = {"bucket": doing.bucket, "endpoint": doing.endpoint, "right": doing.right, "clocks": _clocks(error)}
    return doing.refused(why.format(**facts) + (f" ({code})" if code in _REFUSALS else ""), remedy.format(**facts))


_UNKNOWN = "the store refused it ({said})"
_EXPIRED_REMEDY = (
    "New ones were asked for and have expired as well: take new ones, or use a role (role_arn in the AWS connection), which renews them."
)


def _not_found(doing: Doing) -> ArtifactNotFoundError:
    return ArtifactNotFoundError(
        f"Cannot {doing.what}: nothing is there. Check the spelling of the address and that {doing.endpoint} is the right store; "
        "if it was deleted, restore it from a backup or an older version of the object."
    )


def _said(error: Exception) -> str:
    answer = _answer(error)
    message = str(answer.get("Error", {}).get("Message", "")).strip()
    return ", ".join(part for part in (f"HTTP {status_of(error)}", code_of(error), message) if part)


def _right_region(error: Exception) -> str:
    answer = _answer(error)
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    region = headers.get("x-amz-bucket-region") or answer.get("Error", {}).get("Region")
    return f": {region}" if region else f" than the requests are signed for ({_said(error)})"


def _clocks(error: Exception) -> str:
    """The store's time and ours, where the answer tells."""
    from datetime import datetime

    date = _answer(error).get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    return f": {datetime.now(UTC):%H:%M:%S} UTC here, {date} there" if date else ""


def _unanswered(error: Exception, doing: Doing) -> Fault:
    """No answer came: no credentials, no way to the server, a broken connection, or arguments that boto3 itself refuses."""
    from botocore import exceptions

    said = _heard(error)
    if isinstance(error, exceptions.ConnectTimeoutError | exceptions.EndpointConnectionError | exceptions.ProxyConnectionError):
        return doing.unavailable(f"{doing.endpoint} cannot be reached ({said})", _NO_WAY, UNREACHABLE_ATTEMPTS)
    if isinstance(error, exceptions.SSLError):
        return doing.refused(f"the certificate of {doing.endpoint} is not trusted ({said})", "Set AWS_CA_BUNDLE to your authority's file.")
    if isinstance(error, exceptions.HTTPClientError | exceptions.IncompleteReadError | ConnectionError | TimeoutError):
        return doing.unavailable(f"the connection to {doing.endpoint} broke or stalled ({said})", _BROKEN)
    return _unsent(error, doing, said)


def _heard(error: Exception) -> str:
    """Botocore's words; while a body is read it does not know the address, and would print None."""
    return str(error).strip().rstrip(".").replace(' on endpoint URL: "None"', "")


def _unsent(error: Exception, doing: Doing, said: str) -> Fault:
    """Nothing was sent."""
    from botocore import exceptions

    if isinstance(error, (exceptions.NoCredentialsError, exceptions.PartialCredentialsError)):
        return doing.refused(f"there are no credentials ({said})", _NO_CREDENTIALS)
    if isinstance(error, exceptions.CredentialRetrievalError | exceptions.MetadataRetrievalError):
        return doing.unavailable(f"credentials could not be had ({said})", "Look at the role or the profile that gives them.", 3)
    if isinstance(error, exceptions.BotoCoreError | ValueError):
        return Fault(error=ConfigurationError(f"Cannot {doing.what}: boto3 does not take the settings ({said}). Correct them."))
    return Fault(error=error)


_NO_CREDENTIALS = (
    "Name an AWS connection (aws_conn_id in the registry's connection), or give boto3 credentials: AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY, a profile, or the role of the machine."
)
_NO_WAY = "Check the endpoint, the network, the proxy and whether the server runs."
_BROKEN = "It was tried several times; try again later, and look at the network if it stays so."
