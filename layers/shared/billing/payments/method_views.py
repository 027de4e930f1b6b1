"""The visible part of a payment method in responses."""

from __future__ import annotations

from billing.platform.http.models import View


class CardView(View):
    """What may be shown of a card."""

    brand: str
    last_four: str
    expiry_month: int
    expiry_year: int


class DebitView(View):
    """What may be shown of a bank account that is debited. `mandate` is the reference of the SEPA mandate, `creditor`
    the creditor identifier; null where Stripe did not say."""

    country: str
    last_four: str
    mandate: str | None
    creditor: str | None
