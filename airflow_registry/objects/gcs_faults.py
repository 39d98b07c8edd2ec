"""What Google Cloud Storage's errors mean: who must do what about them, and whether trying again may help."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_registry.errors import ArtifactNotFoundError, CorruptionError, RegistryError
from airflow_registry.objects.base import PreconditionError
from airflow_registry.objects.retry import Fault, Stopped
from airflow_registry.objects.s3_faults import UNREACHABLE_ATTEMPTS

if TYPE_CHECKING:
    from airflow_registry.objects.s3_faults import Doing

__all__ = ["explain", "is_missing", "no_bucket"]

_AGAIN = "It was tried several times; try again later"
_BUSY = frozenset({408, 429})
_BUSY_REASONS = ("rateLimitExceeded", "userRateLimitExceeded", "backendError")  # Google sends some of them with 403
_CHECKSUM = ("crc32c", "md5 hash", "checksum")
_CREDENTIALS = (
    "Set GOOGLE_APPLICATION_CREDENTIALS, run `gcloud auth application-default login`, or give the machine, the pod or the connection "
    "a service account."
)


def explain(error: Exception, doing: Doing) -> Fault:
    """What an error of google-cloud-storage means; errors of this package stay as they are."""
    if isinstance(error, (RegistryError, PreconditionError, Stopped)):
        return Fault(error=error)
    from google.api_core.exceptions import GoogleAPICallError
    from google.auth.exceptions import GoogleAuthError
    from google.cloud.storage.exceptions import DataCorruption

    if isinstance(error, GoogleAPICallError):
        return _answered(error, doing)
    if isinstance(error, DataCorruption):
        return _damaged(error, doing)
    return _unauthenticated(error, doing) if isinstance(error, GoogleAuthError) else _unanswered(error, doing)


def is_missing(error: Exception) -> bool:
    """Whether the store said that an object, or its bucket, is not there."""
    return getattr(error, "code", None) == 404  # no import: it must also be asked where Google's library is not installed


def no_bucket(doing: Doing) -> Fault:
    """There is no such bucket."""
    remedy = "Create it, or correct the bucket's name in the settings; nothing was changed."
    return doing.refused(f"there is no bucket {doing.bucket!r} at {doing.endpoint}", remedy)


def _answered(error: Exception, doing: Doing) -> Fault:
    """The store gave an answer that is no success."""
    status, said = int(getattr(error, "code", None) or 0), _said(error)
    if status in {304, 412}:
        return Fault(error=PreconditionError(f"Cannot {doing.what}: something else is there than was expected."))
    if status == 404:
        return no_bucket(doing) if "bucket does not exist" in said else Fault(error=_not_found(doing))
    if status in _BUSY or status == 503 or any(reason in said for reason in _BUSY_REASONS):
        return doing.unavailable(f"{doing.endpoint} is too busy ({said})", _AGAIN)
    if status >= 500 and status != 501:
        return doing.unavailable(f"{doing.endpoint} failed ({said})", _AGAIN)
    if status == 400 and any(word in said.lower() for word in _CHECKSUM):
        return _damaged(error, doing)
    return _refused(status, said, doing)


def _refused(status: int, said: str, doing: Doing) -> Fault:
    if status == 401:
        return doing.refused(f"the store does not accept the credentials ({said})", _CREDENTIALS)
    if status == 403:
        why = f"the store knows the credentials, and they do not have the right to do this ({said})"
        return doing.refused(why, f"Grant {doing.right} on the bucket to them, or use other credentials.")
    return doing.refused(f"the store refused it ({said})", "See what the store's documentation says of it.")


def _not_found(doing: Doing) -> ArtifactNotFoundError:
    return ArtifactNotFoundError(
        f"Cannot {doing.what}: nothing is there. Check the spelling of the address; if it was deleted, restore it from a backup, or an "
        "older generation where the bucket keeps them."
    )


def _damaged(error: Exception, doing: Doing) -> Fault:
    text = (
        f"Cannot {doing.what}: the bytes that arrived are not those that were sent ({_said(error)}), several times. Nothing was kept. "
        "Look for a proxy, a network card or memory that changes them."
    )
    return Fault(error=CorruptionError(text), attempts=None)


def _unauthenticated(error: Exception, doing: Doing) -> Fault:
    """Google's libraries found no credentials, or could not renew them."""
    from google.auth.exceptions import TransportError

    if isinstance(error, TransportError) or getattr(error, "retryable", False):
        return doing.unavailable(f"credentials could not be renewed ({_said(error)})", "Look at the network and the metadata server.")
    return doing.refused(f"there are no usable Google credentials ({_said(error)})", _CREDENTIALS)


def _unanswered(error: Exception, doing: Doing) -> Fault:
    """No answer came, or it broke off."""
    import requests
    from urllib3.exceptions import HTTPError

    said = str(error).strip().rstrip(".")
    if isinstance(error, requests.exceptions.SSLError):
        return doing.refused(
            f"the certificate of {doing.endpoint} is not trusted ({said})", "Set REQUESTS_CA_BUNDLE to your authority's file."
        )
    if isinstance(error, requests.exceptions.ConnectTimeout) or "NewConnectionError" in said or "Failed to establish" in said:
        remedy = "Check the address, the network and the proxy."
        return doing.unavailable(f"{doing.endpoint} cannot be reached ({said})", remedy, UNREACHABLE_ATTEMPTS)
    if isinstance(error, (requests.exceptions.RequestException, HTTPError, ConnectionError, TimeoutError)):
        return doing.unavailable(f"the connection to {doing.endpoint} broke or stalled ({said})", _AGAIN)
    return Fault(error=error)


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:400].rstrip(".")
