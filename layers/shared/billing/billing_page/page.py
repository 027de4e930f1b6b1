"""The billing page: an account with its subscription, billing information, payment method and newest invoices."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from billing.accounts.appointments import Appointment
from billing.accounts.information import BillingInformation
from billing.accounts.rules import Account
from billing.accounts.terms import TermChange
from billing.invoicing.exemptions.rules import NO_EXEMPTIONS, Exemptions
from billing.invoicing.invoices import Invoice
from billing.invoicing.one_offs import NO_ONE_OFFS, OneOffs
from billing.invoicing.periods import PaidPeriod
from billing.invoicing.settings import UnconfirmedVatNumber
from billing.invoicing.tax import Tax
from billing.invoicing.to_come import InvoicingState, due_of, invoices_to_come, next_invoice
from billing.invoicing.vat_numbers.rules import VatNumberCheck
from billing.invoicing.vat_territories import Address
from billing.kernel.money import Money
from billing.payments.methods import PaymentMethod
from billing.subscriptions.currency_changes import as_agreed
from billing.subscriptions.rules import Subscription
from billing.subscriptions.subscriber import FixedMonths, Subscriber


@dataclass(frozen=True, slots=True)
class NextCharge:
    """The next invoice of an account: its day and its amounts, before credit, and the rule and rate of its tax."""

    on: date
    net: Money
    tax: Money
    total: Money
    taxed: Tax


@dataclass(frozen=True, slots=True)
class BillingPage:
    """The content of an account's billing page. `invoices` are the newest ones, newest first.

    `period` is the running paid period as stored, `vat_check` the last check of a VAT number, `appointment` the newest
    appointment of an admin by staff, `term` the newest change of the contract's term. Each can be None. `exemptions`
    are those from tax, `one_offs` the charges and the goodwill that are open.
    `payment_term_days` is the account's own payment term of bank transfers, None for that of the deployment. `credit`
    is the credit balance, in minor units, where another currency is to come, which it may keep from beginning; else 0.
    """

    account: Account
    subscription: Subscription
    information: BillingInformation
    payment_method: PaymentMethod | None
    invoices: tuple[Invoice, ...]
    period: PaidPeriod | None = None
    vat_check: VatNumberCheck | None = None
    appointment: Appointment | None = None
    term: TermChange | None = None
    exemptions: Exemptions = NO_EXEMPTIONS
    one_offs: OneOffs = NO_ONE_OFFS
    payment_term_days: int | None = None
    credit: int = 0

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

    @property
    def subscription_to_come(self) -> Subscription:
        """The subscription with the prices of another currency that is agreed, from its day on; as it is without."""
        return (as_agreed(self.subscriber, self.term) or self.subscriber).subscription

    def charges_until(
        self, day: date, today: date, seller: Address, policy: UnconfirmedVatNumber | None
    ) -> tuple[NextCharge, ...]:
        """Returns the invoices that are to come for the contract months that begin before `day`, as of today."""
        state = self._state(self.subscriber, today, seller, policy)
        return tuple(
            NextCharge(
                max(today, each.draft.since),
                each.draft.net,
                each.draft.tax_amount,
                each.draft.total,
                each.draft.tax,
            )
            for each in invoices_to_come(state, day)
        )

    def next_charge(self, today: date, seller: Address, policy: UnconfirmedVatNumber | None) -> NextCharge | None:
        """Returns the next charge as it would be today, None if none is to come.

        `policy` is what the deployment does about unconfirmed VAT numbers, None where it does not check them.
        """
        state = self._state(Subscriber(self.account, self.subscription), today, seller, policy)
        following = next_invoice(state, today)
        if following is None:
            return None
        on, draft = following
        return NextCharge(on, draft.net, draft.tax_amount, draft.total, draft.tax)

    def _state(
        self, subscriber: Subscriber, today: date, seller: Address, policy: UnconfirmedVatNumber | None
    ) -> InvoicingState:
        """What decides the next invoices. They are shown before credit."""
        company, due = self.information.company.details, due_of(subscriber, self.period, today)
        return InvoicingState(
            subscriber,
            company,
            due,
            self.period,
            self.credit,
            seller,
            self.vat_check,
            policy,
            self.exemptions,
            self.one_offs.open,
            as_agreed(subscriber, self.term),
        )
