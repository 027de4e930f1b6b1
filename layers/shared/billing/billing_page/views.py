"""The API view of the billing page and its sections. Amounts and dates are computed for the day of the request."""

from __future__ import annotations

from datetime import date

from billing.accounts.appointment_views import AppointmentView
from billing.accounts.contract_view import ContractView, interval_on
from billing.accounts.information_views import BillingView, CompanyView, ContactView
from billing.accounts.rules import Account, Status
from billing.billing_page.page import BillingPage, NextCharge
from billing.invoicing.settings import UnconfirmedVatNumber
from billing.invoicing.summary_views import InvoiceView
from billing.invoicing.tax import TaxRule
from billing.invoicing.vat_territories import Address
from billing.payments.method_views import CardView, DebitView
from billing.payments.methods import Method, PaymentMethod
from billing.platform.http.models import MoneyView, View
from billing.subscriptions.views import SubscriptionView


class NextChargeView(View):
    """The next charge, as it would be today: `net` before tax, `total` with tax.

    Credit is not taken off: `GET …/invoices/upcoming` shows `credit` and `due`. With the `tax_rule` `rate_missing` the
    tax is not known yet, and is to be added.
    """

    on: date
    net: MoneyView
    tax: MoneyView
    tax_rule: TaxRule
    total: MoneyView

    @classmethod
    def of(cls, charge: NextCharge) -> NextChargeView:
        return cls(
            on=charge.on,
            net=MoneyView.of(charge.net),
            tax=MoneyView.of(charge.tax),
            tax_rule=charge.taxed.rule,
            total=MoneyView.of(charge.total),
        )


class PaymentView(View):
    """How and what the account pays. `method` is null until one is given; `debit` is there for SEPA debits.

    `next_charge` is null where no charge is to come, as after a cancellation. `amount_per_charge` and `next_charge_on`
    repeat its `net` and `on`, for clients of earlier versions. `payment_term_days` is the account's own payment term of
    bank transfers, null for the one that all accounts have.
    """

    method: Method | None
    card: CardView | None
    debit: DebitView | None
    interval_months: int
    next_charge: NextChargeView | None
    amount_per_charge: MoneyView | None
    next_charge_on: date | None
    payment_term_days: int | None

    @classmethod
    def of(cls, page: BillingPage, today: date, seller: Address, policy: UnconfirmedVatNumber | None) -> PaymentView:
        charge = page.next_charge(today, seller, policy)
        following = None if charge is None else NextChargeView.of(charge)
        method: PaymentMethod | None = page.payment_method
        card, debit = (method.card, method.debit) if method else (None, None)
        return cls(
            method=method.method if method else None,
            card=CardView.model_validate(card, from_attributes=True) if card else None,
            debit=DebitView.model_validate(debit, from_attributes=True) if debit else None,
            interval_months=interval_on(page.account.contract, today),
            next_charge=following,
            amount_per_charge=None if following is None else following.net,
            next_charge_on=None if following is None else following.on,
            payment_term_days=page.payment_term_days,
        )


class EndsView(View):
    """`active_until` is the first day that a cancelled account is not served; on `purge_on` everything is deleted."""

    active_until: date
    purge_on: date


class InformationView(View):
    """Who is invoiced, where invoices go, whom to talk to."""

    company: CompanyView
    billing: BillingView
    contact: ContactView


class StoreView(View):
    store: str
    name: str


class BillingPageView(View):
    """The four sections of the billing page, under the account that they belong to.

    `ends` is null unless the account is cancelled. `appointment` is the open appointment of an admin by staff, for
    admins and staff; null for members and where none is open.
    """

    account: str
    name: str
    status: Status
    ends: EndsView | None
    contract: ContractView
    stores: list[StoreView]
    subscription: SubscriptionView
    invoices: list[InvoiceView]
    billing_information: InformationView
    payment_details: PaymentView
    appointment: AppointmentView | None

    @classmethod
    def of(
        cls,
        page: BillingPage,
        today: date,
        seller: Address,
        policy: UnconfirmedVatNumber | None,
        *,
        shows_appointment: bool = False,
    ) -> BillingPageView:
        appointment = page.appointment if shows_appointment else None
        account: Account = page.account
        contract = account.contract
        return cls(
            account=account.id,
            name=account.name,
            status=account.status,
            ends=EndsView.model_validate(account.ending, from_attributes=True) if account.ending else None,
            contract=ContractView(
                start=contract.start,
                interval_months=interval_on(contract, today),
                currency=contract.currency,
                time_zone=contract.time_zone,
            ),
            stores=[StoreView(store=each.id, name=each.name) for each in account.stores_open_on(today)],
            subscription=SubscriptionView.of(page.subscription, contract.currency, today, page.subscription_to_come),
            invoices=[InvoiceView.of(invoice) for invoice in page.invoices],
            billing_information=InformationView(
                company=CompanyView.of(page.information.company.details),
                billing=BillingView.of(page.information.billing.details),
                contact=ContactView.of(page.information.contact.details),
            ),
            payment_details=PaymentView.of(page, today, seller, policy),
            appointment=AppointmentView.of(appointment) if appointment and appointment.is_open else None,
        )
