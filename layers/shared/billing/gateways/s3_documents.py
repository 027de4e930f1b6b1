"""Files, kept by an S3 bucket."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from billing.domain.errors import UpstreamFailed


class S3Documents:
    """See billing.gateways.ports.Documents."""

    def __init__(self, bucket: str, session: Session) -> None:
        self._bucket = bucket
        self._s3: Any = session.create_client("s3")

    def put(self, key: str, content: bytes, content_type: str) -> None:
        try:
            self._s3.put_object(Bucket=self._bucket, Key=key, Body=content, ContentType=content_type)
        except (BotoCoreError, ClientError) as failure:
            raise UpstreamFailed("The bucket of documents did not take the file.") from failure

    def get(self, key: str) -> bytes | None:
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=key)
            content: bytes = answer["Body"].read()
        except self._s3.exceptions.NoSuchKey:
            return None
        except (BotoCoreError, ClientError) as failure:
            raise UpstreamFailed("The bucket of documents did not answer.") from failure
        return content
