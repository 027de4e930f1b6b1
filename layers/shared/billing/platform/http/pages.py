"""Lists in pages: how many at once, and an opaque cursor to what follows."""

from __future__ import annotations

import base64
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from billing.platform.http.problems import BadCursor

LIMIT_DEFAULT = 25
LIMIT_MAX = 100
CURSOR_LENGTH_MAX = 400

Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX, description="How many at most.")]
Cursor = Annotated[str | None, Query(max_length=CURSOR_LENGTH_MAX, description="The next_cursor of the page before.")]


def cursor_of(last: str | None) -> str | None:
    """Where the next page begins. It holds no partition: that is always the authorised account's own."""
    return None if last is None else base64.urlsafe_b64encode(last.encode()).decode()


def position_of(cursor: str | None) -> str | None:
    """What cursor_of was given. Raises BadCursor for anything else."""
    if cursor is None:
        return None
    try:
        # What we hand out is ASCII; anything else could stand outside of the list that it is a place in.
        return base64.b64decode(cursor, altchars=b"-_", validate=True).decode("ascii")
    except ValueError:
        raise BadCursor from None
