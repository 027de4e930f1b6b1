"""Bank transfers in the table: each is an item of its account, which says what it has paid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import date, datetime
from typing import Any

from billing.invoicing.invoices import InvoiceStatus
from billing.invoicing.records import (
    BillingContext,
    InvoiceRecord,
    InvoiceStore,
    PaymentChange,
    set_reconciliation_due,
    write_credit_of,
    write_invoice,
)
from billing.invoicing.transfers import BankTransfer, Reversal, Share, Transfer
from billing.kernel.errors import NotFound
from billing.kernel.events import Event
from billing.kernel.money import Money
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.bodies import parsed, text
from billing.platform.dynamodb.item import Item
from billing.platform.dynamodb.reader import Row, Slice

SEARCHED_MAX = 20
"""Among how many of the newest documents the newest invoice is searched."""


class TransferStore(InvoiceStore):
    """Reads and writes transfers, with the invoices that they pay."""

    def transfer(self, account: str, transfer: str) -> Transfer:
        """One transfer by its id. Raises NotFound. One get."""
        row = self._reads.get(keys.account(account), keys.transfer(transfer))
        if row is None:
            raise NotFound("There is no such transfer.")
        return transfer_from(row)

    def transfers(self, account: str, *, limit: int, after: str | None) -> Slice[Transfer]:
        """A page of an account's transfers, those that the bank booked last first. One query."""
        return self._reads.newest(keys.account(account), keys.TRANSFER, transfer_from, limit=limit, after=after)

    def same_transfers(self, account: str, transfer: BankTransfer) -> tuple[Transfer, ...]:
        """The records of the same amount, day and reference, in the order of recording. One query, strongly
        consistent."""
        first = f"{keys.transfer(transfer.identity)}-"
        rows = self._reads.query(keys.account(account), first, keys.last_of(first), consistent=True)
        return tuple(sorted(map(transfer_from, rows), key=lambda each: each.recorded_at))

    def newest_invoice(self, account: str, currency: str) -> InvoiceRecord | None:
        """The newest invoice in a currency: it keeps money for which nothing is open. Two queries."""
        page = self.invoices(account, year=None, status=None, limit=SEARCHED_MAX, after=None).items
        invoices = (each for each in page if each.corrects is None and each.total.currency == currency)
        number = next((each.number for each in invoices), None)
        return None if number is None else self.record(account, number)

    def save_transfer(
        self, context: BillingContext, transfer: Transfer, changes: Sequence[PaymentChange], events: Sequence[Event]
    ) -> Transfer:
        """Writes a transfer, at its version, with the payments of the invoices and the credit that it changes.

        Version 0 creates it. Returns it with its next version. Raises ConcurrentChange when the transfer, a payment or
        the credit has changed. One transaction.
        """
        account = context.subscriber.account
        body = text({name: value for name, value in asdict(transfer).items() if name not in {"id", "version"}})
        with self._transaction() as write:
            write.require_account(account.id)
            write.replace(Item(keys.account(account.id), keys.transfer(transfer.id), body), transfer.version)
            moved_on = [entry.on for change in changes for entry in change.new_entries]
            if moved_on:
                set_reconciliation_due(write, context, max(moved_on))
            for change in changes:
                write_invoice(write, account, replace(change.record, payment=change.payment))
            write_credit_of(write, context, changes)
            for event in events:
                write.record(event)
        return replace(transfer, version=transfer.version + 1)


def is_open(record: InvoiceRecord) -> bool:
    """Whether something of an invoice is unpaid or on its way."""
    waiting = {InvoiceStatus.OPEN, InvoiceStatus.PAST_DUE, InvoiceStatus.IN_TRANSIT}
    return record.invoice.corrects is None and record.payment.status in waiting


def transfer_from(row: Row) -> Transfer:
    """A transfer of its stored item."""
    body = parsed(row.body)
    taken_back = body["taken_back"]
    return Transfer(
        id=row.key.removeprefix(keys.TRANSFER),
        reference=body["reference"],
        amount=Money(**body["amount"]),
        booked_on=date.fromisoformat(body["booked_on"]),
        shares=_shares(body["shares"]),
        recorded_at=datetime.fromisoformat(body["recorded_at"]),
        recorded_by=body["recorded_by"],
        applied=_shares(body["applied"]),
        key=body["key"],
        taken_back=None if taken_back is None else Reversal(**{**taken_back, "at": _instant(taken_back["at"])}),
        version=row.version,
    )


def _shares(stored: Sequence[dict[str, Any]]) -> tuple[Share, ...]:
    return tuple(Share(**each) for each in stored)


def _instant(stored: str) -> datetime:
    return datetime.fromisoformat(stored)
