"""A fake DynamoDB: botocore's before-send hook returns a fixed response, without a network."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any
from zlib import crc32

from botocore.awsrequest import AWSResponse


class _Body(BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


def answering(body: bytes) -> Any:
    """A handler for the before-send hook that answers every request with this body."""
    headers: Any = {
        "Content-Type": "application/x-amz-json-1.0",
        "Date": "Wed, 10 Jun 2026 12:00:00 GMT",
        "x-amz-crc32": str(crc32(body)),
        "x-amzn-RequestId": "7B0P3QF5LJ5OJ3ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789AB",
    }

    def answer(request: Any, **_: Any) -> AWSResponse:
        return AWSResponse(request.url, 200, dict(headers), _Body(body))  # type: ignore[arg-type]

    return answer
