"""Answers with a status or headers of their own: a version, a location, a file, no content."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode

from aws_lambda_powertools.event_handler import Response as Response  # noqa: PLC0414 - for the functions' annotations

from billing.platform.http.media_types import JSON as JSON  # noqa: PLC0414
from billing.platform.http.models import View

CSV = "text/csv"
NOT_STORED = {"Cache-Control": "no-store"}

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
Table = Response[Annotated[V | str, Documented(200, media_types=(JSON, CSV))]]


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


def file(text: str, media_type: str, name: str, following: dict[str, str] | None = None) -> Response[Any]:
    """200 with a text for download, under the file name `name`.

    `following` is the query of the request for what follows in a list that is longer (RFC 8288, `next`).
    """
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    if following is not None:
        headers["Link"] = f'<?{urlencode(following)}>; rel="next"'
    return Response(status_code=200, content_type=f"{media_type}; charset=utf-8", body=text, headers=headers)


def no_content() -> Response[None]:
    """204: done, without content."""
    return Response(status_code=204, content_type=JSON)
