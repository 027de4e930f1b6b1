"""One-off charges and goodwill in the table. Invoices are written with them: billing.invoicing.records."""

from __future__ import annotations

from billing.invoicing.one_off_mapping import closed_from, one_offs_of, open_body
from billing.invoicing.one_offs import OneOff
from billing.invoicing.records import BillingContext, InvoiceStore
from billing.kernel.events import Event
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.item import Item
from billing.platform.dynamodb.reader import Row, Slice


class OneOffStore(InvoiceStore):
    """Reads and writes one-offs in the table."""

    def closed_one_off(self, account: str, identity: str) -> OneOff | None:
        """A one-off that is not open any more; None without one. One get, strongly consistent."""
        row = self._reads.get(keys.account(account), keys.one_off(identity))
        return None if row is None else _of(row)

    def closed_one_offs(self, account: str, *, limit: int, after: str | None) -> Slice[OneOff]:
        """A page of the one-offs that are not open any more, by their ids. One query."""
        return self._reads.oldest(keys.account(account), keys.EXTRA, _of, limit=limit, after=after)

    def open_charges(self, account: str) -> bool:
        """Whether a charge or a goodwill of an account is open: no invoice has it yet. One get."""
        return bool(one_offs_of(self._reads.get(keys.account(account), keys.PAGE_ONE_OFFS)).open)

    def add_one_off(self, context: BillingContext, one_off: OneOff, event: Event) -> None:
        """Writes an open one-off, and records the event. One transaction.

        Raises ConcurrentChange when the account or its one-offs have changed, or a closed one has this id.
        """
        account, one_offs = context.subscriber.account, context.one_offs
        partition = keys.account(account.id)
        with self._transaction() as write:
            write.check(partition, keys.PAGE_ACCOUNT, account.version)
            body = open_body(one_offs.with_added(one_off).open)
            write.replace(Item(partition, keys.PAGE_ONE_OFFS, body), one_offs.version)
            write.check(partition, keys.one_off(one_off.id), 0)
            write.record(event)


def _of(row: Row) -> OneOff:
    return closed_from(row.body)
