"""Amounts of money: whole minor units of one currency, never a float, rounded in one place.

There are two rules. What is owed is rounded half to even, so that many lines are too high as often as too low. Tax is
rounded half away from zero, as customers' systems and tax offices do: they compute it anew from the net amount, and a
cent's difference is a rejected invoice.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal

from billing.kernel.currencies import CHARGED_DIGITS, CHARGED_STEP, MINOR_UNIT_DIGITS


@dataclass(frozen=True, slots=True)
class Money:
    """`amount` minor units of `currency` (ISO 4217): 12900 EUR is 129.00 euros, 12900 JPY is 12,900 yen.

    Raises ValueError for a currency that ISO 4217 does not know.
    """

    amount: int
    currency: str

    def __post_init__(self) -> None:
        if self.currency not in MINOR_UNIT_DIGITS:
            raise ValueError(f"{self.currency} is not a currency of ISO 4217")


def rounded(amount: Decimal) -> int:
    """What is owed in whole minor units, half to even (DESIGN 3.3)."""
    return int(amount.quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


def rounded_tax(amount: Decimal) -> int:
    """Tax in whole minor units, half away from zero: 312.5 is 313 and -312.5 is -313.

    The sign does not matter, so that a credit note takes back the tax that was charged.
    """
    return int(amount.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def decimal_text(money: Money) -> str:
    """An amount with the decimals of its currency, such as 129.00, for what is read by machines."""
    digits = MINOR_UNIT_DIGITS[money.currency]
    sign, text = "-" if money.amount < 0 else "", f"{abs(money.amount):0{digits + 1}}"
    return f"{sign}{text[:-digits]}.{text[-digits:]}" if digits else f"{sign}{text}"


def charged_units(money: Money) -> int:
    """An amount in the minor units that Stripe counts in, rounded down to what can be charged. See charged_money.

    Rounded down, and never up: nobody is charged more than they owe, and refunds of parts never exceed the whole.
    It matters to three decimals (5.124 KWD is 5120) and to MGA, whose fifths nobody can be charged.
    """
    digits, charged = MINOR_UNIT_DIGITS[money.currency], _charged_digits(money.currency)
    units = money.amount * int(10**charged) // int(10**digits)
    return units - units % CHARGED_STEP.get(money.currency, 1)


def charged_money(units: int, currency: str) -> Money:
    """The amount that Stripe means by so many of its minor units. `currency` in any case. The inverse of charged_units.

    Raises ValueError for a currency that ISO 4217 does not know.
    """
    code = currency.upper()
    if code not in MINOR_UNIT_DIGITS:
        raise ValueError(f"{code} is not a currency of ISO 4217")
    return Money(units * 10 ** MINOR_UNIT_DIGITS[code] // 10 ** _charged_digits(code), code)


def _charged_digits(currency: str) -> int:
    return CHARGED_DIGITS.get(currency, MINOR_UNIT_DIGITS[currency])
