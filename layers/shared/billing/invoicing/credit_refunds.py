"""Where an account's credit came from, so that its end can give it back there (DESIGN 3.7.4).

Credit is one balance. Its parts come from charges, from bank transfers, or from both through credit notes. A part that
came from a charge is refunded to it. Every other part is repaid by hand: a refund to a card of money that came by
transfer would pay somebody else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from billing.invoicing.dunning import InvoicePayment
from billing.invoicing.entries import Entry, EntryKind, attempt_under_way, disputed_payments, left_of_payments
from billing.invoicing.invoices import IssuedInvoice
from billing.payments.methods import CHARGED, Method, Refund, RefundState

DEBIT_REFUNDED_WITHIN = timedelta(days=180)
"""How long after a SEPA debit Stripe refunds it (docs.stripe.com/payments/sepa-debit#refunds). Cards have no limit."""

Document = tuple[IssuedInvoice, InvoicePayment]
"""An invoice or a credit note, with its money."""


@dataclass(frozen=True, slots=True)
class CreditPart:
    """A part of an account's credit: the invoice whose entries hold it, and the payment that it can be refunded to.

    `payment` is None where it cannot be refunded: it is repaid by hand. `number` is None where no invoice holds it.
    `amount` is in minor units.
    """

    number: str | None
    payment: str | None
    amount: int


def credit_parts(documents: Sequence[Document], credit: int, today: date) -> tuple[CreditPart, ...]:
    """The parts of `credit`, oldest first; together they are the credit. `documents` are all of the account."""
    traced = _Trace([each for each in documents if each[0].corrects is None])
    found: dict[tuple[str | None, str | None], int] = {}
    left, open_to_refund = credit, _refundable(documents, today)
    for part in traced.parts():
        amount = min(left, part.amount)
        refunded = min(amount, open_to_refund.get(part.payment or "", 0))
        if refunded:
            open_to_refund[part.payment or ""] -= refunded
            found[part.number, part.payment] = found.get((part.number, part.payment), 0) + refunded
        if amount > refunded:
            found[part.number, None] = found.get((part.number, None), 0) + amount - refunded
        left -= amount
    if left > 0:
        found[None, None] = left
    return tuple(CreditPart(number, payment, amount) for (number, payment), amount in found.items())


def begin_credit_refund(payment: InvoicePayment, part: CreditPart, today: date) -> InvoicePayment:
    """The money of the invoice that holds the credit, with the refund that is begun. It names the attempt.

    It is kept before the refund is asked for. The credit is taken with it.
    """
    attempt = str(1 + sum(each.kind is EntryKind.REFUND_BEGUN for each in payment.entries))
    begun = Entry(EntryKind.REFUND_BEGUN, part.amount, today, attempt, part.payment)
    return replace(payment, entries=(*payment.entries, begun))


def credit_refund_under_way(payment: InvoicePayment) -> Entry | None:
    """The refund of an invoice's credit that was begun and has no answer yet."""
    attempt = None if payment.is_credit_note else attempt_under_way(payment.entries)
    if attempt is None:
        return None
    return next(each for each in payment.entries if (each.kind, each.reference) == (EntryKind.REFUND_BEGUN, attempt))


def after_credit_refund(payment: InvoicePayment, refund: Refund, today: date) -> InvoicePayment:
    """The money of an invoice after the answer to a refund of its credit. One that has failed is credit again."""
    if refund.state is RefundState.PENDING:
        return payment
    kind = EntryKind.REFUND_DONE if refund.state is RefundState.DONE else EntryKind.REFUND_FAILED
    answered = Entry(kind, refund.amount.amount, today, refund.id, refund.payment)
    return replace(payment, entries=(*payment.entries, answered))


def _refundable(documents: Sequence[Document], today: date) -> dict[str, int]:
    """What each payment can still give back: not one that is disputed, too old, or whose refund has failed before."""
    invoices = [payment for invoice, payment in documents if invoice.corrects is None]
    left = left_of_payments(entry for payment in invoices for entry in payment.entries)
    for payment in invoices:
        charged_on = {each.reference: each.on for each in payment.entries if each.kind is EntryKind.CHARGED}
        failed = {each.payment for each in payment.entries if each.kind in _FAILED}
        too_old = {
            intent
            for intent, day in charged_on.items()
            if payment.method is Method.SEPA_DEBIT and today - day > DEBIT_REFUNDED_WITHIN
        }
        for intent in failed | too_old | disputed_payments(payment.entries):
            left.pop(intent or "", None)
    return {intent: amount for intent, amount in left.items() if amount > 0}


_FAILED = frozenset({EntryKind.REFUND_FAILED, EntryKind.REFUND_OUTSIDE_FAILED, EntryKind.CREDIT_REFUND_FAILED})


@dataclass(slots=True)
class _Trace:
    """Follows credit through the entries of all invoices, in the order of their days. The oldest credit is used first.

    `pool` is the credit that there is, `used` what of it has paid each invoice. `missing` is credit that was taken back
    with a transfer before what it had paid was given back.
    """

    invoices: Sequence[Document]
    pool: list[CreditPart] = field(default_factory=list)
    used: dict[str, list[CreditPart]] = field(default_factory=dict)
    missing: int = 0

    def parts(self) -> tuple[CreditPart, ...]:
        events = sorted(
            (
                (entry.on, index, place, invoice, payment, entry)
                for index, (invoice, payment) in enumerate(self.invoices)
                for place, entry in enumerate(payment.entries)
            ),
            key=lambda event: event[:3],
        )
        for *_, invoice, payment, entry in events:
            self._follow(invoice, payment, entry)
        return tuple(self.pool)

    def _follow(self, invoice: IssuedInvoice, payment: InvoicePayment, entry: Entry) -> None:
        number, amount = invoice.number, entry.amount
        if entry.kind is EntryKind.OVERPAID:
            self.pool.append(CreditPart(number, _source_of(payment, entry), amount))
        elif entry.kind is EntryKind.CARRIED and entry.reference is not None:
            self.pool += _first(self._paid_with(number, payment), number, amount)
        elif entry.kind is EntryKind.CARRIED:
            self.pool += _first(self._charged_for(invoice), number, amount)
        elif entry.kind is EntryKind.CREDIT_APPLIED:
            self.used.setdefault(number, []).extend(self._take(self.pool, amount))
        elif entry.kind is EntryKind.CREDIT_UNAPPLIED:
            self._give_back(number, amount)
        elif entry.kind is EntryKind.CREDIT_TAKEN_BACK:
            # By transfer, and of this invoice, as far as there is such: the credit of a transfer goes with it.
            of_it = [each for each in self.pool if each.number == number]
            of_it.sort(key=lambda each: each.payment is not None)
            taken = self._take([*of_it, *(each for each in self.pool if each not in of_it)], amount)
            self.missing += amount - sum(each.amount for each in taken)
        elif entry.kind is EntryKind.REPAID_BY_HAND:
            own = [each for each in self.pool if each.number == number]
            self._take([*own, *(each for each in self.pool if each.number != number)], amount)
        elif entry.kind in {EntryKind.REFUND_BEGUN, EntryKind.CREDIT_REFUNDED}:
            of_it = [each for each in self.pool if (each.number, each.payment) == (number, entry.payment)]
            self._take([*of_it, *(each for each in self.pool if each not in of_it)], amount)
        elif entry.kind in {EntryKind.REFUND_FAILED, EntryKind.CREDIT_REFUND_FAILED}:
            self.pool.append(CreditPart(number, None, amount))

    def _give_back(self, number: str, amount: int) -> None:
        """Puts what has paid an invoice back into the pool, the newest first. What a transfer that was taken back lacks
        goes from it at once: the entries of the same day are in the order of their invoices."""
        used = self.used.get(number, [])
        while used and amount:
            last = used.pop()
            share = min(last.amount, amount)
            if share < last.amount:
                used.append(replace(last, amount=last.amount - share))
            gone = min(share, self.missing)
            self.missing -= gone
            amount -= share
            if share > gone:
                self.pool.append(replace(last, amount=share - gone))

    def _take(self, wanted: Sequence[CreditPart], amount: int) -> list[CreditPart]:
        """Takes an amount out of the pool, from the `wanted` parts in their order. Returns what was taken."""
        taken = []
        for part in [*wanted]:
            share = min(amount, part.amount)
            if share:
                place = self.pool.index(part)
                rest = replace(part, amount=part.amount - share)
                self.pool[place : place + 1] = [rest] if rest.amount else []
                taken.append(replace(part, amount=share))
                amount -= share
        return taken

    def _paid_with(self, number: str, payment: InvoicePayment) -> Iterator[CreditPart]:
        """What a credit note gives back as credit: earlier credit first, then a charge that was disputed."""
        yield from self.used.pop(number, ())
        if payment.method in CHARGED:
            for intent, amount in left_of_payments(payment.entries).items():
                yield CreditPart(number, intent, amount)

    def _charged_for(self, credited: IssuedInvoice) -> Iterator[CreditPart]:
        """The charges of the invoices whose days an invoice below zero takes back, the newest first."""
        for invoice, payment in reversed(self.invoices):
            overlaps = invoice.draft.since < credited.draft.until and credited.draft.since < invoice.draft.until
            if overlaps and invoice.number != credited.number:
                for intent, amount in left_of_payments(payment.entries).items():
                    yield CreditPart(credited.number, intent, amount)


def _first(sources: Iterator[CreditPart], number: str, amount: int) -> Iterator[CreditPart]:
    """The first `amount` of the sources, as credit that an invoice holds. What they lack came by transfer."""
    for source in sources:
        share = min(amount, source.amount)
        if share > 0:
            yield CreditPart(number, source.payment, share)
            amount -= share
    if amount:
        yield CreditPart(number, None, amount)


def _source_of(payment: InvoicePayment, overpaid: Entry) -> str | None:
    """The charge that has paid too much, None for a transfer."""
    for entry in payment.entries:
        if entry.reference == overpaid.reference is not None:
            if entry.kind is EntryKind.CHARGED:
                return entry.reference
            if entry.kind is EntryKind.CHARGE_BACK_WON:
                return entry.payment
    return None
