"""The billing page and its sections, as a customer sees them: every amount and date computed when asked."""

from __future__ import annotations

from datetime import date

from billing.api.information import BillingView, CompanyView, ContactView
from billing.api.models import Money, View
from billing.domain.account import Account
from billing.domain.billing_page import BillingPage
from billing.domain.invoices import Invoice, amount_per_charge
from billing.domain.payment import PaymentMethod
from billing.domain.subscription import (
    Discount,
    Line,
    Subscription,
    TierChange,
    price_after_discounts,
)


class DiscountView(View):
    """An active discount: either `percent`, or `amount` per month. `until` is the first day without it."""

    percent: str | None
    amount: Money | None
    until: date | None
    reason: str

    @classmethod
    def of(cls, discount: Discount, currency: str) -> DiscountView:
        return cls(
            percent=None if discount.percent is None else f"{discount.percent.normalize():f}",
            amount=None if discount.amount is None else Money(amount=discount.amount, currency=currency),
            until=discount.valid_until,
            reason=discount.reason,
        )


class PendingChangeView(View):
    """The tier and price that a product moves to on `effective_on`."""

    up_to: int | None
    price_per_month: Money
    effective_on: date

    @classmethod
    def of(cls, change: TierChange) -> PendingChangeView:
        return cls(up_to=change.up_to, price_per_month=Money.of(change.price), effective_on=change.effective_on)


class LineView(View):
    """One product: `up_to` is the monthly usage volume of its tier, null for open-ended."""

    product: str
    name: str
    unit: str
    up_to: int | None
    price_per_month: Money
    price_per_month_after_discounts: Money
    discounts: list[DiscountView]
    pending_change: PendingChangeView | None

    @classmethod
    def of(cls, line: Line, subscription: Subscription, today: date) -> LineView:
        currency = line.price.currency
        pending = subscription.pending_change(line.product, today)
        return cls(
            product=line.product,
            name=line.name,
            unit=line.unit,
            up_to=line.up_to,
            price_per_month=Money.of(line.price),
            price_per_month_after_discounts=Money.of(price_after_discounts(subscription, line, today)),
            discounts=[DiscountView.of(each, currency) for each in subscription.discounts_on(today, line.product)],
            pending_change=None if pending is None else PendingChangeView.of(pending),
        )


class SubscriptionView(View):
    """What the account pays for. Amounts are before tax; `discounts` are those on the whole."""

    catalogue_version: int
    lines: list[LineView]
    discounts: list[DiscountView]

    @classmethod
    def of(cls, subscription: Subscription, currency: str, today: date) -> SubscriptionView:
        return cls(
            catalogue_version=subscription.catalogue_version,
            lines=[LineView.of(line, subscription, today) for line in subscription.lines_on(today)],
            discounts=[DiscountView.of(each, currency) for each in subscription.discounts_on(today, None)],
        )


class InvoiceView(View):
    """An issued invoice, or with `corrects`, the number of another one, a credit note; `total` includes tax."""

    number: str
    corrects: str | None
    produced_on: date
    due_on: date
    paid_on: date | None
    status: str
    total: Money

    @classmethod
    def of(cls, invoice: Invoice) -> InvoiceView:
        return cls(
            number=invoice.number,
            corrects=invoice.corrects,
            produced_on=invoice.produced_on,
            due_on=invoice.due_on,
            paid_on=invoice.paid_on,
            status=invoice.status,
            total=Money.of(invoice.total),
        )


class InvoicesView(View):
    """Newest first. `next_cursor` leads to the older ones, null where there are none."""

    items: list[InvoiceView]
    next_cursor: str | None


class CardView(View):
    """What may be shown of a card."""

    brand: str
    last_four: str
    expiry_month: int
    expiry_year: int


class DebitView(View):
    """What may be shown of a bank account that is debited."""

    country: str
    last_four: str


class PaymentView(View):
    """How and what the account pays. `method` is null until one is given; `debit` is there for SEPA debits.

    `amount_per_charge` is what `next_charge_on` will cost, before tax.
    """

    method: str | None
    card: CardView | None
    debit: DebitView | None
    interval_months: int
    amount_per_charge: Money
    next_charge_on: date

    @classmethod
    def of(cls, page: BillingPage, today: date) -> PaymentView:
        contract = page.account.contract
        first_month, next_charge_on = contract.next_charge(today)
        amount = amount_per_charge(page.subscription, contract, first_month)
        method: PaymentMethod | None = page.payment_method
        card, debit = (method.card, method.debit) if method else (None, None)
        return cls(
            method=method.method if method else None,
            card=CardView.model_validate(card, from_attributes=True) if card else None,
            debit=DebitView.model_validate(debit, from_attributes=True) if debit else None,
            interval_months=contract.interval_months,
            amount_per_charge=Money.of(amount),
            next_charge_on=next_charge_on,
        )


class InformationView(View):
    """Who is invoiced, where invoices go, whom to talk to."""

    company: CompanyView
    billing: BillingView
    contact: ContactView


class ContractView(View):
    start: date
    interval_months: int
    currency: str
    time_zone: str


class StoreView(View):
    store: str
    name: str


class BillingPageView(View):
    """The four sections of the billing page, under the account that they belong to."""

    account: str
    name: str
    status: str
    contract: ContractView
    stores: list[StoreView]
    subscription: SubscriptionView
    invoices: list[InvoiceView]
    billing_information: InformationView
    payment_details: PaymentView

    @classmethod
    def of(cls, page: BillingPage, today: date) -> BillingPageView:
        account: Account = page.account
        contract = account.contract
        return cls(
            account=account.account,
            name=account.name,
            status=account.status,
            contract=ContractView(
                start=contract.start,
                interval_months=contract.interval_months,
                currency=contract.currency,
                time_zone=contract.time_zone,
            ),
            stores=[StoreView(store=each.store, name=each.name) for each in account.stores],
            subscription=SubscriptionView.of(page.subscription, contract.currency, today),
            invoices=[InvoiceView.of(invoice) for invoice in page.invoices],
            billing_information=InformationView(
                company=CompanyView.of(page.information.company.details),
                billing=BillingView.of(page.information.billing.details),
                contact=ContactView.of(page.information.contact.details),
            ),
            payment_details=PaymentView.of(page, today),
        )
