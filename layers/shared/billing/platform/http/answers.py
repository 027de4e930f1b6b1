"""Answers with a status or headers of their own: a version, a location, a file, no content."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from aws_lambda_powertools.event_handler import Response as Response  # noqa: PLC0414 - for the functions' annotations

from billing.platform.http.media_types import CSV as CSV  # noqa: PLC0414
from billing.platform.http.media_types import JSON as JSON  # noqa: PLC0414
from billing.platform.http.media_types import XLSX as XLSX  # noqa: PLC0414
from billing.platform.http.models import View

NOT_STORED = {"Cache-Control": "no-store"}
NEGOTIATED = {"Vary": "Accept"}

V = TypeVar("V", bound=View)


@dataclass(frozen=True, slots=True)
class Documented:
    """An answer that a route may give: its status, the media types of its body (none: without a body), its headers.

    The OpenAPI document has the answers that a route's return type names. A route that returns a view answers 200.
    """

    status: int
    media_types: tuple[str, ...] = (JSON,)
    headers: tuple[str, ...] = ()
    schema: str | None = None
    """Where the view is a union: the member that this answer has, or a name for the union. Several generators make a
    type of a schema only if it has a name."""


Tagged = Response[Annotated[V, Documented(200, headers=("ETag",))]]
Created = Response[Annotated[V, Documented(201, headers=("Location",))]]
Accepted = Response[Annotated[V, Documented(202, headers=("Location",))]]
NoContent = Response[Annotated[None, Documented(204, media_types=())]]
Table = Response[Annotated[V | str, Documented(200, media_types=(JSON, CSV, XLSX))]]


def tagged(view: V, version: int) -> Response[V]:
    """200 with the version as a strong ETag, which a change names in If-Match (RFC 9110, 8.8.3)."""
    return Response(status_code=200, content_type=JSON, body=view, headers={"ETag": f'"{version}"'})


def created(view: V, location: str) -> Response[V]:
    """201: the new object, and its address."""
    return Response(status_code=201, content_type=JSON, body=view, headers={"Location": location})


def accepted(view: V, location: str) -> Response[V]:
    """202: accepted, still processing. `location` is the address to poll."""
    return Response(status_code=202, content_type=JSON, body=view, headers={"Location": location})


def not_yet(view: V, seconds: int) -> Response[V]:
    """202: still processing. Retry-After says when to ask again."""
    headers = {"Retry-After": str(seconds)}
    return Response(status_code=202, content_type=JSON, body=view, headers=headers)


def redirect(view: V, link: str) -> Response[V]:
    """302 to a download link. The link needs no log-in, so no cache may store it."""
    return Response(status_code=302, content_type=JSON, body=view, headers={"Location": link, **NOT_STORED})


def not_stored(view: V) -> Response[V]:
    """200 that no cache may store, because it contains a download link."""
    return Response(status_code=200, content_type=JSON, body=view, headers={**NOT_STORED})


def negotiated(view: V) -> Response[V | str]:
    """200 of a route that also answers with tables: `Accept` has decided, as caches must know (RFC 9110, 12.5.5)."""
    return Response(status_code=200, content_type=JSON, body=view, headers={**NEGOTIATED})


def file(content: str | bytes, media_type: str, name: str, link: str | None = None) -> Response[Any]:
    """200 with a file for download, under the file name `name`. `link` is a Link header's value (RFC 8288).

    Bytes are sent as base64, which the gateway decodes (billing.platform.http.tables says when).
    """
    # As a text already here: powertools, which would encode bytes itself, first validates a body as a text.
    body = content if isinstance(content, str) else b64encode(content).decode()
    content_type = f"{media_type}; charset=utf-8" if isinstance(content, str) else media_type
    headers = {"Content-Disposition": f'attachment; filename="{name}"', **NEGOTIATED}
    linked = {} if link is None else {"Link": link}
    answer = Response(status_code=200, content_type=content_type, body=body, headers={**headers, **linked})
    answer.base64_encoded = isinstance(content, bytes)
    return answer


def no_content() -> Response[None]:
    """204: done, without content."""
    return Response(status_code=204, content_type=JSON)
