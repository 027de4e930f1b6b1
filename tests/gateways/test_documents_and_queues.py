"""Files and queues on moto, and the error for a service that fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from billing import wiring
from billing.kernel.errors import UpstreamFailed
from billing.platform.files.s3_documents import S3Documents
from billing.platform.queues.sqs_dead_letters import SqsDeadLetters
from billing.platform.queues.sqs_queue import SqsQueue

from tests.aws import REGION


@pytest.fixture
def bucket(aws: None) -> Iterator[str]:
    s3 = boto3.client("s3", region_name=REGION)
    s3.create_bucket(Bucket="files", CreateBucketConfiguration={"LocationConstraint": REGION})
    yield "files"
    for each in s3.list_objects_v2(Bucket="files").get("Contents", []):
        s3.delete_object(Bucket="files", Key=each["Key"])
    s3.delete_bucket(Bucket="files")


def test_a_saved_file_can_be_read_unchanged(bucket: str) -> None:
    documents = S3Documents(bucket, wiring.session())

    documents.put("accounts/a/è.pdf", bytes(range(256)), "application/pdf")

    assert documents.get("accounts/a/è.pdf") == bytes(range(256))
    assert documents.get("accounts/a/other.pdf") is None


def failing_calls(aws: None) -> list[Callable[[], object]]:
    documents = S3Documents("no-such-bucket", wiring.session())
    nowhere = f"https://sqs.{REGION}.amazonaws.com/123456789012/no-such-queue"
    return [
        lambda: documents.put("key", b"", "text/plain"),
        lambda: documents.get("key"),
        lambda: SqsQueue(nowhere, wiring.session()).change_visibility("receipt", 1),
        lambda: SqsDeadLetters(nowhere, wiring.session()).put("{}", "because"),
    ]


@pytest.mark.parametrize("number", range(4))
def test_a_failure_of_a_service_is_an_upstream_failure(number: int, aws: Any) -> None:
    with pytest.raises(UpstreamFailed):
        failing_calls(aws)[number]()
