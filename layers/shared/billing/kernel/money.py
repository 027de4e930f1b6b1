"""Amounts of money: whole minor units of one currency, never a float, rounded in one place.

There are two rules (DESIGN 3.3). Amounts owed are rounded half to even: over many lines the errors cancel out. Tax is
rounded half away from zero, as the systems of customers and tax offices do. They recompute it from the net amount, and
they reject an invoice for a difference of one cent.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from fractions import Fraction
from math import floor

from billing.kernel.currencies import CHARGED_DIGITS, CHARGED_STEP, MINOR_UNIT_DIGITS


@dataclass(frozen=True, slots=True)
class Money:
    """`amount` minor units of `currency` (ISO 4217): 12900 EUR is 129.00 euros, 12900 JPY is 12,900 yen.

    Raises ValueError for a currency that is not in ISO 4217.
    """

    amount: int
    currency: str

    def __post_init__(self) -> None:
        if self.currency not in MINOR_UNIT_DIGITS:
            raise ValueError(f"{self.currency} is not a currency of ISO 4217")


def rounded(amount: Decimal) -> int:
    """An amount owed, in whole minor units: rounded half to even (DESIGN 3.3.1)."""
    return int(amount.quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


def rounded_tax(amount: Decimal) -> int:
    """Tax in whole minor units, rounded half away from zero: 312.5 is 313 and -312.5 is -313.

    The rule is symmetric: a credit note takes back exactly the tax that its invoice charged.
    """
    return int(amount.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def converted(money: Money, currency: str, rate: Fraction) -> Money:
    """An amount in another currency, rounded once, half away from zero. `rate` is its price of one unit of the first.

    The calculation is exact, so an amount and its negative always have the same figures.
    """
    exact = money.amount * rate * Fraction(10) ** (MINOR_UNIT_DIGITS[currency] - MINOR_UNIT_DIGITS[money.currency])
    rounded_up = floor(abs(exact) + Fraction(1, 2))
    return Money(-rounded_up if exact < 0 else rounded_up, currency)


def decimal_text(money: Money) -> str:
    """An amount with the decimals of its currency, such as 129.00, for documents that machines read."""
    digits = MINOR_UNIT_DIGITS[money.currency]
    sign, text = "-" if money.amount < 0 else "", f"{abs(money.amount):0{digits + 1}}"
    return f"{sign}{text[:-digits]}.{text[-digits:]}" if digits else f"{sign}{text}"


def charged_units(money: Money) -> int:
    """An amount in Stripe's minor units, rounded down to an amount that Stripe can charge. See charged_money.

    Rounding down has two reasons: a customer never pays more than they owe, and the refunds of all parts never exceed
    the charge. It affects currencies with three decimals (5.124 KWD is 5120) and MGA, whose fifths cannot be charged.
    """
    digits, charged = MINOR_UNIT_DIGITS[money.currency], _charged_digits(money.currency)
    units = money.amount * int(10**charged) // int(10**digits)
    return units - units % CHARGED_STEP.get(money.currency, 1)


def amount_covered(owed: int, paid: Money) -> int:
    """What a payment covers of `owed`, in minor units: all of it where Stripe can charge or refund no such rest.

    Stripe rounds down what it charges (charged_units): 5.120 KWD pay 5.124 KWD.
    """
    rest = owed - paid.amount
    return owed if rest > 0 and not charged_units(Money(rest, paid.currency)) else paid.amount


def charged_money(units: int, currency: str) -> Money:
    """The money of `units` of Stripe's minor units. `currency` in lower or upper case. The inverse of charged_units.

    Raises ValueError for a currency that is not in ISO 4217.
    """
    code = currency.upper()
    if code not in MINOR_UNIT_DIGITS:
        raise ValueError(f"{code} is not a currency of ISO 4217")
    return Money(units * 10 ** MINOR_UNIT_DIGITS[code] // 10 ** _charged_digits(code), code)


def _charged_digits(currency: str) -> int:
    return CHARGED_DIGITS.get(currency, MINOR_UNIT_DIGITS[currency])
