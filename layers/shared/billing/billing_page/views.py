"""The API view of the billing page and its sections. Amounts and dates are computed for the day of the request."""

from __future__ import annotations

from datetime import date

from billing.accounts.contract_view import ContractView
from billing.accounts.information_views import BillingView, CompanyView, ContactView
from billing.accounts.rules import Account
from billing.billing_page.page import BillingPage
from billing.invoicing.summary_views import InvoiceView
from billing.payments.method_views import CardView, DebitView
from billing.payments.methods import PaymentMethod
from billing.platform.http.models import MoneyView, View
from billing.subscriptions.pricing import amount_per_charge
from billing.subscriptions.views import SubscriptionView


class PaymentView(View):
    """How and what the account pays. `method` is null until one is given; `debit` is there for SEPA debits.

    `amount_per_charge` is what `next_charge_on` will cost, before tax.
    """

    method: str | None
    card: CardView | None
    debit: DebitView | None
    interval_months: int
    amount_per_charge: MoneyView
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
            amount_per_charge=MoneyView.of(amount),
            next_charge_on=next_charge_on,
        )


class InformationView(View):
    """Who is invoiced, where invoices go, whom to talk to."""

    company: CompanyView
    billing: BillingView
    contact: ContactView


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
            account=account.id,
            name=account.name,
            status=account.status,
            contract=ContractView(
                start=contract.start,
                interval_months=contract.interval_months,
                currency=contract.currency,
                time_zone=contract.time_zone,
            ),
            stores=[StoreView(store=each.id, name=each.name) for each in account.stores],
            subscription=SubscriptionView.of(page.subscription, contract.currency, today),
            invoices=[InvoiceView.of(invoice) for invoice in page.invoices],
            billing_information=InformationView(
                company=CompanyView.of(page.information.company.details),
                billing=BillingView.of(page.information.billing.details),
                contact=ContactView.of(page.information.contact.details),
            ),
            payment_details=PaymentView.of(page, today),
        )
