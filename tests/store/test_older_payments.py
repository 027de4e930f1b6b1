"""Invoices that the first milestone has stored: their payments are read as entries, with the same figures."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from billing.invoicing.credit_notes import allocate, credit_note_draft, lines_to_credit
from billing.invoicing.dunning import InvoicePayment
from billing.invoicing.entries import Entry, EntryKind
from billing.invoicing.invoices import Correction, Invoice, IssuedInvoice
from billing.invoicing.mapping import is_as_issued, issued_from, summary_body, summary_from
from billing.invoicing.summary_mapping import invoice_from

FIXTURE = Path(__file__).parent.parent / "fixtures" / "payments_of_the_first_milestone.json"
"""Written by the code of commit 9da7ab3, byte for byte: the body of an item, what it said, and the credit that came
from it."""

OLDER: dict[str, Any] = json.loads(FIXTURE.read_text(encoding="utf-8"))
ACCOUNT = "nordlys-kaffe"
TODAY = date(2026, 6, 1)


def figures(payment: InvoicePayment) -> dict[str, Any]:
    return {
        "status": payment.status,
        "paid_on": None if payment.paid_on is None else payment.paid_on.isoformat(),
        "waived": payment.waived,
        "refunded": payment.refunded,
        "left": payment.left,
        "next_attempt_on": None if payment.next_attempt_on is None else payment.next_attempt_on.isoformat(),
        "method": payment.method,
        "attempts": payment.attempts,
    }


def older(name: str) -> tuple[IssuedInvoice, InvoicePayment]:
    """The invoice and the payment of an item."""
    body = OLDER[name]["body"]
    return issued_from(body), summary_from(ACCOUNT, body)[1]


@pytest.mark.parametrize("name", OLDER)
def test_an_older_payment_has_the_same_figures(name: str) -> None:
    _, payment = older(name)

    assert figures(payment) == OLDER[name]["figures"]
    assert payment.credit == OLDER[name]["credit"]


@pytest.mark.parametrize("name", OLDER)
def test_the_new_form_keeps_them_and_what_the_invoice_says(name: str) -> None:
    """It is two items. The document is the older item's content byte for byte, and its digest stays."""
    stored = OLDER[name]["body"]
    invoice, payment, document = summary_from(ACCOUNT, stored)
    assert document is not None
    summary = summary_body(invoice, payment)

    assert summary_from(ACCOUNT, summary) == (invoice, payment, None)
    assert issued_from(document) == issued_from(stored)
    assert document[len('{"issued":') : -1] in stored, "the same bytes, and the same digest"
    assert is_as_issued(document)
    before, after = json.loads(stored), json.loads(summary)
    listed = {field.name for field in fields(Invoice)}
    expected = {name: before.get(name) for name in listed} | {"left": payment.left}  # older ones have no such field
    assert {name: after[name] for name in listed} == expected
    assert invoice_from(summary) == invoice_from(stored)


def test_a_line_that_was_credited_without_its_share_leaves_the_rest_of_the_whole() -> None:
    """M12 for what was credited before: all credit notes together come to the invoice all the same."""
    invoice, payment = older("a line waived of a discounted whole")

    lines = lines_to_credit(invoice, payment, None)
    draft = credit_note_draft(invoice, payment, lines)
    money = allocate(invoice, payment, Correction("", TODAY, lines, ""), "CN-2", -draft.total.amount, TODAY)

    assert money.payment.credited_total == invoice.draft.total.amount
    assert (money.refunded, money.credit_balance) == (0, 0)


def test_a_refund_of_that_time_that_fails_later_is_owed_again() -> None:
    _, payment = older("a refund made")

    failed = payment.with_entries(Entry(EntryKind.REFUND_FAILED, payment.owed, TODAY, "re_1"))

    assert (payment.left, failed.left) == (0, payment.owed)
