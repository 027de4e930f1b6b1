"""Pages of a list: the limit, and an opaque cursor to the next page of this list (DESIGN 5.6).

The module has no `from __future__ import annotations`: the resolver would evaluate the texts for every request.
"""

import base64
import hashlib
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from aws_lambda_powertools.event_handler import Request
from aws_lambda_powertools.event_handler.depends import Depends
from aws_lambda_powertools.event_handler.openapi.params import Query

from billing.kernel.account_ids import CLOCK_PATTERN
from billing.platform.http.problems import BadCursor

LIMIT_DEFAULT = 25
LIMIT_MAX = 100
CURSOR_LENGTH_MAX = 400

Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX, description="How many at most.")]
Cursor = Annotated[str | None, Query(max_length=CURSOR_LENGTH_MAX, description="The next_cursor of the page before.")]

_NOT_FILTERS = frozenset({"cursor", "limit", "locale"})
_MARK_LENGTH = 16

OfClock = Annotated[
    str | None,
    Query(
        pattern=f"^{CLOCK_PATTERN}$",
        description="The accounts on this test clock. Without it the list has none of a test clock.",
    ),
]


@dataclass(frozen=True, slots=True)
class ListPages:
    """The cursors of one list: a path with its filters, and for a person's own list that person.

    A cursor holds a mark of its list. The position in one list may lie outside another one: of another account, of
    another year.
    """

    mark: str
    query: tuple[tuple[str, str], ...] = ()
    """The parameters of the request besides its cursor."""

    def cursor(self, last: str | None) -> str | None:
        """The cursor of a position. It has no partition, because that always comes from the authorised account."""
        return None if last is None else base64.urlsafe_b64encode((self.mark + last).encode()).decode()

    def link(self, last: str | None) -> str | None:
        """The Link header's value for what follows a position (RFC 8288): of a table, which has no `next_cursor`."""
        cursor = self.cursor(last)
        return None if cursor is None else f'<?{urlencode([*self.query, ("cursor", cursor)])}>; rel="next"'

    def position(self, cursor: str | None) -> str | None:
        """The position of a cursor; None for none, and for an empty one: the first page.

        Raises BadCursor for a text that `cursor` did not make, and for the cursor of another list.
        """
        if not cursor:
            return None
        try:
            # Our positions are ASCII. Another character could sort outside the list.
            text = base64.b64decode(cursor, altchars=b"-_", validate=True).decode("ascii")
        except ValueError:
            raise BadCursor from None
        if not text.startswith(self.mark):
            raise BadCursor
        return text[len(self.mark) :]


def pages_of(request: Request) -> ListPages:
    """The pages of the list that a request asks for. An empty filter is none."""
    event = request.resolved_event.raw_event
    filters = request.query_parameters or {}
    query = tuple((name, value) for name, value in filters.items() if value and name != "cursor")
    named = sorted((name, value) for name, value in filters.items() if value and name not in _NOT_FILTERS)
    # Not the request's path_parameters: the resolver puts the values of all parameters there.
    paths = sorted((event.get("pathParameters") or {}).items())
    claims = (event["requestContext"].get("authorizer") or {}).get("claims") or {}
    identity = repr((request.route, paths, named, "" if paths else claims.get("sub")))
    return ListPages(hashlib.sha256(identity.encode(errors="replace")).hexdigest()[:_MARK_LENGTH], query)


Pages = Annotated[ListPages, Depends(pages_of)]
