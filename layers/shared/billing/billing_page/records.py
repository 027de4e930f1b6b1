"""Reads the billing page of several areas in one query, and provisions an account in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from billing.accounts.appointment_mapping import appointment_from
from billing.accounts.information import Area
from billing.accounts.log_in_records import stay
from billing.accounts.page_rows import details_of, page_rows
from billing.accounts.records import account_item, information_item, set_vat_number_due, user_item
from billing.accounts.rules import Account, User
from billing.accounts.term_mapping import term_from, term_item
from billing.accounts.terms import TermChange
from billing.accounts.vat_number_due import VatNumberDue
from billing.billing_page.page import BillingPage
from billing.ending.cancellation.records import ending_due
from billing.ending.due import EndingDue, first_notice
from billing.ending.due_mapping import stage_body
from billing.invoicing.balance_mapping import credit_from
from billing.invoicing.due import InvoicingDue, invoicing_due_at
from billing.invoicing.due_mapping import day_body, invoicing_due_body
from billing.invoicing.exemptions.mapping import exemptions_of
from billing.invoicing.exemptions.records import exemptions_item
from billing.invoicing.exemptions.rules import Exemptions
from billing.invoicing.one_off_mapping import one_offs_of
from billing.invoicing.period_mapping import period_of
from billing.invoicing.summary_mapping import invoice_from
from billing.invoicing.vat_numbers.mapping import check_from
from billing.kernel.events import Event
from billing.kernel.schedules import Job, start_of
from billing.kernel.test_clocks import Clock
from billing.payments.mapping import payment_term_from, shown_payment_method_from
from billing.payments.methods import PaymentProfile
from billing.payments.records import profile_item
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.item import Item
from billing.platform.test_clocks.records import hold_clock
from billing.scaling.due import AutoscalingDue, due_at
from billing.scaling.due_mapping import due_body
from billing.subscriptions.mapping import subscription_body, subscription_from
from billing.subscriptions.records import SubscriptionStore
from billing.subscriptions.rules import Subscription

PAGE_INVOICES = 12
"""How many invoices the billing page shows."""


class BillingPageStore(SubscriptionStore):
    """Billing pages in the table."""

    def billing_page(self, account: str, *, invoices: int = PAGE_INVOICES, consistent: bool = False) -> BillingPage:
        """Returns the billing page with its newest invoices. Raises AccountNotFound. One query, and one
        get where another currency is to come.

        An eventually consistent read may miss the last moment's changes; `consistent` costs twice the read units.
        """
        page, newest = page_rows(self._reads, account, invoices=invoices, consistent=consistent)
        details, subscription = details_of(page), page[keys.PAGE_SUBSCRIPTION]
        method, check = page.get(keys.PAGE_PAYMENT_METHOD), page.get(keys.PAGE_VAT_CHECK)
        term = term_from(page.get(keys.PAGE_TERM))
        is_to_change = term is not None and term.awaits(details.account.contract)
        return BillingPage(
            account=details.account,
            subscription=subscription_from(
                subscription.body, subscription.version, details.information.billing.details.language
            ),
            information=details.information,
            payment_method=None if method is None else shown_payment_method_from(method.body),
            invoices=tuple(invoice_from(row.body) for row in newest),
            period=period_of(page.get(keys.PAGE_PERIOD)),
            appointment=appointment_from(page.get(keys.PAGE_APPOINTMENT)),
            term=term,
            vat_check=None if check is None else check_from(check.body, check.version),
            exemptions=exemptions_of(page.get(keys.PAGE_TAX_EXEMPTIONS)),
            one_offs=one_offs_of(page.get(keys.PAGE_ONE_OFFS)),
            payment_term_days=None if method is None else payment_term_from(method.body),
            credit=credit_from(self._reads.get(keys.account(account), keys.BALANCE)) if is_to_change else 0,
        )

    def change_subscription(
        self, page: BillingPage, changed: Subscription, event: Event, term: TermChange | None = None
    ) -> None:
        """Replaces the subscription of a page, and records the event. One transaction. `term` is the change of the term
        with the prices of a new product; None where it stays as it is.

        Raises ConcurrentChange when the account, its subscription or its running paid period has changed since the page
        was read: what a month costs must not change while it is fixed.
        """
        partition = keys.account(page.account.id)
        with self._transaction() as write:
            write.check(partition, keys.PAGE_ACCOUNT, page.account.version)
            item = Item(partition, keys.PAGE_SUBSCRIPTION, subscription_body(changed))
            write.replace(item, page.subscription.version)
            write.check(partition, keys.PAGE_PERIOD, page.subscriber.fixed.version)
            if term is not None:
                write.replace(term_item(page.account.id, term, page.account.contract), term.version)
            write.record(event)

    def change_exemptions(self, page: BillingPage, changed: Exemptions, event: Event) -> None:
        """Replaces the exemptions of a page from tax, and records the event. One transaction.

        Raises ConcurrentChange when the account, the exemptions or the running paid period has changed since the page
        was read. The account gets its next version, so an invoice that is issued meanwhile by the old exemptions fails.
        """
        account = page.account
        with self._transaction() as write:
            write.replace(account_item(account), account.version)
            write.replace(exemptions_item(account, changed), page.exemptions.version)
            write.check(keys.account(account.id), keys.PAGE_PERIOD, page.subscriber.fixed.version)
            write.record(event)

    def change_term(
        self, page: BillingPage, account: Account, change: TermChange, events: Sequence[Event], today: date
    ) -> None:
        """Saves a change of the term, the account with its contract after it, and records the events.

        The renewal notice follows the contract. The account gets its next version where the contract changes, now or on
        its day: so a renewal that is invoiced meanwhile without the change fails. Raises ConcurrentChange when the
        account, its subscription, its running paid period or the change is not as it was when the page was read. One
        transaction.
        """
        partition = keys.account(account.id)
        with self._transaction() as write:
            if account.contract == page.account.contract and change.into is None:
                write.check(partition, keys.PAGE_ACCOUNT, page.account.version)
            else:
                write.replace(account_item(account), page.account.version)
            has_to_follow = page.term is not None and page.term.follow_at is not None  # the change that this replaces
            if account.contract != page.account.contract or has_to_follow:
                ending_due(write, account, first_notice(account.contract, today))
            write.check(partition, keys.PAGE_SUBSCRIPTION, page.subscription.version)
            write.check(partition, keys.PAGE_PERIOD, page.subscriber.fixed.version)
            write.replace(term_item(account.id, change, account.contract), change.version)
            for event in events:
                write.record(event)

    def provision(
        self,
        page: BillingPage,
        first_admin: User,
        event: Event,
        autoscaling: AutoscalingDue,
        invoicing: InvoicingDue,
        notice: EndingDue | None = None,
        vat_number: VatNumberDue | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Writes all items of a new account, and records the event. `clock` is the test clock that it is on.

        `autoscaling` and `invoicing` are the first months to decide and to invoice. `notice` is the first reminder of
        the last day to avoid a renewal, `vat_number` when the VAT number is asked about first. Raises ConcurrentChange
        if the id is taken. One transaction.
        """
        account = page.account
        partition = keys.account(account.id)
        items = [
            account_item(account),
            Item(partition, keys.PAGE_SUBSCRIPTION, subscription_body(page.subscription)),
            *(information_item(account.id, area, page.information.area(area).details) for area in Area),
            # From the beginning, so that staff can list the accounts without a payment method.
            profile_item(account.id, PaymentProfile(term_days=page.payment_term_days)),
        ]
        with self._transaction() as write:
            # A running deletion of an earlier account with this id would delete the new one as well.
            write.check(partition, keys.PURGE, 0)
            for item in items:
                write.replace(item, 0)
            write.put(user_item(account, first_admin))
            stay(write, first_admin.id)
            write.record(event)
            contract = account.contract
            write.due(account.id, Job.AUTOSCALING, due_at(autoscaling.month, contract), due_body(autoscaling))
            write.due(account.id, Job.RENEWAL, invoicing_due_at(invoicing, contract), invoicing_due_body(invoicing))
            # Nothing has moved yet: the first night compares that the account is due.
            first_night = contract.today(event.time) + timedelta(days=1)
            write.due(account.id, Job.RECONCILIATION, start_of(first_night, contract), day_body(first_night))
            if notice is not None:
                write.due(account.id, Job.ENDING, start_of(notice.on, contract), stage_body(notice))
            if vat_number is not None:
                set_vat_number_due(write, account.id, vat_number)
            if clock is not None:
                hold_clock(write, clock, account.id)
