"""A SEPA debit is made on the day that its invoice has announced, wherever the seller's day is (DESIGN 3.6.4)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from billing.invoicing.collect_payments import collect_payments
from billing.invoicing.issue_invoices import issue_invoices

from tests.faults.company import SETTINGS, events
from tests.faults.test_invoices import ACCOUNT
from tests.faults.till import FIRST, PAGE, Till
from tests.stripe import later

pytestmark = pytest.mark.usefixtures("connection")


@pytest.mark.parametrize("notice", [0, 1, 2, 14])
@pytest.mark.parametrize(
    ("zone", "hour"),
    [("Europe/Copenhagen", 12), ("Pacific/Auckland", 12), ("Pacific/Pago_Pago", 3)],
    ids=["the same day", "the seller's day is the next one", "the seller's day is the one before"],
)
def test_a_debit_is_made_on_the_day_that_its_invoice_names(zone: str, hour: int, notice: int) -> None:
    settings = replace(SETTINGS, time_zone=zone, sepa_notice_days=notice)
    till = Till(issued=False)
    till.debit(collect=False)
    till.day = datetime(2026, 7, 15, hour, tzinfo=UTC)
    with till.world.calm() as world:
        [number, *_] = issue_invoices(
            ACCOUNT, now=till.day, correlation="run", settings=settings, store=world.invoicing
        )
    invoice = till.documents()[number].invoice
    [announced, *_] = [each["after"] for each in events(till.world, "invoice.issued")]
    assert number == FIRST
    assert announced["charge_on"] == invoice.due_on.isoformat()
    assert invoice.due_on >= invoice.produced_on + timedelta(days=notice)

    debited_on = till.day.date()
    for days in range(notice + 3):
        with till.world.calm() as world:
            collect_payments(
                ACCOUNT,
                at_once=False,
                now=till.day + timedelta(days=days),
                correlation=world.correlation,
                settings=settings,
                consent_page=PAGE,
                store=world.invoicing,
                gateway=world.payments,
            )
        if till.objects("payment_intent"):
            debited_on = till.day.date() + timedelta(days=days)
            break
        later(till.world.stripe, 86_400)

    assert till.objects("payment_intent")
    assert debited_on == invoice.due_on or not notice
