"""The version that a client changes: ETag, If-Match, If-None-Match (RFC 9110, section 13; DESIGN 5.5)."""

from __future__ import annotations

import re
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Header

from billing.kernel.errors import StaleVersion
from billing.kernel.versions import Versions
from billing.platform.http.media_types import elements

IfMatch = Annotated[str | None, Header(alias="If-Match", description="The ETag of the version that this replaces.")]
IfNoneMatch = Annotated[str | None, Header(alias="If-None-Match", description="* where nothing is to be replaced.")]

NOTHING_YET = 0

_ETAG = re.compile(r'(?P<weak>W/)?"(?P<tag>[\x21\x23-\x7e\x80-\xff]*)"')
_VERSION = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)
"""A version as `tagged` writes it: ETags are compared character by character (RFC 9110, 8.8.3.2)."""


def replaced_version(if_match: str | None, if_none_match: str | None = None) -> Versions | None:
    """The versions that the client names: NOTHING_YET for `If-None-Match: *`, None if it names none.

    `If-Match` may have a list of ETags, any of which may be the present one. They are compared strongly (RFC 9110,
    13.1.1), so a weak one matches nothing. `If-Match: *` names no version. Raises StaleVersion if no ETag is ours, and
    if the client wants something to exist and not to exist.
    """
    is_new = if_none_match is not None and if_none_match.strip() == "*"
    if if_match is not None and if_match.strip() != "*":
        named = _versions(if_match)
        if is_new or not named:
            raise StaleVersion
        return next(iter(named)) if len(named) == 1 else named
    return NOTHING_YET if is_new else None


def _versions(if_match: str) -> frozenset[int]:
    """The versions of the strong ETags in a list; none if it is not a list of ETags."""
    tags = [_ETAG.fullmatch(each) for each in elements(if_match)]
    if not all(tags):
        return frozenset()
    return frozenset(int(tag["tag"]) for tag in tags if tag and not tag["weak"] and _VERSION.fullmatch(tag["tag"]))
