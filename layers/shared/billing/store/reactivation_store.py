"""How a deactivated account is taken up again. See billing.store.store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from billing.domain.account import Account, Status
from billing.domain.errors import ConcurrentChange
from billing.domain.events import Event
from billing.domain.payment import Failure
from billing.domain.reactivation import Reactivation, ReactivationState
from billing.domain.schedules import BillingDue, Job, next_notice, start_of
from billing.domain.subscription import Subscription
from billing.store import keys, mapping
from billing.store.invoice_mapping import invoice_from
from billing.store.invoice_store import Billed, InvoiceStore, Kept


class ReactivationStore(InvoiceStore):
    """The reactivations in the one table; with each goes an invoice."""

    def reactivation(self, account: str) -> Reactivation | None:
        """The newest one that has not succeeded. One read."""
        key = (keys.account(account), keys.REACTIVATION)
        row = self._get_all([key]).get(key)
        return None if row is None else _reactivation_from(row["body"]["S"], int(row["version"]["N"]))

    def request(self, billed: Billed, reactivation: Reactivation, event: Event) -> None:
        """Keeps a reactivation that is on its way, and that it is to be dealt with at once, and tells it.

        Raises ConcurrentChange when the account is no longer so. One transaction.
        """
        account = replace(billed.subscriber.account, reactivation=reactivation.reactivation)
        today = reactivation.contract.start
        due = today if billed.collect_on is None else min(today, billed.collect_on)
        actions = [self._account(account), self._kept(reactivation), self._collection(billed, due), self._event(event)]
        self._write(actions, ConcurrentChange())

    def keep(self, reactivation: Reactivation) -> Reactivation:
        """Keeps a step of one that is on its way. Raises ConcurrentChange. One transaction."""
        partition = keys.account(reactivation.invoice.account)
        self._write([self._requiring(partition), self._kept(reactivation)], ConcurrentChange())
        return replace(reactivation, version=reactivation.version + 1)

    def fail(self, account: Account, reactivation: Reactivation, event: Event) -> None:
        """Keeps that it has failed: the account stays as it is, and tells it. Raises ConcurrentChange.

        One transaction.
        """
        actions = [
            self._account(replace(account, reactivation=None)),
            self._kept(reactivation),
            self._event(event),
        ]
        self._write(actions, ConcurrentChange())

    def complete(
        self,
        billed: Billed,
        reactivation: Reactivation,
        kept: Kept,
        series: str,
        count: int,
        due: BillingDue,
        credit: int,
        events: Sequence[Event],
    ) -> None:
        """Keeps the account on its new contract, with its first invoice and the number of that, and tells it.

        Raises NumberTaken, or ConcurrentChange when the account, its subscription or its credit is no longer so. One
        transaction: nobody is served without an invoice, and none is issued to somebody who is not.
        """
        account, contract = billed.subscriber.account, reactivation.contract
        partition = keys.account(account.account)
        taken_up = replace(account, status=Status.ACTIVE, contract=contract, ending=None, reactivation=None)
        actions = [
            self._account(taken_up),
            self._subscription(partition, billed.subscriber.subscription.version, reactivation.subscription),
            self._renewal(billed, due, contract),
            self._invoice(kept),
            self._notice(taken_up),
            self._deleting(partition, keys.CANCELLATION),
            self._deleting(partition, keys.REACTIVATION),
            *map(self._event, events),
        ]
        look = kept.payment.next_attempt_on
        if look is not None and (billed.collect_on is None or look < billed.collect_on):
            actions.append(self._collection(billed, look))
        if credit != billed.credit:
            body = mapping.text({"credit": credit})
            actions.append(self._replacing(partition, keys.BALANCE, billed.credit_version, body))
        self._write_numbered(actions, series, kept.invoice.produced_on.year, count)

    # ---- How ----

    def _notice(self, account: Account) -> dict[str, Any]:
        """Nothing of an end is due any more, but the notice of a renewal."""
        notice = next_notice(account.contract, account.contract.start)
        if notice is None:
            return self._deleting(keys.account(account.account), keys.due(Job.ENDING))
        at = start_of(notice.on, account.contract)
        return {"Put": self._due_item(account.account, Job.ENDING, at, mapping.text(notice))}

    def _account(self, account: Account) -> dict[str, Any]:
        body = mapping.account_body(account)
        return self._replacing(keys.account(account.account), keys.PAGE_ACCOUNT, account.version, body)

    def _subscription(self, partition: str, version: int, subscription: Subscription) -> dict[str, Any]:
        return self._replacing(partition, keys.PAGE_SUBSCRIPTION, version, mapping.subscription_body(subscription))

    def _kept(self, reactivation: Reactivation) -> dict[str, Any]:
        body = {
            "reactivation": reactivation.reactivation,
            "requested_at": reactivation.requested_at,
            "requested_by": reactivation.requested_by,
            "state": reactivation.state,
            "contract": reactivation.contract,
            "subscription": mapping.subscription_body(reactivation.subscription),
            "invoice": reactivation.invoice,
            "payment": reactivation.payment,
            "failure": reactivation.failure,
        }
        partition = keys.account(reactivation.invoice.account)
        return self._replacing(partition, keys.REACTIVATION, reactivation.version, mapping.text(body))


def _reactivation_from(stored: str, version: int) -> Reactivation:
    body = mapping.parsed(stored)
    return Reactivation(
        reactivation=body["reactivation"],
        requested_at=datetime.fromisoformat(body["requested_at"]),
        requested_by=body["requested_by"],
        state=ReactivationState(body["state"]),
        contract=mapping.contract_from(body["contract"]),
        subscription=mapping.subscription_from(body["subscription"]),
        invoice=invoice_from(body["invoice"]),
        payment=body["payment"],
        failure=None if body["failure"] is None else Failure(body["failure"]),
        version=version,
    )
