"""Requests and responses of the routes of one-off charges and goodwill."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from aws_lambda_powertools.event_handler.openapi.params import Path
from pydantic import Field

from billing.invoicing.administer_one_offs import NewOneOff, OneOffChange
from billing.invoicing.one_offs import QUANTITY_MAX, Mark, OneOff, OneOffKind
from billing.invoicing.views import PreviewView
from billing.kernel.money import Money
from billing.platform.http.models import (
    IDENTIFIER_LENGTH_MAX,
    IDENTIFIER_PATTERN,
    Amount,
    Body,
    Currency,
    Language,
    MoneyView,
    Text,
    View,
)

OneOffId = Annotated[str, Path(pattern=f"^{IDENTIFIER_PATTERN}$", min_length=2, max_length=IDENTIFIER_LENGTH_MAX)]
"""The id of a one-off in a path, new or known."""


class OneOffBody(Body):
    """A one-off charge, or a goodwill that reduces the next invoices before tax.

    `amount` is that of one piece, before tax, in minor units; it is above zero for a goodwill too. `invoice` says which
    invoice has a charge: the next one, or one of its own at once.
    """

    kind: Literal["charge", "goodwill"] = "charge"
    description: Annotated[Text, Field(description="What the invoice calls it.")]
    translations: dict[Language, Text] = Field(
        default_factory=dict, description="The description by language, for accounts that are written to in it."
    )
    amount: Annotated[Amount, Field(gt=0, description="Minor units of one piece, before tax.")]
    currency: Currency
    quantity: Annotated[int, Field(strict=True, ge=1, le=QUANTITY_MAX)] = 1
    invoice: Literal["next", "at_once"] = "next"
    reason: Text

    def value(self, identity: str) -> NewOneOff:
        return NewOneOff(
            id=identity,
            kind=OneOffKind(self.kind),
            description=self.description,
            translations=tuple(sorted(self.translations.items())),
            price=Money(self.amount, self.currency),
            quantity=self.quantity,
            is_at_once=self.invoice == "at_once",
            reason=self.reason,
        )


class OneOffUseView(View):
    """What an invoice has of a one-off, before tax. `number` is null where the invoice came to zero: it was not issued.

    `on` is the invoice's day.
    """

    number: str | None
    amount: MoneyView
    on: date


class OneOffView(View):
    """A one-off charge or a goodwill: `quantity` pieces at `price`, which come to `amount`, before tax.

    `left` is what no invoice has yet. A goodwill may be taken off several invoices.
    """

    one_off: str
    kind: OneOffKind
    description: str
    translations: dict[str, str]
    price: MoneyView
    quantity: int
    amount: MoneyView
    invoice: Literal["next", "at_once"]
    reason: str
    added_on: date
    mark: Mark
    left: MoneyView
    uses: list[OneOffUseView]

    @classmethod
    def of(cls, one_off: OneOff) -> OneOffView:
        currency = one_off.price.currency
        return cls(
            one_off=one_off.id,
            kind=one_off.kind,
            description=one_off.description,
            translations=dict(one_off.translations),
            price=MoneyView.of(one_off.price),
            quantity=one_off.quantity,
            amount=MoneyView(amount=one_off.net, currency=currency),
            invoice="at_once" if one_off.is_at_once else "next",
            reason=one_off.reason,
            added_on=one_off.added_on,
            mark=one_off.mark,
            left=MoneyView(amount=one_off.left, currency=currency),
            uses=[
                OneOffUseView(number=each.number, amount=MoneyView(amount=each.amount, currency=currency), on=each.on)
                for each in one_off.uses
            ],
        )


class OneOffsView(View):
    """The one-offs of an account: the `open` ones, the oldest first, and a page of the `closed` ones, by their ids.

    `next_cursor` leads to the closed ones that follow, null at the end.
    """

    open: list[OneOffView]
    closed: list[OneOffView]
    next_cursor: str | None


class OneOffFollowsView(View):
    """What becomes of the money: the invoices to come up to the last one that has the one-off.

    `invoices_without` are the same as they would have been without the change. One with a total of zero is not issued.
    `goodwill_lapses` is what is left of all goodwill, before tax, after the last invoice of a cancelled account.
    """

    invoices: list[PreviewView]
    invoices_without: list[PreviewView]
    goodwill_lapses: MoneyView


class OneOffChangeView(View):
    """A one-off after a change, and what follows from it."""

    one_off: OneOffView
    follows: OneOffFollowsView

    @classmethod
    def of(cls, change: OneOffChange, language: str) -> OneOffChangeView:
        return cls(
            one_off=OneOffView.of(change.one_off),
            follows=OneOffFollowsView(
                invoices=[PreviewView.of(*each, language) for each in change.invoices],
                invoices_without=[PreviewView.of(*each, language) for each in change.without],
                goodwill_lapses=MoneyView.of(change.lapses),
            ),
        )
