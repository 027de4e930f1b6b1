"""Schemas of the events about the catalogue."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Literal

from billing.platform.events.envelope import AccountEvent, Facts, SharedEvent
from billing.platform.events.facts import InvoiceToComeFacts, LineFacts, MoneyFacts, ProductFacts, TierFacts


class CatalogueFacts(Facts):
    version: int


class DiscountFacts(Facts):
    """A discount from `since` and before `until` (None: without end): a `percent`, or an `amount` per month.

    It is on one product, with its `name`, or on the whole subscription where `product` is None.
    """

    product: str | None
    name: str | None
    percent: Decimal | None
    amount: MoneyFacts | None
    since: date
    until: date | None
    reason: str


class DiscountsFacts(Facts):
    """All discounts that are not over."""

    discounts: list[DiscountFacts]


class ChangeFacts(Facts):
    """What follows from a change of the subscription.

    `invoices` are those to come up to the first renewal on or after `effective_on`, `invoices_without` the same as they
    would have been without the change.
    """

    effective_on: date
    invoices: list[InvoiceToComeFacts]
    invoices_without: list[InvoiceToComeFacts]


class DiscountsChangeFacts(ChangeFacts):
    """All discounts that are not over, after a change."""

    discounts: list[DiscountFacts]


class DiscountsChanged(AccountEvent[Literal["discounts.changed"], DiscountsFacts, DiscountsChangeFacts]):
    """Staff have given an account other discounts, from the next renewal on that is not invoiced."""


class DatedLineFacts(LineFacts):
    """A product that costs something from `begins_on` (None: from the contract's start) and before `ends_on` (None:
    without end)."""

    begins_on: date | None
    ends_on: date | None


class SubscriptionLineFacts(Facts):
    """A product as it was."""

    line: DatedLineFacts


class SubscriptionChangeFacts(ChangeFacts):
    """A product after a change: it was added, has another tier or price, ends, or is kept although it was to end.

    The tier and the price are those from `effective_on` on. `reason` is None where it is kept. `replaces_agreed` is a
    price agreed with the customer that ends with the change, because it belongs to the tier so far.
    """

    replaces_agreed: MoneyFacts | None = None
    change: Literal["added", "tier", "ending", "kept"]
    line: DatedLineFacts
    reason: str | None


class SubscriptionChanged(
    AccountEvent[Literal["subscription.changed"], SubscriptionLineFacts | None, SubscriptionChangeFacts]
):
    """A product of an account was changed by staff; its end may also have been taken back by an admin."""


class RepricedLineFacts(Facts):
    """A product before and after a move to another version of the catalogue, before discounts and tax.

    The price of an `agreed` one stays, because it is agreed with the customer.
    """

    product: ProductFacts
    before: TierFacts
    after: TierFacts
    agreed: bool


class CatalogueVersionFacts(Facts):
    """A move to another `version` of the catalogue, which holds from the renewal `effective_on` on.

    A cancellation up to and including `last_day_to_avoid_it` avoids that renewal. `decision` is the id of the move.
    """

    decision: str
    version: int
    effective_on: date
    last_day_to_avoid_it: date
    lines: list[RepricedLineFacts]


class CatalogueVersionChangeFacts(CatalogueVersionFacts, ChangeFacts):
    """A move to another version of the catalogue, with what becomes of the invoices."""

    reason: str


class CatalogueVersionWithdrawnFacts(ChangeFacts):
    """The `version` of the catalogue that stays, and what becomes of the invoices."""

    version: int


class PostponedFacts(Facts):
    """The day from which the version was to hold."""

    effective_on: date


class CatalogueVersionAnnounced(
    AccountEvent[
        Literal["catalogue_version.announced"], CatalogueVersionFacts | CatalogueFacts, CatalogueVersionChangeFacts
    ]
):
    """Staff move an account to another version of the catalogue, with notice. It holds if its mail goes out in time.

    `before` is the move that it takes the place of, or the version of today.
    """


class CatalogueVersionPostponed(
    AccountEvent[Literal["catalogue_version.postponed"], PostponedFacts, CatalogueVersionFacts]
):
    """The mail about another version of the catalogue could not go out in time, so that it holds from a later day."""


class CatalogueVersionWithdrawn(
    AccountEvent[Literal["catalogue_version.withdrawn"], CatalogueVersionFacts, CatalogueVersionWithdrawnFacts]
):
    """Staff have withdrawn a move to another version of the catalogue before its day."""


class IntervalFacts(Facts):
    """How many months are paid at once. `currency` is None where the term has the same one, as in most events."""

    interval_months: int
    currency: str | None = None


class TermFacts(IntervalFacts):
    """A change of the contract's term from `since` on, a renewal. `interval_before` holds until then, and so does
    `currency_before`; both currencies are None where it stays."""

    term: str
    interval_before: int
    since: date
    reason: str
    currency_before: str | None = None


class TermChangeFacts(TermFacts):
    """`invoices` are those to come up to that renewal, `invoices_without` the same without the change.

    Another currency has the `lines` with their prices before and after it, and the `last_day_to_avoid_it`: a
    cancellation up to and including that day avoids the renewal. None in every other one.
    """

    invoices: list[InvoiceToComeFacts]
    invoices_without: list[InvoiceToComeFacts]
    lines: tuple[RepricedLineFacts, ...] | None = None
    last_day_to_avoid_it: date | None = None


class TermOutcomeFacts(Facts):
    """`is_cancelled` says that the account was cancelled by then: nothing is paid any more from the day on. `left` is
    what was left in the old currency where another one has lapsed because of that."""

    outcome: Literal["taken_back", "replaced", "lapsed"]
    is_cancelled: bool
    left: tuple[
        Literal[
            "cancelled",
            "credit",
            "unpaid-invoice",
            "refund-under-way",
            "disputed-payment",
            "one-off",
            "agreed-price",
            "fixed-discount",
            "payment-method",
            "no-price",
            "catalogue-version",
        ],
        ...,
    ] = ()


class CurrencyFacts(Facts):
    """The currency of a contract."""

    currency: str


class NewCurrencyFacts(TermFacts):
    """A term in another currency that has begun, with the prices of each product before and after it."""

    lines: tuple[RepricedLineFacts, ...]


class ContractCurrencyChanged(AccountEvent[Literal["contract_currency.changed"], CurrencyFacts, NewCurrencyFacts]):
    """The contract is paid in another currency from this renewal on. What was invoiced before stays in the old one."""


class ContractTermProposed(AccountEvent[Literal["contract_term.proposed"], IntervalFacts, TermChangeFacts]):
    """Staff have proposed a longer term, or another currency. It waits for an admin's consent, and lapses when its
    renewal comes."""


class ContractTermAgreed(AccountEvent[Literal["contract_term.agreed"], IntervalFacts, TermChangeFacts]):
    """The contract is paid for other months at once from a renewal on: an admin has agreed, or it is shorter. Another
    currency holds from then on if nothing is left in the old one."""


class ContractTermEnded(AccountEvent[Literal["contract_term.ended"], TermFacts, TermOutcomeFacts]):
    """A change of the term has ended without effect."""


class CatalogueReplaced(SharedEvent[Literal["catalogue.replaced"], CatalogueFacts | None, CatalogueFacts]):
    """There is a new version of the catalogue. Accounts stay on theirs."""
