"""The amounts that the payment service refuses: Livello does not send them (docs.stripe.com/currencies)."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from billing.kernel.currencies import (
    CHARGEABLE,
    LARGEST_CHARGE_DIGITS,
    LARGEST_CHARGE_DIGITS_OF_OTHERS,
    MINOR_UNIT_DIGITS,
    SMALLEST_CHARGE,
)
from billing.kernel.money import Money, charged_units
from billing.payments.methods import Method


class ChargeObstacle(StrEnum):
    """Why the payment service would refuse an amount."""

    CURRENCY = "currency"
    TOO_SMALL = "too_small"
    TOO_LARGE = "too_large"


DEBIT_CURRENCY = "EUR"
DEBIT_LARGEST = Money(10_000_00, DEBIT_CURRENCY)
"""SEPA debits are in euros. "SEPA Direct Debit transactions have a limit of 10,000 EUR each"
(docs.stripe.com/payments/sepa-debit)."""


def charge_obstacle(amount: Money, method: Method) -> ChargeObstacle | None:
    """Why an amount cannot be charged to a payment method of this kind, None if it can."""
    currency, units = amount.currency, charged_units(amount)
    if currency not in CHARGEABLE or (method is Method.SEPA_DEBIT and currency != DEBIT_CURRENCY):
        return ChargeObstacle.CURRENCY
    smallest = Decimal(SMALLEST_CHARGE.get(currency, "0")).scaleb(MINOR_UNIT_DIGITS[currency])
    if not units or amount.amount < smallest:
        return ChargeObstacle.TOO_SMALL
    digits = LARGEST_CHARGE_DIGITS.get(currency, LARGEST_CHARGE_DIGITS_OF_OTHERS)
    if len(str(units)) > digits or (method is Method.SEPA_DEBIT and amount.amount > DEBIT_LARGEST.amount):
        return ChargeObstacle.TOO_LARGE
    return None
