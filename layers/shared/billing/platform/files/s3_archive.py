"""The archive of invoices: a bucket with S3 Object Lock, which refuses changes before a day (DESIGN 3.7.3)."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from billing.kernel.errors import UpstreamFailed
from billing.platform.aws_session import S3_CONFIG

_MISSING = 404


class S3Archive:
    """See billing.platform.files.interfaces.Archive."""

    def __init__(self, bucket: str, session: Session) -> None:
        self._bucket = bucket
        self._s3: Any = session.create_client("s3", config=S3_CONFIG)

    def keep(self, key: str, content: bytes, content_type: str, until: date) -> None:
        try:
            if self._exists(key):
                return
            self._s3.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=content,
                ContentType=content_type,
                ObjectLockMode="COMPLIANCE",
                ObjectLockRetainUntilDate=datetime.combine(until, time.max, UTC).replace(microsecond=0),
            )
        except (BotoCoreError, ClientError) as failure:
            raise UpstreamFailed("The archive of invoices did not take the file.") from failure

    def _exists(self, key: str) -> bool:
        try:
            self._s3.head_object(Bucket=self._bucket, Key=key)
        except ClientError as failure:
            if failure.response["ResponseMetadata"]["HTTPStatusCode"] == _MISSING:
                return False
            raise
        return True
