"""Cancellations in the table, and the due items of an account's end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING

from billing.accounts.information import Area, CompanyDetails
from billing.accounts.mapping import company_from, user_from
from billing.accounts.records import account_item
from billing.accounts.rules import Account, User
from billing.accounts.term_mapping import term_from, term_item
from billing.accounts.terms import TermChange
from billing.ending.cancellation.rules import Cancellation, DueCharge, Reason, Requester
from billing.ending.due import EndingDue, EndingStage, next_notice
from billing.ending.due_mapping import stage_body, stage_from
from billing.invoicing.balance_mapping import other_credit_from
from billing.invoicing.due import InvoicingDue
from billing.invoicing.due_mapping import invoicing_due_from
from billing.invoicing.exemptions.mapping import exemptions_of
from billing.invoicing.exemptions.rules import NO_EXEMPTIONS, Exemptions
from billing.invoicing.one_off_mapping import one_offs_of
from billing.invoicing.one_offs import NO_ONE_OFFS, OneOffs
from billing.invoicing.period_mapping import period_of
from billing.invoicing.periods import PaidPeriod
from billing.invoicing.settings import UnconfirmedVatNumber
from billing.invoicing.to_come import InvoicingState, due_of
from billing.invoicing.vat_numbers.mapping import check_from
from billing.invoicing.vat_numbers.rules import VatNumberCheck
from billing.invoicing.vat_territories import Address
from billing.kernel.events import Event
from billing.kernel.money import Money
from billing.kernel.schedules import Job, start_of
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.bodies import Body, parsed, text
from billing.platform.dynamodb.item import Item
from billing.platform.dynamodb.reader import Row, Slice
from billing.subscriptions.currency_changes import as_agreed
from billing.subscriptions.mapping import subscriber_from
from billing.subscriptions.subscriber import Subscriber
from billing.usage.totals import UsageReads

if TYPE_CHECKING:
    from billing.platform.dynamodb.transaction import Transaction
    from billing.scaling.reviews.rules import Review


@dataclass(frozen=True, slots=True)
class CancellationState:
    """An account with its subscription, its cancellation and the next stage of its end. Either can be None.

    `invoicing_due` is the next contract month to invoice, `period` the running paid period as stored, `vat_check` the
    last check of a VAT number. Each can be None. `company_version` counts the changes of the company. `credit` is the
    credit balance in minor units, `other_credit` those in currencies that the contract had before. `has_open_review`
    says whether a review is booked and not decided. `exemptions` are those from tax, `one_offs` the charges and the
    goodwill that are open, `term` the newest change of the contract's term.
    """

    subscriber: Subscriber
    company: CompanyDetails
    cancellation: Cancellation | None
    due: EndingDue | None
    invoicing_due: InvoicingDue | None = None
    period: PaidPeriod | None = None
    vat_check: VatNumberCheck | None = None
    company_version: int = 0
    credit: int = 0
    has_open_review: bool = False
    exemptions: Exemptions = NO_EXEMPTIONS
    one_offs: OneOffs = NO_ONE_OFFS
    other_credit: Mapping[str, int] = field(default_factory=dict)
    term: TermChange | None = None

    @property
    def credits(self) -> dict[str, int]:
        """The credit balance of each currency, in minor units; that of the contract's currency first."""
        return {self.subscriber.account.contract.currency: self.credit, **self.other_credit}

    def invoicing(self, today: date, seller: Address, policy: UnconfirmedVatNumber | None) -> InvoicingState:
        """What decides the account's next invoices. They are shown before credit, which may keep another currency from
        beginning."""
        due = self.invoicing_due or due_of(self.subscriber, self.period, today)
        return InvoicingState(
            self.subscriber,
            self.company,
            due,
            self.period,
            self.credit,
            seller,
            self.vat_check,
            policy,
            self.exemptions,
            self.one_offs.open,
            as_agreed(self.subscriber, self.term),
        )


@dataclass(frozen=True, slots=True)
class ClosingReview:
    """What becomes of an account's open review when the account ends.

    `was_open` is the id of the review that was open when it was read, None without one. `cancelled` is the same review
    as cancelled, None if it has begun already: then staff still decide it.
    """

    was_open: str | None
    cancelled: Review | None

    def add_to(self, write: Transaction, account: str) -> None:
        """Adds it to a transaction, which fails if another review is open by then."""
        if self.cancelled is not None:
            from billing.scaling.reviews.records import close_review

            close_review(write, account, self.cancelled, frees_time=True)
        elif self.was_open is not None:
            write.check(keys.account(account), keys.REVIEW_OPEN)
        else:
            write.check(keys.account(account), keys.REVIEW_OPEN, 0)


class CancellationStore(UsageReads):
    """The cancellations in the one table."""

    def state(self, account: str) -> CancellationState | None:
        """The current state of an account, None if there is no such account. One read."""
        partition = keys.account(account)
        due, renewal = keys.due(Job.ENDING), keys.due(Job.RENEWAL)
        company = keys.page_information(Area.COMPANY)
        page = (
            keys.PAGE_ACCOUNT,
            keys.PAGE_SUBSCRIPTION,
            keys.PAGE_PERIOD,
            keys.PAGE_BILLING,
            keys.PAGE_VAT_CHECK,
            keys.PAGE_TAX_EXEMPTIONS,
            keys.PAGE_ONE_OFFS,
            keys.PAGE_TERM,
            company,
        )
        sort_keys = (*page, keys.CANCELLATION, keys.BALANCE, keys.REVIEW_OPEN, due, renewal)
        rows = self._reads.get_all((partition, key) for key in sort_keys)
        subscriber = subscriber_from(rows, partition)
        if subscriber is None or (partition, company) not in rows:
            return None
        stage, invoicing = rows.get((partition, due)), rows.get((partition, renewal))
        check = rows.get((partition, keys.PAGE_VAT_CHECK))
        balance = rows.get((partition, keys.BALANCE))
        cancelled = rows.get((partition, keys.CANCELLATION))
        return CancellationState(
            subscriber,
            company_from(rows[partition, company].body),
            None if cancelled is None else cancellation_from(cancelled.body),
            None if stage is None else stage_from(stage.body),
            None if invoicing is None else invoicing_due_from(invoicing.body),
            period_of(rows.get((partition, keys.PAGE_PERIOD))),
            None if check is None else check_from(check.body, check.version),
            rows[partition, company].version,
            0 if balance is None else parsed(balance.body)["credit"],
            (partition, keys.REVIEW_OPEN) in rows,
            exemptions_of(rows.get((partition, keys.PAGE_TAX_EXEMPTIONS))),
            one_offs_of(rows.get((partition, keys.PAGE_ONE_OFFS))),
            other_credit_from(balance),
            term_from(rows.get((partition, keys.PAGE_TERM))),
        )

    def cancellations(
        self, *, month: date | None, limit: int, after: str | None, clock: str | None = None
    ) -> Slice[tuple[str, Cancellation]]:
        """A page of the cancellations that hold, of one month (UTC) or of all, with their accounts; the newest first.
        Of the accounts on a test clock if one is named.

        One that was withdrawn, or that a reactivation has ended, is not there. One query of the index.
        """

        def listed(row: Row) -> tuple[str, Cancellation]:
            return row.partition.removeprefix(keys.account("")), cancellation_from(row.body)

        within = "" if month is None else f"{month:%Y-%m}-"
        return self._reads.listed(
            [keys.CANCELLATIONS], listed, limit=limit, after=after, within=within, newest_first=True, clock=clock
        )

    def user(self, account: str, user: str) -> User | None:
        """A user of the account, None if there is no such user. One read."""
        key = (keys.account(account), keys.user(user))
        row = self._reads.get_all([key]).get(key)
        return None if row is None else user_from(row.body)

    def open_review(self, account: str) -> Review | None:
        """The account's open review, read consistently; None without one. One get, and another if there is one."""
        # Few accounts have an open review when they end: the others need not load the rules of reviews.
        from billing.scaling.reviews.records import open_review_of

        return open_review_of(self._reads, account)

    def cancel(
        self,
        state: CancellationState,
        account: Account,
        cancellation: Cancellation,
        events: Sequence[Event],
        closing: ClosingReview,
    ) -> None:
        """Saves a cancelled account with its cancellation, its deactivation as due work, and the events.

        Raises ConcurrentChange if the account, or what its charges follow from, has changed since `state` was read: the
        receipt would name others than are charged. Also if a review was booked or decided since. One transaction.
        """
        partition = keys.account(account.id)
        check = 0 if state.vat_check is None else state.vat_check.version
        with self._transaction() as write:
            write.replace(account_item(account), account.version)
            write.check(partition, keys.PAGE_SUBSCRIPTION, state.subscriber.subscription.version)
            write.check(partition, keys.PAGE_PERIOD, state.subscriber.fixed.version)
            write.check(partition, keys.page_information(Area.COMPANY), state.company_version)
            write.check(partition, keys.PAGE_VAT_CHECK, check)
            write.check(partition, keys.PAGE_ONE_OFFS, state.one_offs.version)
            write.put(cancellation_item(account.id, cancellation))
            ending_due(write, account, EndingDue(EndingStage.DEACTIVATE, cancellation.active_until))
            closing.add_to(write, account.id)
            for event in events:
                write.record(event)

    def withdraw(self, account: Account, today: date, event: Event) -> None:
        """Saves an account without its cancellation, its next renewal notice as due work, and the event.

        Raises ConcurrentChange if the account is no longer at its version. One transaction.
        """
        with self._transaction() as write:
            write.replace(account_item(account), account.version)
            write.delete(keys.account(account.id), keys.CANCELLATION)
            ending_due(write, account, next_notice(account.contract, today))
            write.record(event)

    def follow_term(self, account: Account, change: TermChange, due: EndingDue | None) -> None:
        """Saves that the end of an account follows a change of its term: an active one has its next renewal notice by
        the contract as it is. One transaction.

        Raises ConcurrentChange if the account or the change is no longer at its version.
        """
        with self._transaction() as write:
            write.check(keys.account(account.id), keys.PAGE_ACCOUNT, account.version)
            write.replace(term_item(account.id, change, account.contract), change.version)
            if account.ending is None:
                ending_due(write, account, due)

    def schedule(self, account: Account, due: EndingDue) -> None:
        """Makes a stage of an account's end due. One transaction.

        Raises ConcurrentChange if the account is no longer at its version, or if a stage is due already.
        """
        with self._transaction() as write:
            write.check(keys.account(account.id), keys.PAGE_ACCOUNT, account.version)
            write.due_if(None, account.id, Job.ENDING, start_of(due.on, account.contract), stage_body(due))

    def move_on(
        self,
        account: Account,
        following: EndingDue | None,
        events: Sequence[Event],
        closing: ClosingReview | None = None,
    ) -> None:
        """Saves the account after a stage of its end, the following stage as due work, and the events.

        `following` is None if no stage follows. `closing` closes a review that no longer has a purpose. Raises
        ConcurrentChange if the account, or the review, is no longer at its version. One transaction.
        """
        with self._transaction() as write:
            write.replace(account_item(account), account.version)
            ending_due(write, account, following)
            if closing is not None:
                closing.add_to(write, account.id)
            for event in events:
                write.record(event)


def ending_due(write: Transaction, account: Account, due: EndingDue | None) -> None:
    """Adds the next stage of an account's end to a transaction, as due work. None removes the due item."""
    if due is None:
        write.due(account.id, Job.ENDING, None)
    else:
        write.due(account.id, Job.ENDING, start_of(due.on, account.contract), stage_body(due))


def cancellation_item(account: str, cancellation: Cancellation) -> Item:
    """The item of a cancellation, in the list of staff by the time of the request."""
    place = f"{keys.instant(cancellation.requested_at)}#{account}"
    return Item(keys.account(account), keys.CANCELLATION, text(cancellation), list_index=(keys.CANCELLATIONS, place))


def cancellation_from(stored: str) -> Cancellation:
    """The cancellation of a stored body."""
    body = parsed(stored)
    return Cancellation(
        receipt=body["receipt"],
        requested_at=datetime.fromisoformat(body["requested_at"]),
        requested_by=Requester(**body["requested_by"]),
        reason=Reason(body["reason"]),
        text=body["text"],
        notice_ends=date.fromisoformat(body["notice_ends"]),
        active_until=date.fromisoformat(body["active_until"]),
        charges_still_due=tuple(
            DueCharge(
                date.fromisoformat(each["on"]),
                Money(**each["amount"]),
                _money_or_none(each.get("tax")),  # older receipts lack this field and the next
                _money_or_none(each.get("total")),
            )
            for each in body["charges_still_due"]
        ),
        purge_on=date.fromisoformat(body["purge_on"]),
        goodwill_lapses=_money_or_none(body.get("goodwill_lapses")),  # older receipts lack this field too
    )


def _money_or_none(body: Body | None) -> Money | None:
    return None if body is None else Money(**body)
