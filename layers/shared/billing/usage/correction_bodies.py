"""Bodies of corrections of usage, by staff and by the product."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

from billing.kernel import money
from billing.kernel.quantities import QUANTITY_MAX
from billing.platform.http.models import AMOUNT_MAX, Body, Currency, Identifier, IsoDate, Text
from billing.usage.corrections import UsageCorrection
from billing.usage.event_bodies import EventId, quantity_of
from billing.usage.rules import CONVERSIONS_MAX

SignedQuantity = Annotated[
    Decimal,
    BeforeValidator(partial(quantity_of, least=-int(QUANTITY_MAX))),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": -int(QUANTITY_MAX), "maximum": int(QUANTITY_MAX)},
                {"type": "string", "pattern": r"^-?\d{1,10}(\.\d{1,10})?$", "examples": ["-1023.4"]},
            ]
        }
    ),
]
SignedConversions = Annotated[int, Field(strict=True, ge=-CONVERSIONS_MAX, le=CONVERSIONS_MAX)]
SignedAmount = Annotated[int, Field(strict=True, ge=-AMOUNT_MAX, le=AMOUNT_MAX)]


class RevenueCorrectionBody(Body):
    """What is added to the worth of the orders, in minor units (ISO 4217); below zero it is taken back."""

    amount: SignedAmount
    currency: Currency


class AccountUsageCorrectionBody(Body):
    """A correction of an account's usage. `id` is the caller's: the same id and content again change nothing.

    `quantity` is added to what was counted on `day`, a day in the account's time zone; below zero it is taken back. So
    are `conversions` and `revenue`. No figure may fall below zero. Without `content`, the usage that names none is
    corrected. The customer reads the `reason`.
    """

    id: EventId
    store: Identifier
    product: Identifier
    day: IsoDate
    content: Text | None = None
    quantity: SignedQuantity
    conversions: SignedConversions = 0
    revenue: RevenueCorrectionBody | None = None
    reason: Text

    def correction(self, account: str) -> UsageCorrection:
        revenue = self.revenue
        return UsageCorrection(
            id=self.id,
            account=account,
            product=self.product,
            store=self.store,
            content=self.content,
            day=self.day,
            quantity=self.quantity,
            conversions=self.conversions,
            revenue=None if revenue is None else money.Money(revenue.amount, revenue.currency),
            reason=self.reason,
        )


class UsageCorrectionBody(AccountUsageCorrectionBody):
    """A correction of usage by the product that reported it: for the fields see AccountUsageCorrectionBody."""

    account: Identifier
