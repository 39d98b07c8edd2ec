"""How object stores are reached. Filled in at the edge (connection, environment), handed down; nothing here reads either."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["StorageOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageOptions:
    """What is needed to reach a bucket beyond its name.

    Attributes:
        endpoint_url: Address of an S3 compatible server; None for boto3's own choice (AWS, or `AWS_ENDPOINT_URL_S3`).
        region: AWS region; None for boto3's own choice.
        s3_extra_args: Passed with every object that is created on S3: `ServerSideEncryption`, `SSEKMSKeyId`, `ACL` and the like.
        s3_session: Makes the boto3 session; None for boto3's own credential chain. A function, because credentials expire.
        gcs_credentials: Makes the Google credentials; None for the application default.
        connect_timeout_s: Seconds until a connection must stand.
        read_timeout_s: Seconds without a byte until a request is given up.
        attempts: How often a request is tried in all when the store is busy, broken or out of reach (>= 1).
        first_delay_s: Seconds between the first two attempts, about; each later one is twice as long. With the defaults a store may
            be busy for a minute.
    """

    endpoint_url: str | None = None
    region: str | None = None
    s3_extra_args: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    s3_session: Callable[[], Any] | None = field(default=None, repr=False, compare=False)
    gcs_credentials: Callable[[], Any] | None = field(default=None, repr=False, compare=False)
    connect_timeout_s: float = 10.0
    read_timeout_s: float = 60.0
    attempts: int = 8
    first_delay_s: float = 1.0
