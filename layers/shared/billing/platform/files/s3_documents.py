"""The documents in an S3 bucket."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from billing.kernel.errors import UpstreamFailed
from billing.platform.aws_session import S3_CONFIG
from billing.platform.files.interfaces import LINK_SECONDS


class S3Documents:
    """See billing.platform.files.interfaces.Documents."""

    def __init__(self, bucket: str, session: Session) -> None:
        self._bucket = bucket
        self._s3: Any = session.create_client("s3", config=S3_CONFIG)

    def put(self, key: str, content: bytes | IO[bytes], content_type: str) -> None:
        try:
            self._s3.put_object(Bucket=self._bucket, Key=key, Body=content, ContentType=content_type)
        except (BotoCoreError, ClientError) as failure:
            raise UpstreamFailed("The bucket of documents did not take the file.") from failure

    def put_once(self, key: str, content: bytes, content_type: str) -> bytes:
        try:
            # S3's conditional writes: "*" refuses a key that has an object (user guide, Conditional requests).
            self._s3.put_object(Bucket=self._bucket, Key=key, Body=content, ContentType=content_type, IfNoneMatch="*")
        except (BotoCoreError, ClientError) as failure:
            code = failure.response["Error"]["Code"] if isinstance(failure, ClientError) else ""
            if code != "PreconditionFailed":
                raise UpstreamFailed("The bucket of documents did not take the file.") from failure
            there = self.get(key)
            if there is None:  # deleted at this moment
                raise UpstreamFailed("The bucket of documents did not take the file.") from failure
            return there
        return content

    def get(self, key: str) -> bytes | None:
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=key)
            content: bytes = answer["Body"].read()
        except self._s3.exceptions.NoSuchKey:
            return None
        except (BotoCoreError, ClientError) as failure:
            raise UpstreamFailed("The bucket of documents did not answer.") from failure
        return content

    def keys(self, prefix: str, after: str | None = None) -> Iterator[str]:
        request: dict[str, Any] = {"Bucket": self._bucket, "Prefix": prefix}
        if after is not None:
            request["StartAfter"] = after
        while True:
            try:
                page = self._s3.list_objects_v2(**request)
            except (BotoCoreError, ClientError) as failure:
                raise UpstreamFailed("The bucket of documents did not answer.") from failure
            yield from (each["Key"] for each in page.get("Contents", []))
            if not page.get("IsTruncated"):
                return
            request["ContinuationToken"] = page["NextContinuationToken"]

    def link(self, key: str, name: str) -> str:
        parameters = {
            "Bucket": self._bucket,
            "Key": key,
            "ResponseContentDisposition": f'attachment; filename="{name}"',
        }
        link: str = self._s3.generate_presigned_url("get_object", Params=parameters, ExpiresIn=LINK_SECONDS)
        return link

    def delete_all(self, prefix: str, before: Callable[[Sequence[str]], object] | None = None) -> None:
        for page in self._versions(prefix):
            if before is not None:
                before([f"{each['Key']} {each['VersionId']}" for each in page])
            try:
                answer = self._s3.delete_objects(Bucket=self._bucket, Delete={"Objects": page, "Quiet": True})
            except (BotoCoreError, ClientError) as failure:
                raise UpstreamFailed("The bucket of documents did not delete.") from failure
            if answer.get("Errors"):
                raise UpstreamFailed(f"{len(answer['Errors'])} versions of files were not deleted.")

    def _versions(self, prefix: str) -> Iterator[list[dict[str, str]]]:
        """All versions and delete markers, a page of up to a thousand at a time."""
        request: dict[str, Any] = {"Bucket": self._bucket, "Prefix": prefix}
        while True:
            try:
                page = self._s3.list_object_versions(**request)
            except (BotoCoreError, ClientError) as failure:
                raise UpstreamFailed("The bucket of documents did not answer.") from failure
            versions = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            if versions:
                yield [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in versions]
            if not page.get("IsTruncated"):
                return
            request |= {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}
