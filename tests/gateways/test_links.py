"""Links to files are signed for the host and the signature that S3 takes in each region."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from billing.platform.aws_session import aws_session
from billing.platform.files.s3_documents import S3Documents

from tests.template import ROOT

REGIONS = yaml.safe_load((ROOT / ".cfnlintrc.yaml").read_text("utf-8"))["regions"]
"""The regions of docs/deploy.md."""

NEWER_AND_OLDER = [
    "af-south-1",
    "ap-east-1",
    "ap-northeast-1",
    "ap-southeast-2",
    "eu-south-2",
    "me-south-1",
    "us-west-2",
]


@pytest.fixture
def fresh_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)


@pytest.mark.parametrize("region", [*REGIONS, *NEWER_AND_OLDER])
def test_a_link_is_signed_for_the_regions_own_host(
    region: str, fresh_session: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)

    link = urlsplit(S3Documents("livello-files", aws_session.__wrapped__()).link("accounts/a/x.pdf", "x.pdf"))

    asked = parse_qs(link.query)
    assert link.hostname == f"livello-files.s3.{region}.amazonaws.com"
    assert asked["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert asked["X-Amz-Credential"][0].split("/")[2] == region


def test_a_link_of_the_local_stack_has_the_bucket_in_its_path(
    fresh_session: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No name server knows a host below 127.0.0.1."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")

    link = S3Documents("livello-files", aws_session.__wrapped__()).link("accounts/a/x.pdf", "x.pdf")

    assert link.startswith("http://127.0.0.1:4566/livello-files/accounts/a/x.pdf?")
