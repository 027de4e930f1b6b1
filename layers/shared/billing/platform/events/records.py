"""The stored events of an account: its audit log."""

from __future__ import annotations

from billing.kernel.events import Event
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.reader import Row, Slice
from billing.platform.dynamodb.table import Table
from billing.platform.events.mapping import event_from


class EventStore(Table):
    """Reads events. The transaction of a change writes its event (billing.platform.dynamodb.transaction)."""

    def events(self, account: str, *, limit: int, after: str | None) -> Slice[Event]:
        """A page of an account's events, newest first. One query.

        Pages miss no event: a later transaction gives its events later ids, and what comes after the first page is
        read strongly consistently. An eventually consistent query could know less than the page before, and leave out
        an event between the two.
        """
        return self._reads.newest(
            keys.account(account), keys.EVENT, _event_of_row, limit=limit, after=after, consistent=after is not None
        )


def _event_of_row(row: Row) -> Event:
    return event_from(row.body)
