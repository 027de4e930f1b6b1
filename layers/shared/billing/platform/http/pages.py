"""Pages of a list: the limit, and an opaque cursor to the next page (DESIGN 5.6)."""

from __future__ import annotations

import base64
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from billing.kernel.account_ids import CLOCK_PATTERN
from billing.platform.http.problems import BadCursor

LIMIT_DEFAULT = 25
LIMIT_MAX = 100
CURSOR_LENGTH_MAX = 400

Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX, description="How many at most.")]
Cursor = Annotated[str | None, Query(max_length=CURSOR_LENGTH_MAX, description="The next_cursor of the page before.")]

OfClock = Annotated[
    str | None,
    Query(
        pattern=f"^{CLOCK_PATTERN}$",
        description="The accounts on this test clock. Without it the list has none of a test clock.",
    ),
]


def cursor_of(last: str | None) -> str | None:
    """The cursor of a position. It has no partition, because the partition always comes from the authorised account."""
    return None if last is None else base64.urlsafe_b64encode(last.encode()).decode()


def position_of(cursor: str | None) -> str | None:
    """The position of a cursor; None for none, and for an empty one: the first page.

    Raises BadCursor for a text that cursor_of did not make.
    """
    if not cursor:
        return None
    try:
        # Our positions are ASCII. Another character could sort outside the list.
        return base64.b64decode(cursor, altchars=b"-_", validate=True).decode("ascii")
    except ValueError:
        raise BadCursor from None
