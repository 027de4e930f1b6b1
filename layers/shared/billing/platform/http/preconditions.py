"""The version that a client changes: ETag, If-Match, If-None-Match (RFC 9110, section 13; DESIGN 5.5)."""

from __future__ import annotations

import re
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Header, Query

from billing.kernel.errors import StaleVersion

IfMatch = Annotated[str | None, Header(alias="If-Match", description="The ETag of the version that this replaces.")]
IfNoneMatch = Annotated[str | None, Header(alias="If-None-Match", description="* where nothing is to be replaced.")]

Preview = Annotated[bool, Query(description="true: show what would follow, and change nothing.")]

NOTHING_YET = 0

_ETAG = re.compile(r'"([0-9]{1,9})"')


def replaced_version(if_match: str | None, if_none_match: str | None = None) -> int | None:
    """The version that the client names: NOTHING_YET for `If-None-Match: *`, None if it names none.

    `If-Match: *` names no version. Raises StaleVersion for an ETag that is not ours.
    """
    if if_match is not None and if_match.strip() != "*":
        tag = _ETAG.fullmatch(if_match.strip())
        if tag is None:
            raise StaleVersion
        return int(tag[1])
    if if_none_match is not None and if_none_match.strip() == "*":
        return NOTHING_YET
    return None
