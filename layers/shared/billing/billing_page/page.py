"""The billing page: an account with its subscription, billing information, payment method and newest invoices."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from billing.accounts.appointments import Appointment
from billing.accounts.information import BillingInformation
from billing.accounts.rules import Account
from billing.invoicing.invoices import Invoice
from billing.invoicing.periods import PaidPeriod
from billing.invoicing.settings import UnconfirmedVatNumber
from billing.invoicing.to_come import InvoicingState, due_of, next_invoice
from billing.invoicing.vat_numbers.rules import VatNumberCheck
from billing.invoicing.vat_territories import Address
from billing.kernel.money import Money
from billing.payments.methods import PaymentMethod
from billing.subscriptions.rules import Subscription
from billing.subscriptions.subscriber import Subscriber


@dataclass(frozen=True, slots=True)
class NextCharge:
    """The next invoice of an account: its day and its amounts, before credit."""

    on: date
    net: Money
    tax: Money
    total: Money


@dataclass(frozen=True, slots=True)
class BillingPage:
    """The content of an account's billing page. `invoices` are the newest ones, newest first.

    `period` is the running paid period as stored, `vat_check` the last check of a VAT number, `appointment` the newest
    appointment of an admin by staff. Each can be None.
    """

    account: Account
    subscription: Subscription
    information: BillingInformation
    payment_method: PaymentMethod | None
    invoices: tuple[Invoice, ...]
    period: PaidPeriod | None = None
    vat_check: VatNumberCheck | None = None
    appointment: Appointment | None = None

    def next_charge(self, today: date, seller: Address, policy: UnconfirmedVatNumber | None) -> NextCharge | None:
        """Returns the next charge as it would be today, None if none is to come.

        `policy` is what the deployment does about unconfirmed VAT numbers, None where it does not check them.
        """
        subscriber = Subscriber(self.account, self.subscription)
        due = due_of(subscriber, self.period, today)
        company = self.information.company.details
        state = InvoicingState(subscriber, company, due, self.period, 0, seller, self.vat_check, policy)
        following = next_invoice(state, today)
        if following is None:
            return None
        on, draft = following
        return NextCharge(on, draft.net, draft.tax_amount, draft.total)
