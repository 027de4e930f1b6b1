"""The operator puts the page where its distribution serves it."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from scripts.portal_deploy import Clients, configuration, deploy, main
from scripts.stack import OperatorError

BUCKET = "page-files"
STACK = {
    "Outputs": [
        {"OutputKey": "BillingPageClientId", "OutputValue": "client-1"},
        {"OutputKey": "LogInUrl", "OutputValue": "https://livello-1.auth.eu-central-1.amazoncognito.com"},
    ],
    "Parameters": [
        {"ParameterKey": "VendorName", "ParameterValue": 'Nordlys & Co "K"'},
        {"ParameterKey": "ReplyToAddress", "ParameterValue": ""},
        {"ParameterKey": "SenderAddress", "ParameterValue": "billing@vendor.example"},
    ],
}
PAGE = configuration(STACK)


class CloudFront:
    """Notes invalidations. A reference that is known is the same invalidation, as at CloudFront."""

    def __init__(self) -> None:
        self.references: list[str] = []

    def create_invalidation(self, *, DistributionId: str, InvalidationBatch: dict[str, Any]) -> None:  # noqa: N803
        assert DistributionId == "E123"
        assert InvalidationBatch["Paths"] == {"Quantity": 2, "Items": ["/", "/index.html"]}
        if InvalidationBatch["CallerReference"] not in self.references:
            self.references.append(InvalidationBatch["CallerReference"])


class CutOff:
    """S3 that fails at one of its writes, once."""

    def __init__(self, s3: Any, at: int) -> None:
        self._s3, self._left = s3, at

    def __getattr__(self, name: str) -> Any:
        return getattr(self._s3, name)

    def put_object(self, **given: Any) -> Any:
        self._left -= 1
        if self._left == 0:
            raise ClientError({"Error": {"Code": "SlowDown", "Message": ""}}, "PutObject")
        return self._s3.put_object(**given)


@pytest.fixture
def clients() -> Iterator[Clients]:
    with mock_aws():
        s3 = boto3.client("s3", region_name="eu-central-1")
        location: Any = {"LocationConstraint": "eu-central-1"}
        with suppress(s3.exceptions.BucketAlreadyOwnedByYou):
            s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=location)
        for each in s3.list_objects_v2(Bucket=BUCKET).get("Contents", []):
            s3.delete_object(Bucket=BUCKET, Key=each["Key"])
        yield Clients(s3, CloudFront())


@pytest.fixture
def built(tmp_path: Path) -> Path:
    return build(tmp_path / "dist", "index-1.js")


def build(folder: Path, script: str) -> Path:
    (folder / "assets").mkdir(parents=True, exist_ok=True)
    for each in (folder / "assets").iterdir():
        each.unlink()
    (folder / "assets" / script).write_text("script")
    (folder / "index.html").write_text(f'<meta name="livello-config" content=""><script src="{script}"></script>')
    (folder / "theme.css").write_text(":root {}")
    (folder / "logo.svg").write_text("<svg/>")
    (folder / "third-party-notices.txt").write_text(f"The notices of {script}")
    return folder


def put(built: Path, clients: Clients, now: datetime | None = None) -> str:
    return deploy(built, PAGE, BUCKET, "E123", clients, now or datetime.now(UTC))


def contents(clients: Clients) -> dict[str, bytes]:
    listed = clients.s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])
    return {each["Key"]: clients.s3.get_object(Bucket=BUCKET, Key=each["Key"])["Body"].read() for each in listed}


def test_the_page_knows_its_stack_and_browsers_ask_for_it_again(built: Path, clients: Clients) -> None:
    assert put(built, clients) == "1 new files, 0 there before, 0 of older pages deleted"

    page = clients.s3.get_object(Bucket=BUCKET, Key="index.html")
    asset = clients.s3.get_object(Bucket=BUCKET, Key="assets/index-1.js")
    assert (page["CacheControl"], page["ContentType"]) == ("no-cache", "text/html; charset=utf-8")
    assert asset["CacheControl"] == "public, max-age=31536000, immutable"
    assert asset["ContentType"] == "text/javascript; charset=utf-8"
    [content] = re.findall('content="([^"]*)"', page["Body"].read().decode())
    assert json.loads(unescape(content)) == {
        "vendor": 'Nordlys & Co "K"',
        "client_id": "client-1",
        "login": "https://livello-1.auth.eu-central-1.amazoncognito.com",
        "stripe_script": "https://js.stripe.com/v3/",
        "stripe_key": "",
        "support": "billing@vendor.example",
    }


def test_what_is_the_vendors_own_is_never_written_over(built: Path, clients: Clients) -> None:
    put(built, clients)
    clients.s3.put_object(Bucket=BUCKET, Key="theme.css", Body=io.BytesIO(b":root { --accent: green }"))

    put(built, clients)

    assert contents(clients)["theme.css"] == b":root { --accent: green }"


def test_an_open_page_keeps_its_files_for_a_month(built: Path, clients: Clients) -> None:
    put(built, clients)
    build(built, "index-2.js")

    put(built, clients)
    assert {"assets/index-1.js", "assets/index-2.js"} <= contents(clients).keys()
    assert contents(clients)["third-party-notices.txt"] == b"The notices of index-2.js"
    said = put(built, clients, datetime.now(UTC) + timedelta(days=31))

    assert said == "0 new files, 1 there before, 1 of older pages deleted"
    assert "assets/index-1.js" not in contents(clients)


def test_the_month_begins_when_the_page_is_replaced(built: Path, clients: Clients) -> None:
    put(built, clients)
    build(built, "index-2.js")

    put(built, clients, datetime.now(UTC) + timedelta(days=40))

    assert "assets/index-1.js" in contents(clients), "until a moment ago it was part of the page"


def test_a_file_that_is_part_of_the_page_again_is_kept(built: Path, clients: Clients) -> None:
    for script in ("index-1.js", "index-2.js", "index-1.js"):
        build(built, script)
        put(built, clients)
    put(built, clients, datetime.now(UTC) + timedelta(days=40))

    left = contents(clients).keys()
    assert "assets/index-1.js" in left
    assert [each for each in left if each.startswith("replaced/")] == []


def test_each_change_is_invalidated(built: Path, clients: Clients) -> None:
    """CloudFront takes a known reference for the invalidation before, so one that names the change is not enough."""
    for script in ("index-1.js", "index-2.js", "index-1.js", "index-2.js"):
        build(built, script)
        put(built, clients)

    assert len(clients.cloudfront.references) == 4


@pytest.mark.parametrize("at", [1, 2, 3, 4, 5])
def test_a_deployment_that_is_cut_off_leaves_a_page_that_works(at: int, built: Path, clients: Clients) -> None:
    with pytest.raises(ClientError):
        put(built, Clients(CutOff(clients.s3, at), clients.cloudfront))

    left = contents(clients)
    assert "index.html" not in left, "it comes last"
    put(built, clients)
    assert contents(clients).keys() == {
        "assets/index-1.js",
        "index.html",
        "logo.svg",
        "theme.css",
        "third-party-notices.txt",
    }


@pytest.mark.parametrize("at", range(1, 4))
def test_old_files_go_also_after_a_deployment_that_was_cut_off(at: int, built: Path, clients: Clients) -> None:
    """Its writes are a file of the page, the page, and the note of what it has replaced."""
    put(built, clients)
    build(built, "index-2.js")
    put(built, clients)
    build(built, "index-3.js")
    put(built, clients)
    build(built, "index-4.js")
    (built / "third-party-notices.txt").unlink()
    later = datetime.now(UTC) + timedelta(days=31)
    with pytest.raises(ClientError):
        put(built, Clients(CutOff(clients.s3, at), clients.cloudfront), later)
    assert "assets/index-3.js" in contents(clients)

    put(built, clients, later)

    left = {each for each in contents(clients) if each.startswith(("assets/", "replaced/"))}
    assert left == {"assets/index-4.js", "assets/index-3.js", "replaced/assets/index-3.js"}


class Kept:
    """S3 that fails at one of its deletions, once."""

    def __init__(self, s3: Any, at: int) -> None:
        self._s3, self._left = s3, at

    def __getattr__(self, name: str) -> Any:
        return getattr(self._s3, name)

    def delete_object(self, **given: Any) -> Any:
        self._left -= 1
        if self._left == 0:
            raise ClientError({"Error": {"Code": "SlowDown", "Message": ""}}, "DeleteObject")
        return self._s3.delete_object(**given)


@pytest.mark.parametrize("at", [1, 2])
def test_a_deletion_that_is_cut_off_goes_on(at: int, built: Path, clients: Clients) -> None:
    put(built, clients)
    build(built, "index-2.js")
    put(built, clients)
    later = datetime.now(UTC) + timedelta(days=31)
    with pytest.raises(ClientError):
        put(built, Clients(Kept(clients.s3, at), clients.cloudfront), later)

    put(built, clients, later)

    left = {each for each in contents(clients) if each.startswith(("assets/", "replaced/"))}
    assert left == {"assets/index-2.js"}


def test_nothing_is_deployed_that_is_not_built(tmp_path: Path, clients: Clients) -> None:
    with pytest.raises(OperatorError, match="make portal"):
        put(tmp_path, clients)


@mock_aws
def test_a_stack_without_the_bucket_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    assert main(["--stack", "nothing"]) == 1

    assert "nothing" in capsys.readouterr().err
