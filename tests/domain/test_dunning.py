"""When an invoice is due, and when its payment is attempted."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from billing.invoicing.dunning import InvoicePayment, due_on, is_due, is_news, is_retried_at_once, next_attempt
from billing.invoicing.invoices import InvoiceStatus
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
    assert not is_due(replace(OPEN, next_attempt_on=None), TODAY)


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


def test_the_next_attempt_is_the_earliest_of_all_payments() -> None:
    later, never = replace(OPEN, next_attempt_on=TODAY + timedelta(days=1)), replace(OPEN, next_attempt_on=None)

    assert next_attempt([never, later, OPEN]) == TODAY
    assert next_attempt([never]) is None


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
