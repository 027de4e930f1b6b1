"""When an invoice is due, and when its payment is attempted."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from billing.invoicing.dunning import InvoicePayment, due_on, is_due, is_news, is_retried_at_once
from billing.invoicing.entries import Entry, EntryKind
from billing.invoicing.invoices import InvoiceStatus
from billing.invoicing.reminders import Reminders
from billing.payments.methods import Charge, ChargeState, Method

TODAY = date(2026, 5, 4)
OPEN = InvoicePayment(TODAY, 100, next_attempt_on=TODAY, tried_with="pm_old")


@pytest.mark.parametrize(
    ("method", "days"), [(Method.CARD, 0), (Method.SEPA_DEBIT, 0), (Method.BANK_TRANSFER, 14), (None, 14)]
)
def test_an_invoice_that_is_charged_is_due_at_once(method: Method | None, days: int) -> None:
    assert due_on(method, TODAY, 14) == TODAY + timedelta(days=days)


def test_a_payment_is_due_from_the_day_of_its_next_attempt() -> None:
    assert is_due(OPEN, TODAY)
    assert not is_due(OPEN, TODAY - timedelta(days=1))
    assert not is_due(replace(OPEN, is_past_due=True, next_attempt_on=None), TODAY)


def test_an_unpaid_invoice_for_which_nothing_is_planned_is_due_now() -> None:
    """Otherwise nobody would ever look at it again."""
    assert is_due(replace(OPEN, next_attempt_on=None), TODAY)
    assert is_due(replace(OPEN, next_attempt_on=None, is_in_transit=True), TODAY)


@pytest.mark.parametrize(
    ("payment", "corrects", "method", "tried"),
    [
        (OPEN, False, "pm_new", True),
        (replace(OPEN, is_past_due=True), False, "pm_new", True),
        (OPEN, False, "pm_old", False),
        (OPEN, False, "pm_old#6527d4be", False),  # an older record names the method only
        (replace(OPEN, tried_with="pm_old#6527d4be"), False, "pm_old#6527d4be", False),
        (replace(OPEN, tried_with="pm_old#6527d4be"), False, "pm_old#00c0ffee", True),
        (OPEN, False, None, False),
        (OPEN, True, "pm_new", False),
        (replace(OPEN, is_in_transit=True), False, "pm_new", False),
    ],
)
def test_an_unpaid_invoice_is_charged_at_once_with_a_new_payment_method(
    payment: InvoicePayment, corrects: bool, method: str | None, tried: bool
) -> None:
    assert is_retried_at_once(payment, corrects, method) is tried


def test_the_next_look_is_the_earliest_day_on_which_something_is_to_be_done() -> None:
    later, yesterday = TODAY + timedelta(days=3), TODAY - timedelta(days=1)

    assert OPEN.next_look_on == TODAY
    assert replace(OPEN, next_attempt_on=later, credit_on=TODAY).next_look_on == TODAY
    assert replace(OPEN, next_attempt_on=None, credit_on=later, issued_on=yesterday).next_look_on == yesterday
    past_due = replace(OPEN, is_past_due=True, next_attempt_on=None)
    assert past_due.next_look_on == past_due.issued_on, "its reminders are not planned yet"
    assert replace(past_due, reminders=Reminders(next_on=later)).next_look_on == later
    assert replace(past_due, reminders=Reminders(are_over=True)).next_look_on is None
    assert replace(OPEN, is_past_due=True, next_attempt_on=None, credit_on=TODAY).next_look_on == TODAY
    paid = replace(OPEN, credit_on=TODAY).with_entries(Entry(EntryKind.TRANSFERRED, 100, TODAY))
    assert paid.next_look_on is None


@pytest.mark.parametrize(
    ("state", "status", "news"),
    [
        (ChargeState.SUCCEEDED, InvoiceStatus.OPEN, True),
        (ChargeState.IN_TRANSIT, InvoiceStatus.OPEN, True),
        (ChargeState.IN_TRANSIT, InvoiceStatus.IN_TRANSIT, False),
        (ChargeState.FAILED, InvoiceStatus.IN_TRANSIT, True),
        (ChargeState.FAILED, InvoiceStatus.OPEN, False),
        (ChargeState.WAITING, InvoiceStatus.OPEN, False),
    ],
)
def test_a_failure_is_news_only_of_what_was_in_transit(state: ChargeState, status: InvoiceStatus, news: bool) -> None:
    payment = replace(OPEN, is_in_transit=status is InvoiceStatus.IN_TRANSIT)

    assert payment.status is status
    assert is_news(Charge("pi_1", state, None, hard=False), payment) is news
