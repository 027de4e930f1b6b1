"""Events, as an account's history shows them."""

from __future__ import annotations

from billing.domain.events import Event
from billing.store import keys
from billing.store.event_mapping import event_from
from billing.store.reader import Row, Slice
from billing.store.table import Table


class EventStore(Table):
    """The events in the one table. Each is recorded by the transaction that makes the change."""

    def events(self, account: str, *, limit: int, after: str | None) -> Slice[Event]:
        """What happened to an account, newest first. One query."""
        return self._reads.newest(keys.account(account), keys.EVENT, _event_of_row, limit=limit, after=after)


def _event_of_row(row: Row) -> Event:
    return event_from(row.body)
