"""The local gateway undoes a body's content coding, as API Gateway does."""

from __future__ import annotations

import base64
import gzip
import zlib
from http import HTTPStatus

import pytest
from billing.platform.http.media_types import XLSX

from local.front_door import BODY_BYTES_MAX, decoded, with_bytes
from local.replies import Refused, Reply


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (b"[]", None),
        (b"[]", "identity"),
        (gzip.compress(b"[]", mtime=0), "gzip"),
        (gzip.compress(b"[]", mtime=0), " GZIP"),
        (zlib.compress(b"[]"), "deflate"),
    ],
)
def test_a_coding_is_undone(body: bytes, coding: str | None) -> None:
    assert decoded(body, coding) == b"[]"
    assert decoded(None, coding) is None


@pytest.mark.parametrize(
    ("body", "coding", "status"),
    [
        (b"[]", "br", HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
        (b"[]", "gzip", HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
        (gzip.compress(b"[]", mtime=0)[:-4], "gzip", HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
        (gzip.compress(b" " * (BODY_BYTES_MAX + 1)), "gzip", HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    ],
)
def test_what_cannot_be_undone_is_refused(body: bytes, coding: str, status: HTTPStatus) -> None:
    with pytest.raises(Refused) as refused:
        decoded(body, coding)

    assert refused.value.reply().status == status


@pytest.mark.parametrize("content", [b"PK\x03\x04", base64.b64encode(b"PK\x03\x04")])
def test_a_workbook_is_forwarded_as_bytes(content: bytes) -> None:
    assert with_bytes(Reply(200, [("content-type", XLSX)], content)).body == b"PK\x03\x04"
    assert with_bytes(Reply(200, [("Content-Type", "text/csv")], content)).body == content
