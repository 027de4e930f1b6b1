"""Reactivations in the table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from billing.accounts.mapping import contract_body, contract_from
from billing.accounts.records import account_item
from billing.accounts.rules import Account
from billing.ending.cancellation.records import ending_due
from billing.ending.due import next_notice
from billing.ending.reactivation.rules import Reactivation, ReactivationState
from billing.invoicing.mapping import invoice_from
from billing.invoicing.numbering import NextNumber
from billing.invoicing.periods import FixedMonth
from billing.invoicing.records import (
    BillingContext,
    InvoiceStore,
    WholeInvoice,
    set_reconciliation_due,
    set_renewal_due,
    write_credit,
    write_evidence,
    write_invoice,
    write_period,
)
from billing.kernel.events import Event
from billing.kernel.schedules import Job
from billing.payments.methods import PaymentFailure
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.bodies import parsed, text
from billing.platform.dynamodb.item import Item
from billing.subscriptions.mapping import subscription_body, subscription_from


class ReactivationStore(InvoiceStore):
    """The reactivations in the one table. A completed one also writes its invoice."""

    def reactivation(self, account: str) -> Reactivation | None:
        """The pending or failed reactivation of an account, None if there is none. One read."""
        key = (keys.account(account), keys.REACTIVATION)
        row = self._reads.get_all([key]).get(key)
        return None if row is None else _reactivation_from(row.body, row.version)

    def request(self, context: BillingContext, reactivation: Reactivation, event: Event) -> None:
        """Saves a pending reactivation, which is itself due for collection at once, and the event.

        Raises ConcurrentChange if the account has changed, or its credit, which the first invoice counts on. One
        transaction.
        """
        account = replace(context.subscriber.account, reactivation=reactivation.id)
        with self._transaction() as write:
            write.replace(account_item(account), account.version)
            write.check(keys.account(account.id), keys.BALANCE, context.credit_version)
            write.replace(_item(reactivation), reactivation.version)
            write.record(event)

    def save(self, reactivation: Reactivation) -> Reactivation:
        """Saves the progress of a pending reactivation. Raises ConcurrentChange. One transaction."""
        with self._transaction() as write:
            write.require_account(reactivation.invoice.account)
            write.replace(_item(reactivation), reactivation.version)
        return replace(reactivation, version=reactivation.version + 1)

    def fail(self, account: Account, reactivation: Reactivation, event: Event) -> None:
        """Saves a failed reactivation and its event. The account stays deactivated. Raises ConcurrentChange.

        One transaction.
        """
        with self._transaction() as write:
            write.replace(account_item(replace(account, reactivation=None)), account.version)
            write.replace(_item(reactivation), reactivation.version)
            write.record(event)

    def complete(
        self,
        context: BillingContext,
        reactivation: Reactivation,
        whole: WholeInvoice | None,
        number: NextNumber | None,
        first: FixedMonth,
        credit: int,
        events: Sequence[Event],
    ) -> None:
        """Saves the active account on its new contract, its subscription, its first invoice and the events.

        `first` is the fixed first month of the new contract. `whole` and its `number` are None where the total is
        zero. Raises NumberTaken, or ConcurrentChange if the account, its subscription or its credit has changed. One
        transaction: an account is active if and only if its first month is invoiced.
        """
        account, contract = context.subscriber.account, reactivation.contract
        partition = keys.account(account.id)
        active = account.reactivated(contract, *context.subscriber.subscription.remembered)
        subscription = Item(partition, keys.PAGE_SUBSCRIPTION, subscription_body(reactivation.subscription))
        numbered = (
            self._numbered(number, whole.invoice) if whole is not None and number is not None else self._transaction()
        )
        with numbered as write:
            write.replace(account_item(active), account.version)
            write.replace(subscription, context.subscriber.subscription.version)
            set_renewal_due(write, context, first.following, contract)
            set_reconciliation_due(write, context, first.since)
            write_period(write, active, first.period, first.closed)
            if whole is not None:
                write_invoice(write, active, whole.record)
                write_evidence(write, context, whole.invoice)
            ending_due(write, active, next_notice(contract, contract.start))
            write.delete(partition, keys.CANCELLATION)
            write.delete(partition, keys.REACTIVATION)
            for event in events:
                write.record(event)
            write_credit(write, context, credit)


def _item(reactivation: Reactivation) -> Item:
    body = {
        "reactivation": reactivation.id,
        "requested_at": reactivation.requested_at,
        "requested_by": reactivation.requested_by,
        "state": reactivation.state,
        "contract": contract_body(reactivation.contract),
        "subscription": subscription_body(reactivation.subscription),
        "invoice": reactivation.invoice,
        "payment": reactivation.payment_intent_id,
        "failure": reactivation.failure,
    }
    account = reactivation.invoice.account
    at = keys.instant(reactivation.requested_at) if reactivation.state is ReactivationState.PENDING else None
    return Item(
        keys.account(account),
        keys.REACTIVATION,
        text(body),
        index=None if at is None else (keys.shard_of(Job.COLLECTION, account), at),
    )


def _reactivation_from(stored: str, version: int) -> Reactivation:
    body = parsed(stored)
    return Reactivation(
        id=body["reactivation"],
        requested_at=datetime.fromisoformat(body["requested_at"]),
        requested_by=body["requested_by"],
        state=ReactivationState(body["state"]),
        contract=contract_from(body["contract"]),
        subscription=subscription_from(body["subscription"]),
        invoice=invoice_from(body["invoice"]),
        payment_intent_id=body["payment"],
        failure=None if body["failure"] is None else PaymentFailure(body["failure"]),
        version=version,
    )
