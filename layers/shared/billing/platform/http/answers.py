"""The answers that are more than a view: with a version, with a place, with nothing."""

from __future__ import annotations

from typing import Any, TypeVar

from aws_lambda_powertools.event_handler import Response as Response  # noqa: PLC0414 - for the functions' annotations

from billing.platform.http.models import View

JSON = "application/json"

V = TypeVar("V", bound=View)


def tagged(view: V, version: int) -> Response[V]:
    """Shows a version of something, with the strong validator by which it may be changed (RFC 9110, 8.8.3)."""
    return Response(status_code=200, content_type=JSON, body=view, headers={"ETag": f'"{version}"'})


def created(view: V, location: str) -> Response[V]:
    """Shows what was made, and where it is from now on."""
    return Response(status_code=201, content_type=JSON, body=view, headers={"Location": location})


def accepted(view: V, location: str) -> Response[V]:
    """Shows what was asked for and is on its way, and where to look for what becomes of it."""
    return Response(status_code=202, content_type=JSON, body=view, headers={"Location": location})


def not_yet(view: V, seconds: int) -> Response[V]:
    """What is asked for is on its way: it is worth asking again after so many seconds."""
    headers = {"Retry-After": str(seconds)}
    return Response(status_code=202, content_type=JSON, body=view, headers=headers)


def redirect(view: V, link: str) -> Response[V]:
    """What is asked for is there. A link opens by itself, so nobody may keep it."""
    return Response(
        status_code=302, content_type=JSON, body=view, headers={"Location": link, "Cache-Control": "no-store"}
    )


def file(text: str, media_type: str, name: str) -> Response[Any]:
    """A text to be kept as a file of this name."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(status_code=200, content_type=f"{media_type}; charset=utf-8", body=text, headers=headers)


def no_content() -> Response[None]:
    """Done, and nothing to show."""
    return Response(status_code=204, content_type=JSON)
