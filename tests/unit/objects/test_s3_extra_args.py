from __future__ import annotations

import pytest

from airflow_registry.errors import ConfigurationError
from airflow_registry.objects.s3_extra_args import ALLOWED, args_for, check_extra_args

SENT = (
    "abort_multipart_upload",
    "complete_multipart_upload",
    "create_multipart_upload",
    "delete_object",
    "get_object",
    "head_object",
    "list_multipart_uploads",
    "list_objects_v2",
    "put_object",
    "upload_part",
)


@pytest.fixture(scope="module")
def service():
    from botocore.session import Session

    return Session().get_service_model("s3")


@pytest.mark.parametrize("operation", SENT)
def test_every_request_gets_exactly_what_boto3_takes_for_it(operation, service):
    """What boto3 itself says of each request is the measure: nothing that it takes is forgotten, nothing else is sent."""
    name = "".join(part.title() for part in operation.removesuffix("_v2").split("_")) + ("V2" if operation.endswith("_v2") else "")
    taken = set(service.operation_model(name).input_shape.members)
    sent = set(args_for(operation, dict.fromkeys(ALLOWED, "x")))
    assert sent <= taken
    everywhere = {"ExpectedBucketOwner", "RequestPayer"}
    assert sent >= taken & (everywhere if operation.startswith(("list", "delete", "abort")) else ALLOWED) - {"ContentType"}


def test_both_ways_of_creating_take_all():
    for operation in ("put_object", "create_multipart_upload"):
        assert set(args_for(operation, dict.fromkeys(ALLOWED, "x"))) == ALLOWED


def test_all_unknown_names_are_named_at_once():
    with pytest.raises(ConfigurationError, match="'Key', 'sse', which cannot be given to every object"):
        check_extra_args({"sse": 1, "Key": 2, "ACL": "private"})


@pytest.mark.parametrize("metadata", ["team=risk", {"team": 1}, [("a", "b")]])
def test_metadata_are_names_and_texts(metadata):
    with pytest.raises(ConfigurationError, match="Metadata of s3_extra_args"):
        check_extra_args({"Metadata": metadata})
    check_extra_args({"Metadata": {"team": "risk"}})
