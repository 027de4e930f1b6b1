"""How an account pays. Card numbers never reach Livello: this is what a card looks like to its owner."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Method(StrEnum):
    """The ways to pay."""

    CARD = "card"
    SEPA_DEBIT = "sepa_debit"
    BANK_TRANSFER = "bank_transfer"


@dataclass(frozen=True, slots=True)
class Card:
    """What may be shown of a card."""

    brand: str
    last_four: str
    expiry_month: int
    expiry_year: int


@dataclass(frozen=True, slots=True)
class PaymentMethod:
    """The one way in which the account pays; `card` is there exactly if that is by card."""

    method: Method
    card: Card | None

    def __post_init__(self) -> None:
        if (self.card is None) == (self.method is Method.CARD):
            raise ValueError("a card goes with the method card, and only with it")
