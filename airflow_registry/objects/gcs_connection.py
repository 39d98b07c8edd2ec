"""Requests to one bucket through google-cloud-storage: made once, repeated where that helps, and answered in this package's errors."""

from __future__ import annotations

import os
import threading
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_registry.errors import MissingDependencyError
from airflow_registry.objects.gcs_faults import explain, is_missing, no_bucket
from airflow_registry.objects.parallel import THREADS
from airflow_registry.objects.retry import Backoff, persist
from airflow_registry.objects.s3_faults import Doing

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_registry.objects.options import StorageOptions

__all__ = ["GcsConnection"]

T = TypeVar("T")
_SCOPES = ("https://www.googleapis.com/auth/devstorage.read_write",)


class GcsConnection:
    """Google's client of one bucket, with retries of our own: Google's are bounded by time only, and know nothing of work given up.

    Args:
        bucket: Name of the bucket.
        options: How it is reached. The endpoint is Google's, or `STORAGE_EMULATOR_HOST`, which Google's library reads.
    """

    def __init__(self, bucket: str, options: StorageOptions) -> None:
        self.bucket = bucket
        self.options = options
        self.timeout = (options.connect_timeout_s, options.read_timeout_s)
        self._lock = threading.Lock()
        self._client: Any = None
        self._process = 0
        self._bucket_is_there = False

    def insist(
        self,
        call: Callable[[], T],
        doing: Doing,
        *,
        stop: threading.Event | None = None,
        attempts: int | None = None,
        done: Callable[[], int] | None = None,
    ) -> T:
        """What `call` returns, repeated where that helps."""
        tries = min(attempts or self.options.attempts, self.options.attempts)
        backoff = Backoff(attempts=tries, first_delay_s=self.options.first_delay_s, stop=stop)
        return persist(
            lambda: self._telling(call, doing), explain=lambda error: explain(error, self._here(doing)), backoff=backoff, done=done
        )

    def client(self) -> Any:  # noqa: ANN401  google-cloud-storage has no types
        """Google's client, made at the first request: finding credentials may ask the metadata server."""
        with self._lock:
            # The sockets of a forked process are its parent's: two of them on one connection would read each other's answers.
            if self._client is None or self._process != os.getpid():
                self._client, self._process = self._make_client(), os.getpid()
            return self._client

    def session(self) -> Any:  # noqa: ANN401
        """The authorized `requests.Session` of the client."""
        return self.client()._http  # noqa: SLF001  there is no public way to send the parts of a resumable upload

    def blob(self, key: str) -> Any:  # noqa: ANN401
        """Google's view of an object; nothing is asked."""
        return self.client().bucket(self.bucket).blob(key)

    def look(self, key: str, generation: int | None = None) -> Any:  # noqa: ANN401
        """What Google knows of an object, asked once; 0 bytes of it are read."""
        blob = self.blob(key)
        blob.reload(projection="noAcl", if_generation_match=generation, timeout=self.timeout, retry=None)
        return blob

    def doing(self, what: str, right: str) -> Doing:
        """What is tried, with where that is."""
        return self._here(Doing(what=what, right=right, bucket=self.bucket, endpoint="Google Cloud Storage"))

    def page(self, prefix: str, delimiter: str | None, token: str | None, most: int | None) -> tuple[list[Any], list[str], str | None]:
        """One page of a listing: objects, folders, and where the next page begins."""
        listing = self.client().list_blobs(
            self.bucket, prefix=prefix or None, delimiter=delimiter, page_token=token, page_size=most, timeout=self.timeout, retry=None
        )
        blobs = list(next(listing.pages, ()))
        return blobs, sorted(listing.prefixes), listing.next_page_token

    def _here(self, doing: Doing) -> Doing:
        """With the address that is spoken to, which Google's client knows once it is made."""
        return doing if self._client is None else replace(doing, endpoint=str(self._client.api_endpoint))

    def _telling(self, call: Callable[[], T], doing: Doing) -> T:
        """What `call` returns; where nothing is there, the first time somebody asks whether the bucket is."""
        try:
            return call()
        except Exception as error:
            _let_go(error)
            if is_missing(error) and not self._bucket_is_there:
                self._ask_for_bucket(doing)
            raise

    def _ask_for_bucket(self, doing: Doing) -> None:
        from google.api_core.exceptions import Forbidden

        try:
            self.page("", None, None, 1)
            self._bucket_is_there = True
        except Forbidden:  # who may not list cannot know; then what was asked for is what is missing
            return
        except Exception as error:
            if is_missing(error):
                raise no_bucket(self._here(doing)).error from error
            raise

    def _make_client(self) -> Any:  # noqa: ANN401
        storage = _google()
        from requests.adapters import HTTPAdapter

        credentials = self.options.gcs_credentials() if self.options.gcs_credentials else None
        client = storage.Client(project=None, credentials=_scoped(credentials))
        client._http.mount("https://", HTTPAdapter(pool_maxsize=THREADS + 2))  # noqa: SLF001  else threads beyond ten open new connections
        client._http.mount("http://", HTTPAdapter(pool_maxsize=THREADS + 2))  # noqa: SLF001
        return client


def _let_go(error: Exception) -> None:
    """Google's library leaves the answer to a refused download open, and with it one of the connections."""
    response = getattr(error, "response", None)
    if response is not None and hasattr(response, "close"):
        response.close()


def _google() -> Any:  # noqa: ANN401
    """Google's library; on its first import it warns of a package for gRPC, which is not used here."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ImportWarning)
            from google.cloud import storage
    except ImportError as error:
        raise MissingDependencyError.extra("google-cloud-storage", "gcs", "A gs:// address") from error
    return storage


def _scoped(credentials: Any) -> Any:  # noqa: ANN401
    """Credentials that may do what is needed and no more, where they can be narrowed."""
    if credentials is None:
        return None
    from google.auth.credentials import with_scopes_if_required

    return with_scopes_if_required(credentials, list(_SCOPES))
