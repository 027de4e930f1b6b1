"""The API, the PDF, the e-invoice, the event and the mail of an invoice show the same amounts (M30)."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from billing.correspondence.audiences import LetterContext, Recipient, Vendor
from billing.correspondence.event_kinds import published
from billing.correspondence.letters import letter
from billing.invoicing.documents.einvoice import Syntax, einvoice
from billing.invoicing.documents.pdf import invoice_pdf
from billing.invoicing.dunning import initial_payment
from billing.invoicing.invoices import IssuedInvoice
from billing.invoicing.issue_invoices import invoice_facts
from billing.invoicing.records import WholeInvoice
from billing.invoicing.views import InvoiceDetailsView, PreviewView
from billing.kernel.events import Actor, ActorKind, Event, EventType
from billing.kernel.money import Money, decimal_text
from billing.languages import LANGUAGES
from billing.languages.formats import formats
from billing.payments.methods import Method, PaymentProfile

from tests.documents.samples import invoice
from tests.documents.test_pdf import squeezed
from tests.mail.reading import Page

TOTAL = invoice().draft.total.amount
CREDITS = {"none": 0, "some": 123_75, "all": TOTAL}
VENDOR = Vendor("Livello", "https://billing.livello.example/", "billing@livello.example")


def event_of(issued: IssuedInvoice) -> Event:
    facts = {**invoice_facts(issued, PaymentProfile()), "document": "accounts/x/invoices/x.pdf"}
    time = datetime(2026, 4, 15, tzinfo=UTC)
    kind = EventType.INVOICE_ISSUED
    return Event("01KP70PMP018JHWEGM0B5H827V", kind, "a", time, Actor(ActorKind.SYSTEM, None), "c", None, facts)


def spaced(text: str) -> str:
    return re.sub(r"\s+", " ", text)


@pytest.mark.parametrize("language", sorted(LANGUAGES))
@pytest.mark.parametrize("method", [*Method, None])
@pytest.mark.parametrize("credit", CREDITS)
def test_the_figures_are_the_same_everywhere(credit: str, method: Method | None, language: str) -> None:
    issued = replace(invoice(credit=CREDITS[credit], method=method), language=language)
    draft = issued.draft
    view = InvoiceDetailsView.of(WholeInvoice.new(issued, initial_payment(issued, issued.produced_on)))
    shown = {
        name: (part.amount, part.currency)
        for name, part in (
            ("net", view.net),
            ("tax", view.tax.amount),
            ("total", view.total),
            ("credit", view.credit),
            ("due", view.due),
        )
    }
    assert view.payment.left == view.due
    preview = PreviewView.of(issued.produced_on, draft, language)
    assert (preview.net, preview.tax.amount, preview.total, preview.credit, preview.due) == (
        view.net,
        view.tax.amount,
        view.total,
        view.credit,
        view.due,
    )
    facts = event_of(issued).after or {}
    assert {name: (facts[name]["amount"], facts[name]["currency"]) for name in shown} == shown

    write = formats(language)
    pdf = spaced(squeezed(invoice_pdf(issued, None)))
    mail = letter(
        published(event_of(issued)),
        LetterContext("Nordlys Kaffe", language, "Europe/Copenhagen", None),
        Recipient("a@b.example", "Astrid Holm"),
        VENDOR,
        b"%PDF",
    )
    for text in (pdf, spaced(Page(mail.html).words), spaced(mail.text)):
        for name in ("net", "total", "due"):
            assert spaced(write.money(Money(*shown[name]))) in text, (name, text)
        if shown["credit"][0]:
            assert spaced(write.money(Money(-shown["credit"][0], "EUR"))) in text
    # Where something is asked for, it is what is due.
    assert spaced(write.money(draft.due)) in spaced(mail.subject)
    xml = einvoice(issued, Syntax.CII).decode()
    for element, name in (("GrandTotalAmount", "total"), ("TotalPrepaidAmount", "credit"), ("DuePayableAmount", "due")):
        said = re.findall(rf"{element}[^>]*>([\d.]+)<", xml)
        assert [Decimal(each) for each in said] in ([Decimal(decimal_text(Money(*shown[name])))], [])
