"""The API, the PDF, the e-invoice, the event and the mail of an invoice show the same amounts (M30)."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from billing.correspondence.audiences import LetterContext, Recipient, Vendor
from billing.correspondence.event_kinds import published
from billing.correspondence.letters import letter
from billing.invoicing.credit_notes import CreditNoteAllocation, credit_note_draft
from billing.invoicing.documents.einvoice import Syntax, einvoice
from billing.invoicing.documents.pdf import invoice_pdf
from billing.invoicing.dunning import initial_payment
from billing.invoicing.invoices import IssuedInvoice
from billing.invoicing.issue_invoices import invoice_facts
from billing.invoicing.numbering import RegisteredNumber
from billing.invoicing.payment_events import credit_note_facts
from billing.invoicing.records import WholeInvoice
from billing.invoicing.sheets import register_sheet
from billing.invoicing.views import InvoiceDetailsView, PreviewView
from billing.kernel.events import Actor, ActorKind, Event, EventType
from billing.kernel.money import Money, decimal_text
from billing.kernel.spreadsheet import csv_of
from billing.languages import LANGUAGES
from billing.languages.formats import formats
from billing.payments.methods import Method, PaymentProfile

from tests.documents.samples import CORRECTION, STARTS, invoice, with_seller_tax
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


SELLERS = {
    "kroner for euros": (with_seller_tax(invoice()), "1 EUR = 7.4604 DKK"),
    "kroner for dollars": (
        with_seller_tax(invoice(currency="USD"), invoice_rate="1.0850"),
        "1 EUR = 1.0850 USD = 7.4604 DKK",
    ),
    "yen for euros": (with_seller_tax(invoice(), "JPY", seller_rate="170.25"), "1 EUR = 170.25 JPY"),
    "dinars for euros": (with_seller_tax(invoice(), "KWD", seller_rate="0.33251"), "1 EUR = 0.33251 KWD"),
    "euros for kroner": (
        with_seller_tax(invoice(currency="DKK"), "EUR", invoice_rate="7.4604", seller_rate="1"),
        "1 EUR = 7.4604 DKK",
    ),
}


@pytest.mark.parametrize("language", sorted(LANGUAGES))
@pytest.mark.parametrize("is_credit", [False, True])
@pytest.mark.parametrize("case", SELLERS)
def test_the_tax_in_the_sellers_currency_is_the_same_everywhere(case: str, is_credit: bool, language: str) -> None:
    sample, worth = SELLERS[case]
    issued = replace(sample, language=language)
    if is_credit:
        draft = credit_note_draft(issued, initial_payment(issued, issued.produced_on), (0, 1, 2))
        issued = replace(issued, number="CN-2026-000001", draft=draft, corrects=CORRECTION)
    seller_tax = issued.draft.seller_tax
    assert seller_tax is not None
    assert (seller_tax.amount.amount < 0) == is_credit

    view = InvoiceDetailsView.of(WholeInvoice.new(issued, initial_payment(issued, issued.produced_on))).tax.seller_tax
    assert view is not None
    assert (view.amount.amount, view.amount.currency) == (seller_tax.amount.amount, seller_tax.amount.currency)
    rate = seller_tax.rate
    assert view.rate.model_dump() == {
        "base": "EUR",
        "invoice_rate": str(rate.invoice_rate),
        "seller_rate": str(rate.seller_rate),
        "day": date(2026, 4, 14),
        "source": "ECB",
    }

    event = event_of_credit_note(issued) if is_credit else event_of(issued)
    assert (event.after or {})["seller_tax"] == {
        "amount": seller_tax.amount.amount,
        "currency": seller_tax.amount.currency,
    }
    mail = letter(
        published(event),
        LetterContext("Nordlys Kaffe", language, "Europe/Copenhagen", None),
        Recipient("a@b.example", "Astrid Holm"),
        VENDOR,
        b"%PDF",
    )
    pdf = spaced(squeezed(invoice_pdf(issued, None)))
    written = spaced(formats(language).money(seller_tax.amount))
    for text in (pdf, spaced(Page(mail.html).words), spaced(mail.text)):
        assert written in text
    assert worth in pdf
    assert "2026-04-14 (ECB)" in pdf

    registered = RegisteredNumber("LV", 1, STARTS, issued.draft.total, issued.draft.tax_amount, seller_tax.amount)
    header, row = csv.reader(csv_of(register_sheet([registered])).splitlines())
    figures = dict(zip(header, row, strict=True))
    said = decimal_text(seller_tax.amount)
    assert (figures["seller_tax"], figures["seller_currency"]) == (said, seller_tax.amount.currency)
    for syntax in Syntax if issued.can_be_electronic else ():
        xml = einvoice(issued, syntax).decode()
        assert f'currencyID="{seller_tax.amount.currency}">{said.removeprefix("-")}<' in xml


def event_of_credit_note(note: IssuedInvoice) -> Event:
    money = CreditNoteAllocation(0, 0, -note.draft.total.amount, initial_payment(note, note.produced_on))
    event = event_of(note)
    return replace(event, type=EventType.CREDIT_NOTE_ISSUED, after=credit_note_facts(note, money))


def test_a_preview_has_the_tax_in_the_contracts_currency_only() -> None:
    issued = invoice()
    assert PreviewView.of(issued.produced_on, issued.draft, "en").tax.seller_tax is None
