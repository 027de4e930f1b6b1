"""Amounts of money: whole minor units of one currency, never a float, rounded in one place."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from billing.domain.currencies import MINOR_UNIT_DIGITS


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
    """Whole minor units, half to even (DESIGN 3.3). The only place where an amount is rounded."""
    return int(amount.quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


def decimal_text(money: Money) -> str:
    """An amount with the decimals of its currency, such as 129.00, for what is read by machines."""
    digits = MINOR_UNIT_DIGITS[money.currency]
    sign, text = "-" if money.amount < 0 else "", f"{abs(money.amount):0{digits + 1}}"
    return f"{sign}{text[:-digits]}.{text[-digits:]}" if digits else f"{sign}{text}"
