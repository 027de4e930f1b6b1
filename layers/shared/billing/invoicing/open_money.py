"""What is open between the vendor and a customer, in both directions (DESIGN 3.7.5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from billing.invoicing.credit_refunds import Document, credit_parts, credit_refund_under_way
from billing.invoicing.dunning import InvoicePayment, reminded_of
from billing.invoicing.entries import disputed_payments
from billing.invoicing.invoices import InvoiceDraft
from billing.kernel.money import Money


class OpenState(StrEnum):
    """Why something is open: it waits for a person, it is on its way, or a bank has yet to decide."""

    OPEN = "open"
    IN_TRANSIT = "in_transit"
    DISPUTED = "disputed"


@dataclass(frozen=True, slots=True)
class OpenDocument:
    """An invoice or a credit note of which something is open. Amounts are in minor units.

    `to_pay` is what the customer owes, `to_repay` what the vendor owes. Both are 0 while a payment is only disputed.
    """

    number: str
    due_on: date
    to_pay: int
    to_repay: int
    state: OpenState


@dataclass(frozen=True, slots=True)
class OpenMoney:
    """What is open of an account in one currency. `not_invoiced` is due, but its invoices wait for a decision of staff.

    `unassigned` is credit that no invoice holds, in minor units. `others` is what is open in the currencies that the
    contract had before; none for most accounts.
    """

    currency: str
    documents: tuple[OpenDocument, ...]
    not_invoiced: tuple[InvoiceDraft, ...] = ()
    unassigned: int = 0
    others: tuple[OpenMoney, ...] = ()

    @property
    def to_invoice(self) -> Money:
        """What is due and not invoiced, tax included. No credit is taken off: that is still to be repaid."""
        return Money(max(0, sum(each.total.amount for each in self.not_invoiced)), self.currency)

    @property
    def to_pay(self) -> Money:
        """What the customer owes in this currency, with what is not invoiced yet."""
        return Money(self.to_invoice.amount + sum(each.to_pay for each in self.documents), self.currency)

    @property
    def to_repay(self) -> Money:
        """What the vendor owes in this currency."""
        return Money(self.unassigned + sum(each.to_repay for each in self.documents), self.currency)

    @property
    def is_settled(self) -> bool:
        """Whether nothing is open."""
        return not self.documents and not self.not_invoiced and not self.unassigned and not self.others


def open_money(
    documents: Sequence[Document],
    balances: Mapping[str, int],
    not_invoiced: Sequence[InvoiceDraft],
    currency: str,
    today: date,
) -> OpenMoney:
    """What is open of an account with these invoices and credit notes, oldest first, and credit `balances` by currency.

    `currency` is that of the contract now.
    """
    former = dict.fromkeys([*(invoice.draft.total.currency for invoice, _ in documents), *balances])
    found = (
        _open_in(each, documents_in(each, documents), balances.get(each, 0), (), today)
        for each in former
        if each != currency
    )
    own = _open_in(currency, documents_in(currency, documents), balances.get(currency, 0), not_invoiced, today)
    return replace(own, others=tuple(each for each in found if not each.is_settled))


def documents_in(currency: str, documents: Sequence[Document]) -> tuple[Document, ...]:
    """The invoices and credit notes in one currency."""
    return tuple(each for each in documents if each[0].draft.total.currency == currency)


def _open_in(
    currency: str, documents: Sequence[Document], credit: int, not_invoiced: Sequence[InvoiceDraft], today: date
) -> OpenMoney:
    held: dict[str | None, int] = {}
    for part in credit_parts(documents, credit, today):
        held[part.number] = held.get(part.number, 0) + part.amount
    found = (
        open_document(invoice.number, reminded_of(payment, invoice), payment, held.get(invoice.number, 0))
        for invoice, payment in documents
    )
    return OpenMoney(
        currency, tuple(each for each in found if each is not None), tuple(not_invoiced), held.get(None, 0)
    )


def open_document(number: str, due_on: date, payment: InvoicePayment, credit: int) -> OpenDocument | None:
    """What is open of a document that holds `credit` of the account, in minor units; None where nothing is."""
    under_way = credit_refund_under_way(payment)
    to_pay = 0 if payment.is_credit_note else payment.left
    to_repay = payment.left if payment.is_credit_note else credit + (0 if under_way is None else under_way.amount)
    is_disputed = bool(disputed_payments(payment.entries))
    if not to_pay and not to_repay and not is_disputed:
        return None
    state = OpenState.OPEN
    if is_disputed:
        state = OpenState.DISPUTED
    elif payment.is_in_transit or (under_way is not None and not credit):
        state = OpenState.IN_TRANSIT
    return OpenDocument(number, due_on, to_pay, to_repay, state)
