"""Requests to one bucket through boto3: made once, repeated where that helps, and answered in this package's errors."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_registry.errors import MissingDependencyError
from airflow_registry.objects.parallel import THREADS
from airflow_registry.objects.retry import Backoff, persist
from airflow_registry.objects.s3_extra_args import args_for, check_extra_args
from airflow_registry.objects.s3_faults import Doing, explain, is_expired

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_registry.objects.options import StorageOptions

__all__ = ["S3Connection"]

T = TypeVar("T")


class S3Connection:
    """boto3's client of one bucket, with retries.

    boto3's own retries are off: they end when a body begins to stream, their budget is shared by all threads, and they know nothing of
    the work that was given up.

    Args:
        bucket: Name of the bucket.
        options: How it is reached.
    """

    def __init__(self, bucket: str, options: StorageOptions) -> None:
        check_extra_args(options.s3_extra_args)
        self.bucket = bucket
        self.options = options
        self._lock = threading.Lock()
        self._client: Any = None
        self._process = 0
        self._generation = 0

    def send(self, operation: str, doing: Doing, *, stop: threading.Event | None = None, attempts: int | None = None, **args: Any) -> Any:  # noqa: ANN401
        """One request and its answer.

        Args:
            operation: Method of boto3's client.
            doing: What it is for.
            stop: Ends the waiting between attempts.
            attempts: How often at most; None for as often as the options say.
            args: Its arguments, without the bucket.
        """
        return self.insist(lambda: self.once(operation, **args), doing, stop=stop, attempts=attempts)

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
        return persist(lambda: self._renewing(call), explain=lambda error: explain(error, doing), backoff=backoff, done=done)

    def _renewing(self, call: Callable[[], T]) -> T:
        """What `call` returns; if its credentials have expired, once more with new ones."""
        generation = self._generation
        try:
            return call()
        except Exception as error:
            if not is_expired(error):
                raise
            self._forget(generation)
            return call()

    def once(self, operation: str, **args: Any) -> Any:  # noqa: ANN401
        """One request, made once; raises what boto3 raises."""
        client = self._connected()
        return getattr(client, operation)(Bucket=self.bucket, **{**args_for(operation, self.options.s3_extra_args), **args})

    @property
    def checksum_algorithm(self) -> str:
        """Which checksum goes with every body.

        CRC32 finds accidents, and TLS keeps everybody else away. Over plain HTTP only a cryptographic one does both.
        """
        return "SHA256" if str(self._connected().meta.endpoint_url).startswith("http:") else "CRC32"

    def doing(self, what: str, right: str) -> Doing:
        """What is tried, with where that is."""
        return Doing(what=what, right=right, bucket=self.bucket, endpoint=self._endpoint())

    def _endpoint(self) -> str:
        return self.options.endpoint_url or (self._client.meta.endpoint_url if self._client is not None else "the S3 endpoint")

    def _connected(self) -> Any:  # noqa: ANN401
        with self._lock:
            # The sockets of a forked process are its parent's: two of them on one connection would read each other's answers.
            if self._client is None or self._process != os.getpid():
                self._client, self._process = self._make_client(), os.getpid()
            return self._client

    def _forget(self, generation: int) -> None:
        """The next request asks for credentials again; of several threads that found them expired, the first one does it."""
        with self._lock:
            if self._generation == generation:
                self._client, self._generation = None, generation + 1

    def _make_client(self) -> Any:  # noqa: ANN401
        from botocore.config import Config

        options = self.options
        config = Config(
            connect_timeout=options.connect_timeout_s,
            read_timeout=options.read_timeout_s,
            retries={"total_max_attempts": 1, "mode": "standard"},
            max_pool_connections=THREADS + 2,
            tcp_keepalive=True,
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            # Each body goes with a checksum in a signed header, so it need not be hashed a second time for the signature itself. The
            # addressing style is boto3's: by path wherever an endpoint was given, unless the user's own AWS settings say otherwise.
            s3={"payload_signing_enabled": False},
        )
        session = (options.s3_session or _own_session)()
        return session.client("s3", endpoint_url=options.endpoint_url, region_name=options.region, config=config)


def _own_session() -> Any:  # noqa: ANN401
    try:
        from boto3.session import Session
    except ImportError as error:
        raise MissingDependencyError.extra("boto3", "amazon", "An s3:// address") from error
    return Session()
