"""An invoice as a list shows it."""

from __future__ import annotations

from datetime import date

from billing.invoicing.invoices import Invoice, InvoiceStatus
from billing.platform.http.models import MoneyView, View


class InvoiceView(View):
    """An issued invoice, or with `corrects`, the number of another one, a credit note; `total` includes tax.

    `left` is what is still to be paid, or of a credit note what goes back.
    """

    number: str
    corrects: str | None
    produced_on: date
    due_on: date
    paid_on: date | None
    status: InvoiceStatus
    total: MoneyView
    left: MoneyView

    @classmethod
    def of(cls, invoice: Invoice) -> InvoiceView:
        return cls(
            number=invoice.number,
            corrects=invoice.corrects,
            produced_on=invoice.produced_on,
            due_on=invoice.due_on,
            paid_on=invoice.paid_on,
            status=invoice.status,
            total=MoneyView.of(invoice.total),
            left=MoneyView(amount=invoice.left, currency=invoice.total.currency),
        )


class InvoicesView(View):
    """Newest first. `next_cursor` leads to the older ones, null where there are none."""

    items: list[InvoiceView]
    next_cursor: str | None
