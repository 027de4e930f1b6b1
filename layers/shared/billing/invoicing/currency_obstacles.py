"""What is left in a contract's currency before another one holds: nothing may be (decision 0045)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from billing.accounts.rules import Status
from billing.accounts.terms import TermChange
from billing.invoicing.credit_refunds import credit_refund_under_way
from billing.invoicing.dunning import UNPAID
from billing.invoicing.entries import disputed_payments
from billing.invoicing.invoices import InvoiceStatus
from billing.invoicing.records import BillingContext, InvoiceRecord
from billing.kernel.money import Money, decimal_text
from billing.payments.charge_limits import ChargeObstacle, charge_obstacle
from billing.subscriptions.currency_changes import Obstacle, ObstacleCode, obstacles_in


def obstacles_to(
    change: TermChange, billing: BillingContext, records: Sequence[InvoiceRecord], today: date
) -> tuple[Obstacle, ...]:
    """All that stands in the way of a change into another currency, as of today.

    `records` are all of the account's invoices and credit notes. Small amounts that wait for the next charge are unpaid
    invoices too.
    """
    if change.into is None:
        return ()
    account, subscription = billing.subscriber.account, billing.subscriber.subscription
    day = account.contract.month_start(change.from_month)
    return (
        *_of_account(billing),
        *_of_method(billing, change.into.currency),
        *obstacles_in(subscription, change.into, day, today),
        *(found for each in records if each.left.currency == billing.currency for found in _of_record(each)),
    )


def _of_account(billing: BillingContext) -> Iterator[Obstacle]:
    if billing.subscriber.account.status is not Status.ACTIVE:
        yield Obstacle(ObstacleCode.CANCELLED, None, "The account is cancelled: it keeps its currency.")
    if billing.credit:
        credit = f"{decimal_text(Money(billing.credit, billing.currency))} {billing.currency}"
        yield Obstacle(ObstacleCode.CREDIT, None, f"The account has a credit of {credit}.")
    for one_off in billing.one_offs.open:
        detail = f"{one_off.description} waits for the next invoice."
        yield Obstacle(ObstacleCode.ONE_OFF, one_off.id, detail)


def _of_method(billing: BillingContext, currency: str) -> Iterator[Obstacle]:
    shown = billing.profile.shown
    if shown is not None and charge_obstacle(Money(1, currency), shown.method) is ChargeObstacle.CURRENCY:
        detail = f"The account's payment method cannot pay {currency}."
        yield Obstacle(ObstacleCode.PAYMENT_METHOD, shown.method, detail)


def _of_record(record: InvoiceRecord) -> Iterator[Obstacle]:
    payment, number = record.payment, record.invoice.number
    waits = payment.status in {*UNPAID, InvoiceStatus.IN_TRANSIT}
    if waits and not payment.is_credit_note:
        yield Obstacle(ObstacleCode.UNPAID_INVOICE, number, f"Invoice {number} is not paid.")
    if (waits and payment.is_credit_note) or credit_refund_under_way(payment) is not None:
        yield Obstacle(ObstacleCode.REFUND, number, f"A refund of {number} is not made yet.")
    if disputed_payments(payment.entries):
        yield Obstacle(ObstacleCode.DISPUTE, number, f"A payment of {number} is disputed.")
