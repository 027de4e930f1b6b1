"""Invoices that the first milestone has stored: their payments are read as entries, with the same figures."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from billing.invoicing.credit_notes import allocate, credit_note_draft, lines_to_credit
from billing.invoicing.dunning import InvoicePayment
from billing.invoicing.entries import Entry, EntryKind
from billing.invoicing.invoices import Correction
from billing.invoicing.mapping import invoice_body, is_as_issued, record_from

FIXTURE = Path(__file__).parent.parent / "fixtures" / "payments_of_the_first_milestone.json"
"""Written by the code of commit 9da7ab3, byte for byte: the body of an item, what it said, and the credit that came
from it."""

OLDER: dict[str, Any] = json.loads(FIXTURE.read_text(encoding="utf-8"))
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


@pytest.mark.parametrize("name", OLDER)
def test_an_older_payment_has_the_same_figures(name: str) -> None:
    _invoice, payment = record_from(OLDER[name]["body"])

    assert figures(payment) == OLDER[name]["figures"]
    assert payment.credit == OLDER[name]["credit"]


@pytest.mark.parametrize("name", OLDER)
def test_the_new_form_keeps_them_and_what_the_invoice_says(name: str) -> None:
    older = OLDER[name]["body"]
    invoice, payment = record_from(older)
    newer = invoice_body(invoice, payment)

    assert record_from(newer) == (invoice, payment)
    assert is_as_issued(newer)
    before, after = json.loads(older), json.loads(newer)
    assert {**after, "payment": None} == {**before, "payment": None}
    # A function of the release before reads these.
    assert after["payment"] == {**after["payment"], **before["payment"]}


@pytest.mark.parametrize("name", OLDER)
def test_entries_that_an_older_function_leaves_out_are_derived_again(name: str) -> None:
    body = json.loads(invoice_body(*record_from(OLDER[name]["body"])))
    for added in ("owed", "entries", "allocations", "is_in_transit", "is_past_due", "is_exhausted", "credited_net"):
        del body["payment"][added]

    assert figures(record_from(json.dumps(body))[1]) == OLDER[name]["figures"]


def test_a_line_that_was_credited_without_its_share_leaves_the_rest_of_the_whole() -> None:
    """M12 for what was credited before: all credit notes together come to the invoice all the same."""
    invoice, payment = record_from(OLDER["a line waived of a discounted whole"]["body"])

    lines = lines_to_credit(invoice, payment, None)
    draft = credit_note_draft(invoice, payment, lines)
    money = allocate(invoice, payment, Correction("", TODAY, lines, ""), "CN-2", -draft.total.amount, TODAY)

    assert money.payment.credited_total == invoice.draft.total.amount
    assert (money.refunded, money.credit_balance) == (0, 0)


def test_a_refund_of_that_time_that_fails_later_is_owed_again() -> None:
    _, payment = record_from(OLDER["a refund made"]["body"])

    failed = payment.with_entries(Entry(EntryKind.REFUND_FAILED, payment.owed, TODAY, "re_1"))

    assert (payment.left, failed.left) == (0, payment.owed)
