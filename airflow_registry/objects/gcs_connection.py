"""Requests to one bucket through google-cloud-storage: made once, repeated where that helps, and answered in this package's errors."""

from __future__ import annotations

import os
import threading
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
        return persist(lambda: self._telling(call, doing), explain=lambda error: explain(error, doing), backoff=backoff, done=done)

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

    def doing(self, what: str, right: str) -> Doing:
        """What is tried, with where that is."""
        endpoint = "Google Cloud Storage" if self._client is None else str(self._client.api_endpoint)
        return Doing(what=what, right=right, bucket=self.bucket, endpoint=endpoint)

    def page(self, prefix: str, delimiter: str | None, token: str | None, most: int | None) -> tuple[list[Any], list[str], str | None]:
        """One page of a listing: objects, folders, and where the next page begins."""
        listing = self.client().list_blobs(
            self.bucket, prefix=prefix or None, delimiter=delimiter, page_token=token, page_size=most, timeout=self.timeout, retry=None
        )
        blobs = list(next(listing.pages, ()))
        return blobs, sorted(listing.prefixes), listing.next_page_token

    def _telling(self, call: Callable[[], T], doing: Doing) -> T:
        """What `call` returns; where nothing is there, the first time somebody asks whether the bucket is."""
        try:
            return call()
        except Exception as error:
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
                raise no_bucket(doing).error from error
            raise

    def _make_client(self) -> Any:  # noqa: ANN401
        try:
            from google.cloud import storage
        except ImportError as error:
            raise MissingDependencyError.extra("google-cloud-storage", "gcs", "A gs:// address") from error
        from requests.adapters import HTTPAdapter

        credentials = self.options.gcs_credentials() if self.options.gcs_credentials else None
        client = storage.Client(project=None, credentials=_scoped(credentials))
        client._http.mount("https://", HTTPAdapter(pool_maxsize=THREADS + 2))  # noqa: SLF001  else threads beyond ten open new connections
        client._http.mount("http://", HTTPAdapter(pool_maxsize=THREADS + 2))  # noqa: SLF001
        return client


def _scoped(credentials: Any) -> Any:  # noqa: ANN401
    """Credentials that may do what is needed and no more, where they can be narrowed."""
    if credentials is None:
        return None
    from google.auth.credentials import with_scopes_if_required

    return with_scopes_if_required(credentials, list(_SCOPES))
