"""Stripe's test cards (docs.stripe.com/testing): the result of setting up and of charging each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Decline:
    """A decline: `code` is Stripe's, `decline_code` the bank's."""

    code: str
    decline_code: str | None
    message: str


GENERIC = Decline("card_declined", "generic_decline", "Your card was declined.")
INSUFFICIENT = Decline("card_declined", "insufficient_funds", "Your card has insufficient funds.")
LOST = Decline("card_declined", "lost_card", "Your card was declined.")
STOLEN = Decline("card_declined", "stolen_card", "Your card was declined.")
EXPIRED = Decline("expired_card", None, "Your card has expired.")
WRONG_CVC = Decline("incorrect_cvc", None, "Your card's security code is incorrect.")
INVALID_MONTH = Decline("invalid_expiry_month", None, "Your card's expiration month is invalid.")
UNKNOWN_NUMBER = Decline("incorrect_number", None, "Your card number is incorrect.")


@dataclass(frozen=True, slots=True)
class TestCard:
    """A test card. `setup` and `charge` are its declines, None where it succeeds.

    With `asks_at_setup` and `asks_always` the bank asks for its customer's consent. With `refunds_take_days` a refund
    is pending first. With `disputed` each charge is disputed.
    """

    number: str
    brand: str = "visa"
    setup: Decline | None = None
    charge: Decline | None = None
    asks_at_setup: bool = False
    asks_always: bool = False
    refunds_take_days: bool = False
    disputed: bool = False

    __test__ = False  # the name makes pytest take it for a test


CARDS = {
    card.number: card
    for card in (
        TestCard("4242424242424242"),
        TestCard("5555555555554444", "mastercard"),
        TestCard("378282246310005", "amex"),
        TestCard("4000000000000002", setup=GENERIC, charge=GENERIC),
        TestCard("4000000000009995", setup=INSUFFICIENT, charge=INSUFFICIENT),
        TestCard("4000000000009987", setup=LOST, charge=LOST),
        TestCard("4000000000009979", setup=STOLEN, charge=STOLEN),
        TestCard("4000000000000069", setup=EXPIRED, charge=EXPIRED),
        TestCard("4000000000000127", setup=WRONG_CVC, charge=WRONG_CVC),
        # Can be set up, and is declined at each charge.
        TestCard("4000000000000341", charge=GENERIC),
        # The bank asks once, when the card is set up.
        TestCard("4000002500003155", asks_at_setup=True),
        # The bank asks at every charge: off-session charges are declined.
        TestCard("4000002760003184", asks_at_setup=True, asks_always=True),
        # A refund is pending, then succeeds or fails (docs.stripe.com/testing#refunds).
        TestCard("4000000000007726", refunds_take_days=True),
        # A refund has succeeded and fails later. The switch /_test/refunds/{id}/settle settles both.
        TestCard("4000000000005126"),
        # Each charge is disputed (docs.stripe.com/testing#disputes).
        TestCard("4000000000000259", disputed=True),
    )
}

TOKENS = {
    "pm_card_visa": "4242424242424242",
    "pm_card_mastercard": "5555555555554444",
    "pm_card_amex": "378282246310005",
    "pm_card_chargeDeclined": "4000000000000002",
    "pm_card_chargeDeclinedInsufficientFunds": "4000000000009995",
    "pm_card_chargeCustomerFail": "4000000000000341",
    "pm_card_authenticationRequiredOnSetup": "4000002500003155",
    "pm_card_authenticationRequired": "4000002760003184",
    "pm_card_pendingRefund": "4000000000007726",
    "pm_card_refundFail": "4000000000005126",
    "pm_card_createDispute": "4000000000000259",
}
"""Stripe's names of test cards, usable without the number."""
