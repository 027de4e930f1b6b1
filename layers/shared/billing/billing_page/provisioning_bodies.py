"""The API request that provisions an account, validated field by field."""

from __future__ import annotations

import hashlib
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from billing.accounts.information_views import BillingBody, CompanyBody, ContactBody
from billing.accounts.rules import STORES_MAX, Store
from billing.accounts.user_views import FirstAdminBody
from billing.billing_page.provision_account import Provisioning
from billing.kernel.contract_calendar import Contract
from billing.kernel.field_codes import FieldCode, Unfit
from billing.payments.methods import TERM_DAYS_MAX
from billing.platform.http.models import (
    Amount,
    Body,
    Currency,
    Identifier,
    IntervalMonths,
    IsoDate,
    NewAccountId,
    Percent,
    Text,
    TimeZone,
    Volume,
)
from billing.subscriptions.rules import Discount, Order

LINES_MAX = 30
DISCOUNTS_MAX = 30

ADDED_LATER = {"invoiced_until", "payment_term_days"}
"""Fields added after the first release. A request without them keeps its digest, so a repetition is recognised."""


class ContractBody(Body):
    """What was signed. `interval_months` is how often is paid, always ahead."""

    start: IsoDate
    interval_months: IntervalMonths
    currency: Currency
    time_zone: TimeZone


class StoreBody(Body):
    """A web shop of the account: a domain or a language."""

    store: Identifier
    name: Text


class LineBody(Body):
    """A product and the monthly volume of its tier, null for the open-ended one."""

    product: Identifier
    up_to: Volume | None


class DiscountBody(Body):
    """Less to pay, on one product or (null) on the whole: exactly one of `percent` and `amount`."""

    product: Identifier | None
    percent: Percent | None = None
    amount: Annotated[Amount, Field(gt=0, description="Minor units per month.")] | None = None
    valid_from: IsoDate = Field(alias="from")
    valid_until: IsoDate | None = Field(alias="until", default=None, description="The first day without it.")
    reason: Text

    @model_validator(mode="after")
    def _one_kind_and_a_period(self) -> DiscountBody:
        if (self.percent is None) == (self.amount is None):
            raise Unfit("exactly one of percent and amount must be given", FieldCode.NOT_TOGETHER)
        if self.valid_until is not None and self.valid_until <= self.valid_from:
            raise Unfit("until must be after from", FieldCode.TOO_EARLY, above=self.valid_from)
        return self

    def value(self) -> Discount:
        return Discount(
            product=self.product,
            percent=self.percent,
            amount=self.amount,
            valid_from=self.valid_from,
            valid_until=self.valid_until,
            reason=self.reason,
        )


class AccountBody(Body):
    """A whole account. `account` is its id for ever; the same request again finds what it made.

    An id that begins with that of a test clock and a dot, such as `q1.nordlys`, is on that clock.
    """

    account: NewAccountId
    name: Text
    contract: ContractBody
    company: CompanyBody
    billing: BillingBody
    contact: ContactBody
    stores: Annotated[tuple[StoreBody, ...], Field(min_length=1, max_length=STORES_MAX)]
    lines: Annotated[tuple[LineBody, ...], Field(min_length=1, max_length=LINES_MAX)]
    discounts: Annotated[tuple[DiscountBody, ...], Field(max_length=DISCOUNTS_MAX)] = ()
    first_admin: FirstAdminBody
    invoiced_until: IsoDate | None = Field(
        default=None,
        description="The renewal until which everything is invoiced already, elsewhere. Without it invoices begin with "
        "the contract's start. Required where the start lies a paid period or more back.",
    )
    payment_term_days: Annotated[int, Field(strict=True, ge=0, le=TERM_DAYS_MAX)] | None = Field(
        default=None, description="In how many days a bank transfer is due. Without it as in all accounts."
    )

    @field_validator("stores")
    @classmethod
    def _stores_differ(cls, stores: tuple[StoreBody, ...]) -> tuple[StoreBody, ...]:
        if len({each.store for each in stores}) < len(stores):
            raise Unfit("a store is listed twice", FieldCode.DUPLICATE)
        return stores

    def _as_sent(self) -> str:
        """The request as JSON. A field of ADDED_LATER is in it only if it was sent."""
        return self.model_dump_json(exclude=ADDED_LATER - self.model_fields_set)

    def value(self) -> Provisioning:
        return Provisioning(
            account=self.account,
            name=self.name,
            contract=Contract(
                start=self.contract.start,
                interval_months=self.contract.interval_months,
                currency=self.contract.currency,
                time_zone=self.contract.time_zone,
            ),
            company=self.company.details(),
            billing=self.billing.details(),
            contact=self.contact.details(),
            stores=tuple(Store(each.store, each.name) for each in self.stores),
            orders=tuple(Order(each.product, each.up_to) for each in self.lines),
            discounts=tuple(each.value() for each in self.discounts),
            admin_email=self.first_admin.email,
            admin_name=self.first_admin.name,
            invoiced_until=self.invoiced_until,
            payment_term_days=self.payment_term_days,
            digest=hashlib.sha256(self._as_sent().encode()).hexdigest(),
        )
