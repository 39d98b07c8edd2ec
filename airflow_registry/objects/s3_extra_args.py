"""`s3_extra_args`: what people may say about every object that is created, and which request takes which part of it.

S3 spreads one object over several requests. Encryption belongs to the one that creates it; who pays and who must own the bucket
belong to all of them; a customer's own key even to every read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_registry.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ALLOWED", "args_for", "check_extra_args"]

_EVERYWHERE = frozenset({"ExpectedBucketOwner", "RequestPayer"})
_OWN_KEY = frozenset({"SSECustomerAlgorithm", "SSECustomerKey", "SSECustomerKeyMD5"})
_CREATING = frozenset(
    {
        "ACL",
        "BucketKeyEnabled",
        "CacheControl",
        "ContentDisposition",
        "ContentLanguage",
        "ContentType",
        "GrantFullControl",
        "GrantRead",
        "GrantReadACP",
        "GrantWriteACP",
        "Metadata",
        "ObjectLockLegalHoldStatus",
        "ObjectLockMode",
        "ObjectLockRetainUntilDate",
        "SSEKMSEncryptionContext",
        "SSEKMSKeyId",
        "ServerSideEncryption",
        "StorageClass",
        "Tagging",
    }
)
ALLOWED = _EVERYWHERE | _OWN_KEY | _CREATING
_TAKES_OWN_KEY = frozenset({"get_object", "head_object", "upload_part", "complete_multipart_upload"})
_TAKES_ALL = frozenset({"put_object", "create_multipart_upload"})
_NO_PAYER = frozenset({"head_bucket"})


def check_extra_args(extra: Mapping[str, Any]) -> None:
    """Refuse what would not work, or would break what this package promises of an object.

    Raises:
        ConfigurationError: If a key is not allowed; all of them are named.
    """
    unknown = sorted(set(extra) - ALLOWED)
    if unknown:
        raise ConfigurationError(
            f"s3_extra_args holds {', '.join(map(repr, unknown))}, which cannot be given to every object. "
            f"Allowed: {', '.join(sorted(ALLOWED))}."
        )
    metadata = extra.get("Metadata", {})
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for pair in metadata.items() for text in pair):
        raise ConfigurationError(f"The Metadata of s3_extra_args is {metadata!r}. Expected names and texts.")


def args_for(operation: str, extra: Mapping[str, Any]) -> dict[str, Any]:
    """The part of the extra arguments that one request of boto3's takes."""
    if operation in _TAKES_ALL:
        return dict(extra)
    wanted = _EVERYWHERE | (_OWN_KEY if operation in _TAKES_OWN_KEY else frozenset())
    return {name: value for name, value in extra.items() if name in wanted and not (operation in _NO_PAYER and name == "RequestPayer")}
