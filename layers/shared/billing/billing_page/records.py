"""The billing page: the one read over several areas; and provisioning, the one write over all of them."""

from __future__ import annotations

from billing.accounts.information import Area
from billing.accounts.mapping import account_body, information_body
from billing.accounts.page_rows import details_of, page_rows
from billing.accounts.records import user_item
from billing.accounts.rules import User
from billing.billing_page.page import BillingPage
from billing.ending.due import EndingDue
from billing.ending.due_mapping import stage_body
from billing.invoicing.due import InvoicingDue, invoicing_due_at
from billing.invoicing.due_mapping import invoicing_due_body
from billing.invoicing.summary_mapping import invoice_from
from billing.kernel.events import Event
from billing.kernel.schedules import Job, start_of
from billing.payments.mapping import shown_payment_method_from
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.item import Item
from billing.platform.dynamodb.table import Table
from billing.scaling.due import AutoscalingDue, due_at
from billing.scaling.due_mapping import due_body
from billing.subscriptions.mapping import subscription_body, subscription_from

PAGE_INVOICES = 12
"""How many of the newest invoices the billing page shows."""


class BillingPageStore(Table):
    """The billing pages in the one table."""

    def billing_page(self, account: str, *, invoices: int = PAGE_INVOICES, consistent: bool = False) -> BillingPage:
        """The whole billing page with its newest invoices. Raises AccountNotFound. One query.

        Lags behind a change by a moment unless it is read `consistent`, at twice the price.
        """
        page, newest = page_rows(self._reads, account, invoices=invoices, consistent=consistent)
        details, subscription = details_of(page), page[keys.PAGE_SUBSCRIPTION]
        payment = page.get(keys.PAGE_PAYMENT_METHOD)
        return BillingPage(
            account=details.account,
            subscription=subscription_from(subscription.body, subscription.version),
            information=details.information,
            payment_method=None if payment is None else shown_payment_method_from(payment.body),
            invoices=tuple(invoice_from(row.body) for row in newest),
        )

    def provision(
        self,
        page: BillingPage,
        first_admin: User,
        event: Event,
        due: AutoscalingDue,
        billing: InvoicingDue,
        notice: EndingDue | None = None,
    ) -> None:
        """Creates an account whole, and records it. `due` is what autoscaling decides first, `billing` what is
        invoiced first, `notice` the first reminder of the last day to avoid a renewal.

        Raises ConcurrentChange if the id is taken. One transaction.
        """
        account = page.account
        partition = keys.account(account.id)
        bodies = {
            keys.PAGE_ACCOUNT: account_body(account),
            keys.PAGE_SUBSCRIPTION: subscription_body(page.subscription),
            **{keys.page_information(area): information_body(page.information.area(area).details) for area in Area},
        }
        with self._transaction() as write:
            # What is still being deleted under this id would take the new account with it.
            write.check(partition, keys.PURGE, 0)
            for key, body in bodies.items():
                write.replace(Item(partition, key, body), 0)
            write.put(user_item(account, first_admin))
            write.record(event)
            contract = account.contract
            write.due(account.id, Job.AUTOSCALING, due_at(due.month, contract), due_body(due))
            write.due(account.id, Job.RENEWAL, invoicing_due_at(billing, contract), invoicing_due_body(billing))
            if notice is not None:
                write.due(account.id, Job.ENDING, start_of(notice.on, contract), stage_body(notice))
