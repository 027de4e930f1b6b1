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
from billing.invoicing.to_come import InvoicingState, due_of, invoices_to_come, next_invoice
from billing.invoicing.vat_numbers.rules import VatNumberCheck
from billing.invoicing.vat_territories import Address
from billing.kernel.money import Money
from billing.payments.methods import PaymentMethod
from billing.subscriptions.rules import Subscription
from billing.subscriptions.subscriber import FixedMonths, Subscriber


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
    appointment of an admin by staff. Each can be None. `payment_term_days` is the account's own payment term of bank
    transfers, None for that of the deployment.
    """

    account: Account
    subscription: Subscription
    information: BillingInformation
    payment_method: PaymentMethod | None
    invoices: tuple[Invoice, ...]
    period: PaidPeriod | None = None
    vat_check: VatNumberCheck | None = None
    appointment: Appointment | None = None
    payment_term_days: int | None = None

    @property
    def subscriber(self) -> Subscriber:
        """The account and its subscription, with the months that are fixed."""
        account, period = self.account, self.period
        if period is None:
            fixed = FixedMonths(account.invoiced_from or 0)
        elif period.start == account.contract.start:
            fixed = FixedMonths(period.fixed_through + 1, period.version)
        else:
            fixed = FixedMonths(0, period.version)
        return Subscriber(account, self.subscription, fixed, self.information.billing.details.language)

    def charges_until(
        self, day: date, today: date, seller: Address, policy: UnconfirmedVatNumber | None
    ) -> tuple[NextCharge, ...]:
        """Returns the invoices that are to come for the contract months that begin before `day`, as of today."""
        due = due_of(self.subscriber, self.period, today)
        company = self.information.company.details
        state = InvoicingState(self.subscriber, company, due, self.period, 0, seller, self.vat_check, policy)
        return tuple(
            NextCharge(max(today, each.draft.since), each.draft.net, each.draft.tax_amount, each.draft.total)
            for each in invoices_to_come(state, day)
        )

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
