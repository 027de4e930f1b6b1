"""The archive of invoices: a bucket with S3 Object Lock, which refuses changes before a day (DESIGN 3.7.3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from billing.kernel.errors import UpstreamFailed
from billing.platform.aws_session import S3_CONFIG

_MISSING = 404

ISSUED = "invoices/"
"""The folder of all archived invoices, by year of issue and by number."""

MARKS = "until/"
"""The folder of marks: empty files such as until/2036/LV-2026-000001/2026. Such a file names an invoice and its year of
issue, which are its folder, under the last year of its retention."""


class S3Archive:
    """See billing.platform.files.interfaces.Archive, and billing.ending.deletion.empty_archive.ArchiveToEmpty."""

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

    def mark(self, folder: str, until: date) -> None:
        key = _mark(folder, until.year)
        try:
            if not self._exists(key):
                self._s3.put_object(Bucket=self._bucket, Key=key, Body=b"")
        except (BotoCoreError, ClientError) as failure:
            raise UpstreamFailed("The archive of invoices did not take the mark.") from failure

    def marked_years(self) -> Iterator[int]:
        yield from self._years_in(MARKS)

    def marked(self, year: int) -> Iterator[str]:
        prefix = f"{MARKS}{year}/"
        for page in self._pages("list_objects_v2", Prefix=prefix):
            for each in page.get("Contents", ()):
                number, _, year_of_issue = each["Key"].removeprefix(prefix).partition("/")
                yield f"{ISSUED}{year_of_issue}/{number}/"

    def unmark(self, folder: str, year: int) -> None:
        key = _mark(folder, year)
        self._delete([version for version in self._versions(key) if version["Key"] == key])

    def years_of_issue(self) -> Iterator[int]:
        yield from self._years_in(ISSUED)

    def folders(self, year_of_issue: int) -> Iterator[str]:
        for page in self._pages("list_objects_v2", Prefix=f"{ISSUED}{year_of_issue}/", Delimiter="/"):
            yield from (each["Prefix"] for each in page.get("CommonPrefixes", ()))

    def delete_unlocked(self, folder: str, now: datetime) -> tuple[int, int]:
        found = [*self._versions(folder)]
        unlocked = [each for each in found if each["IsMarker"] or not self._is_locked(each, now)]
        self._delete(unlocked)
        return len(unlocked), len(found) - len(unlocked)

    def _is_locked(self, version: dict[str, Any], now: datetime) -> bool:
        try:
            head = self._s3.head_object(Bucket=self._bucket, Key=version["Key"], VersionId=version["VersionId"])
        except (BotoCoreError, ClientError) as failure:
            raise UpstreamFailed("The archive of invoices did not answer.") from failure
        until: datetime | None = head.get("ObjectLockRetainUntilDate")
        return head.get("ObjectLockLegalHoldStatus") == "ON" or (until is not None and until >= now)

    def _versions(self, prefix: str) -> Iterator[dict[str, Any]]:
        """All versions and delete markers of files with a prefix."""
        for page in self._pages("list_object_versions", Prefix=prefix):
            for kind in ("Versions", "DeleteMarkers"):
                for each in page.get(kind, ()):
                    yield {"Key": each["Key"], "VersionId": each["VersionId"], "IsMarker": kind == "DeleteMarkers"}

    def _delete(self, versions: Sequence[dict[str, Any]]) -> None:
        for each in versions:
            try:
                self._s3.delete_object(Bucket=self._bucket, Key=each["Key"], VersionId=each["VersionId"])
            except (BotoCoreError, ClientError) as failure:
                raise UpstreamFailed("The archive of invoices did not delete.") from failure

    def _years_in(self, folder: str) -> Iterator[int]:
        for page in self._pages("list_objects_v2", Prefix=folder, Delimiter="/"):
            for each in page.get("CommonPrefixes", ()):
                year = each["Prefix"].removeprefix(folder).rstrip("/")
                if year.isdecimal():
                    yield int(year)

    def _pages(self, operation: str, **request: Any) -> Iterator[dict[str, Any]]:
        try:
            yield from self._s3.get_paginator(operation).paginate(Bucket=self._bucket, **request)
        except (BotoCoreError, ClientError) as failure:
            raise UpstreamFailed("The archive of invoices did not answer.") from failure

    def _exists(self, key: str) -> bool:
        try:
            self._s3.head_object(Bucket=self._bucket, Key=key)
        except ClientError as failure:
            if failure.response["ResponseMetadata"]["HTTPStatusCode"] == _MISSING:
                return False
            raise
        return True


def _mark(folder: str, year: int) -> str:
    """The mark of a folder such as invoices/2026/LV-2026-000001/ for a year."""
    year_of_issue, _, number = folder.removeprefix(ISSUED).rstrip("/").partition("/")
    return f"{MARKS}{year}/{number}/{year_of_issue}"
